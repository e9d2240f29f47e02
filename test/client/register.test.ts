/** The list of rooms is true whichever way answers come: late, out of order, of another log. */
import { beforeEach, expect, test, vi } from 'vitest';
import * as api from '../../src/client/api.js';
import type { OfflineCache } from '../../src/client/rooms/cache.js';
import { RoomListStore } from '../../src/client/rooms/list.js';
import type { RoomSummary, SearchHit } from '../../src/shared/protocol.js';
import { HandClock } from './clock.js';

vi.mock('../../src/client/api.js');

/** What was asked for and is not answered yet, in order. */
let lists: ((rooms: readonly RoomSummary[] | undefined) => void)[];
let calls: ((messages: readonly SearchHit[]) => void)[];
let clock: HandClock;
let register: RoomListStore;
/** of which log something is kept in this browser */
let keptOf: string | undefined;
let keptRooms: readonly RoomSummary[];
let cleared: number;

const room = (name: string, last: number, read = 0): RoomSummary => ({
  room: name,
  last,
  read,
  unread: 0,
  mentions: 0,
  people: 0,
  joined: true,
});
const called = (name: string, id: number): SearchHit => ({
  room: name,
  id,
  type: 'chat',
  user: { id: 'bbbbbbbbbbbb', name: 'Bob' },
  data: '@Ann',
  at: 0,
});
const shown = () =>
  register.rooms.list.value.map((one) => `${one.room} ${one.unread}${one.mentioned ? '@' : ''}`);
const settled = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  lists = [];
  calls = [];
  vi.mocked(api.rooms).mockImplementation(() => new Promise((resolve) => lists.push(resolve)));
  vi.mocked(api.mentions).mockImplementation(
    () => new Promise((resolve) => calls.push((messages) => resolve({ messages, complete: true }))),
  );
  vi.mocked(api.markRead).mockResolvedValue(true);
  vi.mocked(api.markRead).mockClear();
  keptOf = undefined;
  keptRooms = [room('kept', 9)];
  cleared = 0;
  const keep = {
    keepRooms: () => {},
    clear: async () => cleared++,
    rooms: async () => keptOf && { epoch: keptOf, rooms: keptRooms },
  };
  clock = new HandClock();
  register = new RoomListStore(keep as unknown as OfflineCache, clock, () => 0.5); // what the register asks of it
});

test('each greeting asks for the list; an answer that a newer one has overtaken is not heard', async () => {
  register.onHello('one');
  register.onHello('one');
  lists[1]?.([room('lobby', 5), room('kitchen', 2)]);
  await settled();
  lists[0]?.([room('lobby', 4)]);
  await settled();
  expect(shown()).toEqual(['lobby 5', 'kitchen 2']);
});

test('what calls me is heard from whichever answer has it, and opens no room later', async () => {
  register.onHello('one');
  register.onHello('one');
  lists[1]?.([room('lobby', 5)]);
  await settled();
  expect(register.rooms.loaded.value).toBe(true);
  calls[0]?.([called('lobby', 3)]);
  await settled();
  expect(shown()).toEqual(['lobby 5@']);
});

test('nothing of another log is heard', async () => {
  register.onHello('one');
  lists[0]?.([room('lobby', 900, 880)]);
  await settled();
  register.onHello('one');
  register.onHello('two');
  expect([shown(), register.rooms.loaded.value]).toEqual([['lobby 0'], false]);
  lists[1]?.([room('lobby', 900, 880)]);
  calls[1]?.([called('lobby', 890)]);
  await settled();
  expect([shown(), register.rooms.loaded.value]).toEqual([['lobby 0'], false]);
  lists[2]?.([room('lobby', 7, 2)]);
  await settled();
  expect(shown()).toEqual(['lobby 5']);
});

const snapshot = (epoch: string) => ({
  user: { id: 'aaaaaaaaaaaa', name: 'Ann' },
  room: 'lobby',
  page: { epoch, last: 5, complete: true, messages: [] },
  rooms: [room('lobby', 5, 1)],
});

test('the list that the page was delivered with holds at once, before anything is asked', async () => {
  keptOf = 'one';
  void register.openFromSnapshot(snapshot('one'));
  expect([shown(), register.rooms.loaded.value, lists.length]).toEqual([['lobby 4'], true, 0]);
  await settled();
  register.onHello('one');
  expect([shown(), cleared, lists.length]).toEqual([['lobby 4'], 0, 1]);
});

test('what was read here and not told yet is told', async () => {
  keptOf = 'one';
  keptRooms = [room('lobby', 5, 3), room('gone', 9, 9)];
  await register.openFromSnapshot(snapshot('one'));
  expect(shown()).toEqual(['lobby 2']);
  clock.turn(2_000);
  await settled();
  expect(vi.mocked(api.markRead).mock.calls).toEqual([['lobby', 3, false]]);
});

test('what was kept of another log than the delivered one is thrown away', async () => {
  keptOf = 'before';
  await register.openFromSnapshot(snapshot('one'));
  expect([shown(), cleared]).toEqual([['lobby 4'], 1]);
});

test('a list that cannot be had is asked for again, after longer and longer, until it is there', async () => {
  vi.mocked(api.mentions).mockResolvedValue({ messages: [], complete: true });
  register.onHello('one');
  for (const [asked, wait] of [1_250, 1_500, 2_000, 3_000].entries()) {
    lists[asked]?.(undefined);
    await settled();
    clock.turn(wait - 1);
    expect(lists).toHaveLength(asked + 1);
    clock.turn(1);
    expect(lists).toHaveLength(asked + 2);
  }
  lists[4]?.([room('lobby', 5)]);
  await settled();
  expect(shown()).toEqual(['lobby 5']);
  clock.turn(60_000);
  expect(lists).toHaveLength(5);
});

test('so are the mentions; a greeting asks at once, and only once', async () => {
  vi.mocked(api.rooms).mockResolvedValue([room('lobby', 5)]);
  const mentions = vi.mocked(api.mentions).mockReset().mockResolvedValue(undefined);
  register.onHello('one');
  await settled();
  clock.turn(1_250);
  expect(mentions).toHaveBeenCalledTimes(2);
  await settled();
  mentions.mockResolvedValue({ messages: [called('lobby', 3)], complete: true });
  register.onHello('one');
  expect(mentions).toHaveBeenCalledTimes(3);
  await settled();
  clock.turn(60_000);
  expect(mentions).toHaveBeenCalledTimes(3);
  expect(shown()).toEqual(['lobby 5@']);
});
