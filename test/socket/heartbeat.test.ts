import { describe, expect, it, vi } from 'vitest';
import { ask, look, WHEEL } from '../../src/socket/heartbeat.js';
import type { Hub } from '../../src/socket/hub.js';

/** As much of a connection as the heartbeat looks at. */
function connectionOf(slot: number, ends = Number.POSITIVE_INFINITY, waiting = 0) {
  return { slot, ends, waiting, ping: vi.fn(), close: vi.fn(), cut: vi.fn() };
}

function hubOf(connections: readonly ReturnType<typeof connectionOf>[]): Hub {
  const hub = {
    connections: new Map(connections.map((connection, n) => [n, connection])),
    announceCounts: vi.fn(),
    forgetIdle: vi.fn(),
  };
  return hub as unknown as Hub; // the parts that the heartbeat uses
}

describe('the heartbeat', () => {
  it('asks each socket once in fifteen seconds, and not all in the same', () => {
    const connections = Array.from({ length: 2 * WHEEL }, (_, n) => connectionOf(n));
    const hub = hubOf(connections);
    ask(hub, 0);
    expect(connections.filter(({ ping }) => ping.mock.calls.length > 0)).toHaveLength(2);
    for (let step = 1; step < WHEEL; step++) ask(hub, step);
    expect(connections.map(({ ping }) => ping.mock.calls.length)).toEqual(connections.map(() => 1));
  });

  it('closes sessions that are over with 4001, the others not', () => {
    const [over, alive] = [connectionOf(3, 1000), connectionOf(3, 1001)];
    look(hubOf([over, alive]), 1000);
    expect(over.close).toHaveBeenCalledWith([4001, 'not signed in']);
    expect(alive.close).not.toHaveBeenCalled();
  });

  it('cuts the slowest when too much waits for all together', () => {
    const quick = Array.from({ length: 5 }, () => connectionOf(1, Number.POSITIVE_INFINITY, 10));
    const slow = Array.from({ length: 3 }, () =>
      connectionOf(1, Number.POSITIVE_INFINITY, 200 * 1024 * 1024),
    );
    look(hubOf([...quick, ...slow]), 0);
    expect(quick.every(({ cut }) => cut.mock.calls.length === 0)).toBe(true);
    expect(slow.every(({ cut }) => cut.mock.calls.length === 1)).toBe(true);
  });
});
