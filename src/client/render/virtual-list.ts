/** The rows that are drawn now, and how they become more: a few with each frame, near the edges of what is read. */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { RoomSession } from '../room/session.js';
import type { MessageRow, Row } from './rows.js';

/** In the size of a letter: the lowest row, and what is always above and below the log. */
const minRowRem = 1.75;
const chromeRem = 7;
/** Rows that are drawn together. */
const rowsPerStep = 12;
/** Rows that are drawn in all, beside those on the screen. */
const maxOffscreenRows = 100;
/** More are loaded before those that are there run out. */
const minRowsLeft = 60;

export class VirtualList {
  readonly visibleRows: ReadonlySignal<readonly Row[]>;
  readonly #rows: ReadonlySignal<readonly Row[]>;
  readonly #place: RoomSession;
  readonly #version = signal(0);
  readonly #rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  #range: RowRange = { from: 0, to: 0 };
  #messageRange: MessageRange = { first: 0, last: 0 };
  /** how many rows there were when they were drawn: those that have come since are not below, they are not there yet */
  #total = 0;

  /** `rows`: all of the window. */
  constructor(rows: ReadonlySignal<readonly Row[]>, place: RoomSession) {
    this.#rows = rows;
    this.#place = place;
    this.visibleRows = computed(() => this.#compute());
  }

  /** The window begins above what is drawn; ends below it. */
  get hasAbove(): boolean {
    return this.#range.from > 0;
  }
  get hasBelow(): boolean {
    return this.#range.to < this.#total;
  }

  /** Draws more above. True when that is enough; else more has to be loaded too. */
  extendUp(): boolean {
    if (!this.hasAbove || this.#place.room.transcript.peek().pinned) return this.hasAbove;
    this.#extend(extendUp);
    return this.#range.from > minRowsLeft;
  }

  /** The same below. */
  extendDown(): boolean {
    if (!this.hasBelow) return false;
    this.#extend(extendDown);
    return this.#rows.peek().length - this.#range.to > minRowsLeft;
  }

  /** So many rows are on the screen at most. */
  get #rowsOnScreen(): number {
    return Math.max(1, Math.ceil((innerHeight / this.#rem - chromeRem) / minRowRem));
  }

  #extend(more: typeof extendUp): void {
    const rows = this.#rows.peek();
    this.#range = more(rows, this.#range, rowsPerStep, this.#rowsOnScreen + maxOffscreenRows);
    this.#messageRange = messageRangeOf(rows, this.#range);
    this.#version.value++;
  }

  #compute(): readonly Row[] {
    void this.#version.value;
    const rows = this.#rows.value;
    this.#total = rows.length;
    const { pinned } = this.#place.room.transcript.value;
    this.#range = pinned
      ? rangeAtEnd(rows, this.#rowsOnScreen, this.#messageRange)
      : rangeAround(rows, this.#rowsOnScreen, this.#messageRange, this.#place.targetMessage.value);
    this.#messageRange = messageRangeOf(rows, this.#range);
    return rows.slice(this.#range.from, this.#range.to);
  }
}

/**
 * Which rows of the window are drawn: at its end those that can be seen, and some to scroll into; further up what is
 * read. What must stay true: what was drawn stays drawn while it is read, whatever is put above or below; and what is
 * asked for is among it. (A row costs half a millisecond: hundreds at once can be felt.) Pure.
 */

/** Rows of a list, from … to (exclusive). */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** The same by the numbers of its first and last message: they stay when rows come and go. */
export interface MessageRange {
  readonly first: number;
  readonly last: number;
}

/** Rows around what can be seen. */
const overscanRows = 20;
/** The line where the news begins is drawn when it is so near the end: the log may open there. */
const maxDividerDistanceRows = 60;

/** The last rows: `seen` of them fit on the screen. When many come at once nobody scrolls, and they are all. */
export function rangeAtEnd(rows: readonly Row[], seen: number, before: MessageRange): RowRange {
  const old = rows.findLastIndex((row) => isMessageRow(row) && row.event.id <= before.last);
  const space = rows.length - old > overscanRows ? 0 : overscanRows;
  const news = rows.findLastIndex(({ kind }) => kind === 'new');
  const from = Math.max(0, rows.length - seen - space);
  return {
    from: news >= 0 && news >= rows.length - maxDividerDistanceRows ? Math.min(news, from) : from,
    to: rows.length,
  };
}

/** What was drawn before, and what lies between it and what is asked for. `seen` rows fit on the screen. */
export function rangeAround(
  rows: readonly Row[],
  seen: number,
  before: MessageRange,
  asked?: number,
): RowRange {
  const first = rows.findIndex((row) => isMessageRow(row) && row.event.id >= before.first);
  const last = rows.findLastIndex((row) => isMessageRow(row) && row.event.id <= before.last);
  const at = asked === undefined ? -1 : rows.findIndex((row) => isMessageRow(row) && row.event.id >= asked);
  if (first < 0 || last < first) return freshRange(rows, seen, at);
  if (at < 0) return clampRange(rows, first, last + 1);
  return clampRange(rows, Math.min(first, at - overscanRows), Math.max(last + 1, at + overscanRows));
}

/** Nothing of what was drawn is there: a screen on either side of what is asked for, or of the news; else all. */
function freshRange(rows: readonly Row[], seen: number, asked: number): RowRange {
  const at = asked < 0 ? rows.findIndex(({ kind }) => kind === 'new') : asked;
  return at < 0 ? { from: 0, to: rows.length } : clampRange(rows, at - seen, at + seen);
}

/** More of it, so many rows above; at most `most` in all: what is far below is let go. */
export function extendUp(rows: readonly Row[], { from, to }: RowRange, more: number, most: number): RowRange {
  const first = Math.max(0, from - more);
  return clampRange(rows, first, Math.min(to, first + most));
}

/** The same below. */
export function extendDown(
  rows: readonly Row[],
  { from, to }: RowRange,
  more: number,
  most: number,
): RowRange {
  const last = Math.min(rows.length, to + more);
  return clampRange(rows, Math.max(from, last - most), last);
}

export function messageRangeOf(rows: readonly Row[], { from, to }: RowRange): MessageRange {
  const drawn = rows.slice(from, to).filter(isMessageRow);
  return { first: drawn[0]?.event.id ?? 0, last: drawn.at(-1)?.event.id ?? 0 };
}

/** A line above a message goes with it; so does what waits below the last. */
function clampRange(rows: readonly Row[], from: number, to: number): RowRange {
  let first = Math.max(0, from);
  while (first > 0 && !isMessageRow(rows[first - 1])) first--;
  return { from: first, to: to > rows.findLastIndex(isMessageRow) ? rows.length : to };
}

function isMessageRow(row: Row | undefined): row is MessageRow {
  return row?.kind === 'message';
}

/** Where the rows of the log are on the screen. */
/** Nearer than this is there. */
export const bottomThresholdPx = 32;
/** Pages are asked for before the reader sees the end. */
export const loadThresholdPx = 600;

/** A row, and where it is on the screen. */
export interface Anchor {
  readonly row: HTMLElement;
  readonly id: string | null;
  readonly top: number;
}

export function anchorOf(row: HTMLElement): Anchor {
  return { row, id: row.dataset['id'] ?? null, top: row.getBoundingClientRect().top };
}

/** Rows lie one below the other, so half of them can be left out at each look. */
function findFirstRow(rows: readonly HTMLElement[], so: (row: HTMLElement) => boolean): number {
  let from = 0;
  let to = rows.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const row = rows[middle];
    if (row && so(row)) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** How far the end is. */
export function distanceToBottom(box: HTMLElement): number {
  return box.scrollHeight - box.clientHeight - box.scrollTop;
}

export function firstVisibleRow(rows: readonly HTMLElement[], box: HTMLElement): Anchor | undefined {
  const edge = box.getBoundingClientRect().top;
  const row = rows[findFirstRow(rows, (one) => one.getBoundingClientRect().bottom > edge)];
  return row && anchorOf(row);
}

/** The last that is seen whole, nearly. */
export function lastVisibleRow(rows: readonly HTMLElement[], box: HTMLElement): HTMLElement | undefined {
  const edge = box.getBoundingClientRect().bottom + bottomThresholdPx;
  return rows[findFirstRow(rows, (one) => one.getBoundingClientRect().bottom > edge) - 1];
}
