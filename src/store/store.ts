/**
 * The one data file: opened, locked, written in transactions, closed. It is the Book of the rules, and what others may
 * read. A commit that fails keeps nothing; `fault` then says why until a later write to the disk succeeds.
 */
import { randomBytes } from 'node:crypto';
import Database from 'better-sqlite3';
import { type Book, StorageError } from '../chat/book.js';
import type { FoundPage, User } from '../protocol.js';
import { Activity } from './activity.js';
import { besideBeats } from './beside.js';
import { Found } from './found.js';
import { lockFolder } from './lock.js';
import { Log } from './log.js';
import { Members } from './members.js';
import { databaseFile, makeFolder, openDatabase, type Upgrading } from './open.js';
import { PeopleBook } from './people.js';
import { Placer } from './placer.js';
import { Filler } from './search/filler.js';
import { WordIndex } from './search/index.js';
import { Search } from './search/search.js';
import { WriteAheadLog } from './wal.js';

/** SQLite's codes that mean the disk, not a mistake of ours. */
const DISK = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|NOMEM|CORRUPT|PROTOCOL)/;

export class Store implements Book {
  /** Why the last write failed, in words; undefined while writing works. */
  fault: string | undefined;
  readonly epoch: string;
  readonly log: Log;
  readonly people: PeopleBook;
  readonly members: Members;
  readonly found: Found;
  readonly activity: Activity;
  readonly search: Search;
  readonly #index: WordIndex;
  readonly #filler: Filler;
  readonly #placer: Placer;
  readonly #db: Database.Database;
  readonly #wal: WriteAheadLog;
  readonly #unlock: () => void;

  /** @throws LockedError, OpenError, or the file system's error */
  constructor(dataDir: string, upgrading?: Upgrading) {
    makeFolder(dataDir);
    this.#unlock = lockFolder(dataDir);
    try {
      this.#db = openDatabase(databaseFile(dataDir), upgrading);
    } catch (error) {
      this.#unlock();
      throw error;
    }
    this.activity = new Activity(this.#db);
    const index = new WordIndex(this.#db);
    this.log = new Log(this.#db, this.activity, (message, person) => index.outdate(message, person));
    this.people = new PeopleBook(this.#db);
    this.members = new Members(this.#db);
    this.found = new Found(this.#db, this.log.changes.reactions);
    this.#index = index;
    const beside = besideBeats((work) => this.#transact(work));
    this.#filler = new Filler(index, beside);
    this.#placer = new Placer(this.log.places, beside);
    this.search = new Search(this.#db, {
      found: this.found,
      people: this.people,
      index,
      fill: (ms) => this.#filler.fill(ms),
      placeOf: (room, id) => this.log.places.from(room, id),
    });
    this.#wal = new WriteAheadLog(this.#db);
    this.epoch = this.remember('epoch', () => randomBytes(9).toString('base64url'));
  }

  transaction<T>(work: () => T): T {
    const result = this.#transact(work);
    this.#placer.nudge();
    return result;
  }

  #transact<T>(work: () => T): T {
    this.log.begin();
    try {
      const result = this.#db.transaction(work).immediate();
      this.fault = undefined;
      return result;
    } catch (error) {
      this.people.forget();
      this.log.rollback();
      throw this.#named(error);
    }
  }

  /** Something of what follows behind the log is still to be made. */
  get catchingUp(): boolean {
    const { behind, frequent, shorthand, reach } = this.#index;
    return this.log.places.behind || behind || frequent.behind(reach) || shorthand.behind;
  }

  /** Once a second: what follows behind the log follows, what was deleted leaves the write-ahead log; a fault that has passed is noticed. */
  tick(): void {
    if (this.fault !== undefined) this.probe();
    else {
      this.#placer.tick();
      this.#filler.tick();
      this.#wal.tick(this.log.changes.erased + this.#index.erased);
    }
  }

  /** Tries a real write, so that a fault that has passed is noticed without anybody speaking. */
  probe(): void {
    try {
      this.transaction(() =>
        this.#db.prepare("REPLACE INTO meta VALUES ('probe', ?)").run(String(Date.now())),
      );
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
  }

  /** Messages that call this person, newest first, before a place in the one order. */
  mentionsOf(user: User, before: number, limit: number): FoundPage {
    const seqs = this.log.changes.mentions.of(user, before, limit + 1);
    const next = seqs.length > limit ? seqs[limit - 1] : undefined;
    const messages = this.found.messages(seqs.slice(0, limit));
    return { messages, ...(next === undefined ? {} : { next }), complete: true };
  }

  /** A value that is made once and kept for the life of the file. */
  remember(key: string, make: () => string): string {
    const known = this.#db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck().get(key);
    if (known !== undefined) return known;
    const value = make();
    this.#db.prepare('INSERT INTO meta VALUES (?, ?)').run(key, value);
    return value;
  }

  /** How the file is written: what makes a commit durable. */
  settings(): { readonly journal_mode: unknown; readonly synchronous: unknown } {
    const read = (name: string): unknown => this.#db.pragma(name, { simple: true });
    return { journal_mode: read('journal_mode'), synchronous: read('synchronous') };
  }

  close(): void {
    this.#placer.stop();
    this.#filler.stop();
    this.#db.close();
    this.#unlock();
  }

  #named(error: unknown): unknown {
    if (!(error instanceof Database.SqliteError) || !DISK.test(error.code)) return error;
    this.fault = `${error.code}: ${error.message}`;
    return new StorageError(this.fault, { cause: error });
  }
}
