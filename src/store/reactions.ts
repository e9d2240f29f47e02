/** The reactions that stand. A message's row counts its own, so that a page without any asks for none. */
import type Database from 'better-sqlite3';
import type { Message, Person } from '../chat/book.js';
import type { Reaction } from '../protocol.js';

interface Row {
  readonly target: number;
  readonly id: number;
  readonly userId: string;
  readonly name: string;
  readonly data: string;
}

export class Reactions {
  readonly #stands: Database.Statement<[number, number, number, string], number>;
  readonly #add: Database.Statement<[number, number, number, number, string, string]>;
  readonly #remove: Database.Statement<[number, number, number, string]>;
  readonly #clear: Database.Statement<[number, number]>;
  readonly #count: Database.Statement<[number, number]>;
  readonly #between: Database.Statement<[number, number, number], Row>;

  constructor(db: Database.Database) {
    const one = 'room = ? AND target = ? AND person = ? AND data = ?';
    this.#stands = db
      .prepare<[number, number, number, string], number>(`SELECT 1 FROM reactions WHERE ${one}`)
      .pluck();
    this.#add = db.prepare(
      'INSERT INTO reactions (room, target, id, person, name, data) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#remove = db.prepare(`DELETE FROM reactions WHERE ${one}`);
    this.#clear = db.prepare('DELETE FROM reactions WHERE room = ? AND target = ?');
    this.#count = db.prepare(`INSERT INTO states (event, reacted) VALUES (?, ?)
      ON CONFLICT DO UPDATE SET reacted = coalesce(reacted, 0) + excluded.reacted`);
    this.#between = db.prepare(`SELECT a.target, a.id, p.id AS userId, a.name, a.data
      FROM reactions a JOIN people p USING (person) WHERE a.room = ? AND a.target BETWEEN ? AND ?
      ORDER BY a.target, a.id`);
  }

  stands({ roomKey, id }: Message, person: Person, emoji: string): boolean {
    return this.#stands.get(roomKey, id, person.key, emoji) !== undefined;
  }

  /** `event`: the number of the react event; `name`: the person's at that time. */
  add(message: Message, event: number, person: Person, name: string, emoji: string): void {
    this.#add.run(message.roomKey, message.id, event, person.key, name, emoji);
    this.#count.run(message.key, 1);
  }

  remove(message: Message, person: Person, emoji: string): void {
    this.#remove.run(message.roomKey, message.id, person.key, emoji);
    this.#count.run(message.key, -1);
  }

  clear({ roomKey, id }: Message): void {
    this.#clear.run(roomKey, id);
  }

  /** Those of the messages `from` to `to` of a room, by the message's number, each in the order of their own. */
  between(roomKey: number, from: number, to: number): ReadonlyMap<number, readonly Reaction[]> {
    const found = new Map<number, Reaction[]>();
    for (const { target, id, userId, name, data } of this.#between.iterate(roomKey, from, to)) {
      const reactions = found.get(target) ?? [];
      reactions.push({ id, user: { id: userId, name }, data });
      found.set(target, reactions);
    }
    return found;
  }
}
