/**
 * A copy of the database as it is at one moment, while a server goes on writing. The read transaction stays open over
 * the whole copy: SQLite would start over with each foreign commit otherwise, and never end under constant writing.
 * The copy has its name only when it is whole and on the disk.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import {
  createDataFolder,
  databaseFile,
  giveToOwner,
  lockDataFolder,
  lockFile,
  migrateFile,
  OpenError,
  openReadOnly,
  syncFile,
  syncFolderOf,
} from './database.js';
import Database from './sqlite.js';
import { type ReportProgress, type VerifyResult, verify } from './verify.js';

/** Pages copied between two reports: 16 MB. */
const COPY_STEP_PAGES = 4096;

export interface BackupResult {
  readonly bytes: number;
  readonly epoch: string;
}

export class ExistsError extends Error {}

/** @throws ExistsError, OpenError, or the file system's error; then nothing is left of the copy */
export async function createBackup(
  from: string,
  to: string,
  report: (done: number, total: number) => void,
): Promise<BackupResult> {
  assertAbsent(to);
  const db = openReadOnly(from);
  const part = `${to}.partial`;
  try {
    closeSync(openSync(part, 'w', 0o600)); // it holds the signing keys: for its owner only
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
  const { totalPages } = await db.backup(part, {
    progress({ totalPages, remainingPages }) {
      report(totalPages - remainingPages, totalPages);
      return COPY_STEP_PAGES;
    },
  });
  db.exec('COMMIT');
  return { bytes: totalPages * Number(db.pragma('page_size', { simple: true })), epoch };
}

/** Without a write-ahead log to come: who only reads the backup leaves nothing beside it. */
function leaveWalMode(part: string): void {
  const copy = new Database(part);
  copy.pragma('journal_mode = DELETE');
  copy.close();
}

function assertAbsent(file: string): void {
  if (existsSync(file)) throw new ExistsError(`${file} exists already: give another name.`);
}

/**
 * Puts a backup in the database's place. The folder is locked meanwhile, so no server runs on it. The copy is checked
 * and given a new epoch beside the old file; then one rename swaps them, so that a power cut leaves one or the other whole.
 */

export interface RestoreResult extends VerifyResult {
  readonly epoch: string;
  /** where the former database is kept, if there was one */
  readonly former: string | undefined;
}

/** @param mark ends the name under which the former database is kept. @throws LockedError, OpenError */
export function restore(file: string, dataDir: string, mark: string, report: ReportProgress): RestoreResult {
  createDataFolder(dataDir);
  const unlock = lockDataFolder(dataDir);
  const copy = `${databaseFile(dataDir)}.restoring`;
  try {
    report('copying');
    copyBackup(file, copy);
    chmodSync(copy, 0o600); // it holds the signing keys
    const verdict = assertSound(copy, file, report);
    const epoch = setNewEpoch(copy);
    for (const path of [copy, lockFile(dataDir)]) giveToOwner(path, dataDir);
    const former = replaceDatabase(copy, databaseFile(dataDir), mark);
    return { ...verdict, epoch, former };
  } finally {
    for (const rest of ['', '-wal', '-shm', '-journal']) rmSync(copy + rest, { force: true });
    unlock();
  }
}

/** A backup is one file; a folder that was copied by hand may have a write-ahead log that belongs to it. */
function copyBackup(file: string, copy: string): void {
  if (!existsSync(file)) throw new OpenError(`there is no file ${file}.`);
  for (const rest of ['-wal', '-shm']) rmSync(copy + rest, { force: true });
  copyFileSync(file, copy);
  if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`);
}

function assertSound(copy: string, file: string, report: ReportProgress): VerifyResult {
  const verdict = migrateAndVerify(copy, file, report);
  if (verdict.finding === undefined) return verdict;
  throw new OpenError(`${file} is not restored: ${verdict.finding}.`);
}

/** Complaints name the file that the operator gave. */
function migrateAndVerify(copy: string, file: string, report: ReportProgress): VerifyResult {
  try {
    migrateFile(copy);
    return verify(copy, report);
  } catch (error) {
    if (error instanceof OpenError) throw new OpenError(error.message.replaceAll(copy, file));
    if (!(error instanceof Database.SqliteError)) throw error;
    throw new OpenError(`${file} is not restored: it is damaged (${error.message}).`);
  }
}

/** Another epoch: clients that have seen more than the backup holds start over, instead of mixing two histories. */
function setNewEpoch(copy: string): string {
  const epoch = randomBytes(9).toString('base64url');
  const db = new Database(copy);
  try {
    db.prepare("REPLACE INTO meta (key, value) VALUES ('epoch', ?)").run(epoch);
    db.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
  syncFile(copy);
  return epoch;
}

function replaceDatabase(copy: string, database: string, mark: string): string | undefined {
  const former = existsSync(database) ? `${database}.${mark}` : undefined;
  if (former !== undefined) keepFormer(database, former);
  for (const rest of ['-wal', '-shm']) rmSync(database + rest, { force: true }); // they belong to the former one
  renameSync(copy, database);
  syncFolderOf(database);
  return former;
}

/** Under a second name, so that the first is never missing; with what its write-ahead log holds. */
function keepFormer(database: string, former: string): void {
  if (!checkpoint(database) && existsSync(`${database}-wal`))
    copyFileSync(`${database}-wal`, `${former}-wal`);
  try {
    linkSync(database, former);
  } catch {
    copyFileSync(database, former); // a file system without hard links
  }
  syncFolderOf(former);
}

/** False when the file is too broken for that: then it is kept as it is. */
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
