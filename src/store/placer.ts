/** Brings the tables of places after the log: slice by slice when enough has gathered, and what there is once a second. */
import type { BackgroundTransaction } from './database.js';
import type { Places } from './places.js';

/** Milliseconds of one slice, before its commit, and between two. */
const SLICE = 3;
const PAUSE = 5;

export class Placer {
  readonly #places: Places;
  readonly #beside: BackgroundTransaction;
  #timer: NodeJS.Timeout | undefined;

  constructor(places: Places, beside: BackgroundTransaction) {
    this.#places = places;
    this.#beside = beside;
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

  #slice(): boolean {
    return this.#beside(() => this.#places.work(performance.now() + SLICE));
  }
}
