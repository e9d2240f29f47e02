import { beforeEach, expect, test } from 'vitest';
import { memoryStore, Outbox, type OutboxStore } from '../../src/client/state/outbox.js';
import { HandClock } from './clock.js';

let cids = 0;
let clock: HandClock;
beforeEach(() => {
  clock = new HandClock();
});
function open(store: OutboxStore, changed = () => {}, user = 'ann', room = 'lobby'): Outbox {
  return new Outbox({ store, user, room, newCid: () => `cid-${++cids}`, clock, changed });
}
function shown(outbox: Outbox): readonly string[] {
  return outbox.letters.value.map(({ data, problem }) => (problem ? `${data}!` : data));
}
const conflict = { code: 'cid_conflict', message: 'used' } as const;
const tooLong = { code: 'text_too_long', message: 'too long' } as const;

test('what is said is shown as waiting, and sent, when it is kept: not before', async () => {
  const outbox = open(memoryStore());
  const kept = outbox.post('hi');
  expect([shown(outbox), outbox.next]).toEqual([[], undefined]);
  await kept;
  expect([shown(outbox), outbox.next?.data]).toEqual([['hi'], 'hi']);
});

test('a slow store does not hide it, but holds it', () => {
  const outbox = open({ ...memoryStore(), add: () => new Promise(() => {}) });
  void outbox.post('hi');
  clock.turn(300);
  expect([shown(outbox), outbox.next]).toEqual([['hi'], undefined]);
});

test('it outlives the tab, in order, and is there for its writer and room only', async () => {
  const store = memoryStore();
  const before = open(store);
  for (const text of ['one', 'two', 'three']) await before.post(text);
  const after = open(store);
  const eve = open(store, undefined, 'eve');
  const elsewhere = open(store, undefined, 'ann', 'elsewhere');
  for (const outbox of [after, eve, elsewhere]) await outbox.reload();
  expect([shown(after), shown(eve), shown(elsewhere)]).toEqual([['one', 'two', 'three'], [], []]);
  expect(after.letters.value.map(({ cid }) => cid)).toEqual(before.letters.value.map(({ cid }) => cid));
});

test('what is in the log is gone, for all tabs', async () => {
  const store = memoryStore();
  const outbox = open(store);
  await outbox.post('hi');
  await outbox.settle(outbox.next?.cid ?? '');
  expect([shown(outbox), await store.all('ann')]).toEqual([[], []]);
});

test('an echo of a letter that another tab wrote takes it away before this tab has read of it', async () => {
  const store = memoryStore();
  const writer = open(store);
  await writer.post('hi');
  const reader = open(store);
  await reader.settle(writer.next?.cid ?? '');
  await reader.reload();
  expect([shown(reader), await store.all('ann')]).toEqual([[], []]);
});

test('a slow read of the store does not bring back what is settled, nor hide what was just said', async () => {
  const store = memoryStore();
  const slow: (() => void)[] = [];
  const outbox = open({
    ...store,
    all: async (user) => {
      const letters = await store.all(user);
      await new Promise<void>((resolve) => slow.push(resolve));
      return letters;
    },
  });
  const first = outbox.reload();
  const kept = outbox.post('hi');
  await new Promise(setImmediate);
  slow[1]?.();
  await kept;
  slow[0]?.();
  await first;
  expect(outbox.next?.data).toBe('hi');
});

test('a refused one says why, lets the others pass, and can be sent again or dropped', async () => {
  const outbox = open(memoryStore());
  await outbox.post('one');
  await outbox.post('two');
  const first = outbox.next?.cid ?? '';
  await outbox.refuse(first, tooLong);
  expect([shown(outbox), outbox.letters.value[0]?.problem, outbox.next?.data]).toEqual([
    ['one!', 'two'],
    tooLong,
    'two',
  ]);
  await outbox.again(first);
  expect(shown(outbox)).toEqual(['two', 'one']);
  expect(outbox.letters.value[1]?.cid).toBe(first);
  await outbox.refuse(first, tooLong);
  await outbox.drop(first);
  expect(shown(outbox)).toEqual(['two']);
});

test('one whose cid stands for another text goes again with a new one', async () => {
  const outbox = open(memoryStore());
  await outbox.post('one');
  const first = outbox.next?.cid ?? '';
  await outbox.refuse(first, conflict);
  await outbox.again(first);
  expect([shown(outbox), outbox.next?.cid === first]).toEqual([['one'], false]);
});

test('a browser that cannot keep it says so and does not send it; the next try may work', async () => {
  const store = memoryStore();
  let full = true;
  const outbox = open({
    ...store,
    add: (draft, instead) => (full ? Promise.reject(new Error('full')) : store.add(draft, instead)),
  });
  await outbox.post('hi');
  expect([shown(outbox), outbox.next]).toEqual([['hi!'], undefined]);
  full = false;
  await outbox.again(outbox.letters.value[0]?.cid ?? '');
  expect([shown(outbox), outbox.next?.data]).toEqual([['hi'], 'hi']);
});

test('other tabs are told of each change', async () => {
  let told = 0;
  const outbox = open(memoryStore(), () => told++);
  await outbox.post('one');
  await outbox.refuse(outbox.next?.cid ?? '', tooLong);
  await outbox.drop(outbox.letters.value[0]?.cid ?? '');
  expect(told).toBe(3);
});
