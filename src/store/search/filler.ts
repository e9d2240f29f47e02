/** Brings the index after the log in slices: at once while it is quiet, a slice a second while much is said. */
import type { BackgroundTransaction } from '../database.js';
import type { WordIndex } from './index.js';

/** Milliseconds of one slice, and between two. */
const SLICE = 6;
const PAUSE = 20;
/** Events in a second from which on there are better things to do. */
const BUSY = 200;

export class Filler {
  readonly #index: WordIndex;
  readonly #beside: BackgroundTransaction;
  #timer: NodeJS.Timeout | undefined;
  #end = 0;
  #quiet = true;

  constructor(index: WordIndex, beside: BackgroundTransaction) {
    this.#index = index;
    this.#beside = beside;
  }

  /** Works for some milliseconds; true when there is more to do, or the disk did not take it. */
  fill(ms: number): boolean {
    if (!this.#index.behind) return false;
    return !this.#beside(() => this.#index.work(performance.now() + ms)) || this.#index.behind;
  }

  /** Once a second. */
  tick(): void {
    const end = this.#index.end();
    this.#quiet = end - this.#end < BUSY;
    this.#end = end;
    if (this.#timer === undefined) this.#go();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** One piece of what makes searches quick; true when there is more to do. */
  #quicken(): boolean {
    const { frequent, shorthand, reach } = this.#index;
    if (frequent.behind(reach)) return this.#beside(() => frequent.work());
    return shorthand.behind && this.#beside(() => shorthand.work(performance.now() + SLICE));
  }

  readonly #go = (): void => {
    this.#timer = undefined;
    if ((this.fill(SLICE) || this.#quicken()) && this.#quiet) this.#timer = setTimeout(this.#go, PAUSE);
  };
}
