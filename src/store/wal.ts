/**
 * The write-ahead log is emptied soon after something was deleted: it holds the pages as they were before. Not for each
 * deletion, since it costs a sync of the whole, and never waiting for a reader (backup, verify): then it tries again.
 */
import Database from 'better-sqlite3';

/** Ticks (seconds) from a deletion to the emptying, and so between two. */
const TICKS = 3;

export class WriteAheadLog {
  readonly #db: Database.Database;
  #emptied = -1; // a server that was killed may have left something to do
  #ticks = 0;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** `erased` counts deletions: it has grown when there is something to do. */
  tick(erased: number): void {
    if (erased === this.#emptied || ++this.#ticks < TICKS) return;
    this.#ticks = 0;
    if (this.#empty()) this.#emptied = erased;
  }

  #empty(): boolean {
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
