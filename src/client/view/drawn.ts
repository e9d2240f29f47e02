/** The rows that are drawn now, and how they become more: a few with each frame, near the edges of what is read. */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { Place } from '../place.js';
import type { Row } from '../state/rows.js';
import { amid, atEnd, type Ends, endsOf, grownDown, grownUp, type Stretch } from '../state/stretch.js';

/** In the size of a letter: the lowest row, and what is always above and below the log. */
const ROW_REM = 1.75;
const AROUND_REM = 7;
/** Rows that are drawn together. */
const STEP = 12;
/** Rows that are drawn in all, beside those on the screen. */
const MOST = 100;
/** More are loaded before those that are there run out. */
const LEFT = 60;

export class DrawnRows {
  readonly now: ReadonlySignal<readonly Row[]>;
  readonly #rows: ReadonlySignal<readonly Row[]>;
  readonly #place: Place;
  readonly #turns = signal(0);
  readonly #rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  #stretch: Stretch = { from: 0, to: 0 };
  #ends: Ends = { first: 0, last: 0 };
  /** how many rows there were when they were drawn: those that have come since are not below, they are not there yet */
  #of = 0;

  /** `rows`: all of the window. */
  constructor(rows: ReadonlySignal<readonly Row[]>, place: Place) {
    this.#rows = rows;
    this.#place = place;
    this.now = computed(() => this.#draw());
  }

  /** The window begins above what is drawn; ends below it. */
  get above(): boolean {
    return this.#stretch.from > 0;
  }
  get below(): boolean {
    return this.#stretch.to < this.#of;
  }

  /** Draws more above. True when that is enough; else more has to be loaded too. */
  up(): boolean {
    if (!this.above || this.#place.room.transcript.peek().pinned) return this.above;
    this.#grow(grownUp);
    return this.#stretch.from > LEFT;
  }

  /** The same below. */
  down(): boolean {
    if (!this.below) return false;
    this.#grow(grownDown);
    return this.#rows.peek().length - this.#stretch.to > LEFT;
  }

  /** So many rows are on the screen at most. */
  get #fitting(): number {
    return Math.max(1, Math.ceil((innerHeight / this.#rem - AROUND_REM) / ROW_REM));
  }

  #grow(more: typeof grownUp): void {
    const rows = this.#rows.peek();
    this.#stretch = more(rows, this.#stretch, STEP, this.#fitting + MOST);
    this.#ends = endsOf(rows, this.#stretch);
    this.#turns.value++;
  }

  #draw(): readonly Row[] {
    void this.#turns.value;
    const rows = this.#rows.value;
    this.#of = rows.length;
    const { pinned } = this.#place.room.transcript.value;
    this.#stretch = pinned
      ? atEnd(rows, this.#fitting, this.#ends)
      : amid(rows, this.#fitting, this.#ends, this.#place.shown.value);
    this.#ends = endsOf(rows, this.#stretch);
    return rows.slice(this.#stretch.from, this.#stretch.to);
  }
}
