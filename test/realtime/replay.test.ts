/** As much of a connection in a room as a replay uses: `done` is what happened, in order. */
import { describe, expect, it } from 'vitest';
import { replay } from '../../src/realtime/room.js';

function connectionOf(last: number, page: number) {
  const done: string[] = [];
  const room = {
    last,
    since: (id: number) => {
      const to = Math.min(last, id + page);
      const frames = Array.from({ length: to - id }, (_, n) => Buffer.from(` ${id + n + 1}`));
      return { frames, to };
    },
    join: () => done.push('joins'),
  };
  const connection = {
    open: true,
    room,
    writePage: (page: Buffer) => done.push(page.toString()) > 0,
  };
  return { connection: connection as unknown as Parameters<typeof replay>[0], done };
}

describe('a replay', () => {
  it('says hello and what was missed in one write, then who is here, then joins', () => {
    const { connection, done } = connectionOf(3, 256);
    replay(connection, 1, Buffer.from('hello'), () => Buffer.from('list'));
    expect(done).toEqual(['hello 2 3', 'list', 'joins']);
  });

  it('says who is here only with the last page', async () => {
    const { connection, done } = connectionOf(4, 2);
    replay(connection, 0, Buffer.from('hello'), () => Buffer.from('list'));
    await new Promise(setImmediate);
    expect(done).toEqual(['hello 1 2', ' 3 4', 'list', 'joins']);
  });
});
