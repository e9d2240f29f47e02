/**
 * One timer for all connections. A cursor passes over all of them once a second, in 20 ticks, so that 18,000 sockets do
 * not block the event loop. It closes expired sessions and old streams, and adds up the bytes that wait for readers. Every
 * 15th pass (`PING_SECONDS` for WebSockets) it pings the connection. A socket that lost its network is gone after two of them.
 */
import { CLOSE } from '../shared/protocol.js';

/** Seconds between two pings of a stream, whose readers know no other. WebSockets have a setting. */
export const pingIntervalSeconds = 15;

export const ticksPerSecond = 20;

/** Bytes that may wait for all readers together; SEND_BUFFER limits each of them. */
const maxBufferedBytes = 512 * 1024 * 1024;

/** What the heartbeat needs of a connection. */
export interface Pingable {
  readonly transport: 'websocket' | 'sse' | 'ndjson' | 'poll';
  /** From `assignPingSlot`. */
  readonly pingSlot: number;
  /** Milliseconds since 1970. */
  readonly sessionExpiresAt: number;
  /** When we end it, in milliseconds since 1970. */
  readonly endsAt: number;
  /** Bytes that the peer has not taken yet. */
  readonly bufferedBytes: number;
  ping(): void;
  close(reason: readonly [code: number, reason: string]): void;
  terminate(): void;
}

export class Heartbeat {
  readonly #connections: ReadonlyMap<unknown, Pingable>;
  readonly #webSocketSeconds: number;
  #assigned = 0;
  /** Seconds since the start. */
  #second = 0;
  #tick = 0;
  /** A live iterator: it skips connections that closed since the pass began. */
  #cursor: Iterator<Pingable>;
  /** Connections that each tick checks. All that were open when the pass began are checked in it. */
  #perTick = 0;
  #checked = 0;
  #bufferedBytes = 0;

  /** `webSocketSeconds`: seconds between two pings of a WebSocket. Proxies must have a longer timeout (nginx.conf). */
  constructor(connections: ReadonlyMap<unknown, Pingable>, webSocketSeconds = pingIntervalSeconds) {
    this.#connections = connections;
    this.#webSocketSeconds = webSocketSeconds;
    this.#cursor = connections.values();
  }

  /** Returns the second of the ping interval in which a new connection is pinged: each in turn, so that pings are even. */
  assignPingSlot(transport: Pingable['transport']): number {
    this.#assigned++;
    return this.#assigned % this.#intervalOf(transport);
  }

  #intervalOf(transport: Pingable['transport']): number {
    return transport === 'websocket' ? this.#webSocketSeconds : pingIntervalSeconds;
  }

  /** Call it `ticksPerSecond` times a second. `now` is in milliseconds since 1970. Returns true when a second ends. */
  tick(now: number): boolean {
    if (this.#tick === 0) this.#beginPass();
    for (let n = 0; n < this.#perTick; n++) {
      const next = this.#cursor.next();
      if (next.done) break;
      this.#check(next.value, now);
    }
    this.#tick = (this.#tick + 1) % ticksPerSecond;
    if (this.#tick !== 0) return false;
    this.#endPass();
    return true;
  }

  #beginPass(): void {
    this.#cursor = this.#connections.values();
    this.#perTick = Math.ceil(this.#connections.size / ticksPerSecond);
    this.#checked = 0;
    this.#bufferedBytes = 0;
  }

  #check(connection: Pingable, now: number): void {
    this.#checked++;
    this.#bufferedBytes += connection.bufferedBytes;
    if (connection.sessionExpiresAt <= now) connection.close(CLOSE.notSignedIn);
    else if (connection.endsAt <= now) connection.close(CLOSE.streamOver);
    else if ((this.#second - connection.pingSlot) % this.#intervalOf(connection.transport) === 0)
      connection.ping();
  }

  #endPass(): void {
    this.#second++;
    if (this.#bufferedBytes > maxBufferedBytes) this.#terminateSlowest(this.#bufferedBytes / this.#checked);
  }

  /** Cuts every reader for whom more than the average waits. They reconnect and resume at their number. */
  #terminateSlowest(averageBytes: number): void {
    for (const connection of this.#connections.values())
      if (connection.bufferedBytes >= averageBytes) connection.terminate();
  }
}

/** Starts the timer and returns a function that stops it. `now` is in milliseconds since 1970. */
export function startHeartbeat(heartbeat: Heartbeat, now: () => number, everySecond: () => void): () => void {
  const timer = setInterval(() => {
    if (heartbeat.tick(now())) everySecond();
  }, 1000 / ticksPerSecond);
  timer.unref();
  return () => clearInterval(timer);
}
