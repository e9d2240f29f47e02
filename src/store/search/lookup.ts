/**
 * Questions to the index, each about one era of the log and so of a bounded time. Of frequent words their bits tell where they
 * meet, and shorthand where they stand together. Else the rarest are asked for, as many as leave a few messages; whether those
 * are what is looked for is read in their texts. Only where many are left is FTS5 asked for all words and runs.
 */
import type Database from 'better-sqlite3';
import { LIMIT } from '../database.js';
import { bitsAt, seqsOf } from './bits.js';
import { ERA } from './era.js';
import type { Met } from './frequent.js';
import type { WordIndex } from './index.js';
import { contentOf, inEra, type Place } from './words.js';

/** What must be there: one of each choice, and each word or run of words. */
export interface Terms {
  readonly choices: readonly (readonly string[])[];
  readonly words: readonly string[];
}

/** How to look for terms. */
export interface Plan {
  readonly terms: Terms;
  /** what is looked for, the rarest first: single words only */
  readonly choices: Terms['choices'];
  /** their words */
  readonly runs: readonly (readonly string[])[];
  /** who has one of each choice is found: there are no runs, nor more words */
  readonly whole: boolean;
  /** how many of the choices are looked for, before texts are read */
  readonly enough: number;
}

interface Row extends Omit<Place, 'seq'> {
  readonly text: string;
}

/** Words that are counted; the others are read in the texts. */
const COUNTED = 24;
/** Messages by which a word's frequency is told. */
const SAMPLE = 64;
/**
 * Messages of an era that may be left when no more words are asked for; that are then asked for when there are runs to be
 * looked for in them; that are read (and so many characters), before all words are asked for.
 */
const LEFT = { expected: 1, asked: 1024, read: 32, characters: 16_384 } as const;

export class Lookup {
  readonly #index: WordIndex;
  readonly #match: Database.Statement<[string, number, number], number>;
  readonly #sample: Database.Statement<[string], number>;
  readonly #row: Database.Statement<[number], Row>;

  constructor(db: Database.Database, index: WordIndex) {
    this.#index = index;
    // numbers are bound as REAL, which FTS5 does not take for a bound: it would begin at the end of the era
    this.#match = db
      .prepare<[string, number, number], number>(
        `SELECT rowid FROM words WHERE words MATCH ? AND rowid < CAST(? AS INTEGER) ORDER BY rowid DESC ${LIMIT}`,
      )
      .pluck();
    this.#sample = db
      .prepare<[string], number>(
        `SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid LIMIT 1 OFFSET ${SAMPLE - 1}`,
      )
      .pluck();
    this.#row = db.prepare(`SELECT person, room, coalesce(text, data, '') AS text
      FROM events WHERE seq = ?`);
  }

  /** By the frequencies of one era: in others they may be wrong, which costs time only. */
  plan(terms: Terms, era: number): Plan {
    const runs = terms.words.filter((word) => word.includes(' ')).map((run) => run.split(' '));
    const single = [...new Set(terms.words.flatMap((word) => word.split(' ')))];
    const all = [...terms.choices, ...single.slice(0, COUNTED).map((word) => [word])];
    const whole = runs.length === 0 && single.length <= COUNTED;
    if (all.length === 1) return { terms, choices: all, runs, whole, enough: 1 };
    const byShare = all.map((choice) => ({ choice, share: this.#share(choice, era) }));
    byShare.sort((a, b) => a.share - b.share);
    const enough = enoughOf(byShare.map(({ share }) => share));
    return { terms, choices: byShare.map(({ choice }) => choice), runs, whole, enough };
  }

  /** Of an era and before a place in the log, newest first. */
  in(era: number, plan: Plan, end: number, count: number): number[] {
    const { terms, choices, whole, enough } = plan;
    const exact = whole && enough === choices.length;
    const met = this.#index.frequent.of(era, choices.slice(0, enough));
    if (met.bits && met.all && exact) return seqsOf(met.bits, era, end, count);
    for (const left of this.#left(met, era, plan, end, exact)) {
      const found = left.length <= LEFT.read ? this.#read(left, terms, count) : undefined;
      if (found) return found;
    }
    return this.#match.all(matchOf(era, everything(terms)), end, count);
  }

  /** Those that may be what is looked for, told without reading: the cheapest way first. One too many says that they are many. */
  *#left(
    { bits, all }: Met,
    era: number,
    { choices, enough, runs }: Plan,
    end: number,
    exact: boolean,
  ): Generator<number[]> {
    if (bits) yield seqsOf(bits, era, end, LEFT.read + 1);
    if (exact) return; // all words are asked for anyway
    const most = runs.length > 0 ? LEFT.asked : LEFT.read;
    const asked = all ? undefined : this.#match.all(matchOf(era, choices.slice(0, enough)), end, most + 1);
    if (asked) yield asked;
    const among = asked && asked.length <= most ? bitsAt(asked) : bits;
    if (!among || runs.length === 0) return;
    yield seqsOf(this.#index.shorthand.having(era, runs, among), era, end, LEFT.read + 1);
  }

  /** In which part of the messages it is, as an era begins. */
  #share(choice: readonly string[], era: number): number {
    const seq = this.#sample.get(matchOf(era, [choice]));
    return SAMPLE / (seq === undefined ? ERA : Math.max(SAMPLE, seq - era * ERA));
  }

  /** Those that are what is looked for, so many; undefined when it would take too much reading to tell. */
  #read(seqs: readonly number[], terms: Terms, count: number): number[] | undefined {
    const all = everything(terms);
    const found: number[] = [];
    let characters = 0;
    for (const seq of seqs) {
      if (characters > LEFT.characters) return undefined;
      const row = this.#row.get(seq);
      if (row === undefined) continue;
      characters += row.text.length;
      if (holds(contentOf(row, row.text), all)) found.push(seq);
      if (found.length === count) break;
    }
    return found;
  }
}

function holds(content: string, all: Terms['choices']): boolean {
  return all.every((choice) => choice.some((words) => ` ${content} `.includes(` ${words} `)));
}

/** Runs of words as they stand. */
function everything({ choices, words }: Terms): Terms['choices'] {
  return [...choices, ...words.map((word) => [word])];
}

/** How many of the rarest leave a few messages of an era, if words had nothing to do with each other. */
function enoughOf(shares: readonly number[]): number {
  let [enough, expected] = [0, ERA];
  for (const share of shares) {
    if (expected <= LEFT.expected) break;
    expected *= share;
    enough++;
  }
  return enough;
}

/** In the language of FTS5. All is quoted, so nothing that people type is a part of it. */
function matchOf(era: number, all: Terms['choices']): string {
  const oneOf = (choice: readonly string[]): string =>
    `(${choice.map((words) => `"${inEra(era, words)}"`).join(' OR ')})`;
  return all.map(oneOf).join(' AND ');
}
