/** The heartbeat over as much of a connection as it uses; each tick is called by the test. */
import { describe, expect, it, vi } from 'vitest';
import { Heartbeat, pingIntervalSeconds, ticksPerSecond } from '../../src/realtime/heartbeat.js';

const MIB = 1024 * 1024;
const ticksPerInterval = pingIntervalSeconds * ticksPerSecond;

interface FakeOptions {
  readonly sessionExpiresAt?: number;
  readonly endsAt?: number;
  readonly bufferedBytes?: number;
  readonly transport?: 'websocket' | 'sse';
}

/** A hub's connections and the heartbeat over them. */
class Crowd {
  readonly connections = new Map<number, ReturnType<Crowd['connect']>>();
  readonly heartbeat: Heartbeat;
  #next = 0;

  constructor(pingSeconds?: number) {
    this.heartbeat = new Heartbeat(this.connections, pingSeconds);
  }

  connect({
    sessionExpiresAt = Number.POSITIVE_INFINITY,
    endsAt = Number.POSITIVE_INFINITY,
    bufferedBytes = 0,
    transport = 'websocket',
  }: FakeOptions = {}) {
    const connection = {
      key: this.#next++,
      transport,
      pingSlot: this.heartbeat.assignPingSlot(transport),
      sessionExpiresAt,
      endsAt,
      bufferedBytes,
      /** ticks at which it was pinged */
      pings: [] as number[],
      ping: (): void => {
        connection.pings.push(this.ticks);
      },
      close: vi.fn(),
      terminate: vi.fn(),
    };
    this.connections.set(connection.key, connection);
    return connection;
  }

  connectMany(count: number, options: FakeOptions = {}) {
    return Array.from({ length: count }, () => this.connect(options));
  }

  ticks = 0;

  /** Returns how many seconds ended. */
  tick(times: number, now = 0): number {
    let seconds = 0;
    for (let n = 0; n < times; n++) {
      if (this.heartbeat.tick(now)) seconds++;
      this.ticks++;
    }
    return seconds;
  }
}

describe('the heartbeat', () => {
  it('pings each connection once in 15 seconds, in each tick as many', () => {
    const crowd = new Crowd();
    const all = crowd.connectMany(2 * ticksPerInterval);
    expect(crowd.tick(ticksPerInterval)).toBe(pingIntervalSeconds);
    expect(all.every(({ pings }) => pings.length === 1)).toBe(true);
    const perTick = new Map<number, number>();
    for (const { pings } of all) for (const at of pings) perTick.set(at, (perTick.get(at) ?? 0) + 1);
    expect(perTick.size).toBe(ticksPerInterval);
    expect(Math.max(...perTick.values())).toBe(2);
  });

  it('pings WebSockets as often as PING_SECONDS says, and streams every 15 seconds', () => {
    const crowd = new Crowd(60);
    const [sockets, streams] = [crowd.connectMany(120), crowd.connectMany(30, { transport: 'sse' })];
    crowd.tick(120 * ticksPerSecond);
    expect(new Set(sockets.map(({ pings }) => pings.length))).toEqual(new Set([2]));
    expect(new Set(streams.map(({ pings }) => pings.length))).toEqual(new Set([8]));
  });

  it('pings a connection 15 seconds after its previous ping, while thousands come and go', () => {
    const crowd = new Crowd();
    const staying = crowd.connectMany(500);
    let leaving: typeof staying = [];
    for (let second = 0; second < 100; second++) {
      for (const { key } of leaving) crowd.connections.delete(key);
      leaving = crowd.connectMany((second * 7919) % 2000);
      staying.push(crowd.connect());
      crowd.tick(ticksPerSecond);
    }
    for (const { pings } of staying.slice(0, 500)) {
      expect(pings.length).toBeGreaterThanOrEqual(6);
      for (const [n, at] of pings.slice(1).entries()) {
        expect(at - (pings[n] ?? 0)).toBeGreaterThan(ticksPerInterval - ticksPerSecond);
        expect(at - (pings[n] ?? 0)).toBeLessThan(ticksPerInterval + ticksPerSecond);
      }
    }
  });

  it('checks at most a twentieth of all connections in a tick', () => {
    const crowd = new Crowd();
    let checks = 0;
    for (const connection of crowd.connectMany(18_000))
      Object.defineProperty(connection, 'bufferedBytes', { get: () => ++checks });
    for (let n = 0; n < ticksPerSecond; n++) {
      checks = 0;
      crowd.tick(1);
      expect(checks).toBe(900);
    }
  });

  it('checks the others when some close during a pass, even within their own ping', () => {
    const crowd = new Crowd();
    const all = crowd.connectMany(5 * ticksPerInterval);
    const gone = new Set(all.filter((_, n) => n % 3 === 0));
    for (const [n, one] of [...gone].entries()) {
      const leave = (): void => void crowd.connections.delete(one.key);
      if (n % 2 === 0) leave();
      else one.ping = leave;
    }
    crowd.tick(2 * ticksPerInterval);
    for (const one of all) expect(one.pings.length).toBe(gone.has(one) ? 0 : 2);
    expect(crowd.connections.size).toBe(all.length - gone.size);
  });

  it('closes expired sessions within a second with 4001, and no others', () => {
    const crowd = new Crowd();
    const [over, alive] = [
      crowd.connect({ sessionExpiresAt: 1000 }),
      crowd.connect({ sessionExpiresAt: 1001 }),
    ];
    crowd.tick(ticksPerSecond, 1000);
    expect(over.close).toHaveBeenCalledExactlyOnceWith([4001, 'not signed in']);
    expect(alive.close).not.toHaveBeenCalled();
  });

  it('cuts the slowest readers when more than 512 MiB wait for all together', () => {
    const crowd = new Crowd();
    const quick = crowd.connectMany(5, { bufferedBytes: 10 });
    const slow = crowd.connectMany(3, { bufferedBytes: 200 * MIB });
    crowd.tick(ticksPerSecond);
    expect(quick.every(({ terminate }) => terminate.mock.calls.length === 0)).toBe(true);
    expect(slow.every(({ terminate }) => terminate.mock.calls.length === 1)).toBe(true);
  });

  it('adds up the waiting bytes anew in each second', () => {
    const crowd = new Crowd();
    const slow = crowd.connect({ bufferedBytes: 300 * MIB });
    crowd.tick(5 * ticksPerSecond);
    expect(slow.terminate).not.toHaveBeenCalled();
  });
});
