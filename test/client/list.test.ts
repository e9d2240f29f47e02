/** The list of rooms, whichever way answers arrive: late, out of order, of another log. */
import { signal } from '@preact/signals';
import { beforeEach, expect, test, vi } from 'vitest';
import * as api from '../../src/client/api.js';
import type { OfflineCache } from '../../src/client/rooms/cache.js';
import { RoomListStore } from '../../src/client/rooms/list.js';
import type { RoomSummary } from '../../src/shared/protocol.js';
import { ManualClock } from './clock.js';

vi.mock('../../src/client/api.js');

/** Open requests, in order. */
let lists: ((rooms: readonly RoomSummary[] | undefined) => void)[];
let clock: ManualClock;
let store: RoomListStore;
/** epoch of the cache */
let keptOf: string | undefined;
let keptRooms: readonly RoomSummary[];
let cleared: number;

const room = (name: string, last: number, read = 0): RoomSummary => ({
  room: name,
  last,
  read,
  unread: last - read,
  mentions: 0,
  people: 0,
  joined: true,
});
const shown = () => store.rooms.list.value.map((one) => `${one.room} ${one.unread}`);
const settled = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  lists = [];
  vi.mocked(api.rooms).mockImplementation(() => new Promise((resolve) => lists.push(resolve)));
  vi.mocked(api.markRead).mockResolvedValue(true);
  vi.mocked(api.markRead).mockClear();
  keptOf = undefined;
  keptRooms = [room('kept', 9)];
  cleared = 0;
  const keep = {
    saveRooms: () => {},
    clear: async () => cleared++,
    rooms: async () => keptOf && { epoch: keptOf, rooms: keptRooms },
  };
  clock = new ManualClock();
  const cache = keep as unknown as OfflineCache; // the part that the store uses
  store = new RoomListStore({ cache, clock, left: signal(new Set<string>()), random: () => 0.5 });
});

test('loads the list after each hello, and drops answers that were overtaken', async () => {
  store.onHello('one');
  store.onHello('one');
  lists[1]?.([room('lobby', 5), room('kitchen', 2)]);
  await settled();
  lists[0]?.([room('lobby', 4)]);
  await settled();
  expect(shown()).toEqual(['lobby 5', 'kitchen 2']);
});

test('drops everything of another log', async () => {
  store.onHello('one');
  lists[0]?.([room('lobby', 900, 880)]);
  await settled();
  store.onHello('one');
  store.onHello('two');
  expect([shown(), store.rooms.loaded.value]).toEqual([['lobby 0'], false]);
  lists[1]?.([room('lobby', 900, 880)]);
  await settled();
  expect([shown(), store.rooms.loaded.value]).toEqual([['lobby 0'], false]);
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

test("uses the snapshot's list at once", async () => {
  keptOf = 'one';
  void store.openFromSnapshot(snapshot('one'));
  expect([shown(), store.rooms.loaded.value, lists.length]).toEqual([['lobby 4'], true, 0]);
  await settled();
  store.onHello('one');
  expect([shown(), cleared, lists.length]).toEqual([['lobby 4'], 0, 1]);
});

test('sends read positions that were cached and never arrived', async () => {
  keptOf = 'one';
  keptRooms = [room('lobby', 5, 3), room('gone', 9, 9)];
  await store.openFromSnapshot(snapshot('one'));
  expect(store.rooms.entry('lobby')?.read).toBe(3);
  clock.advance(2_000);
  await settled();
  expect(vi.mocked(api.markRead).mock.calls).toEqual([['lobby', 3, false]]);
});

test('clears a cache of another log', async () => {
  keptOf = 'before';
  await store.openFromSnapshot(snapshot('one'));
  expect([shown(), cleared]).toEqual([['lobby 4'], 1]);
});

test('retries the list after longer and longer delays', async () => {
  store.onHello('one');
  for (const [asked, wait] of [1_250, 1_500, 2_000, 3_000].entries()) {
    lists[asked]?.(undefined);
    await settled();
    clock.advance(wait - 1);
    expect(lists).toHaveLength(asked + 1);
    clock.advance(1);
    expect(lists).toHaveLength(asked + 2);
  }
  lists[4]?.([room('lobby', 5)]);
  await settled();
  expect(shown()).toEqual(['lobby 5']);
  clock.advance(60_000);
  expect(lists).toHaveLength(5);
});
