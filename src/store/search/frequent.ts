/**
 * The frequent words of each era that is over, as bits: which of its messages have them. Of two words that are each in half of
 * a million messages FTS5 takes 30 to 60 ms to find that they never meet; by their bits that is a millisecond. What must stay
 * true: a word that is here has the bits that the index has, after every transaction. What is not here is rare, or not
 * looked at yet, and nothing to rely on. It is made piece by piece, from the index itself, when that has caught up.
 */
import type Database from 'better-sqlite3';
import { LIMIT } from '../database.js';
import { and, type Bits, bitsOf, bytesOf, noBits, or, set } from './bits.js';
import { ERA } from './era.js';
import { CODES, type Codes } from './short.js';
import { contentOf, eraOf, inEra, MARK, type Place } from './words.js';

interface Row extends Omit<Place, 'seq'> {
  readonly text: string;
}

export interface Met {
  readonly bits: Bits | undefined;
  /** there were bits for all choices */
  readonly all: boolean;
}

/** What is made of an era: its words to do, and how far the first of them is done. */
interface Work {
  readonly words: readonly string[];
  readonly bits: Bits;
  readonly from: number;
}

/** Messages that are looked at for frequent words, for how long at most; and the part of them that must have one. */
const SAMPLE = { messages: 512, ms: 6, part: 1 / 40, least: 3 } as const;
/** By which they are spread over the era: odd, so that each is another one. */
const STRIDE = 40_503;
/** Words of an era at most, the most frequent ones: whatever people write, all their bits take a megabyte. */
const MOST = 128;
/** Messages of a word in one piece of work. */
const PIECE = 4096;

export class Frequent {
  readonly #row: Database.Statement<[number], Row>;
  readonly #having: Database.Statement<[string, number, number], number>;
  readonly #bits: Database.Statement<[string], Uint8Array>;
  readonly #put: Database.Statement<[string, Uint8Array]>;
  readonly #words: Database.Statement<[string, string], string>;
  readonly #keepNext: Database.Statement<[string]>;
  /** the era that is worked on; those before it are done */
  #next: number;
  #work: Work | undefined;

  constructor(db: Database.Database) {
    this.#row = db.prepare(`SELECT person, room, coalesce(text, data, '') AS text
      FROM events WHERE seq = ? AND type = 'chat'`);
    this.#having = db
      .prepare<[string, number, number], number>(
        `SELECT rowid FROM words WHERE words MATCH ? AND rowid >= CAST(? AS INTEGER) ORDER BY rowid ${LIMIT}`,
      )
      .pluck();
    this.#bits = db.prepare<[string], Uint8Array>('SELECT bits FROM frequent WHERE word = ?').pluck();
    this.#words = db
      .prepare<[string, string], string>(
        'SELECT word FROM frequent WHERE word > ? AND word < ? ORDER BY word',
      )
      .pluck();
    this.#put = db.prepare('REPLACE INTO frequent (word, bits) VALUES (?, ?)');
    this.#keepNext = db.prepare("REPLACE INTO meta (key, value) VALUES ('frequent', ?)");
    const next = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'frequent'").pluck().get();
    this.#next = Number(next ?? 0);
  }

  /** So many from the first on have their frequent words. */
  get eras(): number {
    return this.#next;
  }

  /** A number for each of the words of an era: those of texts, not who and where. */
  codesOf(era: number): Codes {
    const begin = inEra(era, '');
    const words = this.#words.all(begin, `${begin}\u{10ffff}`).map((word) => word.slice(begin.length));
    const ofTexts = words.filter((word) => !word.startsWith(MARK)).slice(0, CODES);
    return new Map(ofTexts.map((word, n) => [word, n + 1]));
  }

  /** Whether there is something to make of an index that reaches so far. */
  behind(reach: number): boolean {
    return reach >= (this.#next + 1) * ERA - 1;
  }

  /** Within a transaction: one piece of work. What it returns is to be called when that is kept. */
  work(): () => void {
    if (this.#work === undefined) return this.#begin();
    const { words, bits, from } = this.#work;
    const [word] = words;
    if (word === undefined) return this.#end();
    const seqs = this.#having.all(`"${word}"`, from, PIECE);
    const more = bits.slice();
    for (const seq of seqs) set(more, seq % ERA, true);
    const last = seqs.length < PIECE;
    if (last) this.#put.run(word, bytesOf(more));
    const work = last ? notBegun(words.slice(1)) : { words, bits: more, from: (seqs.at(-1) ?? from) + 1 };
    return () => {
      this.#work = work;
    };
  }

  /** Within the transaction that takes an entry out of the index or puts it in. */
  change(seq: number, entry: string, there: boolean): void {
    const era = eraOf(seq);
    if (era > this.#next) return;
    // what is begun is not what the index has any more
    if (era === this.#next && this.#work) this.#work = notBegun(this.#work.words);
    for (const word of new Set(entry.split(' '))) {
      const bits = this.#get(word);
      if (bits === undefined) continue;
      set(bits, seq % ERA, there);
      this.#put.run(word, bytesOf(bits));
    }
  }

  /** Which messages have one of each choice, as far as their words are among the era's frequent ones. */
  of(era: number, choices: readonly (readonly string[])[]): Met {
    const known = choices.flatMap((choice) => this.#oneOf(choice.map((word) => inEra(era, word))) ?? []);
    const bits = known.length === 0 ? undefined : known.reduce((all, one) => all.map(and(one)));
    return { bits, all: known.length === choices.length };
  }

  #oneOf(words: readonly string[]): Bits | undefined {
    let either: Bits | undefined;
    for (const word of words) {
      const one = this.#get(word);
      if (one === undefined) return undefined;
      either = either === undefined ? one : either.map(or(one));
    }
    return either;
  }

  #get(word: string): Bits | undefined {
    const bytes = this.#bits.get(word);
    return bytes && bitsOf(bytes);
  }

  #begin(): () => void {
    const words = this.#sample().map((word) => inEra(this.#next, word));
    return () => {
      this.#work = notBegun(words);
    };
  }

  #end(): () => void {
    const next = this.#next + 1;
    this.#keepNext.run(String(next));
    return () => {
      this.#next = next;
      this.#work = undefined;
    };
  }

  /** The words that are frequent among some messages of the era. */
  #sample(): string[] {
    const until = performance.now() + SAMPLE.ms;
    const counts = new Map<string, number>();
    let messages = 0;
    for (let n = 0; n < SAMPLE.messages && performance.now() < until; n++) {
      const row = this.#row.get(this.#next * ERA + ((n * STRIDE) % ERA));
      if (row === undefined) continue;
      messages++;
      for (const word of new Set(contentOf(row, row.text).split(' ')))
        counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const least = Math.max(SAMPLE.least, messages * SAMPLE.part);
    const frequent = [...counts].filter(([, count]) => count >= least).sort(([, a], [, b]) => b - a);
    return frequent.slice(0, MOST).map(([word]) => word);
  }
}

function notBegun(words: readonly string[]): Work {
  return { words, bits: noBits(), from: 0 };
}
