/**
 * Questions to the index that take a bounded time. FTS5 stops only where it has found something or a word has no more
 * messages. So a look is kept to a stretch of the log by the stretch's own word, and a run of words is asked for by its
 * single words first: those that stand together are then found in the texts, while they are few.
 */
import type Database from 'better-sqlite3';
import { mark, STRETCH, wordsOf } from './words.js';

/** What must be there: one of each choice, and each word or run of words. */
export interface Terms {
  readonly choices: readonly (readonly string[])[];
  readonly words: readonly string[];
}

/** Stretches of the log, and its places before `end`. */
export interface Window {
  readonly oldest: number;
  readonly newest: number;
  readonly end: number;
}

/** A word that is in fewer messages is rare: all of them can be looked at. */
const RARE = 1000;
/** Words that are counted for it. */
const COUNTED = 24;
/** Messages whose texts are read for a run of words; where there are more, they stand so close that FTS5 is quick. */
const FEW = 64;

export class Lookup {
  readonly #match: Database.Statement<[string, number, number, number], number>;
  readonly #count: Database.Statement<[string, number], number>;
  readonly #text: Database.Statement<[number], string>;

  constructor(db: Database.Database) {
    this.#match = db
      .prepare<[string, number, number, number], number>(
        'SELECT rowid FROM words WHERE words MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?',
      )
      .pluck();
    this.#count = db
      .prepare<[string, number], number>(
        'SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)',
      )
      .pluck();
    this.#text = db
      .prepare<[number], string>(
        "SELECT coalesce(text, data, '') FROM events LEFT JOIN states ON event = seq WHERE seq = ?",
      )
      .pluck();
  }

  /** All there are is soon looked at: one of the words is in few messages. */
  isRare({ choices, words }: Terms): boolean {
    const single = choices.flatMap((choice) => (choice.length === 1 ? choice : []));
    const all = [...new Set([...single, ...words.flatMap((word) => word.split(' '))])];
    return all.slice(0, COUNTED).some((word) => (this.#count.get(`"${word}"`, RARE) ?? 0) < RARE);
  }

  /** Before a place in all of the log; only when `isRare`. */
  all(terms: Terms, end: number, count: number): number[] {
    if (!hasRuns(terms)) return this.#match.all(matchOf(terms.choices, terms.words), 0, end, count);
    return this.#match
      .all(loose(terms.choices, terms), 0, end, RARE)
      .filter(this.#holds(terms))
      .slice(0, count);
  }

  in({ oldest, newest, end }: Window, terms: Terms, count: number): number[] {
    const stretches = Array.from({ length: newest - oldest + 1 }, (_, n) => mark('s', oldest + n));
    const choices = [stretches, ...terms.choices];
    const start = oldest * STRETCH;
    if (hasRuns(terms)) {
      const candidates = this.#match.all(loose(choices, terms), start, end, FEW + 1);
      if (candidates.length <= FEW) return candidates.filter(this.#holds(terms)).slice(0, count);
    }
    return this.#match.all(matchOf(choices, terms.words), start, end, count);
  }

  /** Whether a message's text holds every run of words as it stands. */
  #holds({ words }: Terms): (seq: number) => boolean {
    return (seq) => {
      const text = ` ${wordsOf(this.#text.get(seq) ?? '')} `;
      return words.every((run) => text.includes(` ${run} `));
    };
  }
}

function hasRuns({ words }: Terms): boolean {
  return words.some((word) => word.includes(' '));
}

/** The same with the words of each run anywhere. */
function loose(choices: Terms['choices'], { words }: Terms): string {
  return matchOf(choices, [...new Set(words.flatMap((word) => word.split(' ')))]);
}

/** In the language of FTS5. All is quoted, so nothing that people type is a part of it. */
function matchOf(choices: Terms['choices'], words: readonly string[]): string {
  const oneOf = (choice: readonly string[]): string => `(${choice.map((word) => `"${word}"`).join(' OR ')})`;
  return [...choices, ...words.map((word) => [word])].map(oneOf).join(' AND ');
}
