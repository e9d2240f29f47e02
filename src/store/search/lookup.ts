/**
 * Questions to the index, each about one era of the log and so of a bounded time. Of frequent words
 * their bits tell where they meet. Else the rarest are asked for, as many as leave a few messages; whether those hold the other words,
 * and runs of words as they stand, is read in their texts. Only where many are left is FTS5 asked for all words and runs.
 */
import type Database from 'better-sqlite3';
import { LIMIT } from '../limit.js';
import { seqsOf } from './bits.js';
import { ERA } from './era.js';
import type { Frequent } from './frequent.js';
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
/** Messages of an era that may be left when no more words are asked for, and that are read before all words are. */
const LEFT = { expected: 1, read: 32 } as const;

export class Lookup {
  readonly #frequent: Frequent;
  readonly #match: Database.Statement<[string, number, number], number>;
  readonly #sample: Database.Statement<[string], number>;
  readonly #row: Database.Statement<[number], Row>;

  constructor(db: Database.Database, frequent: Frequent) {
    this.#frequent = frequent;
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
      FROM events LEFT JOIN states ON event = seq WHERE seq = ?`);
  }

  /** By the frequencies of one era: in others they may be wrong, which costs time only. */
  plan(terms: Terms, era: number): Plan {
    const runs = terms.words.some((word) => word.includes(' '));
    const single = [...new Set(terms.words.flatMap((word) => word.split(' ')))];
    const all = [...terms.choices, ...single.slice(0, COUNTED).map((word) => [word])];
    const whole = !runs && single.length <= COUNTED;
    if (all.length === 1) return { terms, choices: all, whole, enough: 1 };
    const byShare = all.map((choice) => ({ choice, share: this.#share(choice, era) }));
    byShare.sort((a, b) => a.share - b.share);
    const enough = enoughOf(byShare.map(({ share }) => share));
    return { terms, choices: byShare.map(({ choice }) => choice), whole, enough };
  }

  /** Of an era and before a place in the log, newest first. */
  in(era: number, { terms, choices, whole, enough }: Plan, end: number, count: number): number[] {
    const rarest = choices.slice(0, enough);
    const exact = whole && enough === choices.length;
    const { bits, all } = this.#frequent.of(era, rarest);
    if (bits) {
      const found = seqsOf(bits, era, end, all && exact ? count : LEFT.read + 1);
      if (all && exact) return found;
      if (found.length <= LEFT.read) return found.filter(this.#holds(terms)).slice(0, count);
    }
    if (exact) return this.#match.all(matchOf(era, rarest), end, count);
    const few = this.#match.all(matchOf(era, rarest), end, LEFT.read + 1);
    if (few.length <= LEFT.read) return few.filter(this.#holds(terms)).slice(0, count);
    return this.#match.all(matchOf(era, everything(terms)), end, count);
  }

  /** In which part of the messages it is, as an era begins. */
  #share(choice: readonly string[], era: number): number {
    const seq = this.#sample.get(matchOf(era, [choice]));
    return SAMPLE / (seq === undefined ? ERA : Math.max(SAMPLE, seq - era * ERA));
  }

  /** Whether a message is what is looked for. */
  #holds(terms: Terms): (seq: number) => boolean {
    const all = everything(terms);
    return (seq) => {
      const row = this.#row.get(seq);
      const content = row === undefined ? '' : ` ${contentOf(row, row.text)} `;
      return all.every((choice) => choice.some((words) => content.includes(` ${words} `)));
    };
  }
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
