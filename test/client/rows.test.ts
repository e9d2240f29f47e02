/** The rows of a timeline, with pending changes. */
import { expect, test } from 'vitest';
import type { LogEvent } from '../../src/client/decode.js';
import type { PendingMessage } from '../../src/client/outbox/outbox.js';
import { RowBuilder, type RowsInput, toneIndexOf } from '../../src/client/render/rows.js';
import type { NewCommand } from '../../src/connect/outbox.js';
import type { ChatEvent } from '../../src/shared/protocol.js';

const NOON = new Date(2026, 0, 15, 12).getTime();
const MINUTE = 60_000;
const ANN = { id: 'ann', name: 'Ann' };

function said(id: number, who: string, at = NOON): ChatEvent {
  return { id, type: 'chat', user: { id: who, name: who }, data: String(id), at };
}

function asked(cid: string, posting: NewCommand, more: Partial<PendingMessage> = {}): PendingMessage {
  return { user: 'ann', room: 'lobby', cid, posting, at: NOON, seq: 1, ...more };
}

function shown(events: readonly LogEvent[], more: Partial<RowsInput> = {}): RowsInput {
  return { events, pending: [], readPosition: undefined, me: ANN, atEnd: true, ...more };
}

/** A word per row: its number, with * if it starts a group. */
function shape(what: RowsInput): readonly string[] {
  return new RowBuilder().build(what).map((row) => {
    if (row.kind === 'message') return `${row.event.id}${row.startsGroup ? '*' : ''}`;
    return row.kind === 'pending' ? `${row.data}${row.startsGroup ? '*' : ''}` : row.kind;
  });
}

test('groups consecutive messages of one author', () => {
  expect(shape(shown([said(1, 'ann'), said(2, 'ann'), said(3, 'bob')]))).toEqual(['day', '1*', '2', '3*']);
});

test('starts a group after a long pause', () => {
  const events = [said(1, 'ann', NOON), said(2, 'ann', NOON + 6 * MINUTE)];
  expect(shape(shown(events))).toEqual(['day', '1*', '2*']);
});

test('starts each day with a heading and a group', () => {
  const midnight = new Date(2026, 0, 16).getTime();
  const events = [said(1, 'ann', midnight - 1), said(2, 'ann', midnight)];
  expect(shape(shown(events))).toEqual(['day', '1*', 'day', '2*']);
});

test('shows what a pending reply answers, while that is in the window', () => {
  const pending = [asked('c', { type: 'chat', data: 'yes', reply: 2 })];
  const answered = (events: readonly LogEvent[]) =>
    new RowBuilder()
      .build(shown(events, { pending }))
      .flatMap((row) => (row.kind === 'pending' ? [row.answered] : []));
  expect(answered([said(1, 'bob'), said(2, 'bob')])).toEqual([said(2, 'bob')]);
  expect(answered([said(3, 'bob')])).toEqual([undefined]);
});

test('shows no row for changes', () => {
  expect(shape(shown([said(1, 'ann'), { id: 2, type: 'other' }, said(3, 'ann')]))).toEqual([
    'day',
    '1*',
    '3',
  ]);
});

test('puts the divider after the read position, with a new group', () => {
  const events = [said(1, 'bob'), said(2, 'bob'), said(3, 'bob')];
  expect(shape(shown(events, { readPosition: 1 }))).toEqual(['day', '1*', 'new', '2*', '3']);
  expect(shape(shown(events, { readPosition: 3 }))).toEqual(['day', '1*', '2', '3']);
});

test('shows no divider for own messages, nor in a window that begins later', () => {
  expect(shape(shown([said(1, 'bob'), said(2, 'ann')], { readPosition: 1 }))).toEqual(['day', '1*', '2*']);
  expect(shape(shown([said(9, 'bob')], { readPosition: 5 }))).toEqual(['day', '9*']);
});

test('puts pending messages last, only at the end of the log', () => {
  const letters = [asked('a', { type: 'chat', data: 'soon' })];
  expect(shape(shown([said(1, 'bob')], { pending: letters }))).toEqual(['day', '1*', 'soon*']);
  expect(shape(shown([said(1, 'bob')], { pending: letters, atEnd: false }))).toEqual(['day', '1*']);
});

test('groups pending messages as they will be stored', () => {
  const me = { id: 'ann', name: 'ann' };
  const tomorrow = NOON + 24 * 60 * MINUTE;
  const after = (events: readonly LogEvent[], at: number, more: Partial<RowsInput> = { me }) => {
    const pending = ['a', 'b'].map((data) => asked(data, { type: 'chat', data }, { at }));
    return shape(shown(events, { pending, ...more })).join(' ');
  };
  expect(after([said(1, 'ann')], NOON)).toBe('day 1* a b');
  expect(after([said(1, 'bob')], NOON)).toBe('day 1* a* b');
  expect(after([], NOON)).toBe('day a* b');
  expect(after([said(1, 'ann')], tomorrow)).toBe('day 1* day a* b');
  expect(after([said(1, 'ann', tomorrow)], NOON)).toBe('day 1* a b'); // written offline a day ago
  expect(after([said(1, 'bob')], NOON, { me: undefined })).toBe('day 1* a* b');
});

test('applies a waiting change, and only mentions a rejected one', () => {
  const edit: NewCommand = { type: 'edit', target: 1, data: 'better' };
  const row = (letter: PendingMessage) =>
    new RowBuilder().build(shown([said(1, 'ann')], { pending: [letter] }))[1];
  expect(row(asked('a', edit))).toMatchObject({ event: { data: 'better' }, pendingChanges: [{ cid: 'a' }] });
  const problem = { code: 'deleted', message: 'gone' } as const;
  expect(row(asked('a', edit, { problem }))).toMatchObject({
    event: { data: '1' },
    pendingChanges: [{ problem }],
  });
  expect(row(asked('b', { type: 'delete', target: 1 }))).toMatchObject({ event: { data: '' } });
  expect(row(asked('c', { type: 'react', target: 1, data: '👍' }))).toMatchObject({
    event: { reactions: [{ user: ANN, data: '👍' }] },
  });
});

test('knows the time of an edit that is in the window', () => {
  const edited: ChatEvent = { ...said(1, 'ann'), edited: 2 };
  const edit: LogEvent = { id: 2, type: 'edit', user: ANN, target: 1, data: '1', at: NOON + 5 };
  expect(new RowBuilder().build(shown([edited, edit]))[1]).toMatchObject({ editedAt: NOON + 5 });
  expect(new RowBuilder().build(shown([edited]))[1]).toMatchObject({ editedAt: undefined });
});

test('reuses unchanged rows', () => {
  const rows = new RowBuilder();
  const events = [said(1, 'ann'), said(2, 'bob'), said(3, 'bob')];
  const letters = [asked('a', { type: 'edit', target: 2, data: 'x' })];
  const before = rows.build(shown(events, { pending: letters, readPosition: 1 }));
  const after = rows.build(shown([...events, said(4, 'bob')], { pending: [...letters], readPosition: 1 }));
  expect(after.slice(0, before.length).every((row, index) => row === before[index])).toBe(true);
  const edited = { ...said(3, 'bob'), data: 'new' };
  const third = rows.build(shown([said(1, 'ann'), said(2, 'bob'), edited], { readPosition: 1 }));
  expect(third.at(-1)).not.toBe(after[4]);
});

test('gives a user one colour', () => {
  expect(toneIndexOf('ann', 8)).toBe(toneIndexOf('ann', 8));
  const tones = new Set(Array.from({ length: 200 }, (_, n) => toneIndexOf(`person-${n}`, 8)));
  expect([...tones].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('starts a group when the author has another name', () => {
  const renamed = { ...said(2, 'ann'), user: { id: 'ann', name: 'Sofia Renamed' } } as LogEvent;
  expect(shape(shown([said(1, 'ann'), renamed]))).toEqual(['day', '1*', '2*']);
});
