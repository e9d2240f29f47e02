/**
 * Opens the database: settings that make a commit durable, migrations in one transaction, and names as they are compared
 * today. A file of a newer version is refused and stays as it is.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { MIGRATIONS } from './migrations.js';
import { renewSkeletons } from './skeletons.js';

/** The file cannot be used as it is; `message` names it and says what to do. */
export class OpenError extends Error {}

export function databaseFile(dataDir: string): string {
  return join(dataDir, 'oneport.db');
}

/** Makes the folder, readable by its owner only. @throws the file system's error, with its `code` */
export function makeFolder(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
}

/** Told before an existing file is brought from one version of its shape to another, which may take seconds. */
export type Upgrading = (from: number, to: number) => void;

/** @throws OpenError for a newer or foreign file */
export function openDatabase(file: string, upgrading?: Upgrading): Database.Database {
  const db = new Database(file, { timeout: 1000 });
  try {
    checkVersion(db, file);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL'); // a commit is on the disk when it returns
    db.pragma('foreign_keys = ON');
    db.pragma('secure_delete = ON'); // what was deleted is overwritten, not only forgotten
    db.pragma('cache_size = -16000'); // 16 MB, whatever the log's size
    migrate(db, upgrading);
    renewSkeletons(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** For reading only, beside a running server. @throws OpenError when there is no file, or none of this version's shape */
export function openForReading(file: string): Database.Database {
  if (!existsSync(file)) throw new OpenError(`there is no database at ${file}: set DATA_DIR.`);
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 });
  try {
    checkVersion(db, file);
    const version = versionOf(db, file);
    if (version === MIGRATIONS.length) return db;
    if (version === 0) throw new OpenError(`${file} is not a database of Oneport.`);
    throw new OpenError(
      `${file} was written by an older Oneport: start this one on it once, then try again.`,
    );
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Brings an existing file, as a backup of an older version, to today's shape. @throws OpenError when it is none of ours */
export function bringUp(file: string): void {
  const db = new Database(file, { fileMustExist: true });
  const version = versionAndClose(db, file);
  if (version === 0) throw new OpenError(`${file} is not a database of Oneport.`);
  openDatabase(file).close();
}

function versionAndClose(db: Database.Database, file: string): number {
  try {
    return versionOf(db, file);
  } finally {
    db.close();
  }
}

/** The version of the file's shape, checked before anything is written. */
function checkVersion(db: Database.Database, file: string): void {
  const version = versionOf(db, file);
  if (version > MIGRATIONS.length) {
    throw new OpenError(
      `${file} was written by a newer Oneport (shape ${version}, this one knows ${MIGRATIONS.length}): run that version, or set DATA_DIR.`,
    );
  }
}

function versionOf(db: Database.Database, file: string): number {
  try {
    return Number(db.pragma('user_version', { simple: true }));
  } catch (error) {
    if (error instanceof Database.SqliteError && /NOTADB|CORRUPT/.test(error.code)) {
      throw new OpenError(
        `${file} is not a sound database (${error.message}): restore a backup, or set DATA_DIR.`,
      );
    }
    throw error;
  }
}

function migrate(db: Database.Database, upgrading?: Upgrading): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version === MIGRATIONS.length) return;
  if (version > 0) upgrading?.(version, MIGRATIONS.length);
  db.transaction(() => {
    for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  })();
}
