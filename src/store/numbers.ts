/**
 * The next number of each room, and its time. Of the rooms that spoke lately both are known here, so a message costs one
 * update by key; the row is what counts, and what is known is forgotten with every rollback.
 */
import type Database from 'better-sqlite3';

export interface Numbered {
  /** the room's key */
  readonly room: number;
  readonly last: number;
  readonly at: number;
}

const KNOWN_MOST = 1000;

export class Numbers {
  readonly #known = new Map<string, Numbered>();
  readonly #find: Database.Statement<[string], Numbered>;
  readonly #add: Database.Statement<[string, number]>;
  readonly #move: Database.Statement<[number, number, number]>;

  constructor(db: Database.Database) {
    this.#find = db.prepare('SELECT room, last, at FROM rooms WHERE name = ?');
    this.#add = db.prepare('INSERT INTO rooms (name, last, at) VALUES (?, 1, ?)');
    this.#move = db.prepare('UPDATE rooms SET last = ?, at = ? WHERE room = ?');
  }

  /** One more in the room; its time never goes back. */
  next(name: string, at: number): Numbered {
    const before = this.#known.get(name) ?? this.#find.get(name);
    const numbered = before
      ? { room: before.room, last: before.last + 1, at: Math.max(before.at, at) }
      : { room: Number(this.#add.run(name, at).lastInsertRowid), last: 1, at };
    if (before) this.#move.run(numbered.last, numbered.at, numbered.room);
    if (this.#known.size >= KNOWN_MOST && !this.#known.has(name)) this.forget();
    this.#known.set(name, numbered);
    return numbered;
  }

  /** The key of a room; undefined while nothing was said in it. */
  keyOf(name: string): number | undefined {
    return (this.#known.get(name) ?? this.#find.get(name))?.room;
  }

  forget(): void {
    this.#known.clear();
  }
}
