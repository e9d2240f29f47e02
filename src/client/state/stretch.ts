/**
 * Which rows of the window are drawn: at its end those that can be seen, and some to scroll into; further up what is
 * read. What must stay true: what was drawn stays drawn while it is read, whatever is put above or below; and what is
 * asked for is among it. (A row costs half a millisecond: hundreds at once can be felt.) Pure.
 */
import type { MessageRow, Row } from './rows.js';

/** Rows of a list, from … to (exclusive). */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** The same by the numbers of its first and last message: they stay when rows come and go. */
export interface Ends {
  readonly first: number;
  readonly last: number;
}

/** Rows around what can be seen. */
const SPACE = 20;
/** The line where the news begins is drawn when it is so near the end: the log may open there. */
const NEWS = 60;

/** The last rows: `seen` of them fit on the screen. When many come at once nobody scrolls, and they are all. */
export function atEnd(rows: readonly Row[], seen: number, before: Ends): Stretch {
  const old = rows.findLastIndex((row) => isMessage(row) && row.event.id <= before.last);
  const space = rows.length - old > SPACE ? 0 : SPACE;
  const news = rows.findLastIndex(({ kind }) => kind === 'new');
  const from = Math.max(0, rows.length - seen - space);
  return { from: news >= 0 && news >= rows.length - NEWS ? Math.min(news, from) : from, to: rows.length };
}

/** What was drawn before, and what lies between it and what is asked for. `seen` rows fit on the screen. */
export function amid(rows: readonly Row[], seen: number, before: Ends, asked?: number): Stretch {
  const first = rows.findIndex((row) => isMessage(row) && row.event.id >= before.first);
  const last = rows.findLastIndex((row) => isMessage(row) && row.event.id <= before.last);
  const at = asked === undefined ? -1 : rows.findIndex((row) => isMessage(row) && row.event.id >= asked);
  if (first < 0 || last < first) return anew(rows, seen, at);
  if (at < 0) return within(rows, first, last + 1);
  return within(rows, Math.min(first, at - SPACE), Math.max(last + 1, at + SPACE));
}

/** Nothing of what was drawn is there: a screen on either side of what is asked for, or of the news; else all. */
function anew(rows: readonly Row[], seen: number, asked: number): Stretch {
  const at = asked < 0 ? rows.findIndex(({ kind }) => kind === 'new') : asked;
  return at < 0 ? { from: 0, to: rows.length } : within(rows, at - seen, at + seen);
}

/** More of it, so many rows above; at most `most` in all: what is far below is let go. */
export function grownUp(rows: readonly Row[], { from, to }: Stretch, more: number, most: number): Stretch {
  const first = Math.max(0, from - more);
  return within(rows, first, Math.min(to, first + most));
}

/** The same below. */
export function grownDown(rows: readonly Row[], { from, to }: Stretch, more: number, most: number): Stretch {
  const last = Math.min(rows.length, to + more);
  return within(rows, Math.max(from, last - most), last);
}

export function endsOf(rows: readonly Row[], { from, to }: Stretch): Ends {
  const drawn = rows.slice(from, to).filter(isMessage);
  return { first: drawn[0]?.event.id ?? 0, last: drawn.at(-1)?.event.id ?? 0 };
}

/** A line above a message goes with it; so does what waits below the last. */
function within(rows: readonly Row[], from: number, to: number): Stretch {
  let first = Math.max(0, from);
  while (first > 0 && !isMessage(rows[first - 1])) first--;
  return { from: first, to: to > rows.findLastIndex(isMessage) ? rows.length : to };
}

function isMessage(row: Row | undefined): row is MessageRow {
  return row?.kind === 'message';
}
