/**
 * The one data file: opened, locked, written in transactions, closed. It is the Book of the rules, and what others may
 * read. A commit that fails keeps nothing; `fault` then says why until a later write to the disk succeeds.
 */
import { randomBytes } from 'node:crypto';
import Database from 'better-sqlite3';
import { type Book, StorageError } from '../chat/book.js';
import { lockFolder } from './lock.js';
import { Log } from './log.js';
import { databaseFile, makeFolder, openDatabase } from './open.js';
import { PeopleBook } from './people.js';

/** SQLite's codes that mean the disk, not a mistake of ours. */
const DISK = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|NOMEM|CORRUPT|PROTOCOL)/;

export class Store implements Book {
  /** Why the last write failed, in words; undefined while writing works. */
  fault: string | undefined;
  readonly epoch: string;
  readonly log: Log;
  readonly people: PeopleBook;
  readonly #db: Database.Database;
  readonly #unlock: () => void;

  /** @throws LockedError, OpenError, or the file system's error */
  constructor(dataDir: string) {
    makeFolder(dataDir);
    this.#unlock = lockFolder(dataDir);
    try {
      this.#db = openDatabase(databaseFile(dataDir));
    } catch (error) {
      this.#unlock();
      throw error;
    }
    this.log = new Log(this.#db);
    this.people = new PeopleBook(this.#db);
    this.epoch = this.remember('epoch', () => randomBytes(9).toString('base64url'));
  }

  transaction<T>(work: () => T): T {
    try {
      const result = this.#db.transaction(work).immediate();
      this.fault = undefined;
      return result;
    } catch (error) {
      this.people.forget();
      throw this.#named(error);
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
    this.#db.close();
    this.#unlock();
  }

  #named(error: unknown): unknown {
    if (!(error instanceof Database.SqliteError) || !DISK.test(error.code)) return error;
    this.fault = `${error.code}: ${error.message}`;
    return new StorageError(this.fault, { cause: error });
  }
}
