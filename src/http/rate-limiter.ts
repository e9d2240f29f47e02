/**
 * Token buckets by key. A bucket starts with `burst` tokens and is refilled evenly, `rate` tokens in each `spanMs`. Full
 * buckets are dropped once per span, so memory is bounded by the keys of one span.
 */
import type { Limits } from '../config.js';

export class RateLimiter implements Limiter {
  readonly #rate: number;
  readonly #now: () => number;
  readonly #spanMs: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  #prunedAt = 0;

  /** `rate`: 0 = no limit. `now` is in milliseconds. */
  constructor(rate: number, now: () => number, spanMs = 60_000, burst = rate) {
    this.#rate = rate;
    this.#now = now;
    this.#spanMs = spanMs;
    this.#burst = burst;
  }

  /** Takes a token. Returns 0, or the seconds until there is one. */
  take(key: string): number {
    if (this.#rate === 0) return 0;
    const now = this.#now();
    this.#prune(now);
    const tokens = this.#tokens(key, now);
    if (tokens < 1) return Math.ceil(((1 - tokens) * this.#spanMs) / this.#rate / 1000);
    this.#buckets.set(key, { tokens: tokens - 1, at: now });
    return 0;
  }

  #tokens(key: string, now: number): number {
    const bucket = this.#buckets.get(key);
    if (!bucket) return this.#burst;
    if (now < bucket.at) return this.#burst; // the clock went back
    const gained = ((now - bucket.at) / this.#spanMs) * this.#rate;
    return Math.min(this.#burst, bucket.tokens + gained);
  }

  #prune(now: number): void {
    if (Math.abs(now - this.#prunedAt) < this.#spanMs) return;
    this.#prunedAt = now;
    for (const key of this.#buckets.keys())
      if (this.#tokens(key, now) >= this.#burst) this.#buckets.delete(key);
  }
}

/** A limit, counted in this process or in another one. */
export interface Limiter {
  /** Takes a token. Returns 0, or the seconds until there is one. */
  take(key: string): number | Promise<number>;
}

/** Sign-ins from one address before the rate applies, because a class behind one address signs in within a minute. */
const signinBurst = 60;

/** Returns the limits of sign-ins by address and of searches by user, who may search as often as they may write. */
export function createLimiters({ signinsPerMinute, messageRate }: Limits, now: () => number) {
  return {
    signinLimiter: new RateLimiter(signinsPerMinute, now, 60_000, signinBurst),
    searchLimiter: new RateLimiter(messageRate, now, 1000),
  };
}
