import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Command, Result } from '../../src/chat/types.js';
import { LocalSequencer } from '../../src/sequencer/local.js';

const SALT = '00'.repeat(16);

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const say = (data: string): Command => ({ kind: 'message', room: 'r', user: ANN, data, at: 0, salt: SALT });
const SEEN: Result = { kind: 'seen' };

/** A sequencer that logs its calls. */
function recorded(): { sequencer: LocalSequencer; log: string[] } {
  const log: string[] = [];
  const text = (command: Command): string => (command.kind === 'message' ? command.data : command.kind);
  const sequencer = new LocalSequencer({
    apply: (commands) => {
      log.push(`apply ${commands.map(text).join(' ')}`);
      return commands.map(() => SEEN);
    },
    deliver: (results) => log.push(`deliver ${results.length}`),
  });
  return { sequencer, log };
}

describe('the local sequencer', () => {
  it('makes one batch of the commands of one iteration: applies, delivers, then answers them in order', async () => {
    const { sequencer, log } = recorded();
    for (const data of ['a', 'b', 'c']) sequencer.submit(say(data), () => log.push(`reply ${data}`));
    expect(log).toEqual([]);
    await sequencer.close();
    expect(log).toEqual(['apply a b c', 'deliver 3', 'reply a', 'reply b', 'reply c']);
  });

  it('runs nothing between apply and deliver', async () => {
    const { sequencer, log } = recorded();
    sequencer.submit(say('a'), () => log.push('reply a'));
    queueMicrotask(() => log.push('a microtask before'));
    await sequencer.close();
    expect(log).toEqual(['a microtask before', 'apply a', 'deliver 1', 'reply a']);
  });

  it('limits the size of a batch, and keeps the order over several batches', async () => {
    const { sequencer, log } = recorded();
    const all = Array.from({ length: 1200 }, (_, n) => `${n}`);
    for (const data of all) sequencer.submit(say(data));
    await sequencer.close();
    const applied = log.filter((line) => line.startsWith('apply'));
    expect(applied.length).toBeGreaterThan(1);
    expect(applied.flatMap((line) => line.split(' ').slice(1))).toEqual(all);
  });

  it('lets no message wait for thousands of visits, and keeps the order of those', async () => {
    const { sequencer, log } = recorded();
    const rooms = Array.from({ length: 1200 }, (_, n) => `r${n}`);
    const entered: string[] = [];
    for (const room of rooms)
      sequencer.submit({ kind: 'enter', room, user: ANN, at: 0 }, () => entered.push(room));
    sequencer.submit(say('a'), () => log.push(`reply after ${entered.length}`));
    await sequencer.close();
    expect(log[0]).toMatch(/^apply a enter enter/);
    expect(log[2]).toBe('reply after 0');
    expect(entered).toEqual(rooms);
  });

  it('makes one batch of those who enter within a moment, and of the next command', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { sequencer, log } = recorded();
    const enter: Command = { kind: 'enter', room: 'r', user: ANN, at: 0 };
    for (let n = 0; n < 3; n++) {
      sequencer.submit(enter);
      await new Promise(setImmediate);
    }
    expect(log).toEqual([]);
    vi.advanceTimersByTime(20);
    await new Promise(setImmediate);
    expect(log.splice(0)).toEqual(['apply enter enter enter', 'deliver 3']);
    sequencer.submit(enter);
    sequencer.submit(say('a'));
    await new Promise(setImmediate);
    expect(log).toEqual(['apply a enter', 'deliver 2']);
  });

  it('puts a command that a reply submits into a later batch', async () => {
    const { sequencer, log } = recorded();
    await new Promise<void>((resolve) => {
      sequencer.submit(say('a'), () => sequencer.submit(say('b'), () => resolve()));
    });
    expect(log).toEqual(['apply a', 'deliver 1', 'apply b', 'deliver 1']);
  });

  it('rejects commands after close, and does not apply them', async () => {
    const { sequencer, log } = recorded();
    await sequencer.close();
    const result = await new Promise<Result>((resolve) => sequencer.submit(say('late'), resolve));
    expect(result).toMatchObject({ kind: 'rejected', problem: { code: 'stopping' } });
    expect(log).toEqual([]);
  });
});
