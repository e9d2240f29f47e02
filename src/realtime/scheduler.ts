/**
 * Shares the event loop between long tasks: writing to rooms, admitting sockets, replays, closing. Each task works in
 * slices, in turns with the others. After `turnMs` the event loop gets to requests, frames and timers. Without this, the
 * 18,000 writes of one large room would delay every other room and every request by 100 ms.
 */

/**
 * Does one step of a task, which should take at most about a millisecond. Returns whether the task has more to do.
 * `now` is performance.now().
 */
export type Step = (now: number) => boolean;

interface Task {
  readonly budgetMs: number;
  /** It gets the first slice of each turn. */
  readonly isFirst: boolean;
}

/** Milliseconds after which no further slice begins in this iteration of the event loop. */
const turnMs = 4;

export class Scheduler {
  /** Waiting tasks, first come first served. */
  readonly #queue = new Map<Step, Task>();
  /** When the current turn ends; 0 while there is none. */
  #turnEndsAt = 0;
  #running = false;

  /**
   * Calls `step` until it returns false: for at most `budgetMs` at a time, in turns with the other tasks. The budgets
   * are the shares of the tasks. The first slice runs at once while the turn has time left. A `step` that waits already
   * is not added again. `isFirst`: it gets the first slice of each turn, and leaves time for others when its budget does.
   */
  runSliced(step: Step, budgetMs: number, isFirst = false): void {
    this.#queue.set(step, { budgetMs, isFirst });
    if (this.#running) return;
    if (this.#turnEndsAt === 0) this.#beginTurn();
    if (performance.now() < this.#turnEndsAt) this.#runQueue();
  }

  #beginTurn(): void {
    this.#turnEndsAt = performance.now() + turnMs;
    setImmediate(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#turnEndsAt = 0;
    if (this.#queue.size === 0) return;
    this.#beginTurn();
    for (const [step, task] of [...this.#queue]) {
      if (task.isFirst) continue;
      this.#queue.delete(step);
      this.#queue.set(step, task); // behind those that are first
    }
    this.#runQueue();
  };

  /** A task that throws is dropped; the others go on in the next turn. */
  #runQueue(): void {
    this.#running = true;
    try {
      for (const [step, task] of this.#queue) {
        this.#queue.delete(step);
        if (runSlice(step, task.budgetMs)) this.#queue.set(step, task); // the loop comes to it again
        if (performance.now() >= this.#turnEndsAt) return;
      }
    } finally {
      this.#running = false;
    }
  }
}

function runSlice(step: Step, budgetMs: number): boolean {
  let now = performance.now();
  for (const end = now + budgetMs; now < end; now = performance.now()) if (!step(now)) return false;
  return true;
}
