/**
 * Copies the database at one moment, while a server may write. The read transaction stays open during the whole copy,
 * because otherwise SQLite would start over at each commit of the server and never finish under constant writes. The copy
 * gets its name once it is complete and synced.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { type NamedHead, readHeads } from './chain.js';
import {
  createDataFolder,
  databaseFile,
  giveToOwner,
  lockDataFolder,
  lockFile,
  migrateFile,
  newEpoch,
  OpenError,
  openReadOnly,
  syncFile,
  syncFolderOf,
} from './database.js';
import Database from './sqlite.js';
import { type ReportProgress, rebuildDerived, type VerifyResult, verify } from './verify.js';

/** 16 MB. */
const pagesPerReport = 4096;

interface BackupResult {
  readonly bytes: number;
  readonly epoch: string;
  /** the ends of all chains in the copy */
  readonly heads: readonly NamedHead[];
}

export class ExistsError extends Error {}

/** Removes the copy when it fails. @throws ExistsError, OpenError, or the file system's error */
export async function createBackup(
  from: string,
  to: string,
  report: (done: number, total: number) => void,
): Promise<BackupResult> {
  assertAbsent(to);
  const db = openReadOnly(from);
  const part = `${to}.partial`;
  try {
    closeSync(openSync(part, 'w', 0o600)); // readable by its owner only, because it contains the signing keys
    const copied = await copyDatabase(db, part, report);
    leaveWalMode(part);
    syncFile(part);
    assertAbsent(to);
    renameSync(part, to);
    syncFolderOf(to);
    return copied;
  } catch (error) {
    for (const rest of ['', '-wal', '-shm', '-journal']) rmSync(part + rest, { force: true });
    throw error;
  } finally {
    db.close();
  }
}

async function copyDatabase(
  db: Database.Database,
  part: string,
  report: (done: number, total: number) => void,
): Promise<BackupResult> {
  db.exec('BEGIN');
  const epoch = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'epoch'").pluck().get() ?? '';
  const heads = [...readHeads(db)];
  const { totalPages } = await db.backup(part, {
    progress({ totalPages, remainingPages }) {
      report(totalPages - remainingPages, totalPages);
      return pagesPerReport;
    },
  });
  db.exec('COMMIT');
  return { bytes: totalPages * Number(db.pragma('page_size', { simple: true })), epoch, heads };
}

/** Changes the journal mode, so that readers of the backup create no files beside it. */
function leaveWalMode(part: string): void {
  const copy = new Database(part);
  copy.pragma('journal_mode = DELETE');
  copy.close();
}

function assertAbsent(file: string): void {
  if (existsSync(file)) throw new ExistsError(`${file} exists already: choose another name.`);
}

/**
 * Replaces the database by a backup. The folder is locked meanwhile, so no server runs on it. A copy of the backup is
 * checked and gets a new epoch. Then one rename replaces the database, so that a power cut leaves the previous database or
 * the new one.
 */

interface RestoreResult extends VerifyResult {
  readonly epoch: string;
  /** The file that holds the previous database, if there was one. */
  readonly previous: string | undefined;
}

/**
 * The previous database gets a name that ends with `suffix`. `keepsEpoch` is for the backup of another node: the shared order
 * tells whether it may be continued. @throws LockedError, OpenError
 */
export function restore(
  file: string,
  dataDir: string,
  suffix: string,
  report: ReportProgress,
  keepsEpoch = false,
): RestoreResult {
  createDataFolder(dataDir);
  const unlock = lockDataFolder(dataDir);
  const copy = `${databaseFile(dataDir)}.restoring`;
  try {
    report('copying');
    copyBackup(file, copy);
    chmodSync(copy, 0o600); // it holds the signing keys
    const result = assertSound(copy, file, report);
    const epoch = setEpoch(copy, keepsEpoch);
    for (const path of [copy, lockFile(dataDir)]) giveToOwner(path, dataDir);
    const previous = replaceDatabase(copy, databaseFile(dataDir), suffix);
    return { ...result, epoch, previous };
  } finally {
    for (const rest of ['', '-wal', '-shm', '-journal']) rmSync(copy + rest, { force: true });
    unlock();
  }
}

/** A backup is one file. A database that was copied by hand may have a write-ahead log, which belongs to it. */
function copyBackup(file: string, copy: string): void {
  if (!existsSync(file)) throw new OpenError(`there is no file ${file}.`);
  for (const rest of ['-wal', '-shm']) rmSync(copy + rest, { force: true });
  copyFileSync(file, copy);
  if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`);
}

function assertSound(copy: string, file: string, report: ReportProgress): VerifyResult {
  const result = migrateAndVerify(copy, file, report);
  if (result.finding === undefined) return result;
  throw new OpenError(`${file} is not restored: ${result.finding}.`);
}

/** Errors name the operator's file, not our copy. */
function migrateAndVerify(copy: string, file: string, report: ReportProgress): VerifyResult {
  try {
    migrateFile(copy);
    const result = verify(copy, report);
    if (!result.isDerived) return result;
    rebuildDerived(copy, report);
    return verify(copy, report);
  } catch (error) {
    if (error instanceof OpenError) throw new OpenError(error.message.replaceAll(copy, file));
    if (!(error instanceof Database.SqliteError)) throw error;
    throw new OpenError(`${file} is not restored: it is damaged (${error.message}).`);
  }
}

/**
 * Sets a new epoch, so that clients with events that the backup lacks reload their rooms instead of mixing two histories.
 * The position in a shared order belongs to the epoch.
 */
function setEpoch(copy: string, keeps: boolean): string {
  const db = new Database(copy);
  try {
    if (!keeps) {
      db.prepare("REPLACE INTO meta (key, value) VALUES ('epoch', ?)").run(newEpoch());
      db.exec("DELETE FROM meta WHERE key = 'position'");
    }
    db.pragma('wal_checkpoint(TRUNCATE)');
    return db.prepare<[], string>("SELECT value FROM meta WHERE key = 'epoch'").pluck().get() ?? '';
  } finally {
    db.close();
    syncFile(copy);
  }
}

function replaceDatabase(copy: string, database: string, suffix: string): string | undefined {
  const previous = existsSync(database) ? unusedName(`${database}.${suffix}`) : undefined;
  if (previous !== undefined) keepPrevious(database, previous);
  for (const rest of ['-wal', '-shm']) rmSync(database + rest, { force: true }); // they belong to the previous database
  renameSync(copy, database);
  syncFolderOf(database);
  return previous;
}

/** Adds a number to a name that is taken. */
function unusedName(path: string): string {
  for (let n = 1, name = path; ; name = `${path}-${++n}`) if (!existsSync(name)) return name;
}

/** Links the database under a second name, after a checkpoint of its write-ahead log, so that the first is never missing. */
function keepPrevious(database: string, previous: string): void {
  if (!checkpoint(database) && existsSync(`${database}-wal`))
    copyFileSync(`${database}-wal`, `${previous}-wal`);
  try {
    linkSync(database, previous);
  } catch {
    copyFileSync(database, previous, constants.COPYFILE_EXCL); // a file system without hard links
  }
  syncFolderOf(previous);
}

/** Returns false when the file is too damaged. It is then kept unchanged. */
function checkpoint(database: string): boolean {
  try {
    const db = new Database(database);
    const [state] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]; // SQLite's own answer
    db.close();
    return state?.busy === 0;
  } catch {
    return false;
  }
}
