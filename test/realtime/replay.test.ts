/** Replays over as much of a connection and its room as they use; `log` is what happened, in order. */
import { describe, expect, it } from 'vitest';
import { Frames } from '../../src/realtime/frames.js';
import { ReplayQueue } from '../../src/realtime/room.js';
import { Scheduler } from '../../src/realtime/scheduler.js';

type Connection = Parameters<ReplayQueue['start']>[0];

function connectionOf(last: number, pageEvents: number, log: string[] = [], name = '') {
  const room = {
    last,
    pageAfter: (id: number) => {
      const to = Math.min(last, id + pageEvents);
      const frames = Array.from({ length: to - id }, (_, n) => frameOf(` ${id + n + 1}`));
      return { frames, last: to };
    },
    subscribe: () => log.push(`${name}subscribes`),
  };
  const drains: (() => void)[] = [];
  const connection = {
    open: true,
    room,
    writable: true,
    writePage: (page: Frames) => {
      log.push(name + textOf(page));
      return connection.writable;
    },
    onDrain: (next: () => void) => void drains.push(next),
    close: ([code]: readonly [number]) => log.push(`${name}closes ${code}`),
  };
  const drain = (): void => drains.splice(0).forEach((next) => void next());
  return { connection, asConnection: connection as unknown as Connection, room, drain, log };
}

/** A frame that stands for its text. */
function frameOf(name: string): Frames {
  return Frames.encode({ type: 'typing', user: { id: '', name } });
}

function textOf(frames: Frames): string {
  return [...frames.webSocket.toString().matchAll(/"name":"(.*?)"/g)].map(([, name]) => name).join('');
}

const hello = frameOf('hello');
const list = (): Frames => frameOf('list');
const iteration = (): Promise<void> => new Promise(setImmediate);

describe('a replay', () => {
  it('sends hello and the missed events in one write, then the list, then subscribes', () => {
    const { asConnection, log } = connectionOf(3, 256);
    new ReplayQueue(new Scheduler()).start(asConnection, 1, hello, list);
    expect(log).toEqual(['hello 2 3', 'list', 'subscribes']);
  });

  it('sends the list only after the last page', async () => {
    const { asConnection, log } = connectionOf(4, 2);
    new ReplayQueue(new Scheduler()).start(asConnection, 0, hello, list);
    await iteration();
    expect(log).toEqual(['hello 1 2', ' 3 4', 'list', 'subscribes']);
  });

  it('takes turns with the other replays, a page at a time', async () => {
    const replays = new ReplayQueue(new Scheduler());
    const log: string[] = [];
    const [a, b] = [connectionOf(6, 2, log, 'a'), connectionOf(4, 2, log, 'b')];
    for (const one of [a, b]) one.connection.writable = false;
    for (const one of [a, b]) replays.start(one.asConnection, 0, hello, list);
    for (const one of [a, b]) one.connection.writable = true;
    a.drain();
    b.drain();
    for (let n = 0; n < 5; n++) await iteration();
    expect(log.filter((line) => line.includes('subscribes'))).toHaveLength(2);
    expect(log.slice(0, 3)).toEqual(['ahello 1 2', 'bhello 1 2', 'a 3 4']);
  });

  it('waits with the next page until the previous one has drained', async () => {
    const { connection, asConnection, drain, log } = connectionOf(6, 2);
    connection.writable = false;
    new ReplayQueue(new Scheduler()).start(asConnection, 0, hello, list);
    await iteration();
    expect(log).toEqual(['hello 1 2']);
    drain();
    await iteration();
    expect(log).toEqual(['hello 1 2', ' 3 4']);
  });

  it('ends when the connection has closed meanwhile', async () => {
    const { connection, asConnection, drain, log } = connectionOf(6, 2);
    connection.writable = false;
    new ReplayQueue(new Scheduler()).start(asConnection, 0, hello, list);
    connection.open = false;
    drain();
    await iteration();
    expect(log).toEqual(['hello 1 2']);
  });

  it('closes with 1011 when the log cannot be read', () => {
    const { asConnection, room, log } = connectionOf(6, 2);
    room.pageAfter = () => {
      throw new Error('disk');
    };
    new ReplayQueue(new Scheduler()).start(asConnection, 0, hello, list);
    expect(log).toEqual(['closes 1011']);
  });
});
