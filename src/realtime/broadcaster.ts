/**
 * Writes the pending frames of all rooms. Each room writes a slice in turn, so a small room does not wait for a large one.
 *
 * After a batch a room waits twice as long as the batch took to write, at most 25 ms; frames that arrive meanwhile share
 * one write. The kernel takes three quarters of the time of a write, whatever its size, so two messages in one write cost
 * half. Rooms under about 40 people write so fast that they never wait. In a worker, a room waits as if one process wrote to
 * the people of all workers (room.ts). Otherwise each worker would write sooner, and every message in a write of its own.
 */
import type { Room } from './room.js';
import type { Scheduler } from './scheduler.js';

/** Milliseconds of each turn for writing to rooms. Writing comes first, and leaves half of the turn to others. */
const writeBudgetMs = 2;
/** Milliseconds between two checks of delayed rooms. */
const delayCheckMs = 2;

export class Broadcaster {
  readonly #scheduler: Scheduler;
  readonly #rooms: Room[] = [];
  readonly #delayed = new Set<Room>();
  readonly #onIdle: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Queues a room that has pending frames; `run` writes them. */
  add(room: Room): void {
    if (room.queued) return;
    room.queued = true;
    this.#rooms.push(room);
  }

  run(): void {
    if (this.#rooms.length > 0) this.#scheduler.runSliced(this.#writeNext, writeBudgetMs, true);
  }

  /** Resolves when every pending frame of every room is written. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#checkIdle();
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #writeNext = (now: number): boolean => {
    const room = this.#rooms.shift();
    if (room && room.nextFlushAt > now) this.#delay(room);
    else if (room) {
      room.queued = false;
      if (!room.writeSlice(now)) this.add(room);
    }
    if (this.#rooms.length > 0) return true;
    this.#checkIdle();
    return false;
  };

  #delay(room: Room): void {
    this.#delayed.add(room);
    this.#timer ??= setTimeout(this.#retryDelayed, delayCheckMs);
  }

  readonly #retryDelayed = (): void => {
    this.#timer = undefined;
    this.#rooms.push(...this.#delayed);
    this.#delayed.clear();
    this.run();
  };

  #checkIdle(): void {
    if (this.#rooms.length > 0 || this.#delayed.size > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}
