/**
 * One server on one data folder. The lock is SQLite's own on a file beside the database: the kernel lets go of it when
 * the process dies, however it dies, and readers of the database (backup, verify) are not kept out.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';

export class LockedError extends Error {}

/** Holds the folder until the returned function is called. @throws LockedError when another server holds it */
export function lockFolder(dataDir: string): () => void {
  const lock = new Database(join(dataDir, 'oneport.lock'), { timeout: 0 });
  try {
    lock.pragma('journal_mode = MEMORY'); // no journal file is left behind
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
