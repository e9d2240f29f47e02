/**
 * A user who is connected or was a moment ago: one object for all their sockets, with one inbox. Most users have one
 * socket and send little, so the inbox and the set of sockets are made on demand.
 */
import type { Limits } from '../config.js';
import { CLOSE, type User } from '../shared/protocol.js';
import type { Connection } from './connection.js';
import { Inbox } from './throttle.js';

/** Sockets that one user may open within the interval; further ones are closed with 4429. */
const maxOpens = 60;
const opensIntervalMs = 10_000;
/** How long a user without sockets is remembered. Invariant: at least `opensIntervalMs` and the leave delay of Presence. */
const forgetAfterMs = 10_000;

export class ConnectedUser {
  profile: User;
  /** The rooms that they are a member of, as soon as the first `enter` is committed (unread.ts). */
  rooms: readonly string[] | undefined;
  /** The room of all their sockets; undefined when those are in several. */
  onlyRoom: string | undefined;
  readonly #limits: Limits;
  /** Their only socket, or all of them when they have several: a Set takes 180 bytes. */
  #only: Connection | undefined;
  #several: Set<Connection> | undefined;
  #inbox: Inbox | undefined;
  /** Sockets opened since `#opensSince`, which is performance.now(). */
  #opens = 0;
  #opensSince = Number.NEGATIVE_INFINITY;
  /** When the last socket closed, as performance.now(). */
  #disconnectedAt = Number.NEGATIVE_INFINITY;

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
    if (this.connectionCount === 0) this.#disconnectedAt = now;
  }

  /** Counts an attempt to open a socket. Returns false when there were too many lately. `now` is performance.now(). */
  mayOpen(now: number): boolean {
    if (this.#limits.connectionsPerPerson === 0) return true;
    if (now - this.#opensSince >= opensIntervalMs) {
      this.#opensSince = now;
      this.#opens = 0;
    }
    return ++this.#opens <= maxOpens;
  }

  /** Whether another socket fits into the limit of open ones. */
  get hasRoom(): boolean {
    const { connectionsPerPerson } = this.#limits;
    return connectionsPerPerson === 0 || this.connectionCount < connectionsPerPerson;
  }

  get inbox(): Inbox {
    this.#inbox ??= new Inbox(this.#limits);
    return this.#inbox;
  }

  get queuedBytes(): number {
    return this.#inbox?.bytes ?? 0;
  }

  /** Whether nothing is lost with this object: no limit is in use, and they left some time ago. */
  isIdle(now: number): boolean {
    return (
      now - this.#disconnectedAt >= forgetAfterMs &&
      now - this.#opensSince >= opensIntervalMs &&
      (this.#inbox?.isIdle(now) ?? true)
    );
  }

  /** Runs what the limits allow by now, and reads again when little is left. Returns whether nothing waits any more. */
  runQueued(now: number): boolean {
    this.inbox.runQueued(now);
    if (this.inbox.mayResume()) for (const connection of this.connections) connection.resume();
    return this.inbox.count === 0;
  }

  /** Disconnects a user who sends far too much. What waits is dropped. */
  disconnect(): void {
    this.clearQueue();
    for (const connection of this.connections) connection.closeFlood(CLOSE.tooFast);
  }

  /** Drops what waits. */
  clearQueue(): void {
    this.#inbox?.clear();
  }
}
