/**
 * Positions in the one order, as clients get them: milliseconds and a count, "1764244800000-3". With Redis it is the id of an
 * entry; with workers, the start of the primary and the number of the batch.
 */
import { setTimeout } from 'node:timers/promises';

/** Compares as `Array.sort` expects it. */
export function comparePositions(a: string, b: string): number {
  const [aMs = 0, aCount = 0] = a.split('-').map(Number);
  const [bMs = 0, bCount = 0] = b.split('-').map(Number);
  return aMs - bMs || aCount - bCount;
}

function isPosition(text: string): boolean {
  return /^\d{1,15}-\d{1,15}$/.test(text);
}

interface Waiter {
  readonly position: string;
  readonly resolve: (reached: boolean) => void;
}

/** Requests that wait until this process has got to a position. */
export class PositionWaiters {
  readonly #waiters = new Set<Waiter>();

  /** Resolves with true when `current` has got there, with false after `waitMs`. What is no position is not waited for. */
  waitFor(position: string, current: string, waitMs: number): Promise<boolean> {
    if (!isPosition(position) || comparePositions(position, current) <= 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter: Waiter = { position, resolve };
      this.#waiters.add(waiter);
      void setTimeout(waitMs, undefined, { ref: false }).then(() => {
        if (this.#waiters.delete(waiter)) resolve(false);
      });
    });
  }

  /** This process has got to a position. */
  wake(current: string): void {
    for (const waiter of this.#waiters) {
      if (comparePositions(waiter.position, current) > 0) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(true);
    }
  }

  /** Answers everybody, because this process gets no further. */
  end(): void {
    for (const { resolve } of this.#waiters) resolve(false);
    this.#waiters.clear();
  }
}
