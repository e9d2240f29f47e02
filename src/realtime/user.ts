/**
 * Someone who is connected, or was a moment ago: one object for all their sockets, with one budget and one queue of
 * what they said too fast. Most have one socket and are silent: what only others need is made when they need it.
 */
import type { Limits } from '../config.js';
import { CLOSE, type User } from '../shared/protocol.js';
import type { Connection } from './connection.js';
import { TokenBucket } from './throttle.js';

/** Something said that waits for its turn. It is sent on even when its socket has closed meanwhile. */
export interface QueuedPost {
  readonly bytes: number;
  post(): void;
}

export const QUEUE_LIMITS = {
  /** reading is paused when so many bytes or messages wait, and goes on below half of it */
  pauseBytes: 64 * 1024,
  pauseCount: 1000,
  /** but only after so many milliseconds: thousands sent in one go would stay unseen behind the pause */
  pauseAfterMs: 2000,
  /** who keeps so much waiting is cut off (4429) */
  disconnectBytes: 2 * 1024 * 1024,
  disconnectCount: 2000,
} as const;

export class ConnectedUser {
  user: User;
  /** the rooms they have been in, once they were looked up (following.ts) */
  rooms: readonly string[] | undefined;
  /** the one room that all their sockets are in */
  onlyRoom: string | undefined;
  /** hears of other rooms */
  isFollowing = false;
  readonly #limits: Limits;
  /** their only socket, or all when they are several: a Set takes 180 bytes */
  #only: Connection | undefined;
  #several: Set<Connection> | undefined;
  #bucket: TokenBucket | undefined;
  #queue: QueuedPost[] | undefined;
  #queuedBytes = 0;
  /** since when so much waits that reading is to be paused, as performance.now() */
  #fullSince: number | undefined;

  constructor(user: User, limits: Limits) {
    this.user = user;
    this.#limits = limits;
  }

  get connections(): Iterable<Connection> {
    return this.#several ?? (this.#only ? [this.#only] : []);
  }

  /** how many sockets they have */
  get connectionCount(): number {
    return this.#several?.size ?? (this.#only ? 1 : 0);
  }

  addConnection(connection: Connection): void {
    if (this.#several) this.#several.add(connection);
    else if (this.#only) this.#several = new Set([this.#only, connection]);
    else this.#only = connection;
  }

  removeConnection(connection: Connection): void {
    this.#several?.delete(connection);
    if (this.#only === connection) this.#only = undefined;
    if (this.#several?.size === 0) this.#several = undefined;
  }

  get bucket(): TokenBucket {
    this.#bucket ??= new TokenBucket(this.#limits);
    return this.#bucket;
  }

  /** Nothing of the budget is used: they may be forgotten. `now` as performance.now(). */
  isIdle(now: number): boolean {
    return this.#bucket?.isFull(now) ?? true;
  }

  get queuedPosts(): number {
    return this.#queue?.length ?? 0;
  }

  /** Takes one message from the budget; none overtakes those that wait. */
  mayPost(now: number): boolean {
    return this.queuedPosts === 0 && this.bucket.take(now);
  }

  /** bytes that wait */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isOverLimit(): boolean {
    return (
      this.#queuedBytes >= QUEUE_LIMITS.disconnectBytes || this.queuedPosts >= QUEUE_LIMITS.disconnectCount
    );
  }

  /** To be asked whenever something waits. `now` as performance.now(). */
  shouldPause(now: number): boolean {
    if (this.#queuedBytes < QUEUE_LIMITS.pauseBytes && this.queuedPosts < QUEUE_LIMITS.pauseCount)
      return false;
    this.#fullSince ??= now;
    return now - this.#fullSince >= QUEUE_LIMITS.pauseAfterMs;
  }

  enqueue(said: QueuedPost): void {
    this.#queue ??= [];
    this.#queue.push(said);
    this.#queuedBytes += said.bytes;
  }

  /** Posts what the budget allows by now; true when nothing is left waiting. */
  postQueued(now: number): boolean {
    while (this.queuedPosts > 0 && this.bucket.take(now)) {
      const said = this.#queue?.shift();
      this.#queuedBytes -= said?.bytes ?? 0;
      said?.post();
    }
    this.#resumeReading();
    return this.queuedPosts === 0;
  }

  #resumeReading(): void {
    if (this.#queuedBytes >= QUEUE_LIMITS.pauseBytes / 2 || this.queuedPosts >= QUEUE_LIMITS.pauseCount / 2)
      return;
    this.#fullSince = undefined;
    for (const connection of this.connections) connection.resume();
  }

  disconnect(): void {
    this.clearQueue();
    for (const connection of this.connections) connection.close(CLOSE.tooFast);
  }

  /** Forgets what waits: they were thrown out, or signed out. */
  clearQueue(): void {
    this.#queue = undefined;
    this.#queuedBytes = 0;
  }
}
