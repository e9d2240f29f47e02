/** Brings the tables of places after the log: slice by slice when enough has gathered, and what there is once a second. */
import { StorageError } from '../chat/book.js';
import type { Places } from './places.js';

/** Milliseconds of one slice, before its commit, and between two. */
const SLICE = 3;
const PAUSE = 5;

export class Placer {
  readonly #places: Places;
  readonly #transaction: <T>(work: () => T) => T;
  #timer: NodeJS.Timeout | undefined;

  constructor(places: Places, transaction: <T>(work: () => T) => T) {
    this.#places = places;
    this.#transaction = transaction;
  }

  /** After a beat. */
  nudge(): void {
    while (this.#places.farBehind && this.#slice()); // else it would fall behind for ever
    if (this.#places.due) this.#timer ??= setTimeout(this.#go, PAUSE);
  }

  /** Once a second. */
  tick(): void {
    if (this.#places.behind) this.#timer ??= setTimeout(this.#go, PAUSE);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #go = (): void => {
    this.#timer = undefined;
    if (this.#slice() && this.#places.due) this.#timer = setTimeout(this.#go, PAUSE);
  };

  /** False when the disk does not take it: at the next occasion. */
  #slice(): boolean {
    try {
      this.#transaction(() => this.#places.work(performance.now() + SLICE))();
      return true;
    } catch (error) {
      if (error instanceof StorageError) return false;
      throw error;
    }
  }
}
