import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { skeleton } from '../../src/chat/names.js';
import { apply, applyBatch } from '../../src/chat/rules.js';
import {
  type Command,
  type LinkToken,
  type MessageCommand,
  type Result,
  type Storage,
  StorageError,
} from '../../src/chat/types.js';
import type { RoomEvent } from '../../src/shared/protocol.js';
import { databaseFile, LockedError, migrateFile, OpenError, openReadOnly } from '../../src/store/database.js';
import { MIGRATIONS } from '../../src/store/schema.js';
import Database from '../../src/store/sqlite.js';
import { Store } from '../../src/store/store.js';
import { verify } from '../../src/store/verify.js';
import { temporaryFolder } from '../harness.js';
import { expectedSummary, fixedHistory, summaryOf } from '../history.js';

const SALT = '00'.repeat(16);

const ANN = { id: 'aaaaaaaaaaaa', name: 'Ann' };
const BOB = { id: 'bbbbbbbbbbbb', name: 'Bob' };

function openStore(dataDir = temporaryFolder()): Store {
  const store = new Store(dataDir);
  onTestFinished(() => store.close());
  return store;
}

function say(data: string, rest: Partial<MessageCommand> = {}): MessageCommand {
  return { kind: 'message', room: 'lobby', user: ANN, data, at: 1000, salt: SALT, ...rest };
}

function applyAll(storage: Storage, ...commands: Command[]): readonly Result[] {
  return applyBatch(commands, storage, (error) => {
    throw error;
  });
}

describe('the log', () => {
  it('numbers the events of each room 1, 2, 3, also after a restart', () => {
    const dataDir = temporaryFolder();
    const first = new Store(dataDir);
    applyAll(first, say('a'), say('b', { room: 'other' }), say('c'));
    first.close();
    const store = openStore(dataDir);
    applyAll(store, say('d'));
    expect(store.events.after('lobby', 0, 10).map((event) => [event.id, dataOf(event)])).toEqual([
      [1, 'a'],
      [2, 'c'],
      [3, 'd'],
    ]);
    expect(store.events.last('other')).toBe(1);
    expect(store.events.last('nowhere')).toBe(0);
    expect(store.epoch).toBe(first.epoch);
  });

  it('reads pages after and before a number, ascending', () => {
    const store = openStore();
    applyAll(store, ...Array.from({ length: 10 }, (_, n) => say(`m${n + 1}`)));
    expect(store.events.after('lobby', 3, 3).map(({ id }) => id)).toEqual([4, 5, 6]);
    expect(store.events.before('lobby', 4, 2).map(({ id }) => id)).toEqual([2, 3]);
    expect(store.events.after('lobby', 10, 3)).toEqual([]);
  });

  it('ends a page when its texts reach the limit of bytes, but not before its first event', () => {
    const store = openStore();
    applyAll(store, ...Array.from({ length: 10 }, () => say('😀'.repeat(1000))));
    const idsOf = (after: number, bytes: number): number[] =>
      store.events.after('lobby', after, 256, bytes).map(({ id }) => id);
    expect(idsOf(0, 12_000)).toEqual([1, 2, 3]);
    expect(idsOf(3, 12_001)).toEqual([4, 5, 6, 7]);
    expect(idsOf(7, 1)).toEqual([8]);
    expect(idsOf(7, 1e6)).toEqual([8, 9, 10]);
  });

  it('never lets the time go back in a room', () => {
    const store = openStore();
    applyAll(store, say('now', { at: 5000 }), say('an hour ago', { at: 1000 }), say('later', { at: 6000 }));
    expect(store.events.after('lobby', 0, 10).map(({ at }) => at)).toEqual([5000, 5000, 6000]);
  });

  it('never lets the time go back from one command to the next, in any room', () => {
    const dataDir = temporaryFolder();
    const first = new Store(dataDir);
    applyAll(first, say('now', { at: 5000 }), say('an hour ago', { at: 1000, room: 'other' }));
    expect(first.events.after('other', 0, 10).map(({ at }) => at)).toEqual([5000]);
    first.close();
    const store = openStore(dataDir);
    applyAll(store, say('after a restart', { at: 2000, room: 'third' }));
    expect(store.events.after('third', 0, 10).map(({ at }) => at)).toEqual([5000]);
  });

  it('shows the name that its author has when it is applied, whatever the command says', () => {
    const store = openStore();
    applyAll(store, say('hi'), {
      kind: 'sign-in',
      user: { ...ANN, name: 'Anna' },
      generation: 0,
      skeleton: 'anna',
      at: 1000,
    });
    expect(applyAll(store, say('late'))).toMatchObject([{ event: { user: { name: 'Anna' } } }]);
  });

  it('returns a message as it was sent', () => {
    const store = openStore();
    const [result] = applyAll(store, say('<b>héllo</b>\n😀', { cid: 'c-1' }));
    const event = { id: 1, type: 'chat', user: ANN, data: '<b>héllo</b>\n😀', at: 1000, cid: 'c-1' };
    expect(result).toEqual({ kind: 'accepted', room: 'lobby', event, mentioned: [], messageCount: 1 });
    expect(store.events.after('lobby', 0, 1)).toEqual([event]);
  });
});

describe('a cid', () => {
  it('names one event for ever: in one batch, in a later one, after a restart', () => {
    const dataDir = temporaryFolder();
    const first = new Store(dataDir);
    const results = applyAll(first, say('hi', { cid: 'x' }), say('hi', { cid: 'x', at: 2000 }));
    expect(results.map(({ kind }) => kind)).toEqual(['accepted', 'duplicate']);
    first.close();
    const store = openStore(dataDir);
    expect(applyAll(store, say('hi', { cid: 'x', at: 9000 }))).toMatchObject([
      { kind: 'duplicate', event: { id: 1, at: 1000 } },
    ]);
    expect(store.events.last('lobby')).toBe(1);
  });

  it('is refused with another text or in another room', () => {
    const store = openStore();
    applyAll(store, say('hi', { cid: 'x' }));
    const refused = { kind: 'rejected', problem: { code: 'cid_conflict' } };
    expect(applyAll(store, say('ho', { cid: 'x' }), say('hi', { cid: 'x', room: 'b' }))).toMatchObject([
      refused,
      refused,
    ]);
    expect(store.events.after('lobby', 0, 9).map(dataOf)).toEqual(['hi']);
  });

  it('may be used by several people', () => {
    const store = openStore();
    const results = applyAll(store, say('hi', { cid: 'x' }), say('ho', { cid: 'x', user: BOB }));
    expect(results.map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
  });
});

describe('a name', () => {
  const DAY = 24 * 3600 * 1000;
  const HOUR = 3600 * 1000;
  const signIn = (user: typeof ANN, at = 1000, generation?: number): Command => ({
    kind: 'sign-in',
    user,
    generation,
    skeleton: user.name.toLowerCase(),
    at,
  });
  const signOut = (at: number, link?: LinkToken): Command => ({
    kind: 'sign-out',
    user: ANN,
    generation: 0,
    link,
    at,
  });

  it('belongs to the first, until not seen for 30 days', () => {
    const store = openStore();
    const other = { ...BOB, name: 'Ann' };
    expect(applyAll(store, signIn(ANN), say('hi'))).toMatchObject([{ kind: 'signed-in', user: ANN }, {}]);
    expect(applyAll(store, signIn(other, 30 * DAY))).toEqual([{ kind: 'name-taken' }]);
    applyAll(store, { kind: 'seen', user: ANN, at: 20 * DAY });
    expect(applyAll(store, signIn(other, 49 * DAY))).toEqual([{ kind: 'name-taken' }]);
    expect(applyAll(store, signIn(other, 51 * DAY))).toMatchObject([{ kind: 'signed-in', displaced: ANN }]);
    expect(store.people.person(ANN.id)).toMatchObject({ name: 'Ann', ownsName: false });
  });

  it('belongs to one who never posted for a day', () => {
    const store = openStore();
    const other = { ...BOB, name: 'Ann' };
    applyAll(store, signIn(ANN, 0));
    expect(applyAll(store, signIn(other, DAY - 1))).toEqual([{ kind: 'name-taken' }]);
    applyAll(store, { kind: 'seen', user: ANN, at: 23 * HOUR });
    expect(applyAll(store, signIn(other, 46 * HOUR))).toEqual([{ kind: 'name-taken' }]);
    expect(applyAll(store, signIn(other, 47 * HOUR))).toMatchObject([{ kind: 'signed-in', displaced: ANN }]);
  });

  it('must be taken anew by one who lost it, who stays the same person', () => {
    const store = openStore();
    applyAll(store, signIn(ANN, 0), signIn({ ...BOB, name: 'Ann' }, 2 * DAY));
    expect(applyAll(store, say('still Ann?'))).toMatchObject([
      { kind: 'rejected', problem: { code: 'signed_out' } },
    ]);
    expect(applyAll(store, signIn(ANN, 2 * DAY, 0))).toEqual([{ kind: 'name-taken' }]);
    expect(applyAll(store, signIn({ ...ANN, name: 'Anna' }, 2 * DAY, 0), say('I am Anna'))).toMatchObject([
      { kind: 'signed-in', before: ANN },
      { kind: 'accepted' },
    ]);
  });

  it('changes with its owner, and the old one is free', () => {
    const store = openStore();
    applyAll(store, signIn(ANN));
    expect(applyAll(store, signIn({ ...ANN, name: 'Anna' }, 1000, 0))).toMatchObject([
      { kind: 'signed-in', before: ANN },
    ]);
    expect(applyAll(store, signIn({ ...BOB, name: 'Ann' }))).toMatchObject([{ kind: 'signed-in' }]);
  });

  it('stays reserved for 30 days after signing out, for a day when its owner never posted', () => {
    for (const [first, reserved] of [
      [[say('hi')], 30 * DAY],
      [[], DAY],
    ] as const) {
      const store = openStore();
      const other = { ...BOB, name: 'Ann' };
      applyAll(store, signIn(ANN), ...first, signOut(5000));
      expect(applyAll(store, say('still here?'), signIn(other, 4999 + reserved))).toMatchObject([
        { kind: 'rejected', problem: { code: 'signed_out' } },
        { kind: 'name-taken' },
      ]);
      expect(applyAll(store, signIn(other, 5000 + reserved))).toMatchObject([{ kind: 'signed-in' }]);
    }
  });

  it('is not taken by a sign-in that a sign-out has overtaken', () => {
    const store = openStore();
    applyAll(store, signIn(ANN), signOut(5000));
    expect(applyAll(store, signIn({ ...ANN, name: 'Anna' }, 6000, 0))).toEqual([{ kind: 'session-over' }]);
    expect(applyAll(store, signIn({ ...BOB, name: 'Anna' }, 6000))).toMatchObject([{ kind: 'signed-in' }]);
  });

  it('comes back with the link of a sign-out, and so do the memberships', () => {
    const store = openStore();
    const link = { hash: 'h', expires: 30 * DAY };
    applyAll(store, signIn(ANN), say('hi'), signOut(5000, link));
    const redeem = (hash: string, at: number): Command => ({ kind: 'redeem', hash, at });
    expect(applyAll(store, redeem('x', 6000), redeem('h', 6000), redeem('h', 6000))).toEqual([
      { kind: 'link-over' },
      { kind: 'redeemed', user: ANN, generation: 1 },
      { kind: 'link-over' },
    ]);
    expect(store.memberships.list(ANN, 10)).toMatchObject([{ room: 'lobby' }]);
    expect(applyAll(store, signIn({ ...ANN, name: 'Anna' }, 7000, 0))).toEqual([{ kind: 'session-over' }]);
    expect(applyAll(store, signIn({ ...ANN, name: 'Anna' }, 7000, 1), say('back'))).toMatchObject([
      { kind: 'signed-in' },
      { kind: 'accepted' },
    ]);
  });

  it('is lost to one who comes back after somebody else took it', () => {
    const store = openStore();
    applyAll(store, signIn(ANN, 0), signOut(0, { hash: 'h', expires: 30 * DAY }));
    applyAll(store, signIn({ ...BOB, name: 'Ann' }, 2 * DAY));
    expect(applyAll(store, { kind: 'redeem', hash: 'h', at: 3 * DAY })).toMatchObject([{ kind: 'redeemed' }]);
    expect(store.people.person(ANN.id)).toMatchObject({ signedOut: false, ownsName: false });
  });
});

describe('a link to another device', () => {
  const link = (hash: string, at: number): Command => ({
    ...{ kind: 'link', user: ANN, generation: 0, at },
    link: { hash, expires: at + 600_000 },
  });
  it('is over when it expires, when a newer one is made, and when its person signs out', () => {
    const store = openStore();
    const redeem = (hash: string, at: number) => applyAll(store, { kind: 'redeem', hash, at })[0]?.kind;
    applyAll(store, link('a', 0));
    expect([redeem('a', 599_999), redeem('a', 599_999)]).toEqual(['redeemed', 'link-over']);
    applyAll(store, link('b', 0));
    expect(redeem('b', 600_000)).toBe('link-over');
    applyAll(store, link('c', 0), link('d', 0));
    expect([redeem('c', 1), redeem('d', 1)]).toEqual(['link-over', 'redeemed']);
    applyAll(store, link('e', 0), { kind: 'sign-out', user: ANN, generation: 0, link: undefined, at: 1 });
    expect(redeem('e', 2)).toBe('link-over');
    expect(applyAll(store, link('f', 3))).toEqual([{ kind: 'session-over' }]);
  });
});

describe('a disk that is nearly full', () => {
  const space = (freeMb: number, totalMb: number) => ({
    bavail: freeMb * 256,
    blocks: totalMb * 256,
    bsize: 4096,
  });
  it('takes nothing below 1 % or 256 MiB, and is written again above', () => {
    const store = openStore();
    const refused = [{ kind: 'rejected', problem: { code: 'storage' } }];
    for (const [tooLittle, little, enough, total] of [
      [9, 10.5, 11.5, 1000],
      [255, 270, 282, 1_000_000],
    ] as const) {
      store.checkSpace(space(enough, total));
      expect(applyAll(store, say('a'))).toMatchObject([{ kind: 'accepted' }]);
      store.checkSpace(space(tooLittle, total));
      expect(applyAll(store, say('b'))).toMatchObject(refused);
      expect(store.writeError).toContain('the disk is nearly full');
      store.checkSpace(space(little, total)); // not yet, so that it does not change every second
      expect(applyAll(store, say('b'))).toMatchObject(refused);
      store.checkSpace(space(enough, total));
      store.probe();
      expect(store.writeError).toBeUndefined();
    }
    expect(store.events.after('lobby', 0, 10)).toHaveLength(2);
  });

  it('is read as before', () => {
    const store = openStore();
    applyAll(store, say('a'));
    store.checkSpace(space(0, 1000));
    store.tick(); // looks at the real disk, which has space
    expect(store.events.last('lobby')).toBe(1);
    expect(store.writeError).toBeUndefined();
  });
});

const isRoot = process.getuid?.() === 0;

describe.runIf(isRoot)('a disk that has room for messages, but not for a checkpoint', () => {
  it('is written all the same', () => {
    const dataDir = temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', dataDir]);
    onTestFinished(() => void execFileSync('umount', ['-l', dataDir]));
    const ballast = join(dataDir, 'ballast');
    writeFileSync(ballast, Buffer.alloc(400_000));
    const store = openStore(dataDir);
    while (store.writeError === undefined) applyAll(store, say('x'.repeat(3000)));
    rmSync(ballast);
    for (let second = 0; second < 10; second++) store.tick();
    expect(store.writeError).toBeUndefined();
    expect(applyAll(store, say('there is space again'))).toMatchObject([{ kind: 'accepted' }]);
  });
});

describe('a damaged database', () => {
  it('is noted when a read fails, once', () => {
    const store = openStore();
    const damage = new Database.SqliteError('database disk image is malformed', 'SQLITE_CORRUPT');
    expect([store.noteReadError(new Error('a bug')), store.damage]).toEqual([false, undefined]);
    expect([store.noteReadError(damage), store.noteReadError(damage)]).toEqual([true, false]);
    store.tick();
    expect(store.damage).toBe('SQLITE_CORRUPT: database disk image is malformed');
  });
});

describe('a batch', () => {
  it('is refused as a whole when the disk fails', () => {
    const store = openStore();
    const failing: Storage = {
      people: store.people,
      events: store.events,
      memberships: store.memberships,
      newestTime: 0,
      transaction: (work) =>
        store.transaction(() => {
          work();
          throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
        }),
      attempt: (work) => store.attempt(work),
    };
    const refused = { kind: 'rejected', problem: { code: 'storage' } };
    expect(applyAll(failing, say('a'), say('b'))).toMatchObject([refused, refused]);
    expect(store.writeError).toContain('SQLITE_FULL');
    expect(store.events.last('lobby')).toBe(0);
    store.probe();
    expect(store.writeError).toBeUndefined();
    expect(applyAll(store, say('a'))).toMatchObject([{ kind: 'accepted', event: { id: 1 } }]);
  });

  it('clears the write error only when it wrote something', () => {
    const store = openStore();
    applyAll(store, say('a', { cid: 'x' }));
    expect(() => store.transaction(fullDisk)).toThrow(StorageError);
    expect(applyAll(store, say('a', { cid: 'x' }))).toMatchObject([{ kind: 'duplicate' }]);
    expect(store.writeError).toContain('SQLITE_FULL');
    applyAll(store, say('b'));
    expect(store.writeError).toBeUndefined();
  });

  it('leaves nothing in memory when it is rolled back', () => {
    const store = openStore();
    applyAll(store, say('a'));
    const ann = store.people.person(ANN.id);
    if (!ann) throw new Error('Ann is not there');
    expect(() =>
      store.transaction(() => {
        store.events.append('lobby', ann, { data: 'lost', at: 9000, salt: SALT, cid: 'x' });
        store.events.append('new', ann, { data: 'lost', at: 9000, salt: SALT });
        fullDisk();
      }),
    ).toThrow(StorageError);
    expect(applyAll(store, say('b', { cid: 'x' }), say('c', { room: 'new' }))).toMatchObject([
      { kind: 'accepted', event: { id: 2, at: 1000 } },
      { kind: 'accepted', event: { id: 1, at: 1000 } },
    ]);
  });

  it('writes the same rows as the same commands in other batches', () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant('say'), room: fc.nat(2), cid: fc.nat(20) }),
      fc.record({
        kind: fc.constantFrom('edit', 'delete', 'react'),
        room: fc.nat(2),
        cid: fc.integer({ min: 1, max: 9 }),
      }),
      fc.record({
        kind: fc.constantFrom(
          'call',
          'reply',
          'enter',
          'read',
          'seen',
          'rename',
          'sign-out',
          'link',
          'redeem',
        ),
        room: fc.nat(2),
        cid: fc.nat(9),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(command, { minLength: 5, maxLength: 40 }),
        fc.integer({ min: 2, max: 9 }),
        (asked, size) => {
          const commands = asked.map(commandOf);
          const [single, batched] = [temporaryFolder(), temporaryFolder()];
          const [one, many] = [new Store(single), new Store(batched)];
          const results = commands.flatMap((each) => applyAll(one, each));
          const inBatches: Result[] = [];
          for (let from = 0; from < commands.length; from += size) {
            const batch = commands.slice(from, from + size);
            expect(() => many.transaction(() => fail(batch, many))).toThrow('rolled back');
            inBatches.push(...applyAll(many, ...batch));
          }
          expect(inBatches).toEqual(results);
          expect([...many.heads()]).toEqual([...one.heads()]);
          for (const store of [one, many]) store.close();
          expect(rowsIn(batched)).toEqual(rowsIn(single));
          expect(verify(databaseFile(batched), () => {}).finding).toBeUndefined();
        },
      ),
      { numRuns: 15 },
    );
  }, 60_000);

  it('ends with the same heads on every version of Node', () => {
    const store = openStore();
    const results = applyAll(store, ...fixedHistory(skeleton));
    expect(results.filter(({ kind }) => kind === 'accepted').length).toBeGreaterThan(150);
    expect(summaryOf(store.heads(), results)).toEqual(expectedSummary);
  });

  it('fails when it would give a number or a cid twice', () => {
    const dataDir = temporaryFolder();
    const first = new Store(dataDir);
    applyAll(first, say('a', { cid: 'x' }), say('b'));
    first.close();
    const db = new Database(databaseFile(dataDir));
    db.exec('UPDATE rooms SET last = 1');
    db.close();
    const store = openStore(dataDir);
    expect(codeOf(() => applyAll(store, say('number 2 again')))).toBe('SQLITE_CONSTRAINT_UNIQUE');
    const ann = store.people.person(ANN.id);
    const said = { data: 'a', at: 1, salt: SALT, cid: 'x' };
    expect(codeOf(() => store.transaction(() => ann && store.events.append('new', ann, said)))).toBe(
      'SQLITE_CONSTRAINT_UNIQUE',
    );
    expect(store.events.after('lobby', 0, 9).map(dataOf)).toEqual(['a', 'b']);
  });

  it('refuses only the command that fails because of a bug', () => {
    const store = openStore();
    const bugs: unknown[] = [];
    const storage: Storage = {
      people: store.people,
      memberships: store.memberships,
      events: {
        findByCid: (person, cid) => store.events.findByCid(person, cid),
        message: (room, id) => store.events.message(room, id),
        messageCount: (room) => store.events.messageCount(room),
        mentionedBy: (message) => store.events.mentionedBy(message),
        expire: (room, through, at) => store.events.expire(room, through, at),
        hasReaction: (message, person, emoji) => store.events.hasReaction(message, person, emoji),
        appendChange: (message, person, made) => store.events.appendChange(message, person, made),
        append: (room, person, said) => {
          if (said.data === 'poison') throw new TypeError('a bug');
          return store.events.append(room, person, said);
        },
      },
      newestTime: 0,
      transaction: (work) => store.transaction(work),
      attempt: (work) => store.attempt(work),
    };
    const results = applyBatch([say('a'), say('poison'), say('b')], storage, (error) => bugs.push(error));
    expect(results).toMatchObject([
      { kind: 'accepted', event: { id: 1 } },
      { kind: 'rejected', problem: { code: 'internal' } },
      { kind: 'accepted', event: { id: 2 } },
    ]);
    expect(bugs).toHaveLength(1);
  });
});

/** The names of our tables, but not their columns. */
const foreignTables =
  'CREATE TABLE meta (a); CREATE TABLE people (a); CREATE TABLE rooms (a); CREATE TABLE events (a)';

describe('the data folder', () => {
  it('is locked by one store at a time', () => {
    const dataDir = temporaryFolder();
    openStore(dataDir);
    expect(() => new Store(dataDir)).toThrow(LockedError);
  });

  it('is refused unchanged when a newer version wrote it', () => {
    const dataDir = temporaryFolder();
    new Store(dataDir).close();
    const db = new Database(databaseFile(dataDir));
    db.pragma(`user_version = ${MIGRATIONS.length + 1}`);
    db.close();
    copyFileSync(databaseFile(dataDir), join(dataDir, 'before'));
    expect(() => new Store(dataDir)).toThrow(OpenError);
    const version = new Database(databaseFile(dataDir), { readonly: true });
    expect(version.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length + 1);
    version.close();
  });

  const foreign: readonly (readonly [string, string])[] = [
    ['without a version', 'CREATE TABLE notes (text)'],
    ['of version 3', 'CREATE TABLE notes (text); PRAGMA user_version = 3'],
    ['of version 5 with tables like ours', `${foreignTables}; PRAGMA user_version = 5`],
    ['of our version', `CREATE TABLE notes (text); PRAGMA user_version = ${MIGRATIONS.length}`],
    ['of another application', 'PRAGMA application_id = 252006674; PRAGMA user_version = 1'],
  ];
  it.each(foreign)('refuses a foreign database %s, and does not change it', (_, sql) => {
    const dataDir = temporaryFolder();
    const db = new Database(databaseFile(dataDir));
    db.exec(sql);
    db.close();
    const before = readFileSync(databaseFile(dataDir));
    expect(() => new Store(dataDir)).toThrow('is not an Oneport database');
    expect(() => openReadOnly(databaseFile(dataDir))).toThrow('is not an Oneport database');
    expect(() => migrateFile(databaseFile(dataDir))).toThrow('is not an Oneport database');
    expect(readFileSync(databaseFile(dataDir)).equals(before)).toBe(true);
  });

  it('syncs the write-ahead log at each commit', () => {
    const store = openStore();
    expect(store.settings()).toEqual({ journal_mode: 'wal', synchronous: 2 });
    expect(() =>
      store.transaction(() => {
        throw new Database.SqliteError('I/O', 'SQLITE_IOERR_FSYNC');
      }),
    ).toThrow(StorageError);
  });
});

function fullDisk(): never {
  throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof Database.SqliteError) return error.code;
    throw error;
  }
  return undefined;
}

function fail(commands: readonly Command[], store: Store): never {
  for (const command of commands) apply(command, store);
  throw new Error('rolled back');
}

interface Asked {
  readonly kind: string;
  readonly room: number;
  readonly cid: number;
}

function commandOf({ kind, room, cid: n }: Asked, index: number): Command {
  const user = index % 3 === 0 ? BOB : ANN;
  const fields = { room: `room${room}`, user, at: 1000 + ((index * 7) % 11) };
  const [{ at }, link, generation] = [fields, { hash: `h${n}`, expires: 1000 + n }, n % 3];
  if (kind === 'seen') return { kind, user, at };
  if (kind === 'rename')
    return { kind: 'sign-in', user: { ...user, name: `N${n}` }, generation, skeleton: `n${n}`, at };
  if (kind === 'sign-out') return { kind, user, generation, link: n % 2 ? link : undefined, at };
  if (kind === 'link') return { kind, user, generation, link, at };
  if (kind === 'redeem') return { kind, hash: `h${n}`, at };
  if (kind === 'enter') return { kind, ...fields };
  if (kind === 'read') return { kind, ...fields, id: n };
  const salt = index.toString(16).padStart(32, '0');
  if (kind === 'say') return { kind: 'message', salt, ...fields, data: `m${n}`, cid: `c${n}` };
  if (kind === 'reply') return { kind: 'message', salt, ...fields, data: 'yes', reply: n };
  if (kind === 'call') return { kind: 'message', salt, ...fields, data: 'look, @Bob' };
  if (kind === 'edit')
    return { kind: 'change', salt, type: kind, ...fields, target: n, data: 'edited, @Ann' };
  const type = kind === 'delete' ? 'delete' : 'react';
  return { kind: 'change', salt, type, ...fields, target: n, data: type === 'react' ? '👍' : '' };
}

/** All rows that must be the same on every node. */
function rowsIn(dataDir: string): unknown {
  const db = new Database(databaseFile(dataDir), { readonly: true });
  const tables = [
    'people',
    'rooms',
    'events',
    'states',
    'reactions',
    'mentions',
    'members',
    'deletions',
    'links',
  ];
  tables.push('people_chain');
  const rows = tables.map((table) => db.prepare(`SELECT * FROM ${table}`).raw().all());
  db.close();
  return rows;
}

function dataOf(event: RoomEvent): string | undefined {
  return event.type === 'delete' ? undefined : event.data;
}
