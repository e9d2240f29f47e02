/** At most so many in a minute for each key. Old entries go with the next minute, so memory is bounded by one minute's keys. */
export class Throttle {
  readonly #most: number;
  readonly #now: () => number;
  #counts = new Map<string, number>();
  #minute = 0;

  /** `most`: 0 = no limit; `now` in milliseconds */
  constructor(most: number, now: () => number) {
    this.#most = most;
    this.#now = now;
  }

  /** Counts one; the seconds to wait when it is one too many, else 0. */
  take(key: string): number {
    if (this.#most === 0) return 0;
    const now = this.#now();
    if (now - this.#minute >= 60_000) {
      this.#minute = now;
      this.#counts = new Map();
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count > this.#most ? Math.ceil((this.#minute + 60_000 - now) / 1000) : 0;
  }
}
