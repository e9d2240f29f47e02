/** The rows that are drawn, and what lies above and below them. */
import { type Signal, signal } from '@preact/signals';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Row } from '../../src/client/render/rows.js';
import { VirtualList } from '../../src/client/render/virtual-list.js';
import type { RoomSession } from '../../src/client/room/session.js';

vi.stubGlobal('document', { documentElement: {} });
vi.stubGlobal('getComputedStyle', () => ({ fontSize: '16px' }));
vi.stubGlobal('innerHeight', 392); // ten rows

function rowsUpTo(last: number): Row[] {
  return Array.from({ length: last }, (_, n) => {
    const event = { id: n + 1, type: 'chat', user: { id: 'ann', name: 'Ann' }, data: '', at: 0 } as const;
    return {
      kind: 'message',
      key: `m-${n + 1}`,
      event,
      startsGroup: false,
      editedAt: undefined,
      pendingChanges: [],
    };
  });
}

let rows: Signal<readonly Row[]>;
let transcript: Signal<{ readonly pinned: boolean }>;
let drawn: VirtualList;
const keys = () => [drawn.visibleRows.value[0]?.key, drawn.visibleRows.value.at(-1)?.key];

beforeEach(() => {
  rows = signal(rowsUpTo(100));
  transcript = signal({ pinned: true });
  const place = { room: { transcript }, shown: signal(undefined) };
  drawn = new VirtualList(rows, place as unknown as RoomSession); // what the rows ask of it
});

test('at the end: those that fit, and nothing is below', () => {
  expect([keys(), drawn.hasAbove, drawn.hasBelow]).toEqual([['m-91', 'm-100'], true, false]);
});

test('what has come and is not drawn yet is not below: the reader is still at the end', () => {
  void drawn.visibleRows.value;
  rows.value = rowsUpTo(125);
  expect(drawn.hasBelow).toBe(false);
  expect([keys()[1], drawn.hasBelow]).toEqual(['m-125', false]);
});

test('further up it grows on either side', () => {
  void drawn.visibleRows.value;
  transcript.value = { pinned: false };
  expect(drawn.extendUp()).toBe(true);
  expect(keys()).toEqual(['m-79', 'm-100']);
  rows.value = rowsUpTo(125);
  expect([keys(), drawn.hasBelow]).toEqual([['m-79', 'm-100'], true]);
  drawn.extendDown();
  expect(keys()).toEqual(['m-79', 'm-112']);
});
