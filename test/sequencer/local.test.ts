import { describe, expect, it } from 'vitest';
import type { Command, Result } from '../../src/chat/types.js';
import { LocalSequencer } from '../../src/sequencer/local.js';

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const say = (data: string): Command => ({ kind: 'message', room: 'r', user: ANN, data, at: 0 });
const SEEN: Result = { kind: 'seen' };

/** A sequencer whose doings are written down. */
function recorded(): { sequencer: LocalSequencer; story: string[] } {
  const story: string[] = [];
  const text = (command: Command): string => (command.kind === 'message' ? command.data : command.kind);
  const sequencer = new LocalSequencer({
    apply: (commands) => {
      story.push(`apply ${commands.map(text).join(' ')}`);
      return commands.map(() => SEEN);
    },
    deliver: (outcomes) => story.push(`deliver ${outcomes.length}`),
  });
  return { sequencer, story };
}

describe('the local sequencer', () => {
  it('makes one beat of what arrives within a turn: applied, delivered, then answered, in order', async () => {
    const { sequencer, story } = recorded();
    for (const data of ['a', 'b', 'c']) sequencer.submit(say(data), () => story.push(`reply ${data}`));
    expect(story).toEqual([]);
    await sequencer.close();
    expect(story).toEqual(['apply a b c', 'deliver 3', 'reply a', 'reply b', 'reply c']);
  });

  it('lets nothing run between apply and deliver', async () => {
    const { sequencer, story } = recorded();
    sequencer.submit(say('a'), () => story.push('reply a'));
    queueMicrotask(() => story.push('a microtask before'));
    await sequencer.close();
    expect(story).toEqual(['a microtask before', 'apply a', 'deliver 1', 'reply a']);
  });

  it('bounds a beat, and keeps the order over beats', async () => {
    const { sequencer, story } = recorded();
    const all = Array.from({ length: 1200 }, (_, n) => `${n}`);
    for (const data of all) sequencer.submit(say(data));
    await sequencer.close();
    const applied = story.filter((line) => line.startsWith('apply'));
    expect(applied.length).toBeGreaterThan(1);
    expect(applied.flatMap((line) => line.split(' ').slice(1))).toEqual(all);
  });

  it('takes what is submitted by a reply into a later beat', async () => {
    const { sequencer, story } = recorded();
    await new Promise<void>((resolve) => {
      sequencer.submit(say('a'), () => sequencer.submit(say('b'), () => resolve()));
    });
    expect(story).toEqual(['apply a', 'deliver 1', 'apply b', 'deliver 1']);
  });

  it('answers what comes after its end, and applies it not', async () => {
    const { sequencer, story } = recorded();
    await sequencer.close();
    const outcome = await new Promise<Result>((resolve) => sequencer.submit(say('late'), resolve));
    expect(outcome).toMatchObject({ kind: 'rejected', problem: { code: 'stopping' } });
    expect(story).toEqual([]);
  });
});
