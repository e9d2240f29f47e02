/** Who is called by which message, as its text is now: for the list of what calls me. */
import type Database from 'better-sqlite3';
import type { User } from '../protocol.js';
import { LIMIT } from './limit.js';

export class Mentions {
  readonly #add: Database.Statement<[number, string]>;
  readonly #clear: Database.Statement<[number]>;
  readonly #of: Database.Statement<[string, number, number], number>;

  constructor(db: Database.Database) {
    this.#add = db.prepare('INSERT INTO mentions SELECT person, ? FROM people WHERE id = ?');
    this.#clear = db.prepare('DELETE FROM mentions WHERE event = ?');
    this.#of = db
      .prepare<[string, number, number], number>(
        `SELECT event FROM mentions WHERE person = (SELECT person FROM people WHERE id = ?) AND event < ?
          ORDER BY event DESC ${LIMIT}`,
      )
      .pluck();
  }

  add(event: number, users: readonly User[] | undefined): void {
    for (const { id } of users ?? []) this.#add.run(event, id);
  }

  clear(event: number): void {
    this.#clear.run(event);
  }

  /** The seqs of the messages that call somebody, newest first, below `before`. */
  of(user: User, before: number, limit: number): number[] {
    return this.#of.all(user.id, before, limit);
  }
}
