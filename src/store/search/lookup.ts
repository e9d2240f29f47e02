/**
 * Questions to the index, each about one era of the log and so of a bounded time. The rarest words of a search are asked
 * for, as many as leave a few messages; whether those hold the other words, and runs of words as they stand, is read in
 * their texts. Only where many are left are all words and runs asked for: then they meet so often that FTS5 is quick.
 */
import type Database from 'better-sqlite3';
import { contentOf, ERA, inEra, type Place } from './words.js';

/** What must be there: one of each choice, and each word or run of words. */
export interface Terms {
  readonly choices: readonly (readonly string[])[];
  readonly words: readonly string[];
}

/** How to look for terms. */
export interface Plan {
  readonly terms: Terms;
  /** what the index is asked for first */
  readonly first: Terms['choices'];
  /** that is all there is to ask for */
  readonly exact: boolean;
}

interface Row extends Omit<Place, 'seq'> {
  readonly text: string;
}

/** Words that are counted; the others are read in the texts. */
const COUNTED = 24;
/** Messages by which a word's frequency is told. */
const SAMPLE = 64;
/** Messages of an era that may be left when no more words are asked for, and that are read before all words are. */
const LEFT = { expected: 1, read: 128 } as const;

export class Lookup {
  readonly #match: Database.Statement<[string, number, number], number>;
  readonly #sample: Database.Statement<[string], number>;
  readonly #row: Database.Statement<[number], Row>;

  constructor(db: Database.Database) {
    // numbers are bound as REAL, which FTS5 does not take for a bound: it would begin at the end of the era
    this.#match = db
      .prepare<[string, number, number], number>(
        'SELECT rowid FROM words WHERE words MATCH ? AND rowid < CAST(? AS INTEGER) ORDER BY rowid DESC LIMIT ?',
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
    const first = all.length > 1 ? this.#rarest(all, era) : all;
    return { terms, first, exact: !runs && first.length === terms.choices.length + single.length };
  }

  /** Of an era and before a place in the log, newest first. */
  in(era: number, { terms, first, exact }: Plan, end: number, count: number): number[] {
    if (exact) return this.#match.all(matchOf(era, first), end, count);
    const some = this.#match.all(matchOf(era, first), end, LEFT.read + 1);
    if (some.length <= LEFT.read) return some.filter(this.#holds(terms)).slice(0, count);
    const all = [...terms.choices, ...terms.words.map((word) => [word])];
    return this.#match.all(matchOf(era, all), end, count);
  }

  /** As many as leave a few messages, if they have nothing to do with each other; the rarest first. */
  #rarest(all: Terms['choices'], era: number): Terms['choices'] {
    const byShare = all.map((choice) => ({ choice, share: this.#share(choice, era) }));
    byShare.sort((a, b) => a.share - b.share);
    let [enough, expected] = [0, ERA];
    for (const { share } of byShare) {
      if (expected <= LEFT.expected) break;
      expected *= share;
      enough++;
    }
    return byShare.slice(0, enough).map(({ choice }) => choice);
  }

  /** In which part of the messages it is, as an era begins. */
  #share(choice: readonly string[], era: number): number {
    const seq = this.#sample.get(matchOf(era, [choice]));
    return SAMPLE / (seq === undefined ? ERA : Math.max(SAMPLE, seq - era * ERA));
  }

  /** Whether a message is what is looked for. */
  #holds({ choices, words }: Terms): (seq: number) => boolean {
    const all = [...choices, ...words.map((word) => [word])];
    return (seq) => {
      const row = this.#row.get(seq);
      const content = row === undefined ? '' : ` ${contentOf(row, row.text)} `;
      return all.every((choice) => choice.some((words) => content.includes(` ${words} `)));
    };
  }
}

/** In the language of FTS5. All is quoted, so nothing that people type is a part of it. */
function matchOf(era: number, all: Terms['choices']): string {
  const oneOf = (choice: readonly string[]): string =>
    `(${choice.map((words) => `"${inEra(era, words)}"`).join(' OR ')})`;
  return all.map(oneOf).join(' AND ');
}
