/** As much of a connection as the heartbeat looks at. */
import { describe, expect, it, vi } from 'vitest';
import { Heartbeat, SLOTS, TICKS_PER_SECOND } from '../../src/realtime/heartbeat.js';

function connectionOf(ends = Number.POSITIVE_INFINITY, waiting = 0) {
  return {
    slot: 0,
    index: 0,
    sessionExpiresAt: ends,
    bufferedBytes: waiting,
    ping: vi.fn(),
    close: vi.fn(),
    terminate: vi.fn(),
  };
}

type Fake = ReturnType<typeof connectionOf>;

function heartbeatOf(connections: readonly Fake[]): Heartbeat {
  const heartbeat = new Heartbeat();
  for (const connection of connections) heartbeat.add(connection);
  return heartbeat;
}

/** @returns how often a second ended meanwhile */
function turn(heartbeat: Heartbeat, turns: number, now = 0): number {
  let seconds = 0;
  for (let n = 0; n < turns; n++) if (heartbeat.tick(now)) seconds++;
  return seconds;
}

const pings = (connections: readonly Fake[]) => connections.map(({ ping }) => ping.mock.calls.length);

describe('the heartbeat', () => {
  it('asks each socket once in fifteen seconds, and not all in the same', () => {
    const connections = Array.from({ length: 2 * SLOTS }, () => connectionOf());
    const heartbeat = heartbeatOf(connections);
    turn(heartbeat, 1);
    expect(pings(connections).filter((n) => n > 0)).toHaveLength(2);
    expect(turn(heartbeat, SLOTS - 1)).toBe(15);
    expect(pings(connections)).toEqual(connections.map(() => 1));
  });

  it('asks all who are left when others have gone, even those who go while they are asked', () => {
    const connections = Array.from({ length: 5 * SLOTS }, () => connectionOf());
    const heartbeat = heartbeatOf(connections);
    const gone = new Set(connections.filter((_, n) => n % 3 === 0));
    for (const [n, one] of connections.entries()) {
      if (!gone.has(one)) continue;
      if (n % 2 === 0) heartbeat.remove(one);
      else one.ping.mockImplementation(() => heartbeat.remove(one));
    }
    turn(heartbeat, 2 * SLOTS);
    for (const [n, one] of connections.entries())
      expect(one.ping).toHaveBeenCalledTimes(gone.has(one) ? n % 2 : 2);
    heartbeat.remove(connectionOf()); // one that never sat there takes nobody's seat
    turn(heartbeat, SLOTS);
    expect(pings(connections).filter((n) => n === 3)).toHaveLength(connections.length - gone.size);
  });

  it('closes sessions that are over within a second with 4001, the others not', () => {
    const [over, alive] = [connectionOf(1000), connectionOf(1001)];
    turn(heartbeatOf([over, alive]), TICKS_PER_SECOND, 1000);
    expect(over.close).toHaveBeenCalledExactlyOnceWith([4001, 'not signed in']);
    expect(alive.close).not.toHaveBeenCalled();
  });

  it('cuts the slowest when too much waits for all together', () => {
    const quick = Array.from({ length: 5 }, () => connectionOf(undefined, 10));
    const slow = Array.from({ length: 3 }, () => connectionOf(undefined, 200 * 1024 * 1024));
    turn(heartbeatOf([...quick, ...slow]), TICKS_PER_SECOND);
    expect(quick.every(({ terminate }) => terminate.mock.calls.length === 0)).toBe(true);
    expect(slow.every(({ terminate }) => terminate.mock.calls.length === 1)).toBe(true);
  });

  it('adds up what waits anew in each second', () => {
    const much = connectionOf(undefined, 300 * 1024 * 1024);
    turn(heartbeatOf([much]), 5 * TICKS_PER_SECOND);
    expect(much.terminate).not.toHaveBeenCalled();
  });
});
