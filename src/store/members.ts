/** Who has been in which room, and up to which number they have read it. */
import type Database from 'better-sqlite3';
import type { MemberBook, Person } from '../chat/book.js';
import type { Mark } from '../chat/command.js';
import type { User } from '../protocol.js';
import { LIMIT } from './limit.js';

/** A room that somebody has been in. */
export interface Membership {
  readonly room: string;
  readonly last: number;
  readonly read: number;
}

interface Place {
  readonly room: number;
  readonly last: number;
  readonly read: number | null;
}

/** Rooms that one person has been in. In more than that nobody reads; the one that has been still for longest is forgotten. */
const MOST = 1000;

export class Members implements MemberBook {
  readonly #enter: Database.Statement<[number, string]>;
  readonly #count: Database.Statement<[number], number>;
  readonly #forget: Database.Statement<[number, number, number]>;
  readonly #place: Database.Statement<[number, string], Place>;
  readonly #mark: Database.Statement<[number, number, number]>;
  readonly #leaveAll: Database.Statement<[number]>;
  readonly #of: Database.Statement<[string, number], Membership>;

  constructor(db: Database.Database) {
    this.#enter = db.prepare(
      'INSERT OR IGNORE INTO members (person, room) SELECT ?, room FROM rooms WHERE name = ?',
    );
    this.#count = db.prepare<[number], number>('SELECT count(*) FROM members WHERE person = ?').pluck();
    this.#forget = db.prepare(`DELETE FROM members WHERE person = ? AND room IN (
      SELECT room FROM members JOIN rooms USING (room) WHERE person = ? ORDER BY at, room ${LIMIT})`);
    this.#place = db.prepare(`SELECT r.room, r.last, m.read FROM rooms r
      LEFT JOIN members m ON m.person = ? AND m.room = r.room WHERE r.name = ?`);
    this.#mark = db.prepare(`INSERT INTO members (person, room, read) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET read = excluded.read`);
    this.#leaveAll = db.prepare('DELETE FROM members WHERE person = ?');
    this.#of = db.prepare(`SELECT r.name AS room, r.last, m.read FROM members m JOIN rooms r USING (room)
      WHERE m.person = (SELECT person FROM people WHERE id = ?) ORDER BY r.at DESC, r.room DESC ${LIMIT}`);
  }

  enter(room: string, person: Person): void {
    if (this.#enter.run(person.key, room).changes > 0) this.#keepMost(person);
  }

  read(room: string, person: Person, id: number): Mark {
    const place = this.#place.get(person.key, room);
    if (!place) return { last: 0, read: 0, moved: false };
    const [last, before] = [place.last, place.read ?? 0];
    const read = Math.max(before, Math.min(id, last));
    if (place.read === null || read > before) this.#mark.run(person.key, place.room, read);
    if (place.read === null) this.#keepMost(person);
    return { last, read, moved: read > before };
  }

  leaveAll(person: Person): void {
    this.#leaveAll.run(person.key);
  }

  /** The rooms that somebody has been in, those that moved last first. */
  of(user: User, limit: number): Membership[] {
    return this.#of.all(user.id, limit);
  }

  #keepMost(person: Person): void {
    const over = (this.#count.get(person.key) ?? 0) - MOST;
    if (over > 0) this.#forget.run(person.key, person.key, over);
  }
}
