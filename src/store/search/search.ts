/**
 * Finds messages by their words, newest first. It goes back through the log era by era, some milliseconds at a time, and
 * all searches of all people take turns: the worst search there is holds up nobody, and needs no thread of its own.
 */
import type Database from 'better-sqlite3';
import { skeleton } from '../../chat/names.js';
import { parseRoom } from '../../shared/parse.js';
import type { SearchPage } from '../../shared/protocol.js';
import type { MessageLoader } from '../events.js';
import type { PeopleStore } from '../people.js';
import { ERA } from './era.js';
import type { WordIndex } from './index.js';
import { Lookup, type Plan, type Terms } from './lookup.js';
import { Turns } from './turns.js';
import { eraOf, mark, parseQuery } from './words.js';

export interface Wanted {
  readonly q: string;
  readonly room: string | undefined;
  /** a number of that room, or without a room a place in the one order; newest first from there */
  readonly before: number | undefined;
  readonly limit: number;
}

export interface SearchParts {
  readonly found: MessageLoader;
  readonly people: PeopleStore;
  readonly index: WordIndex;
  /** brings the index further for some milliseconds; false when nothing was left to do */
  readonly fill: (ms: number) => boolean;
  /** the place in the one order of the first event of a room from a number on */
  readonly placeOf: (room: number, id: number) => number | undefined;
}

/** Milliseconds after which it is another's turn. */
const TURN_MS = 2;
/** Milliseconds: one piece of filling, all filling before a search, and a whole search before it says what it has. */
const FILL_MS = { piece: 6, all: 250 } as const;
const SEARCH_MS = 2000;

export class Search {
  readonly #parts: SearchParts;
  readonly #db: Database.Database;
  readonly #turns = new Turns();
  readonly #lookup: Lookup;
  readonly #room: Database.Statement<[string], { readonly key: number; readonly last: number }>;

  constructor(db: Database.Database, parts: SearchParts) {
    this.#parts = parts;
    this.#db = db;
    this.#lookup = new Lookup(db, parts.index);
    this.#room = db.prepare('SELECT room AS key, last FROM rooms WHERE name = ?');
  }

  async find(wanted: Wanted): Promise<SearchPage> {
    const filled = await this.#fill();
    const terms = this.#db.open ? this.#termsOf(wanted) : undefined;
    if (terms === undefined) return { messages: [], complete: filled && this.#db.open };
    const { seqs, end } = await this.#goBack(terms, this.#before(wanted), wanted.limit + 1);
    if (!this.#db.open) return { messages: [], complete: false };
    const full = seqs.length > wanted.limit;
    const messages = this.#parts.found.load(seqs.slice(0, wanted.limit));
    const next = this.#next(wanted, (full ? seqs[wanted.limit - 1] : undefined) ?? end);
    return {
      messages,
      ...(next === undefined ? {} : { next }),
      complete: filled && (full || next === undefined),
    };
  }

  /** Lets the index catch up, for a while. True when it has. */
  async #fill(): Promise<boolean> {
    const until = performance.now() + FILL_MS.all;
    while (this.#parts.fill(FILL_MS.piece)) {
      if (performance.now() > until) return false;
      await this.#turns.next();
    }
    return true;
  }

  /** At most so many, newest first, and up to where the log was looked through: 0 is all of it. */
  async #goBack(terms: Terms, from: number, count: number): Promise<{ seqs: number[]; end: number }> {
    const until = performance.now() + SEARCH_MS;
    const seqs: number[] = [];
    let end = from;
    let plan: Plan | undefined;
    while (end > 0 && seqs.length < count && performance.now() < until) {
      await this.#turns.next();
      if (!this.#db.open) break; // the server has stopped meanwhile
      plan ??= this.#lookup.plan(terms, Math.max(0, eraOf(from - 1) - 1)); // the newest era may have just begun
      const turn = performance.now() + TURN_MS;
      do {
        const era = eraOf(end - 1);
        const wanted = count - seqs.length;
        const found = this.#lookup.in(era, plan, end, wanted);
        seqs.push(...this.#now(found));
        end = found.length < wanted ? era * ERA : (found.at(-1) ?? 0);
      } while (end > 0 && seqs.length < count && performance.now() < turn);
    }
    return { seqs, end };
  }

  /** Without those whose text the index does not know yet: they were changed while we searched. */
  #now(seqs: readonly number[]): number[] {
    return seqs.filter((seq) => !this.#parts.index.isOutdated(seq));
  }

  /** Undefined: nothing can be found. */
  #termsOf({ q, room }: Wanted): Terms | undefined {
    const { words, from, rooms } = parseQuery(q);
    const people = from.flatMap((name) => this.#parts.people.ownerOf(skeleton(name))?.key ?? []);
    const keys = rooms.flatMap((name) => this.#room.get(parseRoom(name) ?? '')?.key ?? []);
    const unknown = (from.length > 0 && people.length === 0) || (rooms.length > 0 && keys.length === 0);
    if (unknown || words.length + people.length + keys.length === 0) return undefined;
    const here = room === undefined ? [] : [mark('r', this.#room.get(room)?.key ?? 0)];
    const choices = [people.map((key) => mark('p', key)), keys.map((key) => mark('r', key)), here];
    return { choices: choices.filter(({ length }) => length > 0), words };
  }

  #before({ room, before }: Wanted): number {
    const end = this.#parts.index.reach + 1;
    if (before === undefined) return end;
    if (room === undefined) return Math.min(before, end);
    const { key = 0, last = 0 } = this.#room.get(room) ?? {};
    const newest = Math.min(before - 1, last); // right behind it, and not right before the next: that may lie eras further on
    return newest < 1 ? 0 : Math.min((this.#parts.placeOf(key, newest) ?? 0) + 1, end);
  }

  /** What to give as `before` for what lies before a place: of one room the first number that does not. */
  #next({ room }: Wanted, seq: number): number | undefined {
    if (seq === 0) return undefined;
    if (room === undefined) return seq;
    const { key = 0, last = 0 } = this.#room.get(room) ?? {};
    let [from, to] = [1, last + 1];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      if ((this.#parts.placeOf(key, middle) ?? Number.POSITIVE_INFINITY) < seq) from = middle + 1;
      else to = middle;
    }
    return from === 1 ? undefined : from;
  }
}
