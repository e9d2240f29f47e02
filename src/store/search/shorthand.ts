/**
 * The messages of the eras that are over in shorthand, part by part, made behind the index and the frequent words. What must
 * stay true: what is kept of a message is what the index has of it, after every transaction. A part that is not there is not
 * made yet; so how far this has come needs no note, and a crash costs a part at most.
 */
import type Database from 'better-sqlite3';
import type { Bits } from './bits.js';
import { ERA } from './era.js';
import type { Frequent } from './frequent.js';
import {
  type Codes,
  isShortOf,
  isTelling,
  NOTHING,
  narrow,
  PART,
  partOf,
  shortOf,
  shortsOf,
} from './short.js';
import { eraOf, wordsInEntry, wordsOf } from './words.js';

interface Row {
  readonly seq: number;
  readonly text: string;
  /** what the index has, when that is not the text of now */
  readonly entry: string | null;
}

interface Kept {
  readonly part: number;
  readonly kept: Buffer;
}

/** What the index has of the messages of a stretch of the log. */
const ROWS = `SELECT seq, iif(type = 'chat' AND deleted IS NULL, coalesce(text, data, ''), '') AS text, words AS entry
  FROM events LEFT JOIN outdated o ON o.event = seq WHERE seq >= ? AND seq < ?`;
/** Messages between two looks at the clock: four of 4,000 Chinese characters take 4 ms. A part is so many times them. */
const FEW = 4;

export class Shorthand {
  readonly #frequent: Frequent;
  readonly #rows: Database.Statement<[number, number], Row>;
  readonly #get: Database.Statement<[number], Buffer>;
  readonly #all: Database.Statement<[number, number], Kept>;
  readonly #put: Database.Statement<[number, Buffer]>;
  readonly #codes = new Map<number, Codes>();
  /** the part that is made, and its first messages; those before it are kept */
  #part: number;
  #begun: readonly Buffer[] = [];

  constructor(db: Database.Database, frequent: Frequent) {
    this.#frequent = frequent;
    this.#rows = db.prepare(ROWS);
    this.#get = db.prepare<[number], Buffer>('SELECT shorts FROM shorthand WHERE part = ?').pluck();
    this.#all = db.prepare('SELECT part, shorts AS kept FROM shorthand WHERE part >= ? AND part < ?');
    this.#put = db.prepare('REPLACE INTO shorthand (part, shorts) VALUES (?, ?)');
    const last = db.prepare<[], number | null>('SELECT max(part) FROM shorthand').pluck().get();
    this.#part = (last ?? -1) + 1;
  }

  /** Whether there is something to make: of eras whose frequent words are known. */
  get behind(): boolean {
    return eraOf(this.#part * PART) < this.#frequent.eras;
  }

  /** Within a transaction: works until the time (performance.now()) has come. What it returns is to be called when that is kept. */
  work(until: number): () => void {
    const shorts = this.#goOn(until);
    const whole = shorts.length === PART;
    if (whole) this.#put.run(this.#part, partOf(shorts));
    return () => {
      this.#begun = whole ? [] : shorts;
      if (whole) this.#part++;
    };
  }

  /** Within the transaction that takes an entry out of the index or puts it in. */
  change(seq: number, entry: string, there: boolean): void {
    const part = Math.floor(seq / PART);
    if (part === this.#part) this.#begun = []; // it is not what the index has any more
    const kept = this.#get.get(part);
    if (kept === undefined) return;
    const shorts = shortsOf(kept);
    shorts[seq % PART] = there ? shortOf(wordsInEntry(entry), this.#codesOf(eraOf(seq))) : NOTHING;
    this.#put.run(part, partOf(shorts));
  }

  /** Of the messages of an era those that have all runs, and perhaps some others. */
  having(era: number, runs: readonly (readonly string[])[], among: Bits): Bits {
    const shorts = runs.map((run) => shortOf(run, this.#codesOf(era))).filter(isTelling);
    if (shorts.length === 0) return among;
    const bits = among.slice();
    const first = era * (ERA / PART);
    for (const { part, kept } of this.#all.all(first, first + ERA / PART))
      for (const short of shorts) narrow(bits, (part - first) * PART, kept, short);
    return bits;
  }

  /** Whether what is kept of a part is what the index has. */
  isRight(part: number): boolean {
    const kept = this.#get.get(part) ?? Buffer.of();
    const codes = this.#codesOf(eraOf(part * PART));
    const firsts = Array.from({ length: PART / FEW }, (_, n) => part * PART + n * FEW);
    const whole = firsts.flatMap((first) => this.#few(first, codes));
    const shorts = shortsOf(kept);
    return partOf(shorts).equals(kept) && shorts.every((short, n) => isShortOf(short, whole[n] ?? NOTHING));
  }

  #goOn(until: number): Buffer[] {
    const shorts = [...this.#begun];
    const start = this.#part * PART;
    const codes = this.#codesOf(eraOf(start));
    do {
      const from = start + shorts.length;
      shorts.push(...this.#few(from, codes));
    } while (shorts.length < PART && performance.now() < until);
    return shorts;
  }

  #few(from: number, codes: Codes): Buffer[] {
    const few = Array<Buffer>(FEW).fill(NOTHING);
    for (const row of this.#rows.iterate(from, from + FEW))
      few[row.seq - from] = shortOf(wordsOfRow(row), codes);
    return few;
  }

  /** The frequent words of an era that is over do not change any more. */
  #codesOf(era: number): Codes {
    const known = this.#codes.get(era);
    if (known) return known;
    const codes = this.#frequent.codesOf(era);
    if (era < this.#frequent.eras) this.#codes.set(era, codes);
    return codes;
  }
}

function wordsOfRow({ text, entry }: Row): string[] {
  return entry === null ? wordsOf(text).split(' ') : wordsInEntry(entry);
}
