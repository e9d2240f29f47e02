/** The index is a function of the log, wherever it was interrupted, and forgets what the log forgot. */
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import { isDamage, removeSearchFile, SearchIndex, searchFile } from '../../src/store/search-index.js';
import Database from '../../src/store/sqlite.js';
import { temporaryFolder } from '../harness.js';
import { ANN, BOB, IndexedLog } from './indexed-log.js';

const SALT = '00'.repeat(16);

const DAY_MS = 24 * 3600 * 1000;

/** Everything that an index file has, apart from how FTS5 arranged it. */
function contentOf(folder: string): unknown {
  const db = new Database(searchFile(folder));
  const tables = db
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE sql LIKE '%USING fts5%' ORDER BY name")
    .pluck()
    .all();
  const rows = tables.flatMap((table) => {
    db.exec(`INSERT INTO ${table} (${table}) VALUES ('integrity-check')`);
    return db.prepare(`SELECT rowid, tokens FROM ${table} ORDER BY rowid`).all();
  });
  const rest = [db.prepare('SELECT * FROM days').all(), db.prepare('SELECT position FROM state').all()];
  db.close();
  return [rows, rest];
}

/** What an index that is built from the log at once has. */
function freshContentOf(log: IndexedLog): unknown {
  const folder = temporaryFolder();
  const copy = new Database(databaseFile(log.folder), { readonly: true });
  copy.exec(`VACUUM INTO '${databaseFile(folder)}'`);
  copy.close();
  const index = new SearchIndex(folder, { unicode: '17', partitionSize: 8 });
  index.follow(Infinity);
  index.close();
  return contentOf(folder);
}

const words = ['tea', 'pot', 'https://example.org', '上海', "l'eau", 'zebra', ''];
const text = fc
  .array(fc.constantFrom(...words), { minLength: 1, maxLength: 5 })
  .map((some) => `x ${some.join(' ')}`);
const room = fc.constantFrom('lobby', 'garden');
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('say' as const), text, room, day: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('edit' as const), at: fc.nat(), text }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('react' as const), at: fc.nat() }) },
  // follows some events; is killed at some event; is stopped; loses its file
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('follow' as const), events: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill' as const), events: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Messages that can still be changed, and a clock that an index looks at once for each event. */
class Talk {
  readonly #messages: { readonly room: string; readonly id: number }[] = [];
  #ticks = 0;
  #killAt = Infinity;
  readonly log = new IndexedLog({
    partitionSize: 8,
    now: () => {
      if (this.#ticks >= this.#killAt) throw new Error('killed');
      return this.#ticks++;
    },
  });

  take(step: Step): void {
    if (step.kind === 'say') this.#say(step.text, step.room, step.day);
    else if (step.kind === 'follow') this.log.index.follow(this.#ticks + step.events);
    else if (step.kind === 'kill') this.#kill(step.events);
    else if (step.kind === 'restart') this.log.reopen();
    else if (step.kind === 'lose') this.#lose();
    else this.#change(step);
  }

  #say(data: string, at: string, day: number): void {
    const [id = 0] = this.log.say(data, { room: at, at: day * DAY_MS });
    this.#messages.push({ room: at, id });
  }

  #change(step: Step & { readonly kind: 'edit' | 'delete' | 'react' }): void {
    const place = step.at % Math.max(1, this.#messages.length);
    const message = this.#messages[place];
    if (!message) return;
    if (step.kind === 'edit') this.log.edit(message.id, step.text, message);
    else if (step.kind === 'delete') {
      this.log.delete(message.id, message);
      this.#messages.splice(place, 1);
    } else {
      const { id: target, room: at } = message;
      const type = 'react';
      const user = {
        id: `reader${this.#ticks}${place}`.padEnd(12, 'x').slice(0, 12),
        name: `R${this.#ticks++}`,
      };
      this.log.apply({ kind: 'change', type, room: at, user, target, data: '👍', at: 0, salt: SALT });
    }
  }

  /** In the middle of a transaction: nothing of it is kept. */
  #kill(events: number): void {
    this.#killAt = this.#ticks + events;
    try {
      this.log.index.follow(Infinity);
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'killed') throw error;
    }
    this.#killAt = Infinity;
    this.log.reopen();
  }

  #lose(): void {
    this.log.index.close();
    removeSearchFile(this.log.folder);
    this.log.reopen();
  }
}

describe('an index', () => {
  it('has what a fresh one has, whatever happened on the way', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const talk = new Talk();
        for (const one of steps) talk.take(one);
        talk.log.index.follow(Infinity);
        expect(talk.log.index.position).toBe(talk.log.index.end);
        expect(contentOf(talk.log.folder)).toEqual(freshContentOf(talk.log));
      }),
      { numRuns: 60 },
    );
  });

  it('is for its owner only', () => {
    const log = new IndexedLog();
    log.find('x');
    for (const name of readdirSync(log.folder).filter((file) => file.startsWith('search.db')))
      expect([name, statSync(join(log.folder, name)).mode & 0o777]).toEqual([name, 0o600]);
  });
});

describe('a file', () => {
  /** A log whose index lacks the third message, so that it shows whether the index was built anew. */
  function incomplete(): IndexedLog {
    const log = new IndexedLog();
    log.say(['one', 'two', 'three', 'four']);
    log.index.follow(Infinity);
    log.index.close();
    const db = new Database(searchFile(log.folder));
    db.exec('DELETE FROM words_0 WHERE rowid = 3');
    db.close();
    return log;
  }

  it('stays when nothing changed', () => {
    const log = incomplete();
    log.reopen();
    expect(log.find('three')).toEqual([]);
  });

  it('is built anew when the Unicode tables differ', () => {
    const log = incomplete();
    log.reopen({ unicode: '18' });
    expect(log.find('three')).toEqual([3]);
  });

  it.each([
    ['another epoch', "UPDATE meta SET value = 'other' WHERE key = 'epoch'"],
    ['a shorter log', 'DELETE FROM events WHERE seq = 4'],
  ])('is built anew for %s', (_, sql) => {
    const log = incomplete();
    const db = new Database(databaseFile(log.folder));
    db.pragma('foreign_keys = OFF');
    db.exec(sql);
    db.close();
    log.reopen();
    expect(log.find('three')).toEqual([3]);
  });

  it.each([
    ['empty', () => Buffer.alloc(0)],
    ['noise', () => Buffer.alloc(8192, 'noise')],
    ['another database', databaseWithoutIndex],
    ['cut short', (whole: Buffer) => whole.subarray(0, 4096)],
  ])('is built anew when it is %s', (_, damage) => {
    const log = incomplete();
    const file = searchFile(log.folder);
    const whole = readFileSync(file);
    writeFileSync(file, damage(whole));
    openOrRemove(log);
    expect(log.find('three')).toEqual([3]);
  });

  function databaseWithoutIndex(): Buffer {
    const file = join(temporaryFolder(), 'other.db');
    const db = new Database(file);
    db.exec('CREATE TABLE other (x)');
    db.close();
    return readFileSync(file);
  }

  /** As the worker does it. */
  function openOrRemove(log: IndexedLog): void {
    try {
      log.reopen();
    } catch (error) {
      expect(isDamage(error)).toBe(true);
      removeSearchFile(log.folder);
      log.reopen();
    }
  }
});

describe('a text that was removed', () => {
  function bytesOf(folder: string): string {
    const files = readdirSync(folder).filter((name) => name.startsWith('search.db'));
    return files.map((name) => readFileSync(join(folder, name), 'latin1')).join('\n');
  }

  const messages = 2000;

  /** Words that differ in the last letters only, so that FTS5's page directory has some as a whole. */
  function wordOf(n: number): string {
    return `zebraquartz${String((n * 7919) % (6 * messages)).padStart(5, '0')}`;
  }

  function textOf(n: number): string {
    return Array.from({ length: 6 }, (_, k) => wordOf(6 * n + k)).join(' ');
  }

  it('is in no byte of the files', { timeout: 60_000 }, () => {
    const log = new IndexedLog({ partitionSize: 1024 });
    for (let n = 0; n < messages; n += 500) {
      log.say(Array.from({ length: 500 }, (_, k) => textOf(n + k)));
      log.index.follow(Infinity);
    }
    const removed: string[] = [];
    for (let n = 0; n < messages; n += 7) {
      removed.push(...textOf(n).split(' '));
      if (n % 2 === 0) log.delete(n + 1);
      else log.edit(n + 1, `kept ${n}`);
    }
    const before = bytesOf(log.folder);
    expect(removed.filter((word) => !before.includes(word))).toEqual([]);
    log.index.follow(Infinity);
    log.index.truncateWal();
    const bytes = bytesOf(log.folder);
    expect(removed.filter((word) => bytes.includes(word))).toEqual([]);
    expect(log.find(wordOf(6))).toEqual([2]);
    expect(log.find('kept', { limit: 500 })).toHaveLength(143);
  });

  it('is what the index stored of it, whatever the tokenizer makes of it now', () => {
    const log = new IndexedLog();
    log.say(['one', 'two']);
    log.find('one');
    log.index.close();
    const db = new Database(searchFile(log.folder));
    db.exec(
      "DELETE FROM words_0 WHERE rowid = 1; INSERT INTO words_0 (rowid, tokens) VALUES (1, 'of an older tokenizer')",
    );
    db.close();
    log.reopen();
    expect(log.answer('older').seqs).toEqual([1]);
    log.delete(1);
    expect(log.find('older')).toEqual([]);
    log.index.truncateWal();
    expect(bytesOf(log.folder)).not.toContain('tokenizer');
  });

  it('leaves the write-ahead log of a process that was killed', () => {
    const log = new IndexedLog();
    log.say(['secret', 'other']);
    log.index.follow(Infinity);
    log.delete(1);
    log.index.follow(Infinity);
    const copy = temporaryFolder();
    for (const name of readdirSync(log.folder)) copyFileSync(join(log.folder, name), join(copy, name));
    expect(existsSync(`${searchFile(copy)}-wal`)).toBe(true);
    expect(bytesOf(copy)).toContain('secret');
    const index = new SearchIndex(copy, { unicode: '17' });
    index.follow(Infinity);
    index.truncateWal();
    expect(bytesOf(copy)).not.toContain('secret');
    index.close();
  });
});

describe('a search', () => {
  const size = 16;

  it('finds newest first, across partitions, page by page', () => {
    const log = new IndexedLog({ partitionSize: size });
    for (let n = 0; n < 200; n++)
      log.say(n % 3 === 0 ? 'pearl' : 'dust', { room: n % 2 === 0 ? 'lobby' : 'garden' });
    for (const here of [undefined, 'lobby', 'garden']) {
      const whole = log.find('pearl', { limit: 100, ...(here && { room: here }) });
      const paged: (string | number)[] = [];
      for (let before: number | undefined; ; ) {
        const options = { limit: 7, before, ...(here && { room: here }) };
        paged.push(...log.find('pearl', options));
        before = log.answer('pearl', options).next;
        if (before === undefined) break;
      }
      expect(whole).toHaveLength(here ? (here === 'lobby' ? 34 : 33) : 67);
      expect(paged).toEqual(whole);
    }
    expect(log.find('pearl', { room: 'lobby', before: 8 })).toEqual([7, 4, 1]);
    expect(log.find('pearl', { room: 'lobby', before: 2 ** 53 - 1, limit: 1 })).toEqual([100]);
    expect(log.find('pearl', { before: 1 })).toEqual([]);
    expect(log.find('pearl', { before: 0, room: 'lobby' })).toEqual([]);
  });

  it.each([undefined, 'garden'])('goes on where it ran out of time, in room %j', (here) => {
    let now = 0;
    const log = new IndexedLog({ partitionSize: size, now: () => now++ });
    log.say(['pearl', 'pearl'], { room: 'garden' });
    log.say(Array.from({ length: 100 }, () => 'dust'));
    log.say('more dust', { room: 'garden' });
    log.index.follow(Infinity);
    const found: number[] = [];
    let calls = 0;
    for (let before: number | undefined; ; ) {
      const answer = log.answer('pearl', { before, deadline: now, ...(here && { room: here }) });
      found.push(...answer.seqs);
      calls++;
      if (answer.complete) break;
      expect(answer.next).toBeLessThan(before ?? Infinity);
      before = answer.next;
    }
    expect(found).toEqual([2, 1]);
    expect(calls).toBeGreaterThan(here ? 1 : 3);
  });

  it('is complete when nothing of the room lies further back', () => {
    let now = 0;
    const log = new IndexedLog({ partitionSize: size, now: () => now++ });
    log.say(Array.from({ length: 100 }, () => 'dust'));
    log.say('dust', { room: 'attic' });
    log.index.follow(Infinity);
    expect(log.answer('pearl', { room: 'attic', deadline: now })).toMatchObject({ seqs: [], complete: true });
    expect(log.answer('pearl', { deadline: now })).toMatchObject({ seqs: [], complete: false });
  });

  it('is not complete before the index has the whole log', () => {
    let now = 0;
    const log = new IndexedLog({ now: () => now++ });
    log.say(['pearl one', 'pearl two', 'pearl three']);
    log.index.follow(now);
    const { seqs, complete, next } = log.answer('pearl');
    expect([seqs, complete, next]).toEqual([[2, 1], false, undefined]);
    expect(log.answer('').complete).toBe(false);
    log.index.follow(Infinity);
    expect(log.answer('pearl')).toMatchObject({ seqs: [3, 2, 1], complete: true });
  });

  it('shows no message that was changed since', () => {
    const log = new IndexedLog();
    log.say(['pearl one', 'pearl two', 'pearl three', 'pearl four'], { user: BOB });
    log.index.follow(Infinity);
    const { seqs, position } = log.answer('pearl');
    log.delete(1, { user: BOB });
    log.edit(2, 'sand', { user: BOB });
    log.apply({
      kind: 'change',
      type: 'react',
      room: 'lobby',
      user: ANN,
      target: 3,
      data: '👍',
      at: 0,
      salt: SALT,
    });
    const shown = log.store.messages.loadPage(seqs, position).messages;
    expect(shown.map(({ id, data }) => [id, data])).toEqual([
      [4, 'pearl four'],
      [3, 'pearl three'],
    ]);
  });
});
