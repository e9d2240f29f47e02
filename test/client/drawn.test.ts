/** The rows that are drawn, and what lies above and below them. */
import { type Signal, signal } from '@preact/signals';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Place } from '../../src/client/place.js';
import type { Row } from '../../src/client/state/rows.js';
import { DrawnRows } from '../../src/client/view/drawn.js';

vi.stubGlobal('document', { documentElement: {} });
vi.stubGlobal('getComputedStyle', () => ({ fontSize: '16px' }));
vi.stubGlobal('innerHeight', 392); // ten rows

function rowsUpTo(last: number): Row[] {
  return Array.from({ length: last }, (_, n) => {
    const event = { id: n + 1, type: 'chat', user: { id: 'ann', name: 'Ann' }, data: '', at: 0 } as const;
    return { kind: 'message', key: `m-${n + 1}`, event, leads: false, editedAt: undefined, letters: [] };
  });
}

let rows: Signal<readonly Row[]>;
let transcript: Signal<{ readonly pinned: boolean }>;
let drawn: DrawnRows;
const keys = () => [drawn.now.value[0]?.key, drawn.now.value.at(-1)?.key];

beforeEach(() => {
  rows = signal(rowsUpTo(100));
  transcript = signal({ pinned: true });
  const place = { room: { transcript }, shown: signal(undefined) };
  drawn = new DrawnRows(rows, place as unknown as Place); // what the rows ask of it
});

test('at the end: those that fit, and nothing is below', () => {
  expect([keys(), drawn.above, drawn.below]).toEqual([['m-91', 'm-100'], true, false]);
});

test('what has come and is not drawn yet is not below: the reader is still at the end', () => {
  void drawn.now.value;
  rows.value = rowsUpTo(125);
  expect(drawn.below).toBe(false);
  expect([keys()[1], drawn.below]).toEqual(['m-125', false]);
});

test('further up it grows on either side', () => {
  void drawn.now.value;
  transcript.value = { pinned: false };
  expect(drawn.up()).toBe(true);
  expect(keys()).toEqual(['m-79', 'm-100']);
  rows.value = rowsUpTo(125);
  expect([keys(), drawn.below]).toEqual([['m-79', 'm-100'], true]);
  drawn.down();
  expect(keys()).toEqual(['m-79', 'm-112']);
});
