/**
 * A user who is connected or was a moment ago: one object for all their sockets, with one rate limit and one queue.
 * Most users have one socket and send little, so the queue, the bucket and the set of sockets are made on demand.
 */
import type { Limits } from '../config.js';
import { CLOSE, type User } from '../shared/protocol.js';
import type { Connection } from './connection.js';
import { TokenBucket } from './throttle.js';

/** A message over the rate limit. It is posted later, even when its socket has closed by then. */
export interface QueuedPost {
  readonly bytes: number;
  post(): void;
}

export const queueLimits = {
  /** Reading pauses when this much waits, and resumes below half of it. */
  pauseBytes: 64 * 1024,
  pauseCount: 1000,
  /** Pauses only after this time: data behind a paused socket is invisible, so a flood of any size would go undetected. */
  pauseAfterMs: 2000,
  /** A user who has this much waiting is disconnected (4429). */
  disconnectBytes: 2 * 1024 * 1024,
  disconnectCount: 2000,
} as const;

export class ConnectedUser {
  user: User;
  /** The rooms that they are a member of, as soon as the first `enter` is committed (unread.ts). */
  rooms: readonly string[] | undefined;
  /** The room of all their sockets; undefined when those are in several. */
  onlyRoom: string | undefined;
  readonly #limits: Limits;
  /** Their only socket, or all of them when they have several: a Set takes 180 bytes. */
  #only: Connection | undefined;
  #several: Set<Connection> | undefined;
  #bucket: TokenBucket | undefined;
  #queue: QueuedPost[] | undefined;
  #queuedBytes = 0;
  /** Since when the queue has been long enough to pause reading, as performance.now(). */
  #fullSince: number | undefined;

  constructor(user: User, limits: Limits) {
    this.user = user;
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

  removeConnection(connection: Connection): void {
    this.#several?.delete(connection);
    if (this.#only === connection) this.#only = undefined;
    if (this.#several?.size === 0) this.#several = undefined;
  }

  get bucket(): TokenBucket {
    this.#bucket ??= new TokenBucket(this.#limits);
    return this.#bucket;
  }

  /** Whether the whole burst is available, so that nothing is lost when this object is. `now` is performance.now(). */
  isIdle(now: number): boolean {
    return this.#bucket?.isFull(now) ?? true;
  }

  get queuedPosts(): number {
    return this.#queue?.length ?? 0;
  }

  /** Takes a token for one message. Returns false while others wait: no message overtakes them. */
  mayPost(now: number): boolean {
    return this.queuedPosts === 0 && this.bucket.take(now);
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isOverLimit(): boolean {
    return (
      this.#queuedBytes >= queueLimits.disconnectBytes || this.queuedPosts >= queueLimits.disconnectCount
    );
  }

  /** Returns whether reading must pause. To be called whenever a message is queued. `now` is performance.now(). */
  shouldPause(now: number): boolean {
    if (this.#queuedBytes < queueLimits.pauseBytes && this.queuedPosts < queueLimits.pauseCount) return false;
    this.#fullSince ??= now;
    return now - this.#fullSince >= queueLimits.pauseAfterMs;
  }

  enqueue(post: QueuedPost): void {
    this.#queue ??= [];
    this.#queue.push(post);
    this.#queuedBytes += post.bytes;
  }

  /** Posts what the rate limit allows by now. Returns whether nothing waits any more. */
  postQueued(now: number): boolean {
    while (this.queuedPosts > 0 && this.bucket.take(now)) {
      const next = this.#queue?.shift();
      this.#queuedBytes -= next?.bytes ?? 0;
      next?.post();
    }
    this.#resumeReading();
    return this.queuedPosts === 0;
  }

  #resumeReading(): void {
    if (this.#queuedBytes >= queueLimits.pauseBytes / 2 || this.queuedPosts >= queueLimits.pauseCount / 2)
      return;
    this.#fullSince = undefined;
    for (const connection of this.connections) connection.resume();
  }

  disconnect(): void {
    this.clearQueue();
    for (const connection of this.connections) connection.close(CLOSE.tooFast);
  }

  /** Drops the queued messages: the user was disconnected or has signed out. */
  clearQueue(): void {
    this.#queue = undefined;
    this.#queuedBytes = 0;
  }
}
