import { beforeEach, expect, test } from 'vitest';
import { retry, SharedOutbox } from '../../src/client/outbox/outbox.js';
import type { OutboxStore } from '../../src/connect/outbox.js';
import { ManualClock } from './clock.js';
import { say, textOf } from './commands.js';
import { memoryStore } from './memory-store.js';

let clock: ManualClock;
let strandings = 0;
const stranded = () => strandings++;
beforeEach(() => {
  clock = new ManualClock();
  strandings = 0;
});
function open(store: OutboxStore, changed = () => {}, user = 'ann', room = 'lobby'): SharedOutbox {
  return new SharedOutbox({
    store,
    user,
    room,
    clock,
    onChanged: changed,
    onUnpersisted: stranded,
  });
}
/** Rejected: `!`, saving: `…`, not stored: `?`. */
function shown(outbox: SharedOutbox): readonly string[] {
  return outbox.messages.value.map(
    ({ posting, problem, unpersisted: unkept, seq }) =>
      textOf({ posting }) + (problem ? '!' : unkept ? '?' : seq === undefined ? '…' : ''),
  );
}
/** Sends until nothing is pending. */
async function sent(outbox: SharedOutbox): Promise<readonly string[]> {
  const all: string[] = [];
  for (let next = outbox.outbox.next; next; next = outbox.outbox.next) {
    all.push(textOf(next));
    void outbox.settle(next.cid);
  }
  await settled();
  return all;
}
const settled = () => new Promise(setImmediate);

/** A store whose writes wait until it recovers, or fail while it is broken. */
function badStore() {
  const store = memoryStore();
  const held: (() => void)[] = [];
  const bad = { hangs: false, broken: false };
  const works = async () => {
    if (bad.broken) throw new Error('broken');
    if (bad.hangs) await new Promise<void>((resolve) => held.push(resolve));
  };
  const recover = async () => {
    Object.assign(bad, { hangs: false, broken: false });
    for (const go of held.splice(0)) go();
    await settled();
  };
  const faulty: OutboxStore = {
    add: (draft, instead) => works().then(() => store.add(draft, instead)),
    all: (user) => works().then(() => store.all(user)),
    refuse: (cid, problem) => works().then(() => store.refuse(cid, problem)),
    remove: (cid) => works().then(() => store.remove(cid)),
  };
  return { store: faulty, bad, recover, inside: () => store.all('ann') };
}
const conflict = { code: 'cid_conflict', message: 'used' } as const;
const tooLong = { code: 'text_too_long', message: 'too long' } as const;

test('shows and sends a message only once it is stored', async () => {
  const outbox = open(memoryStore());
  const kept = outbox.add(say('hi'));
  expect([shown(outbox), outbox.outbox.next]).toEqual([[], undefined]);
  await kept;
  expect([shown(outbox), outbox.outbox.next && textOf(outbox.outbox.next)]).toEqual([['hi'], 'hi']);
});

test('shows a message as saving while the store is slow, and holds it back', () => {
  const outbox = open({ ...memoryStore(), add: () => new Promise(() => {}) });
  void outbox.add(say('hi'));
  clock.advance(300);
  expect([shown(outbox), outbox.outbox.next]).toEqual([['hi…'], undefined]);
});

test('keeps messages in order for their writer and room, longer than the tab', async () => {
  const store = memoryStore();
  const before = open(store);
  for (const text of ['one', 'two', 'three']) await before.add(say(text));
  const after = open(store);
  const eve = open(store, undefined, 'eve');
  const elsewhere = open(store, undefined, 'ann', 'elsewhere');
  for (const outbox of [after, eve, elsewhere]) await outbox.reload();
  expect([shown(after), shown(eve), shown(elsewhere)]).toEqual([['one', 'two', 'three'], [], []]);
  expect(after.messages.value.map(({ cid }) => cid)).toEqual(before.messages.value.map(({ cid }) => cid));
});

test('removes a settled message in all tabs', async () => {
  const store = memoryStore();
  const outbox = open(store);
  await outbox.add(say('hi'));
  await outbox.settle(outbox.outbox.next?.cid ?? '');
  expect([shown(outbox), await store.all('ann')]).toEqual([[], []]);
});

test('removes a message of another tab that is settled before this tab has read it', async () => {
  const store = memoryStore();
  const writer = open(store);
  await writer.add(say('hi'));
  const reader = open(store);
  await reader.settle(writer.outbox.next?.cid ?? '');
  await reader.reload();
  expect([shown(reader), await store.all('ann')]).toEqual([[], []]);
});

test('ignores what a slow read of the store says about settled and new messages', async () => {
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
  const kept = outbox.add(say('hi'));
  await new Promise(setImmediate);
  slow[1]?.();
  await kept;
  slow[0]?.();
  await first;
  expect(outbox.outbox.next && textOf(outbox.outbox.next)).toBe('hi');
});

test('keeps a rejected message with its reason, sends the others, and can retry or discard it', async () => {
  const outbox = open(memoryStore());
  await outbox.add(say('one'));
  await outbox.add(say('two'));
  const first = outbox.outbox.next?.cid ?? '';
  await outbox.outbox.refuse(first, tooLong);
  expect([
    shown(outbox),
    outbox.messages.value[0]?.problem,
    outbox.outbox.next && textOf(outbox.outbox.next),
  ]).toEqual([['one!', 'two'], tooLong, 'two']);
  await retry(outbox, first);
  expect(shown(outbox)).toEqual(['two', 'one']);
  expect(outbox.messages.value[1]?.cid).toBe(first);
  await outbox.outbox.refuse(first, tooLong);
  await outbox.discard(first);
  expect(shown(outbox)).toEqual(['two']);
});

test('uses a new cid after a conflict', async () => {
  const outbox = open(memoryStore());
  await outbox.add(say('one'));
  const first = outbox.outbox.next?.cid ?? '';
  await outbox.outbox.refuse(first, conflict);
  await retry(outbox, first);
  expect([shown(outbox), outbox.outbox.next?.cid === first]).toEqual([['one'], false]);
});

test('sends a reply again as a new message when its target is gone', async () => {
  const outbox = open(memoryStore());
  await outbox.add({ type: 'chat', data: 'yes', reply: 7 });
  const first = outbox.outbox.next?.cid ?? '';
  await outbox.outbox.refuse(first, { code: 'deleted', message: 'deleted' });
  await retry(outbox, first);
  expect(outbox.outbox.next?.posting).toEqual({ type: 'chat', data: 'yes' });
  expect(outbox.outbox.next?.cid).not.toBe(first);
});

test('sends from this tab, in order, when the store hangs', async () => {
  const { store, bad, recover, inside } = badStore();
  const outbox = open(store);
  bad.hangs = true;
  for (const text of ['one', 'two']) void outbox.add(say(text));
  clock.advance(2_999);
  expect([shown(outbox), outbox.outbox.next, strandings]).toEqual([['one…', 'two…'], undefined, 0]);
  clock.advance(1);
  await settled();
  void outbox.add(say('three'));
  await settled();
  expect(shown(outbox)).toEqual(['one?', 'two?', 'three?']);
  expect(strandings).toBeGreaterThan(0);
  expect(await sent(outbox)).toEqual(['one', 'two', 'three']);
  await recover(); // the hanging write completes: the message was sent, so it is not kept
  expect([shown(outbox), await inside()]).toEqual([[], []]);
});

test('stores everything once, under the same cids, when a hanging store recovers', async () => {
  const { store, bad, recover, inside } = badStore();
  const outbox = open(store);
  bad.hangs = true;
  for (const text of ['one', 'two']) void outbox.add(say(text));
  clock.advance(3_000);
  await settled();
  const before = outbox.messages.value.map(({ cid }) => cid);
  await recover();
  expect(shown(outbox)).toEqual(['one', 'two']);
  expect((await inside()).map(({ cid }) => cid)).toEqual(before);
});

test('sends without a failing store, and offers it everything again, oldest first', async () => {
  const { store, bad, recover, inside } = badStore();
  const outbox = open(store);
  bad.broken = true;
  await outbox.add(say('one'));
  await outbox.add(say('two'));
  expect([shown(outbox), outbox.outbox.next && textOf(outbox.outbox.next), strandings]).toEqual([
    ['one?', 'two?'],
    'one',
    2,
  ]);
  await recover();
  await outbox.add(say('three'));
  await settled();
  expect(shown(outbox)).toEqual(['one', 'two', 'three']);
  expect((await inside()).map(textOf)).toEqual(['one', 'two', 'three']);
  expect(await sent(outbox)).toEqual(['one', 'two', 'three']);
  bad.hangs = true; // trusted again: the next message waits for it
  void outbox.add(say('four'));
  clock.advance(300);
  expect([shown(outbox), outbox.outbox.next]).toEqual([['four…'], undefined]);
});

test('stores no message before an earlier one', async () => {
  const { store, bad, inside } = badStore();
  const outbox = open({
    ...store,
    add: (draft) => (textOf(draft) === 'one' ? Promise.reject() : store.add(draft)),
  });
  await Promise.all([outbox.add(say('one')), outbox.add(say('two'))]);
  expect([shown(outbox), await inside(), bad.broken]).toEqual([['one?', 'two?'], [], false]);
});

test('can reject and retry a message that is not stored', async () => {
  const { store, bad } = badStore();
  const outbox = open(store);
  bad.broken = true;
  await outbox.add(say('one'));
  const { cid } = outbox.outbox.next ?? { cid: '' };
  await outbox.outbox.refuse(cid, tooLong);
  expect([shown(outbox), outbox.outbox.next]).toEqual([['one!'], undefined]);
  await retry(outbox, cid);
  expect([shown(outbox), outbox.outbox.next?.cid]).toEqual([['one?'], cid]);
});

test('waits for no store that cannot be read', async () => {
  const { store, bad } = badStore();
  const outbox = open(store);
  bad.broken = true;
  await outbox.reload();
  bad.hangs = true;
  bad.broken = false;
  const reload = outbox.reload();
  clock.advance(3_000);
  await reload;
});

test('tells other tabs of each change', async () => {
  let told = 0;
  const outbox = open(memoryStore(), () => told++);
  await outbox.add(say('one'));
  await outbox.outbox.refuse(outbox.outbox.next?.cid ?? '', tooLong);
  await outbox.discard(outbox.messages.value[0]?.cid ?? '');
  expect(told).toBe(3);
});

test('holds a message back until its time, and lets others pass', async () => {
  const outbox = open(memoryStore());
  await outbox.add({ type: 'delete', target: 1 }, { holdMs: 6_000 });
  await outbox.add(say('hi'));
  expect(outbox.messages.value.map(({ isHeld = false }) => isHeld)).toEqual([true, false]);
  expect(await sent(outbox)).toEqual(['hi']);
  clock.advance(5_999);
  expect(outbox.outbox.next).toBeUndefined();
  clock.advance(1);
  expect(await sent(outbox)).toEqual(['delete']);
});

test('forgets a held message that is discarded', async () => {
  const store = memoryStore();
  const outbox = open(store);
  await outbox.add({ type: 'delete', target: 1 }, { holdMs: 6_000 });
  await outbox.discard(outbox.messages.value[0]?.cid ?? '');
  clock.advance(10_000);
  expect([outbox.outbox.next, await store.all('ann')]).toEqual([undefined, []]);
});

test('holds a message back in every tab, also after a reload', async () => {
  const store = memoryStore();
  await open(store).add({ type: 'delete', target: 1 }, { holdMs: 6_000 });
  const other = open(store);
  await other.reload();
  expect([other.outbox.next, other.messages.value[0]?.isHeld]).toEqual([undefined, true]);
  clock.advance(6_000);
  expect(other.outbox.next?.posting.type).toBe('delete');
});
