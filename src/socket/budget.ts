/**
 * How much one person may say, over all their sockets: a token bucket. What is over it waits in the person's queue, in
 * order, and reading from the sockets that filled it is paused: slowed, not lost.
 */
import type { Limits } from '../config.js';

/** Tokens come back with time; `take` needs one whole. */
export class Budget {
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
  full(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#burst;
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, now - this.#at) / 1000) * this.#rate);
    this.#at = now;
  }
}
