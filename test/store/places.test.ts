/** The newest events, before the tables of places have them: read, repeated, changed, taken back, there again after a kill. */
import { copyFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { applyBatch } from '../../src/chat/rules.js';
import { type Command, type MessageCommand, type Result, StorageError } from '../../src/chat/types.js';
import type { RoomEvent } from '../../src/shared/protocol.js';
import { databaseFile } from '../../src/store/database.js';
import { openReadOnlyLog } from '../../src/store/events.js';
import { Store } from '../../src/store/store.js';
import { verify } from '../../src/store/verify.js';
import { temporaryFolder } from '../harness.js';

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const BOB = { id: 'bbbbbbbbbbbb', name: 'Bob' };

function say(data: string, rest: Partial<MessageCommand> = {}): MessageCommand {
  return { kind: 'message', room: 'lobby', user: ANN, data, at: 1000, ...rest };
}

function beat(store: Store, ...commands: Command[]): readonly Result[] {
  return applyBatch(commands, store, (error) => {
    throw error;
  });
}

function signIn(user: typeof ANN): Command {
  return { kind: 'sign-in', user, skeleton: user.name.toLowerCase(), at: 1 };
}

function opened(folder = temporaryFolder()): Store {
  const store = new Store(folder);
  onTestFinished(() => store.close());
  return store;
}

/** The folder as a kill would leave it now. */
function killed(folder: string): string {
  const copy = temporaryFolder();
  for (const end of ['', '-wal']) copyFileSync(databaseFile(folder) + end, databaseFile(copy) + end);
  return copy;
}

/** One group of events into the tables. */
function slice(store: Store): void {
  store.transaction(() => store.events.places.work(0))();
}

function placeAll(store: Store): void {
  while (store.events.places.behind) slice(store);
}

async function until(check: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !check(); ) {
    if (Date.now() > end) throw new Error('it did not come to pass');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const faultIn = (folder: string): string | undefined => verify(databaseFile(folder), () => {}).finding;

/** One command; a transaction that fails; or something that happens to the store. */
type Step =
  | readonly [kind: 'say', room: string, who: number, cid: number]
  | readonly [kind: string, room: string, to: number];

const room = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant('say' as const), room, fc.nat(1), fc.nat(30)) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('edit', 'delete', 'react'), room, fc.integer({ min: 1, max: 12 })),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom('call', 'fail', 'slice', 'place', 'kill'), room, fc.constant(0)),
  },
);

function commandOf([kind, name, to, cid]: Step, n: number): Command {
  const place = { room: name, user: ANN, at: 1000 + n };
  if (cid !== undefined)
    return say(`said under ${cid}`, { ...place, user: to === 0 ? ANN : BOB, cid: `c${cid}` });
  if (kind === 'call') return say('look, @Bob', place);
  const type = kind === 'delete' ? kind : kind === 'edit' ? kind : 'react';
  return { kind: 'change', type, target: to, data: type === 'react' ? '👍' : 'edited', ...place };
}

describe('the newest messages', () => {
  it('are read from every number as if the tables had them, whatever happens, and after a kill', {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
        let folder = temporaryFolder();
        let store = new Store(folder);
        const plain = new Store(temporaryFolder()); // all is placed after every step
        for (const book of [store, plain]) beat(book, signIn(ANN), signIn(BOB));
        steps.forEach((it, n) => {
          if (it[0] === 'slice') slice(store);
          else if (it[0] === 'place') placeAll(store);
          else if (it[0] === 'fail') fails(store, it[1], n);
          else if (it[0] === 'kill') {
            const copy = killed(folder);
            store.close();
            [folder, store] = [copy, new Store(copy)];
          } else expect(beat(store, commandOf(it, n))).toEqual(beat(plain, commandOf(it, n)));
          placeAll(plain);
        });
        expect(plain.events.places.behind).toBe(false);
        for (const name of ['a', 'b', 'c']) samePages(store, plain, name);
        store.close();
        plain.close();
        expect(faultIn(folder)).toBeUndefined();
      }),
      { numRuns: 25 },
    );
  });

  it('are placed when enough have gathered, and each second', async () => {
    const store = opened();
    const many = Array.from({ length: 10_100 }, (_, n) => say(`m${n}`, { cid: `c${n}` }));
    beat(store, ...many);
    expect(store.events.places.behind).toBe(true);
    await until(() => !store.events.places.behind);
    beat(store, say('one more'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(store.events.places.behind).toBe(true);
    store.tick();
    await until(() => !store.events.places.behind);
    expect(store.events.after('lobby', 10_099, 9)).toMatchObject([
      { id: 10_100 },
      { id: 10_101, data: 'one more' },
    ]);
    expect(beat(store, ...many.slice(0, 1))).toMatchObject([{ kind: 'duplicate', event: { id: 1 } }]);
  });

  it('are placed within the beat when far too many have gathered', () => {
    const store = opened();
    for (let from = 0; from < 55_000; from += 500)
      beat(store, ...Array.from({ length: 500 }, (_, n) => say(`m${from + n}`)));
    expect(store.events.places.farBehind).toBe(false);
    expect(store.events.before('lobby', 60_000, 1)).toMatchObject([{ id: 55_000, data: 'm54999' }]);
  });

  it('are read and repeated while the disk takes nothing, and placed when it does again', async () => {
    const folder = temporaryFolder();
    const store = opened(folder);
    beat(store, say('before', { cid: 'x' }));
    const other = new Database(databaseFile(folder));
    onTestFinished(() => void other.close());
    other.exec('BEGIN IMMEDIATE'); // the store waits a second, then SQLite says busy
    expect(() => slice(store)).toThrow(StorageError);
    expect(beat(store, say('meanwhile'))).toMatchObject([{ kind: 'rejected' }]);
    expect(store.events.after('lobby', 0, 9)).toMatchObject([{ id: 1, data: 'before' }]);
    other.exec('ROLLBACK');
    expect(beat(store, say('before', { cid: 'x' }), say('after'))).toMatchObject([
      { kind: 'duplicate', event: { id: 1 } },
      { kind: 'accepted', event: { id: 2 } },
    ]);
    store.tick();
    await until(() => !store.events.places.behind);
    expect(store.events.after('lobby', 0, 9).map(({ id }) => id)).toEqual([1, 2]);
  });

  it('are read by another process while they are placed', () => {
    const folder = temporaryFolder();
    const store = opened(folder);
    beat(store, say('one'), say('two', { room: 'other' }), say('three'));
    const rooms = openReadOnlyLog(databaseFile(folder));
    onTestFinished(() => rooms.close());
    const ids = (): number[] => rooms.after('lobby', 0, 9).map(({ id }) => id);
    expect(ids()).toEqual([1, 2]);
    slice(store);
    expect(ids()).toEqual([1, 2]);
    placeAll(store);
    beat(store, say('four'));
    expect(ids()).toEqual([1, 2, 3]);
  });
});

describe('verify', () => {
  const faults: readonly (readonly [fault: string, sql: string, words: string])[] = [
    ['a hole', 'DELETE FROM events WHERE id = 3', 'number 3 is missing, 4 comes next'],
    ['a hole in the table', 'DELETE FROM numbers WHERE id = 2', 'number 2 is missing, 3 comes next'],
    ['a lost end', 'DELETE FROM events WHERE id > 2', 'its last is 4, but its newest event is 2'],
    ['a cid twice', "UPDATE events SET cid = 'c1' WHERE id = 4", 'cid c1 of person'],
    ['a cid twice at the end', "UPDATE events SET cid = 'c3' WHERE id = 4", 'cid c3 of person'],
    ['a cid that leads elsewhere', "UPDATE cids SET event = 1 WHERE cid = 'c2'", 'cid c2 of person'],
    ['a cid that leads nowhere', "DELETE FROM cids WHERE cid = 'c2'", 'cid c2 of person'],
    [
      'a number that leads elsewhere',
      'UPDATE numbers SET event = 1 WHERE id = 2',
      'number 2 leads to another event',
    ],
    ['a number of another room', "UPDATE events SET room = 1 WHERE data = 'm2'", 'leads to another event'],
    ['a number too much', 'INSERT INTO numbers SELECT room, 9, 99 FROM rooms LIMIT 1', 'number 9 leads to'],
    ['a wrong order', 'UPDATE events SET seq = -1 WHERE id = 4', '1 of 5 events have no number'],
    ['a nobody', 'UPDATE events SET person = 7', 'refers to a row of people'],
  ];
  it.each(faults)('finds %s', (_, sql, words) => {
    const folder = temporaryFolder();
    const store = opened(folder);
    beat(store, say('alone', { room: 'other' }), ...[1, 2].map((n) => say(`m${n}`, { cid: `c${n}` })));
    placeAll(store);
    beat(store, ...[3, 4].map((n) => say(`m${n}`, { cid: `c${n}` })));
    const copy = killed(folder);
    expect(faultIn(copy)).toBeUndefined();
    const db = new Database(databaseFile(copy));
    db.pragma('foreign_keys = OFF');
    db.exec(sql);
    db.close();
    expect(faultIn(copy)).toContain(words);
  });
});

/** A beat that the disk does not take, after it has written much. */
function fails(store: Store, name: string, n: number): void {
  const ann = store.people.person(ANN.id);
  if (!ann) throw new Error('Ann is gone');
  const said = { user: ANN, at: 1000 + n };
  const work = (): void => {
    const { id } = store.events.append(name, ann, { ...said, data: 'not kept', cid: `failed${n}` });
    const message = store.events.message(name, id);
    if (message) store.events.appendChange(message, ann, { ...said, type: 'edit', data: 'nor this' });
    store.events.append(name, ann, { ...said, data: 'nor that' });
    throw new StorageError('full');
  };
  expect(() => store.transaction(work)).toThrow('full');
  expect(store.events.findByCid(ann, `failed${n}`)).toBeUndefined();
}

function samePages(store: Store, plain: Store, room: string): void {
  const last = plain.events.last(room);
  expect(store.events.last(room)).toBe(last);
  const pages = (log: Store['events']): readonly (readonly RoomEvent[])[] =>
    [...Array.from({ length: last + 2 }, (_, id) => id), last + 70].flatMap((id) =>
      [1, 3, 50].flatMap((limit) => [log.after(room, id, limit), log.before(room, id, limit)]),
    );
  expect(pages(store.events)).toEqual(pages(plain.events));
}
