/**
 * The rooms' numbered events in SQLite: append one, find one by its cid, read a page. Reads see what is committed, and
 * within a beat also what the beat has written so far.
 */
import type Database from 'better-sqlite3';
import type { EventBook, Kept, Person, Said } from '../chat/book.js';
import type { RoomEvent } from '../protocol.js';

interface Row {
  readonly room: string;
  readonly id: number;
  readonly userId: string;
  readonly name: string;
  readonly data: string;
  readonly at: number;
  readonly cid: string | null;
}

interface Numbered {
  readonly room: number;
  readonly last: number;
  readonly at: number;
}

const COLUMNS = `SELECT r.name AS room, e.id, p.id AS userId, e.name, e.data, e.at, e.cid
  FROM events e JOIN people p USING (person) JOIN rooms r USING (room)`;

export class Log implements EventBook {
  readonly #number: Database.Statement<[string, number], Numbered>;
  readonly #insert: Database.Statement<
    [number, number, string, number, string, string, number, string | null]
  >;
  readonly #byCid: Database.Statement<[number, string], Row>;
  readonly #last: Database.Statement<[string], number>;
  readonly #after: Database.Statement<[string, number, number], Row>;
  readonly #before: Database.Statement<[string, number, number], Row>;

  constructor(db: Database.Database) {
    this.#number = db.prepare(`INSERT INTO rooms (name, last, at) VALUES (?, 1, ?)
      ON CONFLICT (name) DO UPDATE SET last = last + 1, at = max(at, excluded.at) RETURNING room, last, at`);
    this.#insert = db.prepare(
      'INSERT INTO events (room, id, type, person, name, data, at, cid) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#byCid = db.prepare(`${COLUMNS} WHERE e.person = ? AND e.cid = ?`);
    this.#last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
    const inRoom = `${COLUMNS} WHERE e.room = (SELECT room FROM rooms WHERE name = ?)`;
    this.#after = db.prepare(`${inRoom} AND e.id > ? ORDER BY e.id LIMIT ?`);
    this.#before = db.prepare(`${inRoom} AND e.id < ? ORDER BY e.id DESC LIMIT ?`);
  }

  append(room: string, person: Person, said: Said): RoomEvent {
    const numbered = this.#number.get(room, said.at);
    if (!numbered) throw new Error(`room ${room} got no number`);
    const { last: id, at } = numbered;
    const { user, data, cid } = said;
    this.#insert.run(numbered.room, id, 'chat', person.key, user.name, data, at, cid ?? null);
    return { id, type: 'chat', user, data, at, ...(cid === undefined ? {} : { cid }) };
  }

  kept(person: Person, cid: string): Kept | undefined {
    const row = this.#byCid.get(person.key, cid);
    return row && { room: row.room, event: toEvent(row) };
  }

  /** The room's newest number; 0 while nothing was said in it. */
  last(room: string): number {
    return this.#last.get(room) ?? 0;
  }

  /** At most `limit` events after number `id`, ascending. */
  after(room: string, id: number, limit: number): RoomEvent[] {
    return this.#after.all(room, id, limit).map(toEvent);
  }

  /** At most `limit` events right before number `id`, ascending. */
  before(room: string, id: number, limit: number): RoomEvent[] {
    return this.#before.all(room, id, limit).map(toEvent).reverse();
  }
}

function toEvent(row: Row): RoomEvent {
  const user = { id: row.userId, name: row.name };
  const event = { id: row.id, type: 'chat', user, data: row.data, at: row.at } as const;
  return row.cid === null ? event : { ...event, cid: row.cid };
}
