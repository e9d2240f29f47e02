/**
 * Finds messages by their words, newest first. A search goes back through the log window by window, each of some
 * milliseconds; all searches of all people take turns, one window a turn of the event loop. So the worst search there
 * is holds up nobody, and needs no thread of its own.
 */
import type Database from 'better-sqlite3';
import { skeleton } from '../../chat/name.js';
import { parseRoom } from '../../parse.js';
import type { FoundMessage, FoundPage } from '../../protocol.js';
import type { Found } from '../found.js';
import type { PeopleBook } from '../people.js';
import type { WordIndex } from './index.js';
import { Turns } from './turns.js';
import { matchOf, parseQuery } from './words.js';

export interface Wanted {
  readonly q: string;
  readonly room: string | undefined;
  /** a number of that room, or without a room a place in the one order; newest first from there */
  readonly before: number | undefined;
  readonly limit: number;
}

export interface SearchParts {
  readonly found: Found;
  readonly people: PeopleBook;
  readonly index: WordIndex;
  /** brings the index further for some milliseconds; false when nothing was left to do */
  readonly fill: (ms: number) => boolean;
}

/** Messages looked through in the first window; each next one is larger or smaller, to last about as long as it may. */
const WINDOW = 8192;
const WINDOW_MS = { less: 2, more: 6 } as const;
/** Milliseconds: one piece of filling, all filling before a search, and a whole search before it says what it has. */
const FILL_MS = { piece: 6, all: 250 } as const;
const SEARCH_MS = 2000;

export class Search {
  readonly #parts: SearchParts;
  readonly #db: Database.Database;
  readonly #turns = new Turns();
  readonly #match: Database.Statement<[string, number, number, number], number>;
  readonly #roomKey: Database.Statement<[string], number>;
  readonly #seqOf: Database.Statement<[number, number], number>;

  constructor(db: Database.Database, parts: SearchParts) {
    this.#parts = parts;
    this.#db = db;
    this.#match = db
      .prepare<[string, number, number, number], number>(
        'SELECT rowid FROM words WHERE words MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?',
      )
      .pluck();
    this.#roomKey = db.prepare<[string], number>('SELECT room FROM rooms WHERE name = ?').pluck();
    this.#seqOf = db
      .prepare<[number, number], number>(
        'SELECT seq FROM events WHERE room = ? AND id >= ? ORDER BY id LIMIT 1',
      )
      .pluck();
  }

  async find(wanted: Wanted): Promise<FoundPage> {
    const complete = await this.#fill();
    const match = this.#matchOf(wanted);
    if (match === undefined) return { messages: [], complete };
    const from = this.#before(wanted);
    const { seqs, end } = await this.#goBack(match, from, wanted.limit + 1);
    if (!this.#db.open) return { messages: [], complete: false };
    const page = this.#parts.found.messages(seqs.slice(0, wanted.limit));
    const more = seqs.length > wanted.limit ? seqs[wanted.limit - 1] : end > 0 ? end : undefined;
    const next = more === undefined ? undefined : nextOf(wanted, more, page);
    return {
      messages: page,
      ...(next === undefined ? {} : { next }),
      complete: complete && (end === 0 || seqs.length > wanted.limit),
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

  async #goBack(match: string, from: number, count: number): Promise<{ seqs: number[]; end: number }> {
    const until = performance.now() + SEARCH_MS;
    const seqs: number[] = [];
    let [end, size] = [from, WINDOW];
    while (end > 0 && seqs.length < count && performance.now() < until) {
      await this.#turns.next();
      if (!this.#db.open) break; // the server has stopped meanwhile
      const [start, wanted, began] = [Math.max(0, end - size), count - seqs.length, performance.now()];
      const found = this.#match.all(match, start, end, wanted);
      seqs.push(...found.filter((seq) => !this.#parts.index.isOutdated(seq)));
      end = found.length < wanted ? start : (found.at(-1) ?? start);
      const took = performance.now() - began;
      if (took < WINDOW_MS.less) size *= 4;
      else if (took > WINDOW_MS.more) size = Math.max(256, Math.floor(size / 2));
    }
    return { seqs, end };
  }

  /** Undefined when nothing can be found: no words, a person or a room that is not known. */
  #matchOf({ q, room }: Wanted): string | undefined {
    const { words, from, rooms } = parseQuery(q);
    const people = from.flatMap((name) => this.#parts.people.ownerOf(skeleton(name))?.key ?? []);
    const asked = rooms.map((name) => parseRoom(name) ?? '');
    const keys = asked.flatMap((name) => this.#roomKey.get(name) ?? []);
    const here = room === undefined ? [] : [this.#roomKey.get(room) ?? 0];
    const unknown = (from.length > 0 && people.length === 0) || (rooms.length > 0 && keys.length === 0);
    if (unknown || words.length + people.length + keys.length === 0) return undefined;
    const match = matchOf(words, people, keys);
    return here.length === 0 ? match : `${matchOf([], [], here)} AND ${match}`;
  }

  #before({ room, before }: Wanted): number {
    const end = this.#parts.index.reach + 1;
    if (before === undefined) return end;
    if (room === undefined) return Math.min(before, end);
    return Math.min(this.#seqOf.get(this.#roomKey.get(room) ?? 0, before) ?? end, end);
  }
}

function nextOf({ room }: Wanted, seq: number, page: readonly FoundMessage[]): number | undefined {
  return room === undefined ? seq : page.at(-1)?.id;
}
