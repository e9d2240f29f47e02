/**
 * How much one person may say, over all their sockets: a token bucket. What is over it waits in the person's queue, in
 * order, and reading from the sockets that filled it is paused: slowed, not lost.
 */
import type { Limits } from '../config.js';
import type { ConnectedUser } from './user.js';

/** Tokens come back with time; `take` needs one whole. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #at = 0;

  constructor(limits: Limits) {
    this.#rate = limits.messageRate;
    this.#burst = limits.messageBurst;
    this.#tokens = this.#burst;
  }

  /** `now` in milliseconds, from a clock that does not go back. */
  take(now: number): boolean {
    if (this.#rate === 0 || this.#burst === 0) return true;
    this.#refill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Nothing of it is used: it may be forgotten. */
  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#burst;
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, now - this.#at) / 1000) * this.#rate);
    this.#at = now;
  }
}

/**
 * The slow lane: people who said something too fast, whose words wait for their turn. One timer for all, and only while
 * somebody is in it.
 */

/** Bytes that may wait of all people together. Each has their own limit; hundreds who flood have this one. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;

/** What the lane needs of a person. */
export type ThrottledUser = Pick<ConnectedUser, 'queuedBytes' | 'postQueued' | 'disconnect'>;

export class ThrottleQueue {
  readonly #users = new Set<ThrottledUser>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  add(person: ThrottledUser): void {
    this.#users.add(person);
    if (!this.#stopped) this.#timer ??= setInterval(() => this.tick(performance.now()), 50);
  }

  /** Each says what their budget allows; who has nothing left leaves the lane. */
  tick(now: number): void {
    let bytes = 0;
    for (const person of this.#users) {
      if (person.postQueued(now)) this.#users.delete(person);
      bytes += person.queuedBytes;
    }
    if (bytes > MAX_QUEUED_BYTES) this.#disconnectLargest(bytes / this.#users.size);
    if (this.#users.size === 0) this.#stopTimer();
  }

  stop(): void {
    this.#stopped = true;
    this.#stopTimer();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Those who keep more than the average. */
  #disconnectLargest(average: number): void {
    for (const person of this.#users) if (person.queuedBytes >= average) person.disconnect();
  }
}
