/** At most so many in a span of time for each key. Old entries go with the next span, so memory is bounded by one's keys. */
export class RateLimiter {
  readonly #most: number;
  readonly #now: () => number;
  #counts = new Map<string, number>();
  readonly #span: number;
  #from = 0;

  /** `most`: 0 = no limit; `now` and `span` in milliseconds */
  constructor(most: number, now: () => number, span = 60_000) {
    this.#most = most;
    this.#now = now;
    this.#span = span;
  }

  /** Counts one; the seconds to wait when it is one too many, else 0. */
  take(key: string): number {
    if (this.#most === 0) return 0;
    const now = this.#now();
    if (Math.abs(now - this.#from) >= this.#span) {
      this.#from = now;
      this.#counts = new Map();
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count > this.#most ? Math.ceil((this.#from + this.#span - now) / 1000) : 0;
  }
}
