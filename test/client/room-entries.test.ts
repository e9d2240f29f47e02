import { beforeEach, expect, test } from 'vitest';
import { RoomEntries } from '../../src/client/rooms/list.js';
import type { RoomSummary } from '../../src/shared/protocol.js';

let rooms: RoomEntries;
const room = (name: string, last: number, read: number, joined = true): RoomSummary => ({
  room: name,
  last,
  read,
  unread: 0,
  mentions: 0,
  people: 0,
  joined,
});
const list = () =>
  rooms.list.value.map((entry) => `${entry.room} ${entry.unread}${entry.mentioned ? '@' : ''}`);

beforeEach(() => {
  rooms = new RoomEntries();
});

test('computes unread from the numbers, and sums joined rooms', () => {
  rooms.replaceAll([room('lobby', 10, 4), room('kitchen', 3, 3), room('attic', 50, 0, false)]);
  expect([list(), rooms.unread.value, rooms.loaded.value]).toEqual([
    ['lobby 6', 'kitchen 0', 'attic 50'],
    6,
    true,
  ]);
});

test('never decreases a number, whatever the order of updates', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  rooms.setLast('lobby', 12);
  rooms.setLast('lobby', 11);
  rooms.setRead('lobby', 8);
  rooms.setRead('lobby', 6);
  expect(list()).toEqual(['lobby 4']);
  rooms.replaceAll([room('lobby', 11, 5)]); // asked before, answered after
  expect(list()).toEqual(['lobby 4']);
});

test("keeps the server's order, and adds new rooms after the joined ones", () => {
  rooms.replaceAll([room('lobby', 1, 1), room('attic', 1, 0, false)]);
  rooms.setLast('kitchen', 2);
  expect(list()).toEqual(['lobby 0', 'kitchen 2', 'attic 1']);
  rooms.replaceAll([room('kitchen', 2, 0), room('lobby', 1, 1), room('attic', 1, 0, false)]);
  expect(list()).toEqual(['kitchen 2', 'lobby 0', 'attic 1']);
});

test('keeps an empty room that the user is in', () => {
  rooms.join('new');
  rooms.replaceAll([room('lobby', 1, 1), room('attic', 1, 0, false)]);
  expect(list()).toEqual(['lobby 0', 'new 0', 'attic 1']);
});

test('shows a mention until it is read', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  rooms.setMentioned('lobby', 9);
  expect(list()).toEqual(['lobby 6@']);
  rooms.setRead('lobby', 9);
  expect(list()).toEqual(['lobby 1']);
});

test("shows the cached list until the server's, and keeps live updates", () => {
  rooms.setLast('lobby', 12);
  rooms.restore([room('lobby', 10, 4), room('kitchen', 3, 1)]);
  expect([list(), rooms.loaded.value]).toEqual([['lobby 8', 'kitchen 2'], false]);
  rooms.replaceAll([room('kitchen', 3, 3)]);
  rooms.restore([room('lobby', 10, 4)]);
  expect(list()).toEqual(['kitchen 0']);
});

test('resets all numbers for another log', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  rooms.reset();
  rooms.replaceAll([room('lobby', 2, 0)]);
  expect(list()).toEqual(['lobby 2']);
});

test('keeps the same list for repeated updates', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  const before = rooms.list.value;
  rooms.setLast('lobby', 10);
  rooms.setRead('lobby', 2);
  expect(rooms.list.value).toBe(before);
});
