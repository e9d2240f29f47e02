/**
 * The storage of the rules, and what the rest of the server reads. After a failed commit, `writeError` holds the reason
 * until a later transaction writes to the disk.
 */
import { createHash } from 'node:crypto';
import { type StatsFs, statfsSync, statSync } from 'node:fs';
import { type Storage, StorageError } from '../chat/types.js';
import type { SearchPage, User } from '../shared/protocol.js';
import { formatHead, type NamedHead, readHeads } from './chain.js';
import {
  createDataFolder,
  databaseFile,
  lockDataFolder,
  type MigrationReport,
  newEpoch,
  openDatabase,
  openReadOnly,
  protectDatabase,
} from './database.js';
import { EventStore, MessageLoader } from './events.js';
import { MembershipStore, RecentRooms } from './memberships.js';
import { PeopleStore } from './people.js';
import { Search, type SearchDeps } from './search.js';
import Database from './sqlite.js';

/** SQLite's codes for failures of the disk or the machine; other codes are bugs. */
const diskErrorCode = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|NOMEM|CORRUPT|PROTOCOL)/;

const damageCode = /^SQLITE_(CORRUPT|NOTADB)/;

const probeBytes = 64 * 1024;

/**
 * Free space that is left on the disk, so that other programs, backups and the search index can go on: a share of the disk, but
 * at most `maxBytes`. Writing begins again when there is a little more.
 */
const spaceFloor = { share: 0.01, maxBytes: 256 * 1024 * 1024, resume: 1.1 } as const;

/** Sizes of a file system in blocks, as `statfs` gives them. */
type Space = Pick<StatsFs, 'bavail' | 'blocks' | 'bsize'>;

export class Store implements Storage {
  /** Why the last write failed; undefined while writing works. */
  writeError: string | undefined;
  /** Why a part of the database cannot be read; undefined while none is known to be damaged. It lasts until a restart. */
  damage: string | undefined;
  readonly events: EventStore;
  readonly people: PeopleStore;
  readonly memberships: MembershipStore;
  readonly messages: MessageLoader;
  readonly recentRooms: RecentRooms;
  readonly search: Search;
  readonly #db: Database.Database;
  readonly #wal: WalCheckpointer;
  readonly #begin: Database.Statement<[]>;
  readonly #beginRead: Database.Statement<[]>;
  readonly #commit: Database.Statement<[]>;
  readonly #rollback: Database.Statement<[]>;
  readonly #changes: Database.Statement<[], number>;
  readonly #setMeta: Database.Statement<[string, string]>;
  readonly #unlock: () => void;
  readonly #dataDir: string;
  #epoch: string;
  #isNearlyFull = false;
  #isDamageTold = false;

  /** @throws LockedError, OpenError, or the file system's error */
  constructor(
    dataDir: string,
    migration?: MigrationReport,
    onSearchError: (error: unknown) => void = () => {},
    reader?: StoreReader,
  ) {
    this.#dataDir = dataDir;
    const { db, unlock } = reader ? openForReader(dataDir) : openForOwner(dataDir, migration);
    this.#db = db;
    this.#unlock = unlock;
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
    this.#beginRead = this.#db.prepare('BEGIN');
    this.#commit = this.#db.prepare('COMMIT');
    this.#rollback = this.#db.prepare('ROLLBACK');
    this.#changes = this.#db.prepare<[], number>('SELECT total_changes()').pluck();
    this.recentRooms = new RecentRooms(this.#db);
    this.events = new EventStore(this.#db, this.recentRooms);
    this.people = new PeopleStore(this.#db, { isCached: !reader });
    this.memberships = new MembershipStore(this.#db, this.events);
    this.messages = new MessageLoader(this.#db, this.events);
    this.search = new Search({
      dataDir,
      load: (seqs, position) => this.messages.loadPage(seqs, position),
      onError: onSearchError,
      ask: reader?.find,
    });
    this.#wal = new WalCheckpointer(this.#db, (bytes) => this.#canGrowTo(bytes));
    this.#setMeta = this.#db.prepare('REPLACE INTO meta VALUES (?, ?)');
    this.#epoch = this.getOrCreateMeta('epoch', newEpoch);
  }

  /** Opens the database beside the process that owns it. Nothing can be written. @throws OpenError */
  static openReader(dataDir: string, reader: StoreReader): Store {
    return new Store(dataDir, undefined, undefined, reader);
  }

  /**
   * Runs `work` in a transaction. A commit whose sync failed may still be in the write-ahead log, where a restart would
   * find it. The probe overwrites it at once, so that a refused message does not exist after a crash.
   */
  transaction<T>(work: () => T, position?: string): T {
    if (this.#isNearlyFull) throw new StorageError(this.writeError);
    const result = this.#transact(
      () => {
        const done = work();
        if (position !== undefined) this.#setMeta.run('position', position);
        return done;
      },
      () => this.#overwriteFailedCommit(),
    );
    this.search.notify(); // only sets a flag, so it cannot throw
    return result;
  }

  /**
   * Invariant: nothing that may throw runs between the commit and the return, because it would be taken for a failed
   * commit. Only a transaction with changes clears `writeError`, because one without does not touch the disk.
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

  attempt<T>(work: () => T): T {
    this.events.flush(); // what a rollback must keep
    this.#db.exec('SAVEPOINT attempt');
    try {
      const result = work();
      this.events.flush();
      return result;
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK TO attempt');
      this.#clearCaches();
      throw this.#toStorageError(error);
    } finally {
      if (this.#db.inTransaction) this.#db.exec('RELEASE attempt');
    }
  }

  get newestTime(): number {
    return Math.max(this.events.newestTime, this.people.newestTime);
  }

  /**
   * Runs `work` in a read transaction, which takes one lock for all its reads, and whose reads see one moment. `work` must not
   * write.
   */
  read<T>(work: () => T): T {
    if (this.#db.inTransaction) return work();
    this.#beginRead.run();
    try {
      return work();
    } finally {
      this.#endRead();
    }
  }

  /** Never throws: after a read of a damaged page, COMMIT fails too. */
  #endRead(): void {
    try {
      this.#commit.run();
    } catch {
      if (this.#db.inTransaction) this.#rollback.run();
    }
  }

  #rollBack(): void {
    if (this.#db.inTransaction) this.#rollback.run();
    this.#clearCaches();
  }

  #clearCaches(): void {
    this.people.onRollback();
    this.events.clearCache();
  }

  /** Continues the search index, empties the write-ahead log, and retries a disk that failed. Call it once a second. */
  tick(): void {
    this.search.tick();
    this.checkSpace();
    if (this.writeError !== undefined && !this.#isNearlyFull) this.probe();
    else this.#wal.tick(this.events.changes.deletions);
  }

  /** Refuses to write while the disk is nearly full. Reading goes on. */
  checkSpace(space = this.#readSpace()): void {
    if (!space) return;
    const [free, total] = [space.bavail * space.bsize, space.blocks * space.bsize];
    const floor = Math.min(spaceFloor.maxBytes, total * spaceFloor.share);
    this.#isNearlyFull = free < floor * (this.#isNearlyFull ? spaceFloor.resume : 1);
    if (this.#isNearlyFull)
      this.writeError = `the disk is nearly full: ${toMegabytes(free)} MB free, ${toMegabytes(floor)} MB needed`;
  }

  /** Whether the database can grow to this size. True where the file system does not tell. */
  #canGrowTo(bytes: number): boolean {
    try {
      const { bavail, bsize } = statfsSync(this.#dataDir);
      return bavail * bsize >= bytes - statSync(databaseFile(this.#dataDir)).size;
    } catch {
      return true;
    }
  }

  /** Returns undefined where the file system does not tell. */
  #readSpace(): Space | undefined {
    try {
      return statfsSync(this.#dataDir);
    } catch {
      return undefined;
    }
  }

  /** Notes that a read failed because the database is damaged. Returns whether this is news. */
  noteReadError(error: unknown): boolean {
    if (!(error instanceof Database.SqliteError) || !damageCode.test(error.code)) return false;
    const isNews = !this.#isDamageTold;
    this.#isDamageTold = true;
    this.#noteDamage(error);
    return isNews;
  }

  #noteDamage({ code, message }: InstanceType<typeof Database.SqliteError>): void {
    this.damage ??= `${code}: ${message}`;
  }

  /** Keeps the error, because this write may succeed where the commit failed. The next tick decides. */
  #overwriteFailedCommit(): void {
    const { writeError } = this;
    this.probe();
    this.writeError ??= writeError;
  }

  /**
   * Writes 64 KiB, the size of a long message, to detect that the disk works again. A smaller write could succeed on a disk
   * that is nearly full.
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

  /** Lists the messages that mention a user, newest first, before a position in the log. */
  listMentions(user: User, before: number, limit: number): SearchPage {
    const seqs = this.events.changes.mentions.list(user, before, limit + 1);
    const { messages, stoppedAt } = this.messages.loadPage(seqs.slice(0, limit));
    const next = stoppedAt ?? (seqs.length > limit ? seqs[limit - 1] : undefined);
    return { messages, ...(next === undefined ? {} : { next }), complete: true };
  }

  /** Returns the value of a key. `create` gives it the first time. */
  getOrCreateMeta(key: string, create: () => string): string {
    const stored = readMeta(this.#db, key);
    if (stored !== undefined) return stored;
    const value = create();
    this.#db.prepare('INSERT INTO meta VALUES (?, ?)').run(key, value);
    return value;
  }

  /** The name of the history. It changes when this node begins another one. */
  get epoch(): string {
    return this.#epoch;
  }

  /** The position in the shared order up to which it was applied; undefined when there never was one. */
  get position(): string | undefined {
    return readMeta(this.#db, 'position');
  }

  /** Stores what all nodes have in common, with the position of the entry that begins the history. @throws StorageError */
  begin({ epoch, sessionKey, instance }: Identity, position: string): void {
    this.transaction(() => {
      this.#setMeta.run('epoch', epoch);
      this.#setMeta.run('session_keys', sessionKey);
      this.#setMeta.run('instance', instance);
    }, position);
    this.#epoch = epoch;
  }

  /** Tells a reader that the owner has begun another history. */
  onBegin(epoch: string): void {
    this.#epoch = epoch;
  }

  /** See `digestOf`. */
  digest(): string {
    return digestOf(this.#db);
  }

  /**
   * Leaves syncs to the checkpoints. What a power cut takes is applied again from the shared order, because its position is
   * in the same transactions.
   */
  relaxSync(): void {
    this.#db.pragma('synchronous = NORMAL');
  }

  /** Returns the ends of all chains. */
  heads(): Iterable<NamedHead> {
    return readHeads(this.#db);
  }

  /** Returns the settings that make a commit durable. */
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
    if (!(error instanceof Database.SqliteError) || !diskErrorCode.test(error.code)) return error;
    if (damageCode.test(error.code)) this.#noteDamage(error);
    this.writeError = `${error.code}: ${error.message}`;
    return new StorageError(this.writeError, { cause: error });
  }
}

/** What a process that only reads needs of the owner of the database. */
export interface StoreReader {
  readonly find: NonNullable<SearchDeps['ask']>;
}

interface OpenStore {
  readonly db: Database.Database;
  /** Releases the lock on the data folder. */
  readonly unlock: () => void;
}

function openForOwner(dataDir: string, migration: MigrationReport | undefined): OpenStore {
  createDataFolder(dataDir);
  const unlock = lockDataFolder(dataDir);
  try {
    protectDatabase(dataDir);
    const db = openDatabase(databaseFile(dataDir), migration);
    protectDatabase(dataDir); // it may have been created just now
    return { db, unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}

function openForReader(dataDir: string): OpenStore {
  const db = openReadOnly(databaseFile(dataDir));
  db.pragma('temp_store = MEMORY'); // SQLite's temporary files would be outside of the data folder
  return { db, unlock: () => {} };
}

/** What all nodes of one chat have in common. */
export interface Identity {
  readonly epoch: string;
  readonly sessionKey: string;
  readonly instance: string;
}

function readMeta(db: Database.Database, key: string): string | undefined {
  return db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck().get(key);
}

/**
 * Returns a hash of the position in the shared order and of the ends of all chains. Two databases with the same one hold the
 * same events and people. An empty database has always the same one.
 */
function digestOf(db: Database.Database): string {
  const hash = createHash('sha256').update(readMeta(db, 'position') ?? '');
  for (const head of readHeads(db)) hash.update(`\n${formatHead(head)}`);
  return hash.digest('hex');
}

/** What `new-epoch` needs of the database of DATA_DIR, also beside a running server. @throws OpenError */
export function readHistory(file: string): Identity & { readonly digest: string } {
  const db = openReadOnly(file);
  try {
    const [epoch = '', sessionKey = '', instance = ''] = ['epoch', 'session_keys', 'instance'].map((key) =>
      readMeta(db, key),
    );
    return { epoch, sessionKey, instance, digest: digestOf(db) };
  } finally {
    db.close();
  }
}

function toMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** Seconds from a deletion until the write-ahead log is emptied. */
const truncateDelaySeconds = 3;

/**
 * Empties the write-ahead log soon after a deletion, because the log holds the deleted text. It does not do so after each
 * deletion, because that costs a sync of the database. It never waits for a reader (backup, verify), but retries later.
 */
export class WalCheckpointer {
  readonly #db: Database.Database;
  readonly #canGrowTo: (bytes: number) => boolean;
  /** The count of deletions at the last success; -1 because a server that was killed may have left deleted text. */
  #truncatedDeletions = -1;
  #seconds = 0;

  constructor(db: Database.Database, canGrowTo: (bytes: number) => boolean) {
    this.#db = db;
    this.#canGrowTo = canGrowTo;
  }

  /** Call it once a second with the count of deletions since the start. */
  tick(deletions: number): void {
    if (deletions === this.#truncatedDeletions || ++this.#seconds < truncateDelaySeconds) return;
    this.#seconds = 0;
    if (this.#truncate()) this.#truncatedDeletions = deletions;
  }

  #truncate(): boolean {
    this.#db.pragma('busy_timeout = 0');
    try {
      if (!this.#canGrowTo(this.#databaseBytes() + probeBytes)) return false;
      const [state] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]; // SQLite's own answer
      return state?.busy === 0;
    } catch (error) {
      if (error instanceof Database.SqliteError) return false; // the next commit reports a failing disk
      throw error;
    } finally {
      this.#db.pragma('busy_timeout = 1000');
    }
  }

  /**
   * The size of the database with what the log holds. On a disk without room for it, a part would take the space that
   * messages need.
   */
  #databaseBytes(): number {
    const [pages, pageBytes] = ['page_count', 'page_size'].map((name) =>
      Number(this.#db.pragma(name, { simple: true })),
    );
    return Number(pages) * Number(pageBytes);
  }
}
