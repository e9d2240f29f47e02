/**
 * The rooms in which something was said lately, by when. Kept in memory: an index on the time would be written with every
 * message. Only for showing: what a beat that failed has left here names a room, and its row says the rest.
 */
import type Database from 'better-sqlite3';
import { LIMIT } from './limit.js';

export interface ActiveRoom {
  readonly room: string;
  readonly last: number;
}

/** Rooms remembered; twice as many before the oldest half is forgotten. */
const MOST = 1000;

export class Activity {
  readonly #last: Database.Statement<[string], number>;
  /** the oldest first */
  #rooms: Set<string>;

  constructor(db: Database.Database) {
    this.#last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
    const newest = db.prepare<[number], string>(
      `SELECT name FROM rooms ORDER BY at DESC, room DESC ${LIMIT}`,
    );
    this.#rooms = new Set(newest.pluck().all(MOST).reverse());
  }

  moved(room: string): void {
    this.#rooms.delete(room);
    this.#rooms.add(room);
    if (this.#rooms.size > 2 * MOST) this.#rooms = new Set([...this.#rooms].slice(MOST));
  }

  /** At most `limit` rooms, those that moved last first, without some. */
  newest(limit: number, without: ReadonlySet<string>): ActiveRoom[] {
    const found: ActiveRoom[] = [];
    for (const room of [...this.#rooms].reverse()) {
      if (found.length === limit) break;
      const last = without.has(room) ? undefined : this.#last.get(room);
      if (last !== undefined) found.push({ room, last });
    }
    return found;
  }
}
