/** A clock that tests turn by hand. */
import type { Clock } from '../../src/client/clock.js';

export class HandClock implements Clock {
  #now = 1_000_000;
  #bells: { at: number; ring: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, ring: () => void): () => void {
    const bell = { at: this.#now + ms, ring };
    this.#bells.push(bell);
    return () => {
      this.#bells = this.#bells.filter((other) => other !== bell);
    };
  }

  /** Lets time pass; each bell rings at its moment. */
  turn(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#bells = this.#bells.filter((bell) => bell !== next);
      this.#now = next.at;
      next.ring();
    }
    this.#now = end;
  }

  #next(end: number) {
    return this.#bells.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }
}

/** A clock on which every wait is over at once: order matters there, not time. */
export const hasty: Clock = {
  now: () => 1,
  after(_ms, ring) {
    const handle = setImmediate(ring);
    return () => clearImmediate(handle);
  },
};
