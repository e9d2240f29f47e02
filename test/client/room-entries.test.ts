import { signal } from '@preact/signals';
import { beforeEach, expect, test } from 'vitest';
import { RoomEntries } from '../../src/client/rooms/list.js';
import type { RoomSummary } from '../../src/shared/protocol.js';

let rooms: RoomEntries;
const room = (name: string, last: number, read: number, more: Partial<RoomSummary> = {}): RoomSummary => ({
  room: name,
  last,
  read,
  unread: 0,
  mentions: 0,
  people: 0,
  joined: true,
  ...more,
});
const list = () =>
  rooms.list.value.map(
    ({ room: name, unread, mentions, joined }) =>
      `${name} ${unread}${mentions > 0 ? `@${mentions}` : ''}${joined ? '' : ' other'}`,
  );

beforeEach(() => {
  rooms = new RoomEntries();
});

test("shows the server's counts", () => {
  rooms.replaceAll([
    room('lobby', 10, 4, { unread: 2, mentions: 1 }),
    room('attic', 50, 0, { joined: false }),
  ]);
  expect([list(), rooms.loaded.value]).toEqual([['lobby 2@1', 'attic 0 other'], true]);
  rooms.applyFrame({ type: 'room', room: 'lobby', last: 12, unread: 3, mentions: 1 });
  expect(list()).toEqual(['lobby 3@1', 'attic 0 other']);
});

test('lists a room that the user was never in when they are mentioned there', () => {
  rooms.replaceAll([room('lobby', 1, 1)]);
  rooms.applyFrame({ type: 'room', room: 'den', last: 7, unread: 1, mentions: 1 });
  expect(list()).toEqual(['lobby 0', 'den 1@1 other']);
  rooms.applyFrame({ type: 'room', room: 'den', last: 7, read: 7, unread: 0, mentions: 0 });
  expect(list()).toEqual(['lobby 0', 'den 0']);
});

test('keeps the counts of a live frame when an older list arrives after it', () => {
  rooms.replaceAll([room('lobby', 1, 0)]);
  rooms.applyFrame({ type: 'room', room: 'lobby', last: 2, unread: 1, mentions: 1 });
  rooms.replaceAll([room('lobby', 1, 0)]);
  expect(list()).toEqual(['lobby 1@1']);
});

test('shows a message that came before the server knew what was read here', () => {
  rooms.replaceAll([room('lobby', 1, 0, { unread: 1 })]);
  rooms.setRead('lobby', 1);
  rooms.replaceAll([room('lobby', 2, 0, { unread: 2, mentions: 1 })]);
  expect(list()).toEqual(['lobby 1@1']);
});

test('tells which rooms got events while it was disconnected', () => {
  rooms.replaceAll([room('lobby', 1, 1), room('den', 1, 1), room('attic', 1, 0, { joined: false })]);
  rooms.follow('lobby');
  const before = rooms.list.value;
  rooms.replaceAll([
    room('lobby', 2, 1),
    room('den', 3, 1, { unread: 1 }),
    room('attic', 2, 0, { joined: false }),
    room('cellar', 4, 0, { joined: false, mentions: 1 }),
  ]);
  expect(rooms.missedSince(before).map(({ room: name, last }) => `${name} ${last}`)).toEqual([
    'den 1',
    'cellar 0',
  ]);
});

test('never decreases a position, whatever the order of updates', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  rooms.setLast('lobby', 12);
  rooms.setLast('lobby', 11);
  rooms.setRead('lobby', 8);
  rooms.setRead('lobby', 6);
  expect(rooms.entry('lobby')).toMatchObject({ last: 12, read: 8 });
  rooms.replaceAll([room('lobby', 11, 5)]); // asked before, answered after
  expect(rooms.entry('lobby')).toMatchObject({ last: 12, read: 8 });
});

test('keeps its counts when the server has missed a read position', () => {
  rooms.replaceAll([room('lobby', 10, 4, { unread: 5 })]);
  rooms.setRead('lobby', 8);
  rooms.setUnread('lobby', 1, 0);
  rooms.replaceAll([room('lobby', 10, 4, { unread: 5 })]);
  expect(list()).toEqual(['lobby 1']);
});

test('counts nothing as unread in a room that was read to its end', () => {
  rooms.replaceAll([room('lobby', 10, 4, { unread: 2, mentions: 1 })]);
  rooms.setRead('lobby', 10);
  expect(list()).toEqual(['lobby 0']);
});

test('counts the room in view itself', () => {
  rooms.replaceAll([room('lobby', 10, 4, { unread: 5 })]);
  rooms.follow('lobby');
  rooms.setUnread('lobby', 1, 0);
  rooms.applyFrame({ type: 'room', room: 'lobby', last: 12, unread: 7, mentions: 2 });
  rooms.replaceAll([room('lobby', 12, 4, { unread: 7 })]);
  expect(list()).toEqual(['lobby 1']);
  rooms.follow(undefined);
  rooms.applyFrame({ type: 'room', room: 'lobby', last: 13, unread: 8, mentions: 0 });
  expect(list()).toEqual(['lobby 8']);
});

test("keeps the server's order, and adds new rooms after the joined ones", () => {
  rooms.replaceAll([room('lobby', 1, 1), room('attic', 1, 0, { joined: false })]);
  rooms.follow('kitchen');
  expect(list()).toEqual(['lobby 0', 'kitchen 0', 'attic 0 other']);
  rooms.replaceAll([room('kitchen', 2, 2), room('lobby', 1, 1), room('attic', 1, 0, { joined: false })]);
  expect(list()).toEqual(['kitchen 0', 'lobby 0', 'attic 0 other']);
});

test('lists a room that the user has left among the others, with its mentions', () => {
  const left = signal<ReadonlySet<string>>(new Set());
  rooms = new RoomEntries(left);
  rooms.replaceAll([room('lobby', 1, 1), room('den', 9, 1, { unread: 5, mentions: 1 })]);
  left.value = new Set(['den']);
  expect([list(), rooms.entry('den')?.joined]).toEqual([['lobby 0', 'den 1@1 other'], false]);
  left.value = new Set();
  expect(list()).toEqual(['lobby 0', 'den 5@1']);
});

test('keeps an empty room that the user is in', () => {
  rooms.follow('new');
  rooms.replaceAll([room('lobby', 1, 1), room('attic', 1, 0, { joined: false })]);
  expect(list()).toEqual(['lobby 0', 'new 0', 'attic 0 other']);
});

test("shows the cached list until the server's, and keeps live updates", () => {
  rooms.setLast('lobby', 12);
  rooms.restore([room('lobby', 10, 4, { unread: 3 }), room('kitchen', 3, 1, { unread: 2 })]);
  expect([list(), rooms.entry('lobby')?.last, rooms.loaded.value]).toEqual([
    ['lobby 3', 'kitchen 2'],
    12,
    false,
  ]);
  rooms.replaceAll([room('kitchen', 3, 3)]);
  rooms.restore([room('lobby', 10, 4)]);
  expect(list()).toEqual(['kitchen 0']);
});

test('resets all numbers for another log', () => {
  rooms.replaceAll([room('lobby', 10, 4, { unread: 6, mentions: 2 })]);
  rooms.reset();
  expect([list(), rooms.loaded.value]).toEqual([['lobby 0'], false]);
  rooms.replaceAll([room('lobby', 2, 0, { unread: 2 })]);
  expect([list(), rooms.entry('lobby')?.last]).toEqual([['lobby 2'], 2]);
});

test('keeps the same list for repeated updates', () => {
  rooms.replaceAll([room('lobby', 10, 4, { unread: 1 })]);
  const before = rooms.list.value;
  rooms.setLast('lobby', 10);
  rooms.setRead('lobby', 2);
  rooms.applyFrame({ type: 'room', room: 'lobby', last: 10, unread: 1, mentions: 0 });
  expect(rooms.list.value).toBe(before);
});
