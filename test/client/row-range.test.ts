/** Which rows are rendered. A row is written as its number, other lines as their kind. */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/client/render/rows.js';
import {
  extendDown,
  extendUp,
  messageRangeOf,
  type RowRange,
  rangeAround,
  rangeAtEnd,
} from '../../src/client/render/virtual-list.js';

const NOTHING = { first: 0, last: 0 };

function message(id: number): Row {
  const event = { id, type: 'chat', user: { id: 'ann', name: 'Ann' }, data: '', at: 0 } as const;
  return {
    kind: 'message',
    key: `m-${id}`,
    event,
    startsGroup: false,
    editedAt: undefined,
    pendingChanges: [],
  };
}

function messages(from: number, to: number): Row[] {
  return Array.from({ length: to - from + 1 }, (_, n) => message(from + n));
}

/** The first and last rendered row. */
function drawn(rows: readonly Row[], { from, to }: RowRange): readonly unknown[] {
  const name = (row: Row | undefined) => (row?.kind === 'message' ? row.event.id : row?.kind);
  return [name(rows[from]), name(rows[to - 1])];
}

describe('rangeAtEnd', () => {
  const rows = messages(1, 400);

  test('is what fits on the screen, with some rows to scroll into', () => {
    expect(drawn(rows, rangeAtEnd(rows, 30, { first: 350, last: 399 }))).toEqual([351, 400]);
  });
  test('has no overscan when many arrive at once', () => {
    expect(drawn(rows, rangeAtEnd(rows, 30, { first: 250, last: 299 }))).toEqual([371, 400]);
    expect(drawn(rows, rangeAtEnd(rows, 30, NOTHING))).toEqual([371, 400]);
  });
  test('is everything when there is little', () => {
    const few = messages(1, 5);
    expect(rangeAtEnd(few, 30, NOTHING)).toEqual({ from: 0, to: 5 });
    expect(rangeAtEnd([], 30, NOTHING)).toEqual({ from: 0, to: 0 });
  });
  test('includes a near divider', () => {
    const line: Row = { kind: 'new', key: 'new' };
    const near = rows.toSpliced(345, 0, line);
    expect(drawn(near, rangeAtEnd(near, 10, { first: 1, last: 400 }))).toEqual(['new', 400]);
    const far = rows.toSpliced(300, 0, line);
    expect(drawn(far, rangeAtEnd(far, 10, { first: 1, last: 400 }))).toEqual([371, 400]);
  });
});

describe('rangeAround', () => {
  const before = { first: 351, last: 400 };

  test('is a screen on either side of the target or the divider when nothing else is left', () => {
    const rows = messages(201, 300);
    const news = rows.toSpliced(40, 0, { kind: 'new', key: 'new' });
    expect(drawn(rows, rangeAround(rows, 10, NOTHING, 250))).toEqual([240, 259]);
    expect(drawn(rows, rangeAround(rows, 10, { first: 1, last: 99 }, 205))).toEqual([201, 214]);
    expect(drawn(news, rangeAround(news, 10, NOTHING))).toEqual([231, 249]);
    expect(drawn(news, rangeAround(news, 10, NOTHING, 290))).toEqual([280, 299]);
  });
  test('keeps rendered rows, whatever is added around them', () => {
    const rows = messages(201, 500);
    expect(drawn(rows, rangeAround(rows, 10, before))).toEqual([351, 400]);
  });
  test('grows in both directions', () => {
    const rows = messages(301, 410);
    const now = rangeAround(rows, 10, before);
    expect(drawn(rows, extendUp(rows, now, 20, 200))).toEqual([331, 400]);
    expect(drawn(rows, extendDown(rows, now, 5, 200))).toEqual([351, 405]);
    expect(extendUp(rows, now, 99, 200)).toEqual({ from: 0, to: 100 });
    expect(extendDown(rows, now, 99, 200)).toEqual({ from: 50, to: 110 });
  });
  test('drops what is far away', () => {
    const rows = messages(301, 500);
    const now = rangeAround(rows, 10, before);
    expect(drawn(rows, extendUp(rows, now, 20, 60))).toEqual([331, 390]);
    expect(drawn(rows, extendDown(rows, now, 20, 60))).toEqual([361, 420]);
  });
  test('includes the target with some rows around', () => {
    const rows = messages(1, 600);
    expect(drawn(rows, rangeAround(rows, 10, before, 100))).toEqual([80, 400]);
    expect(drawn(rows, rangeAround(rows, 10, before, 500))).toEqual([351, 519]);
    expect(drawn(rows, rangeAround(rows, 10, before, 375))).toEqual([351, 400]);
  });
  test('is everything when nothing of it is left', () => {
    for (const rows of [messages(1, 100), messages(700, 800)])
      expect(rangeAround(rows, 10, before)).toEqual({ from: 0, to: rows.length });
  });
  test('includes headings before the first row and pending rows after the last', () => {
    const letter = { user: 'ann', room: 'a', cid: 'c', posting: { type: 'chat', data: '' }, at: 0 } as const;
    const rows: Row[] = [
      ...messages(1, 9),
      { kind: 'day', key: 'day-10', at: 0 },
      ...messages(10, 20),
      { kind: 'pending', key: 'c', message: letter, data: '', startsGroup: false, answered: undefined },
    ];
    expect(drawn(rows, rangeAround(rows, 10, { first: 10, last: 20 }))).toEqual(['day', 'pending']);
    expect(drawn(rows, rangeAround(rows, 10, { first: 10, last: 19 }))).toEqual(['day', 19]);
    expect(messageRangeOf(rows, { from: 9, to: 22 })).toEqual({ first: 10, last: 20 });
  });
});
