/**
 * The one data file: opened, locked, written in transactions, closed. It is the Book of the rules, and what others may
 * read. A commit that fails keeps nothing; `fault` then says why until a later write to the disk succeeds.
 */
import { randomBytes } from 'node:crypto';
import { type Storage, StorageError } from '../chat/types.js';
import type { SearchPage, User } from '../shared/protocol.js';
import {
  createDataFolder,
  databaseFile,
  lockDataFolder,
  type OnMigration,
  openDatabase,
  protectDatabase,
} from './database.js';
import { EventStore, MessageLoader } from './events.js';
import { MembershipStore, RecentRooms } from './memberships.js';
import { PeopleStore } from './people.js';
import { Search } from './search.js';
import Database from './sqlite.js';

/** SQLite's codes that mean the disk, not a mistake of ours. */
const DISK_ERROR = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|NOMEM|CORRUPT|PROTOCOL)/;

const probeBytes = 64 * 1024;

export class Store implements Storage {
  /** Why the last write failed, in words; undefined while writing works. */
  writeError: string | undefined;
  readonly epoch: string;
  readonly events: EventStore;
  readonly people: PeopleStore;
  readonly memberships: MembershipStore;
  readonly messages: MessageLoader;
  readonly recentRooms: RecentRooms;
  readonly search: Search;
  readonly #db: Database.Database;
  readonly #wal: WalTruncater;
  readonly #begin: Database.Statement<[]>;
  readonly #beginRead: Database.Statement<[]>;
  readonly #commit: Database.Statement<[]>;
  readonly #rollback: Database.Statement<[]>;
  readonly #changes: Database.Statement<[], number>;
  readonly #unlock: () => void;

  /** @throws LockedError, OpenError, or the file system's error */
  constructor(dataDir: string, upgrading?: OnMigration, onSearchError: (error: unknown) => void = () => {}) {
    createDataFolder(dataDir);
    this.#unlock = lockDataFolder(dataDir);
    try {
      protectDatabase(dataDir);
      this.#db = openDatabase(databaseFile(dataDir), upgrading);
      protectDatabase(dataDir); // a new one
    } catch (error) {
      this.#unlock();
      throw error;
    }
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
    this.#beginRead = this.#db.prepare('BEGIN');
    this.#commit = this.#db.prepare('COMMIT');
    this.#rollback = this.#db.prepare('ROLLBACK');
    this.#changes = this.#db.prepare<[], number>('SELECT total_changes()').pluck();
    this.recentRooms = new RecentRooms(this.#db);
    this.events = new EventStore(this.#db, this.recentRooms);
    this.people = new PeopleStore(this.#db);
    this.memberships = new MembershipStore(this.#db, this.events);
    this.messages = new MessageLoader(this.#db, this.events);
    this.search = new Search({
      dataDir,
      load: (seqs, position) => this.messages.load(seqs, position),
      onError: onSearchError,
    });
    this.#wal = new WalTruncater(this.#db);
    this.epoch = this.getOrCreateMeta('epoch', () => randomBytes(9).toString('base64url'));
  }

  /**
   * A commit whose sync failed may still be in the write-ahead log, where a restart would find it. The probe overwrites
   * it at once, so that what was refused is not there after a crash.
   */
  transaction<T>(work: () => T): T {
    const result = this.#transact(work, () => this.#overwriteFailedCommit());
    this.search.notify(); // only sets a flag, so it cannot throw
    return result;
  }

  /**
   * Nothing may run between the commit and the return: whatever threw there would be taken for a commit that failed.
   * Only a transaction that wrote proves that the disk works again: one without changes does not touch it.
   */
  #transact<T>(work: () => T, onCommitFailed: () => void): T {
    let committing = false;
    try {
      this.#begin.run();
      const before = this.#changes.get();
      const result = work();
      this.events.flush();
      const writeError = this.#changes.get() === before ? this.writeError : undefined;
      committing = true;
      this.#commit.run();
      this.writeError = writeError;
      return result;
    } catch (error) {
      this.#rollBack();
      const reason = this.#toStorageError(error);
      if (committing) onCommitFailed();
      throw reason;
    }
  }

  /** One lock for all reads of `work`, which see the same moment. `work` must not write. */
  read<T>(work: () => T): T {
    this.#beginRead.run();
    try {
      return work();
    } finally {
      this.#commit.run();
    }
  }

  #rollBack(): void {
    if (this.#db.inTransaction) this.#rollback.run();
    this.people.clearCache();
    this.events.clearCache();
  }

  /** Once a second: the search index follows, deleted texts leave the write-ahead log, and a disk that works again is noticed. */
  tick(): void {
    this.search.tick();
    if (this.writeError !== undefined) this.probe();
    else this.#wal.tick(this.events.changes.deletions);
  }

  /** Keeps the error: a small write may fit where the commit did not. The next tick finds out. */
  #overwriteFailedCommit(): void {
    const { writeError } = this;
    this.probe();
    this.writeError ??= writeError;
  }

  /**
   * Writes as much as a long message takes, so that a disk that works again is noticed without a message, and one that has
   * room for a few bytes only is not taken for one.
   */
  probe(): void {
    try {
      this.#transact(
        () =>
          this.#db
            .prepare("REPLACE INTO meta VALUES ('probe', ?)")
            .run(String(Date.now()).padEnd(probeBytes)),
        () => {},
      );
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
  }

  /** Messages that call this person, newest first, before a place in the one order. */
  listMentions(user: User, before: number, limit: number): SearchPage {
    const seqs = this.events.changes.mentions.list(user, before, limit + 1);
    const next = seqs.length > limit ? seqs[limit - 1] : undefined;
    const messages = this.messages.load(seqs.slice(0, limit));
    return { messages, ...(next === undefined ? {} : { next }), complete: true };
  }

  /** A value that is made once and kept for the life of the file. */
  getOrCreateMeta(key: string, make: () => string): string {
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
    this.search.close();
    this.#db.close();
    this.#unlock();
  }

  #toStorageError(error: unknown): unknown {
    if (!(error instanceof Database.SqliteError) || !DISK_ERROR.test(error.code)) return error;
    this.writeError = `${error.code}: ${error.message}`;
    return new StorageError(this.writeError, { cause: error });
  }
}

/**
 * The write-ahead log is emptied soon after something was deleted: it holds the pages as they were before. Not for each
 * deletion, since it costs a sync of the whole, and never waiting for a reader (backup, verify): then it tries again.
 */

/** Ticks (seconds) from a deletion to the emptying, and so between two. */
const TRUNCATE_AFTER_TICKS = 3;

export class WalTruncater {
  readonly #db: Database.Database;
  #truncatedAt = -1; // a server that was killed may have left something to do
  #ticks = 0;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** `erased` counts deletions: it has grown when there is something to do. */
  tick(erased: number): void {
    if (erased === this.#truncatedAt || ++this.#ticks < TRUNCATE_AFTER_TICKS) return;
    this.#ticks = 0;
    if (this.#truncate()) this.#truncatedAt = erased;
  }

  #truncate(): boolean {
    this.#db.pragma('busy_timeout = 0');
    try {
      const [state] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]; // SQLite's own answer
      return state?.busy === 0;
    } catch (error) {
      if (error instanceof Database.SqliteError) return false; // the disk: the next beat will say so
      throw error;
    } finally {
      this.#db.pragma('busy_timeout = 1000');
    }
  }
}
