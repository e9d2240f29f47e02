/**
 * Puts a backup in the database's place. The folder is locked meanwhile, so no server runs on it. The copy is checked
 * and given a new epoch beside the old file; then one rename swaps them, so that a power cut leaves one or the other whole.
 */
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { syncFile, syncName } from './disk.js';
import { lockFolder } from './lock.js';
import { bringUp, databaseFile, makeFolder, OpenError } from './open.js';
import { type Report, type Verdict, verify } from './verify.js';

export interface Restored extends Verdict {
  readonly epoch: string;
  /** where the former database is kept, if there was one */
  readonly former: string | undefined;
}

/** @param mark ends the name under which the former database is kept. @throws LockedError, OpenError */
export function restore(file: string, dataDir: string, mark: string, report: Report): Restored {
  makeFolder(dataDir);
  const unlock = lockFolder(dataDir);
  const copy = `${databaseFile(dataDir)}.restoring`;
  try {
    report('copying');
    takeCopy(file, copy);
    const verdict = soundOf(copy, file, report);
    const epoch = renew(copy);
    const former = swap(copy, databaseFile(dataDir), mark);
    return { ...verdict, epoch, former };
  } finally {
    for (const rest of ['', '-wal', '-shm', '-journal']) rmSync(copy + rest, { force: true });
    unlock();
  }
}

/** A backup is one file; a folder that was copied by hand may have a write-ahead log that belongs to it. */
function takeCopy(file: string, copy: string): void {
  if (!existsSync(file)) throw new OpenError(`there is no file ${file}.`);
  for (const rest of ['-wal', '-shm']) rmSync(copy + rest, { force: true });
  copyFileSync(file, copy);
  if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`);
}

function soundOf(copy: string, file: string, report: Report): Verdict {
  const verdict = verifyNamed(copy, file, report);
  if (verdict.fault === undefined) return verdict;
  throw new OpenError(`${file} is not restored: ${verdict.fault}.`);
}

/** Complaints name the file that the operator gave. */
function verifyNamed(copy: string, file: string, report: Report): Verdict {
  try {
    bringUp(copy);
    return verify(copy, report);
  } catch (error) {
    if (error instanceof OpenError) throw new OpenError(error.message.replaceAll(copy, file));
    if (!(error instanceof Database.SqliteError)) throw error;
    throw new OpenError(`${file} is not restored: it is damaged (${error.message}).`);
  }
}

/** Another epoch: clients that have seen more than the backup holds start over, instead of mixing two histories. */
function renew(copy: string): string {
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

function swap(copy: string, database: string, mark: string): string | undefined {
  const former = existsSync(database) ? `${database}.${mark}` : undefined;
  if (former !== undefined) keep(database, former);
  for (const rest of ['-wal', '-shm']) rmSync(database + rest, { force: true }); // they belong to the former one
  renameSync(copy, database);
  syncName(database);
  return former;
}

/** Under a second name, so that the first is never missing; with what its write-ahead log holds. */
function keep(database: string, former: string): void {
  if (!foldLog(database) && existsSync(`${database}-wal`)) copyFileSync(`${database}-wal`, `${former}-wal`);
  try {
    linkSync(database, former);
  } catch {
    copyFileSync(database, former); // a file system without hard links
  }
  syncName(former);
}

/** False when the file is too broken for that: then it is kept as it is. */
function foldLog(database: string): boolean {
  try {
    const db = new Database(database);
    const [state] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]; // SQLite's own answer
    db.close();
    return state?.busy === 0;
  } catch {
    return false;
  }
}
