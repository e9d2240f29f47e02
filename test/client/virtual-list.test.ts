/** The rows that are in the DOM, and what is above and below. */
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
let timeline: Signal<{ readonly pinned: boolean }>;
let drawn: VirtualList;
const keys = () => [drawn.visibleRows.value[0]?.key, drawn.visibleRows.value.at(-1)?.key];

beforeEach(() => {
  rows = signal(rowsUpTo(100));
  timeline = signal({ pinned: true });
  const place = { room: { timeline }, targetMessage: signal(undefined) };
  drawn = new VirtualList(rows, place as unknown as RoomSession); // the part that VirtualList uses
});

test('renders the rows that fit at the end, with nothing below', () => {
  expect([keys(), drawn.hasAbove, drawn.hasBelow]).toEqual([['m-91', 'm-100'], true, false]);
});

test('does not count rows that arrived but are not rendered as below', () => {
  void drawn.visibleRows.value;
  rows.value = rowsUpTo(125);
  expect(drawn.hasBelow).toBe(false);
  expect([keys()[1], drawn.hasBelow]).toEqual(['m-125', false]);
});

test('grows in both directions while the reader is further up', () => {
  void drawn.visibleRows.value;
  timeline.value = { pinned: false };
  expect(drawn.extendUp()).toBe(true);
  expect(keys()).toEqual(['m-79', 'm-100']);
  rows.value = rowsUpTo(125);
  expect([keys(), drawn.hasBelow]).toEqual([['m-79', 'm-100'], true]);
  drawn.extendDown();
  expect(keys()).toEqual(['m-79', 'm-112']);
});
