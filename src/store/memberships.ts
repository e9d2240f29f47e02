/** Who has been in which room, and up to which number they have read it. */
import type Database from 'better-sqlite3';
import type { MembershipStorage, Person, ReadMark } from '../chat/types.js';
import type { User } from '../shared/protocol.js';
import { LIMIT } from './database.js';

/** A room that somebody has been in. */
export interface Membership {
  readonly room: string;
  readonly last: number;
  readonly read: number;
}

interface RoomPosition {
  readonly room: number;
  readonly last: number;
  readonly read: number | null;
}

/** Rooms that one person has been in. In more than that nobody reads; the one that has been still for longest is forgotten. */
const MAX_ROOMS_PER_PERSON = 1000;

export class MembershipStore implements MembershipStorage {
  readonly #flushRooms: () => void;
  readonly #enter: Database.Statement<[number, string]>;
  readonly #count: Database.Statement<[number], number>;
  readonly #deleteOldest: Database.Statement<[number, number, number]>;
  readonly #position: Database.Statement<[number, string], RoomPosition>;
  readonly #setMark: Database.Statement<[number, number, number]>;
  readonly #leaveAll: Database.Statement<[number]>;
  readonly #of: Database.Statement<[string, number], Membership>;

  /** `flushRooms` brings the rows of the rooms up to date within a transaction. */
  constructor(db: Database.Database, flushRooms: () => void) {
    this.#flushRooms = flushRooms;
    this.#enter = db.prepare(
      'INSERT OR IGNORE INTO members (person, room) SELECT ?, room FROM rooms WHERE name = ?',
    );
    this.#count = db.prepare<[number], number>('SELECT count(*) FROM members WHERE person = ?').pluck();
    this.#deleteOldest = db.prepare(`DELETE FROM members WHERE person = ? AND room IN (
      SELECT room FROM members JOIN rooms USING (room) WHERE person = ? ORDER BY at, room ${LIMIT})`);
    this.#position = db.prepare(`SELECT r.room, r.last, m.read FROM rooms r
      LEFT JOIN members m ON m.person = ? AND m.room = r.room WHERE r.name = ?`);
    this.#setMark = db.prepare(`INSERT INTO members (person, room, read) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET read = excluded.read`);
    this.#leaveAll = db.prepare('DELETE FROM members WHERE person = ?');
    this.#of = db.prepare(`SELECT r.name AS room, r.last, m.read FROM members m JOIN rooms r USING (room)
      WHERE m.person = (SELECT person FROM people WHERE id = ?) ORDER BY r.at DESC, r.room DESC ${LIMIT}`);
  }

  enter(room: string, person: Person): void {
    if (this.#enter.run(person.key, room).changes > 0) this.#enforceLimit(person);
  }

  advanceReadMark(room: string, person: Person, id: number): ReadMark {
    this.#flushRooms();
    const place = this.#position.get(person.key, room);
    if (!place) return { last: 0, read: 0, advanced: false };
    const [last, before] = [place.last, place.read ?? 0];
    const read = Math.max(before, Math.min(id, last));
    if (place.read === null || read > before) this.#setMark.run(person.key, place.room, read);
    if (place.read === null) this.#enforceLimit(person);
    return { last, read, advanced: read > before };
  }

  leaveAll(person: Person): void {
    this.#leaveAll.run(person.key);
  }

  /** The rooms that somebody has been in, those that moved last first. */
  list(user: User, limit: number): Membership[] {
    return this.#of.all(user.id, limit);
  }

  #enforceLimit(person: Person): void {
    const over = (this.#count.get(person.key) ?? 0) - MAX_ROOMS_PER_PERSON;
    if (over <= 0) return;
    this.#flushRooms();
    this.#deleteOldest.run(person.key, person.key, over);
  }
}

/**
 * The rooms in which something was said lately, by when. Kept in memory: an index on the time would be written with every
 * message. Only for showing: what a beat that failed has left here names a room, and its row says the rest.
 */

export interface RecentRoom {
  readonly room: string;
  readonly last: number;
}

/** Rooms remembered; twice as many before the oldest half is forgotten. */
const MAX_RECENT_ROOMS = 1000;

export class RecentRooms {
  readonly #last: Database.Statement<[string], number>;
  /** the oldest first */
  #rooms: Set<string>;

  constructor(db: Database.Database) {
    this.#last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
    const newest = db.prepare<[number], string>(
      `SELECT name FROM rooms ORDER BY at DESC, room DESC ${LIMIT}`,
    );
    this.#rooms = new Set(newest.pluck().all(MAX_RECENT_ROOMS).reverse());
  }

  touch(room: string): void {
    this.#rooms.delete(room);
    this.#rooms.add(room);
    if (this.#rooms.size > 2 * MAX_RECENT_ROOMS)
      this.#rooms = new Set([...this.#rooms].slice(MAX_RECENT_ROOMS));
  }

  /** At most `limit` rooms, those that moved last first, without some. */
  list(limit: number, without: ReadonlySet<string>): RecentRoom[] {
    const found: RecentRoom[] = [];
    for (const room of [...this.#rooms].reverse()) {
      if (found.length === limit) break;
      const last = without.has(room) ? undefined : this.#last.get(room);
      if (last !== undefined) found.push({ room, last });
    }
    return found;
  }
}
