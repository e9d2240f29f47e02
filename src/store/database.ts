/** Opens, migrates and locks the database. Files of a newer version and files of other programs are refused unchanged. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import {
  APPLICATION_ID,
  defineChainFunction,
  MIGRATIONS,
  rebuildNameKeys,
  startPeopleChain,
} from './schema.js';
import Database from './sqlite.js';

/** The file cannot be used. `message` names it and says what to do. */
export class OpenError extends Error {}

/** A random name of the log. */
export function newEpoch(): string {
  return randomBytes(9).toString('base64url');
}

export function databaseFile(dataDir: string): string {
  return join(dataDir, 'oneport.db');
}

/** Whether there is a database file without content: a new one, or one that was cut to nothing. */
export function isDatabaseEmpty(dataDir: string): boolean {
  const size = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.size;
  return size(databaseFile(dataDir)) === 0 && !size(`${databaseFile(dataDir)}-wal`);
}

/**
 * Creates the folder, readable by its owner only. Does without the option `recursive`, with which Node 20 never returns from
 * a folder in /proc. @throws the file system's error, with its `code`
 */
export function createDataFolder(dataDir: string): void {
  if (existsSync(dataDir)) return;
  const parent = dirname(dataDir);
  if (parent !== dataDir) createDataFolder(parent);
  mkdirSync(dataDir, { mode: 0o700 });
}

/** Lets only the owner read the database, whatever the folder's mode is, because it holds the signing keys. */
export function protectDatabase(dataDir: string): void {
  const file = databaseFile(dataDir);
  for (const path of [file, `${file}-wal`, `${file}-shm`]) closeToOthers(path);
}

function closeToOthers(path: string): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o077) !== 0) chmodSync(path, 0o600);
}

/** Gives a file that root made to the owner of the data folder, who runs the server. */
export function giveToOwner(path: string, dataDir: string): void {
  const [file, folder] = [statSync(path), statSync(dataDir)];
  if (file.uid !== folder.uid || file.gid !== folder.gid) chownSync(path, folder.uid, folder.gid);
}

/** Told of the migration of an existing file, which may take seconds. */
export interface MigrationReport {
  start(from: number, to: number): void;
  progress(events: number): void;
}

/** Opens the database for the server, and creates or migrates it. @throws OpenError for a newer or foreign file */
export function openDatabase(file: string, report?: MigrationReport): Database.Database {
  const db = new Database(file, { timeout: 1000 });
  try {
    schemaVersion(db, file);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL'); // a commit is on the disk when it returns
    db.pragma('wal_autocheckpoint = 4000'); // 16 MB: pages that change in each commit are copied to the file less often
    db.pragma('secure_delete = ON'); // deleted content is overwritten with zeros
    db.pragma('cache_size = -16000'); // 16 MB, whatever the size of the file
    db.pragma('foreign_keys = OFF'); // a migration may replace a table that others reference
    migrate(db, report);
    db.pragma('foreign_keys = ON');
    db.pragma('temp_store = MEMORY'); // SQLite's temporary files would be outside of the data folder
    rebuildNameKeys(db);
    syncLog(file);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Syncs the write-ahead log. The previous server may have been killed between writing a commit and syncing it. This server
 * shows that commit, so it must survive a power cut.
 */
function syncLog(file: string): void {
  if (existsSync(`${file}-wal`)) syncFile(`${file}-wal`);
}

/** Opens the database read-only, also beside a running server. @throws OpenError unless the file has our schema version */
export function openReadOnly(file: string): Database.Database {
  if (!existsSync(file)) throw new OpenError(`there is no database at ${file}: set DATA_DIR.`);
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 });
  try {
    const version = schemaVersionReadOnly(db, file);
    if (version === MIGRATIONS.length) return db;
    if (version === 0) throw foreignFile(file);
    throw new OpenError(
      `${file} was written by an older Oneport: start this version on it once, then try again.`,
    );
  } catch (error) {
    db.close();
    throw error;
  }
}

function schemaVersionReadOnly(db: Database.Database, file: string): number {
  try {
    return schemaVersion(db, file);
  } catch (error) {
    if (!(error instanceof Database.SqliteError) || !/CANTOPEN|READONLY/.test(error.code)) throw error;
    throw new OpenError(
      `${file} cannot be read, because SQLite has to write a file beside it. Copy it, with its -wal, to a folder where you may write.`,
    );
  }
}

/** Migrates an existing file, such as a backup by an older version. @throws OpenError for a newer or foreign file */
export function migrateFile(file: string): void {
  const db = new Database(file, { fileMustExist: true });
  const version = schemaVersionAndClose(db, file);
  if (version === 0) throw foreignFile(file);
  openDatabase(file).close();
}

function schemaVersionAndClose(db: Database.Database, file: string): number {
  try {
    return schemaVersion(db, file);
  } finally {
    db.close();
  }
}

/** Returns the schema version, 0 for an empty file. Writes nothing. @throws OpenError for a newer or foreign file */
function schemaVersion(db: Database.Database, file: string): number {
  try {
    const version = Number(db.pragma('user_version', { simple: true }));
    if (!isOurs(db, version)) throw foreignFile(file);
    if (version <= MIGRATIONS.length) return version;
    throw new OpenError(
      `${file} was written by a newer Oneport (schema ${version}, this one knows ${MIGRATIONS.length}). Run that version or newer, or set DATA_DIR.`,
    );
  } catch (error) {
    throw explainDamage(error, file);
  }
}

/** Returns an OpenError for the error of a damaged file, and every other error as it is. */
export function explainDamage(error: unknown, file: string): unknown {
  if (!(error instanceof Database.SqliteError) || !/NOTADB|CORRUPT/.test(error.code)) return error;
  return new OpenError(
    `${file} is damaged or not a SQLite database (${error.message}). Restore a backup, or set DATA_DIR.`,
  );
}

/** Recognizes schemas 1 to 5 by their tables, because they had no application_id. */
function isOurs(db: Database.Database, version: number): boolean {
  const applicationId = Number(db.pragma('application_id', { simple: true }));
  if (applicationId === APPLICATION_ID) return true;
  if (applicationId !== 0 || version > 5) return false;
  const count = (query: string): number => db.prepare<[], number>(query).pluck().get() ?? 0;
  if (version === 0) return count('SELECT count(*) FROM sqlite_schema') === 0;
  const tables = "('meta', 'people', 'rooms', 'events')";
  const columns = "('seq', 'room', 'id', 'person', 'cid')";
  return (
    count(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ${tables}`) === 4 &&
    count(`SELECT count(*) FROM pragma_table_info('events') WHERE name IN ${columns}`) === 5
  );
}

function foreignFile(file: string): OpenError {
  return new OpenError(`${file} is not an Oneport database: set DATA_DIR.`);
}

function migrate(db: Database.Database, report?: MigrationReport): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version === MIGRATIONS.length) return;
  if (version > 0) report?.start(version, MIGRATIONS.length);
  defineChainFunction(db, (events) => report?.progress(events));
  db.transaction(() => {
    for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
    startPeopleChain(db);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
    db.pragma(`application_id = ${APPLICATION_ID}`);
  })();
}

/**
 * Another server holds the lock on the data folder. It is SQLite's lock on a file of its own. The kernel releases it
 * however the process ends, and it does not block readers of the database (backup, verify).
 */
export class LockedError extends Error {}

export function lockFile(dataDir: string): string {
  return join(dataDir, 'oneport.lock');
}

/** Returns a function that releases the lock. @throws LockedError when another server holds it */
export function lockDataFolder(dataDir: string): () => void {
  const lock = new Database(lockFile(dataDir), { timeout: 0 });
  try {
    lock.pragma('journal_mode = MEMORY'); // leaves no journal file
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof Database.SqliteError && error.code === 'SQLITE_BUSY') {
      throw new LockedError(`another Oneport server is running on ${dataDir}: stop it, or set DATA_DIR.`);
    }
    throw error;
  }
  return () => lock.close();
}

/** Syncs the content of a file, so that it outlasts a power cut. */
export function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Syncs the folder of a file, so that the file's name outlasts a power cut. Call it after a rename. */
export function syncFolderOf(file: string): void {
  const descriptor = openSync(dirname(file), 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * `LIMIT` with a parameter. Adds 0, because SQLite 3.53 recompiles the statement on each run if the limit is a bare
 * parameter. Recompiling takes five times as long as a small query.
 */
export const limitClause = 'LIMIT ? + 0';
