/** The people's book in SQLite: who took which name, when they were last here, who signed out. */
import type Database from 'better-sqlite3';
import type { Person, PersonBook } from '../chat/book.js';
import type { User } from '../protocol.js';
import { LIMIT } from './limit.js';

interface Row {
  readonly key: number;
  readonly id: string;
  readonly name: string;
  readonly seen: number;
  readonly signedOut: number;
}

const KNOWN_MOST = 1000;
const COLUMNS = 'SELECT person AS key, id, name, seen, signed_out AS signedOut FROM people';

/** So many with a short beginning are looked at; who types on finds the rest. */
const LOOK = 2000;

export class PeopleBook implements PersonBook {
  /** Looked up lately: who speaks is asked for with every message. Forgotten at every change and every rollback. */
  readonly #known = new Map<string, Person>();
  readonly #byId: Database.Statement<[string], Row>;
  readonly #bySkeleton: Database.Statement<[string], Row>;
  readonly #named: Database.Statement<[string, string, number, number], User>;
  readonly #add: Database.Statement<[string, string, string | null, number]>;
  readonly #rename: Database.Statement<[string, string, number, number]>;
  readonly #free: Database.Statement<[number]>;
  readonly #signOut: Database.Statement<[number]>;
  readonly #touch: Database.Statement<[number, number]>;

  constructor(db: Database.Database) {
    this.#byId = db.prepare(`${COLUMNS} WHERE id = ?`);
    this.#bySkeleton = db.prepare(`${COLUMNS} WHERE skeleton = ?`);
    this.#named = db.prepare(`SELECT id, name FROM (
        SELECT id, name, seen, person FROM people WHERE skeleton >= ? AND skeleton < ? ${LIMIT})
      ORDER BY seen DESC, person DESC ${LIMIT}`);
    this.#add = db.prepare('INSERT INTO people (id, name, skeleton, seen) VALUES (?, ?, ?, ?)');
    this.#rename = db.prepare('UPDATE people SET name = ?, skeleton = ?, seen = ? WHERE person = ?');
    this.#free = db.prepare('UPDATE people SET skeleton = NULL WHERE person = ?');
    this.#signOut = db.prepare('UPDATE people SET skeleton = NULL, signed_out = 1 WHERE person = ?');
    this.#touch = db.prepare('UPDATE people SET seen = ? WHERE person = ?');
  }

  person(id: string): Person | undefined {
    const known = this.#known.get(id);
    if (known) return known;
    const person = toPerson(this.#byId.get(id));
    if (this.#known.size >= KNOWN_MOST) this.forget();
    if (person) this.#known.set(id, person);
    return person;
  }

  /** What is remembered may be wrong: something was written, or taken back. */
  forget(): void {
    this.#known.clear();
  }

  ownerOf(skeleton: string): Person | undefined {
    return toPerson(this.#bySkeleton.get(skeleton));
  }

  /** People whose skeleton begins so, those seen last first. */
  named(begin: string, limit: number): User[] {
    return this.#named.all(begin, `${begin}\u{10ffff}`, LOOK, limit);
  }

  addPerson({ id, name }: User, skeleton: string | null, seen: number): Person {
    this.forget();
    const { lastInsertRowid } = this.#add.run(id, name, skeleton, seen);
    return { key: Number(lastInsertRowid), id, name, signedOut: false, seen };
  }

  rename(person: Person, name: string, skeleton: string, seen: number): void {
    this.forget();
    this.#rename.run(name, skeleton, seen, person.key);
  }

  freeName(person: Person): void {
    this.forget();
    this.#free.run(person.key);
  }

  signOut(person: Person): void {
    this.forget();
    this.#signOut.run(person.key);
  }

  touch(person: Person, seen: number): void {
    this.forget();
    this.#touch.run(seen, person.key);
  }
}

function toPerson(row: Row | undefined): Person | undefined {
  return row && { ...row, signedOut: row.signedOut === 1 };
}
