/**
 * A user who is connected or was a moment ago: one object for all their sockets, with one throttle. Most users have one
 * socket and send little, so the throttle and the set of sockets are created on demand.
 */
import type { Limits } from '../config.js';
import { CLOSE, type User } from '../shared/protocol.js';
import type { Connection } from './connection.js';
import { UserThrottle } from './throttle.js';

/** Sockets that one user may open within the interval; further ones are closed with 4429. */
const maxConnectsPerInterval = 60;
const connectIntervalMs = 10_000;
/**
 * How long a user without sockets is remembered, here and in other processes. Invariant: at least `connectIntervalMs`, and
 * longer than the delay before `left` is sent (presence.ts). A user who returns before `left` must get the same object.
 */
const forgetAfterMs = 10_000;

/** Counts attempts to open a connection. */
export class ConnectRate {
  #count = 0;
  /** When the interval began, as performance.now(). */
  #since = Number.NEGATIVE_INFINITY;

  /** Counts an attempt. Returns false if there were too many in this interval. `now` is performance.now(). */
  allow(now: number): boolean {
    if (now - this.#since >= connectIntervalMs) {
      this.#since = now;
      this.#count = 0;
    }
    return ++this.#count <= maxConnectsPerInterval;
  }

  isIdle(now: number): boolean {
    return now - this.#since >= connectIntervalMs;
  }
}

export class ConnectedUser {
  profile: User;
  /** The rooms that they are a member of, as soon as the first `enter` is committed (unread.ts). */
  rooms: readonly string[] | undefined;
  /** The room of all their sockets; undefined when those are in several. */
  onlyRoom: string | undefined;
  /** In how many rooms of other processes they are. */
  #remoteRooms = 0;
  readonly #limits: Limits;
  /** Their only socket, or all of them when they have several: a Set takes 180 bytes. */
  #only: Connection | undefined;
  #several: Set<Connection> | undefined;
  #throttler: UserThrottle | undefined;
  readonly #connects = new ConnectRate();
  /** When the last socket closed, or the last room of another process was left, as performance.now(). */
  #leftAt = Number.NEGATIVE_INFINITY;

  constructor(profile: User, limits: Limits) {
    this.profile = profile;
    this.#limits = limits;
  }

  get connections(): Iterable<Connection> {
    return this.#several ?? (this.#only ? [this.#only] : []);
  }

  get connectionCount(): number {
    return this.#several?.size ?? (this.#only ? 1 : 0);
  }

  addConnection(connection: Connection): void {
    if (this.#several) this.#several.add(connection);
    else if (this.#only) this.#several = new Set([this.#only, connection]);
    else this.#only = connection;
  }

  /** `now` is performance.now(). */
  removeConnection(connection: Connection, now: number): void {
    this.#several?.delete(connection);
    if (this.#only === connection) this.#only = undefined;
    if (this.#several?.size === 0) this.#several = undefined;
    if (this.connectionCount === 0) this.#leftAt = now;
  }

  enterRemoteRoom(): void {
    this.#remoteRooms++;
  }

  /** `now` is performance.now(). */
  leaveRemoteRoom(now: number): void {
    if (--this.#remoteRooms === 0) this.#leftAt = now;
  }

  /** Whether the user is in no room of any process. */
  get isAway(): boolean {
    return this.connectionCount === 0 && this.#remoteRooms === 0;
  }

  /** Counts an attempt to open a socket. Returns why it is refused, or null. `now` is performance.now(). */
  refuseConnection(now: number): 'rate' | 'person' | null {
    if (this.#limits.connectionsPerPerson === 0) return null;
    if (!this.#connects.allow(now)) return 'rate';
    return this.isBelowConnectionLimit ? null : 'person';
  }

  /** Whether the user may have another open socket. */
  get isBelowConnectionLimit(): boolean {
    const { connectionsPerPerson } = this.#limits;
    return connectionsPerPerson === 0 || this.connectionCount < connectionsPerPerson;
  }

  get throttle(): UserThrottle {
    this.#throttler ??= new UserThrottle(this.#limits);
    return this.#throttler;
  }

  get queuedBytes(): number {
    return this.#throttler?.bytes ?? 0;
  }

  /** Whether this object may be deleted: no limit is in use, and the user left some time ago. */
  isIdle(now: number): boolean {
    return (
      this.#remoteRooms === 0 &&
      now - this.#leftAt >= forgetAfterMs &&
      this.#connects.isIdle(now) &&
      (this.#throttler?.isIdle(now) ?? true)
    );
  }

  /** Runs queued items within the limits, and resumes reading when the queue is short. Returns whether the queue is empty. */
  runQueued(now: number): boolean {
    this.throttle.runQueued(now);
    if (this.throttle.mayResume()) for (const connection of this.connections) connection.resume();
    return this.throttle.count === 0;
  }

  /** Disconnects a user for flooding, and drops what is queued. */
  disconnect(): void {
    this.clearQueue();
    for (const connection of this.connections) connection.closeFlood(CLOSE.tooFast);
  }

  /** Drops what is queued. */
  clearQueue(): void {
    this.#throttler?.clear();
  }
}
