/**
 * A copy of the database as it is at one moment, while a server goes on writing. The read transaction stays open over
 * the whole copy: SQLite would start over with each foreign commit otherwise, and never end under constant writing.
 * The copy has its name only when it is whole and on the disk.
 */
import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { syncFile, syncName } from './disk.js';
import { openForReading } from './open.js';

/** Pages copied between two reports: 16 MB. */
const STEP = 4096;

export interface Copied {
  readonly bytes: number;
  readonly epoch: string;
}

export class ExistsError extends Error {}

/** @throws ExistsError, OpenError, or the file system's error; then nothing is left of the copy */
export async function backUp(
  from: string,
  to: string,
  report: (done: number, total: number) => void,
): Promise<Copied> {
  refuseExisting(to);
  const db = openForReading(from);
  const part = `${to}.partial`;
  try {
    closeSync(openSync(part, 'w', 0o600)); // it holds the signing keys: for its owner only
    const copied = await copy(db, part, report);
    makeOneFile(part);
    syncFile(part);
    refuseExisting(to);
    renameSync(part, to);
    syncName(to);
    return copied;
  } catch (error) {
    for (const rest of ['', '-wal', '-shm', '-journal']) rmSync(part + rest, { force: true });
    throw error;
  } finally {
    db.close();
  }
}

async function copy(
  db: Database.Database,
  part: string,
  report: (done: number, total: number) => void,
): Promise<Copied> {
  db.exec('BEGIN');
  const epoch = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'epoch'").pluck().get() ?? '';
  const { totalPages } = await db.backup(part, {
    progress({ totalPages, remainingPages }) {
      report(totalPages - remainingPages, totalPages);
      return STEP;
    },
  });
  db.exec('COMMIT');
  return { bytes: totalPages * Number(db.pragma('page_size', { simple: true })), epoch };
}

/** Without a write-ahead log to come: who only reads the backup leaves nothing beside it. */
function makeOneFile(part: string): void {
  const copy = new Database(part);
  copy.pragma('journal_mode = DELETE');
  copy.close();
}

function refuseExisting(file: string): void {
  if (existsSync(file)) throw new ExistsError(`${file} exists already: give another name.`);
}
