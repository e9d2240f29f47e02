/** The people in SQLite: their names, when they were last here, whether they signed out. */
import type Database from 'better-sqlite3';
import type { LinkToken, PeopleStorage, Person } from '../chat/types.js';
import type { User } from '../shared/protocol.js';
import { PeopleChain } from './chain.js';
import { limitClause } from './database.js';

interface Row {
  readonly key: number;
  readonly id: string;
  readonly name: string;
  readonly lastSeen: number;
  readonly ownsName: number;
  readonly signedOut: number;
  readonly generation: number;
  readonly hasPosted: number;
}

const maxCachedPeople = 1000;
const selectPeople = `SELECT person AS key, id, name, seen AS lastSeen, skeleton IS NOT NULL AS ownsName,
  signed_out AS signedOut, generation, posted AS hasPosted FROM people`;

/** Names that are examined for one prefix; a longer prefix finds the others. */
const maxPrefixMatches = 2000;

export class PeopleStore implements PeopleStorage {
  /** Every message asks for its author. The cache is cleared by each change and each rollback. A reader cannot see changes. */
  readonly #cache = new Map<string, Person>();
  readonly #chain: PeopleChain;
  readonly #byId: Database.Statement<[string], Row>;
  readonly #bySkeleton: Database.Statement<[string], Row>;
  readonly #named: Database.Statement<[string, string, number, number], User>;
  readonly #add: Database.Statement<[string, string, string | null, number]>;
  readonly #rename: Database.Statement<[string, string, number, number]>;
  readonly #free: Database.Statement<[number]>;
  readonly #signOut: Database.Statement<[number, number, number]>;
  readonly #signBackIn: Database.Statement<[string | null, number, number]>;
  readonly #setPosted: Database.Statement<[number]>;
  readonly #byKey: Database.Statement<[number], Row>;
  readonly #setLink: Database.Statement<[string, number, number]>;
  readonly #findLink: Database.Statement<[string], { readonly person: number; readonly expires: number }>;
  readonly #deleteLink: Database.Statement<[number]>;
  readonly #deleteLinksBefore: Database.Statement<[number]>;
  readonly #touch: Database.Statement<[number, number]>;

  readonly #isCached: boolean;

  constructor(db: Database.Database, { isCached = true } = {}) {
    this.#isCached = isCached;
    this.#chain = new PeopleChain(db);
    this.#byId = db.prepare(`${selectPeople} WHERE id = ?`);
    this.#bySkeleton = db.prepare(`${selectPeople} WHERE skeleton = ?`);
    this.#named = db.prepare(`SELECT id, name FROM (
        SELECT id, name, seen, person FROM people
        WHERE skeleton >= ? AND skeleton < ? AND signed_out = 0 ${limitClause})
      ORDER BY seen DESC, person DESC ${limitClause}`);
    this.#add = db.prepare('INSERT INTO people (id, name, skeleton, seen) VALUES (?, ?, ?, ?)');
    this.#rename = db.prepare('UPDATE people SET name = ?, skeleton = ?, seen = ? WHERE person = ?');
    this.#free = db.prepare('UPDATE people SET skeleton = NULL WHERE person = ?');
    this.#signOut = db.prepare('UPDATE people SET signed_out = 1, generation = ?, seen = ? WHERE person = ?');
    this.#signBackIn = db.prepare(
      'UPDATE people SET signed_out = 0, skeleton = ?, seen = ? WHERE person = ?',
    );
    this.#setPosted = db.prepare('UPDATE people SET posted = 1 WHERE person = ?');
    this.#byKey = db.prepare(`${selectPeople} WHERE person = ?`);
    this.#setLink = db.prepare('INSERT OR REPLACE INTO links (hash, person, expires) VALUES (?, ?, ?)');
    this.#findLink = db.prepare('SELECT person, expires FROM links WHERE hash = ?');
    this.#deleteLink = db.prepare('DELETE FROM links WHERE person = ?');
    this.#deleteLinksBefore = db.prepare('DELETE FROM links WHERE expires <= ?');
    this.#touch = db.prepare('UPDATE people SET seen = ? WHERE person = ?');
  }

  person(id: string): Person | undefined {
    const known = this.#cache.get(id);
    if (known) return known;
    const person = toPerson(this.#byId.get(id));
    if (this.#cache.size >= maxCachedPeople) this.clearCache();
    if (person && this.#isCached) this.#cache.set(id, person);
    return person;
  }

  /** Returns the name of a person; undefined when there is none, or when it cannot be read. */
  nameOf(id: string): string | undefined {
    try {
      return this.person(id)?.name;
    } catch {
      return undefined; // the next command tells that the database is damaged
    }
  }

  /** The newest time in the chain of people. */
  get newestTime(): number {
    return this.#chain.newestTime;
  }

  onRollback(): void {
    this.clearCache();
    this.#chain.clearCache();
  }

  /** Call it after a change, because the cached rows may be wrong. */
  clearCache(): void {
    this.#cache.clear();
  }

  ownerOf(skeleton: string): Person | undefined {
    return toPerson(this.#bySkeleton.get(skeleton));
  }

  /** Returns the people whose skeleton begins with a prefix, the most recently seen first. */
  withPrefix(prefix: string, limit: number): User[] {
    return this.#named.all(prefix, `${prefix}\u{10ffff}`, maxPrefixMatches, limit);
  }

  addPerson({ id, name }: User, skeleton: string | null, seen: number): Person {
    this.clearCache();
    const key = Number(this.#add.run(id, name, skeleton, seen).lastInsertRowid);
    this.#chain.append('sign-in', key, seen);
    return {
      ...{ key, id, name, lastSeen: seen },
      ...{ ownsName: skeleton !== null, signedOut: false, generation: 0, hasPosted: false },
    };
  }

  rename(person: Person, name: string, skeleton: string, seen: number): void {
    this.clearCache();
    this.#rename.run(name, skeleton, seen, person.key);
    this.#chain.append('rename', person.key, seen);
  }

  /** The entry of the person who takes the name says it. */
  freeName(person: Person): void {
    this.clearCache();
    this.#free.run(person.key);
  }

  signOut(person: Person, generation: number, seen: number): void {
    this.clearCache();
    this.#signOut.run(generation, seen, person.key);
    this.#chain.append('sign-out', person.key, seen);
  }

  signBackIn(person: Person, skeleton: string | null, seen: number): void {
    this.clearCache();
    this.#signBackIn.run(skeleton, seen, person.key);
    this.#chain.append('return', person.key, seen);
  }

  setPosted(person: Person): void {
    this.clearCache();
    this.#setPosted.run(person.key);
  }

  setLink(person: Person, { hash, expires }: LinkToken, at: number): void {
    this.#deleteLinksBefore.run(at);
    this.#setLink.run(hash, person.key, expires);
    this.#chain.append('link', person.key, at);
  }

  findLink(hash: string): { readonly person: Person; readonly expires: number } | undefined {
    const link = this.#findLink.get(hash);
    const person = link && toPerson(this.#byKey.get(link.person));
    return person && { person, expires: link.expires };
  }

  deleteLink(person: Person, at: number): void {
    if (this.#deleteLink.run(person.key).changes > 0) this.#chain.append('unlink', person.key, at);
  }

  updateLastSeen(person: Person, seen: number): void {
    this.clearCache();
    this.#touch.run(seen, person.key);
  }
}

function toPerson(row: Row | undefined): Person | undefined {
  if (!row) return undefined;
  const { ownsName, signedOut, hasPosted } = row;
  return { ...row, ownsName: ownsName === 1, signedOut: signedOut === 1, hasPosted: hasPosted === 1 };
}
