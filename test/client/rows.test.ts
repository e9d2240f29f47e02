import { expect, test } from 'vitest';
import type { LogEvent } from '../../src/client/state/events.js';
import { rows, toneOf } from '../../src/client/state/rows.js';

const NOON = new Date(2026, 0, 15, 12).getTime();
const MINUTE = 60_000;

function said(id: number, who: string, at: number): LogEvent {
  return { id, type: 'chat', user: { id: who, name: who }, data: String(id), at };
}

function shape(events: readonly LogEvent[]): readonly string[] {
  return rows(events).map((row) => (row.kind === 'day' ? 'day' : `${row.event.id}${row.leads ? '*' : ''}`));
}

test('what one person says in a row is one group', () => {
  expect(shape([said(1, 'ann', NOON), said(2, 'ann', NOON + 1), said(3, 'bob', NOON + 2)])).toEqual([
    'day',
    '1*',
    '2',
    '3*',
  ]);
});

test('a long pause opens a new group', () => {
  expect(shape([said(1, 'ann', NOON), said(2, 'ann', NOON + 6 * MINUTE)])).toEqual(['day', '1*', '2*']);
});

test('each day has its line, and opens a group', () => {
  const midnight = new Date(2026, 0, 16).getTime();
  expect(shape([said(1, 'ann', midnight - 1), said(2, 'ann', midnight)])).toEqual(['day', '1*', 'day', '2*']);
});

test('numbers that are no messages are not shown', () => {
  expect(shape([said(1, 'ann', NOON), { id: 2, type: 'other' }, said(3, 'ann', NOON)])).toEqual([
    'day',
    '1*',
    '3',
  ]);
});

test('a person keeps one colour', () => {
  expect(toneOf('ann', 8)).toBe(toneOf('ann', 8));
  const tones = new Set(Array.from({ length: 200 }, (_, n) => toneOf(`person-${n}`, 8)));
  expect([...tones].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
