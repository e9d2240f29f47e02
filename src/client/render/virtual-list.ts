/**
 * The rows that are in the DOM, out of all rows of the window. The list grows in steps as the reader scrolls
 * towards an edge.
 */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { RoomSession } from '../room/session.js';
import type { MessageRow, Row } from './rows.js';

/** In rem: the lowest row, and the fixed parts above and below the timeline. */
const minRowRem = 1.75;
const chromeRem = 7;
/** Rows added by one step. */
const rowsPerStep = 12;
/** Limit of rows in the DOM outside the screen. */
const maxOffscreenRows = 100;
/** With fewer rows left in the window, more events are loaded. */
const minRowsLeft = 60;

export class VirtualList {
  readonly visibleRows: ReadonlySignal<readonly Row[]>;
  readonly #rows: ReadonlySignal<readonly Row[]>;
  readonly #session: RoomSession;
  readonly #version = signal(0);
  readonly #rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  #range: RowRange = { from: 0, to: 0 };
  #messageRange: MessageRange = { first: 0, last: 0 };
  readonly #hasAll = signal(false);
  /** number of rows at the last build; rows that arrived since do not count as below */
  #total = 0;

  /** `rows` are all rows of the window. */
  constructor(rows: ReadonlySignal<readonly Row[]>, session: RoomSession) {
    this.#rows = rows;
    this.#session = session;
    this.visibleRows = computed(() => this.#compute());
  }

  /** Renders all rows, for paper. */
  showAll(hasAll: boolean): void {
    this.#hasAll.value = hasAll;
  }

  get hasAbove(): boolean {
    return this.#range.from > 0;
  }
  get hasBelow(): boolean {
    return this.#range.to < this.#total;
  }

  /** Returns false when more events have to be loaded too. */
  extendUp(): boolean {
    if (!this.hasAbove || this.#session.room.timeline.peek().pinned) return this.hasAbove;
    this.#extend(extendUp);
    return this.#range.from > minRowsLeft;
  }

  /** Returns false when more events have to be loaded too. */
  extendDown(): boolean {
    if (!this.hasBelow) return false;
    this.#extend(extendDown);
    return this.#rows.peek().length - this.#range.to > minRowsLeft;
  }

  /** An upper bound. */
  get #rowsOnScreen(): number {
    return Math.max(1, Math.ceil((innerHeight / this.#rem - chromeRem) / minRowRem));
  }

  #extend(addedRows: typeof extendUp): void {
    const rows = this.#rows.peek();
    this.#range = addedRows(rows, this.#range, rowsPerStep, this.#rowsOnScreen + maxOffscreenRows);
    this.#messageRange = messageRangeOf(rows, this.#range);
    this.#version.value++;
  }

  #compute(): readonly Row[] {
    void this.#version.value;
    const rows = this.#rows.value;
    this.#total = rows.length;
    if (this.#hasAll.value) return rows;
    const { pinned } = this.#session.room.timeline.value;
    this.#range = pinned
      ? rangeAtEnd(rows, this.#rowsOnScreen, this.#messageRange)
      : rangeAround(rows, this.#rowsOnScreen, this.#messageRange, this.#session.targetMessage.value);
    this.#messageRange = messageRangeOf(rows, this.#range);
    return rows.slice(this.#range.from, this.#range.to);
  }
}

/**
 * Selection of rows. At the end of the log these are the rows that fit on the screen, with some overscan.
 * Further up they are what the reader sees.
 * Invariant: rows stay in the DOM while they are read, whatever is added or removed around them. Rendering a
 * row takes half a millisecond, so hundreds at once would be felt.
 */

/** [from, to) in the list of rows. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** The same range by message numbers, which stay valid when rows come and go. */
interface MessageRange {
  readonly first: number;
  readonly last: number;
}

/** Rows rendered beyond those that can be seen. */
const overscanRows = 20;
/** Includes the unread divider when it is this near to the end, because the log may open there. */
const maxDividerDistanceRows = 60;

/** The last rows. When many arrive at once, no overscan is rendered, because nobody is scrolling. */
export function rangeAtEnd(rows: readonly Row[], rowsOnScreen: number, before: MessageRange): RowRange {
  const { length } = rows;
  const overscan = length - lastIndexUpTo(rows, before.last) > overscanRows ? 0 : overscanRows;
  const from = Math.max(0, length - rowsOnScreen - overscan);
  const divider = rows.findLastIndex(({ kind }) => kind === 'new');
  const isNear = divider >= 0 && divider >= length - maxDividerDistanceRows;
  return { from: isNear ? Math.min(divider, from) : from, to: length };
}

/** The previous range, extended to the target message. */
export function rangeAround(
  rows: readonly Row[],
  rowsOnScreen: number,
  before: MessageRange,
  target?: number,
): RowRange {
  const [first, last] = [firstIndexFrom(rows, before.first), lastIndexUpTo(rows, before.last)];
  const at = target === undefined ? -1 : firstIndexFrom(rows, target);
  if (first < 0 || last < first) return freshRange(rows, rowsOnScreen, at);
  if (at < 0) return clampRange(rows, first, last + 1);
  return clampRange(rows, Math.min(first, at - overscanRows), Math.max(last + 1, at + overscanRows));
}

function firstIndexFrom(rows: readonly Row[], id: number): number {
  return rows.findIndex((row) => isMessageRow(row) && row.event.id >= id);
}
function lastIndexUpTo(rows: readonly Row[], id: number): number {
  return rows.findLastIndex((row) => isMessageRow(row) && row.event.id <= id);
}

/**
 * Nothing of the previous range is left: a screen on either side of the target or of the unread divider, else
 * all rows.
 */
function freshRange(rows: readonly Row[], rowsOnScreen: number, target: number): RowRange {
  const at = target < 0 ? rows.findIndex(({ kind }) => kind === 'new') : target;
  return at < 0 ? { from: 0, to: rows.length } : clampRange(rows, at - rowsOnScreen, at + rowsOnScreen);
}

/** Extends the range upwards and drops rows at its end beyond `max`. */
export function extendUp(rows: readonly Row[], { from, to }: RowRange, more: number, max: number): RowRange {
  const first = Math.max(0, from - more);
  return clampRange(rows, first, Math.min(to, first + max));
}

export function extendDown(
  rows: readonly Row[],
  { from, to }: RowRange,
  more: number,
  max: number,
): RowRange {
  const last = Math.min(rows.length, to + more);
  return clampRange(rows, Math.max(from, last - max), last);
}

export function messageRangeOf(rows: readonly Row[], { from, to }: RowRange): MessageRange {
  const visible = rows.slice(from, to).filter(isMessageRow);
  return { first: visible[0]?.event.id ?? 0, last: visible.at(-1)?.event.id ?? 0 };
}

/** Includes headings above the first message, and pending rows below the last. */
function clampRange(rows: readonly Row[], from: number, to: number): RowRange {
  let first = Math.max(0, from);
  while (first > 0 && !isMessageRow(rows[first - 1])) first--;
  return { from: first, to: to > rows.findLastIndex(isMessageRow) ? rows.length : to };
}

function isMessageRow(row: Row | undefined): row is MessageRow {
  return row?.kind === 'message';
}
