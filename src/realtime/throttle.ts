/**
 * Limits how much one user may send, over all their sockets. Messages over the limit wait in order, and we stop reading
 * from the sockets that sent them: they are delayed, not lost.
 */
import type { Limits } from '../config.js';
import type { Scheduler } from './scheduler.js';
import type { ConnectedUser } from './user.js';

/** A token bucket: one token for each message. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #refilledAt = 0;

  constructor(limits: Limits) {
    this.#rate = limits.messageRate;
    this.#burst = limits.messageBurst;
    this.#tokens = this.#burst;
  }

  /** `now` is in milliseconds, from a clock that does not go back. */
  take(now: number): boolean {
    if (this.#rate === 0 || this.#burst === 0) return true;
    this.#refill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#burst;
  }

  #refill(now: number): void {
    const elapsedMs = Math.max(0, now - this.#refilledAt);
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#rate);
    this.#refilledAt = now;
  }
}

/** Bytes that may wait of all users together. Each user has a limit, but hundreds of flooding users only have this one. */
const maxQueuedBytes = 64 * 1024 * 1024;
/** Milliseconds between two passes over the users whose messages wait. */
const passIntervalMs = 50;
/** Share of the event loop for messages that waited. */
const throttleBudgetMs = 2;

/** What the queue needs of a user. */
export type ThrottledUser = Pick<ConnectedUser, 'queuedBytes' | 'postQueued' | 'disconnect'>;

/** The users whose messages wait. One timer serves them all, and runs only while there are any. */
export class ThrottleQueue {
  readonly #scheduler: Scheduler;
  readonly #users = new Set<ThrottledUser>();
  #timer: NodeJS.Timeout | undefined;
  /** Users that the current pass has still to visit. */
  #cursor: Iterator<ThrottledUser> = [].values();
  /** Bytes that the users visited in this pass have waiting. */
  #queuedBytes = 0;
  #stopped = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  add(user: ThrottledUser): void {
    this.#users.add(user);
    this.#startTimer();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #startTimer(): void {
    if (!this.#stopped) this.#timer ??= setTimeout(this.#startPass, passIntervalMs);
  }

  readonly #startPass = (): void => {
    this.#cursor = this.#users.values();
    this.#queuedBytes = 0;
    this.#scheduler.runSliced(this.#visitNext, throttleBudgetMs);
  };

  /** Posts what the user's limit allows by now. Removes a user who has nothing waiting any more. */
  readonly #visitNext = (now: number): boolean => {
    const next = this.#cursor.next();
    if (next.done) {
      this.#endPass();
      return false;
    }
    const user = next.value;
    if (user.postQueued(now)) this.#users.delete(user);
    this.#queuedBytes += user.queuedBytes;
    return true;
  };

  #endPass(): void {
    this.#timer = undefined;
    if (this.#users.size === 0) return;
    if (this.#queuedBytes > maxQueuedBytes) this.#disconnectLargest(this.#queuedBytes / this.#users.size);
    this.#startTimer();
  }

  #disconnectLargest(averageBytes: number): void {
    for (const user of this.#users) if (user.queuedBytes >= averageBytes) user.disconnect();
  }
}
