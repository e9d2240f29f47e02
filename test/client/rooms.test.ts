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

test('unread is last - read; those that I have been in count', () => {
  rooms.replaceAll([room('lobby', 10, 4), room('kitchen', 3, 3), room('attic', 50, 0, false)]);
  expect([list(), rooms.unread.value, rooms.loaded.value]).toEqual([
    ['lobby 6', 'kitchen 0', 'attic 50'],
    6,
    true,
  ]);
});

test('neither number goes back, in whatever order news of them comes', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  rooms.setLast('lobby', 12);
  rooms.setLast('lobby', 11);
  rooms.setRead('lobby', 8);
  rooms.setRead('lobby', 6);
  expect(list()).toEqual(['lobby 4']);
  rooms.replaceAll([room('lobby', 11, 5)]); // asked before, answered after
  expect(list()).toEqual(['lobby 4']);
});

test('the order is the one of the server; a room that is new to it comes after mine', () => {
  rooms.replaceAll([room('lobby', 1, 1), room('attic', 1, 0, false)]);
  rooms.setLast('kitchen', 2);
  expect(list()).toEqual(['lobby 0', 'kitchen 2', 'attic 1']);
  rooms.replaceAll([room('kitchen', 2, 0), room('lobby', 1, 1), room('attic', 1, 0, false)]);
  expect(list()).toEqual(['kitchen 2', 'lobby 0', 'attic 1']);
});

test('a room where nothing was said yet stays while I know of it', () => {
  rooms.join('new');
  rooms.replaceAll([room('lobby', 1, 1), room('attic', 1, 0, false)]);
  expect(list()).toEqual(['lobby 0', 'new 0', 'attic 1']);
});

test('a room says that I was called until I have read it', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  rooms.setMentioned('lobby', 9);
  expect(list()).toEqual(['lobby 6@']);
  rooms.setRead('lobby', 9);
  expect(list()).toEqual(['lobby 1']);
});

test('what was kept is shown until the server says more, and what the sockets told meanwhile stands', () => {
  rooms.setLast('lobby', 12);
  rooms.restore([room('lobby', 10, 4), room('kitchen', 3, 1)]);
  expect([list(), rooms.loaded.value]).toEqual([['lobby 8', 'kitchen 2'], false]);
  rooms.replaceAll([room('kitchen', 3, 3)]);
  rooms.restore([room('lobby', 10, 4)]);
  expect(list()).toEqual(['kitchen 0']);
});

test('in another log no number holds', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  rooms.reset();
  rooms.replaceAll([room('lobby', 2, 0)]);
  expect(list()).toEqual(['lobby 2']);
});

test('what is no news changes nothing', () => {
  rooms.replaceAll([room('lobby', 10, 4)]);
  const before = rooms.list.value;
  rooms.setLast('lobby', 10);
  rooms.setRead('lobby', 2);
  expect(rooms.list.value).toBe(before);
});
