/** Whether the bits of frequent words, and the shorthand made of them, are what the index has. */
import type Database from 'better-sqlite3';
import { bitsOf, seqsOf } from './bits.js';
import { ERA } from './era.js';
import { Frequent } from './frequent.js';
import { PART } from './short.js';
import { Shorthand } from './shorthand.js';
import { eraOf } from './words.js';

interface Row {
  readonly word: string;
  readonly bits: Uint8Array;
}

/** The first fault in words, or undefined. */
export function faultOfFrequent(db: Database.Database): string | undefined {
  const rows = db.prepare<[], Row>('SELECT word, bits FROM frequent');
  const having = db
    .prepare<[string], number>('SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC')
    .pluck();
  for (const row of rows.iterate())
    if (!isSame(having.all(`"${row.word}"`), row))
      return `the bits of the frequent word ${row.word} are not what the index has`;
  return undefined;
}

function isSame(seqs: readonly number[], { word, bits }: Row): boolean {
  if (bits.length !== ERA / 8) return false;
  const era = Number.parseInt(word, 10); // it begins with it
  const others = seqsOf(bitsOf(bits), era, (era + 1) * ERA, ERA);
  return seqs.length === others.length && seqs.every((seq, n) => seq === others[n]);
}

/** The first fault in words, or undefined. What the index has is told from the texts, of which it was made. */
export function faultOfShorthand(db: Database.Database): string | undefined {
  const frequent = new Frequent(db);
  const shorthand = new Shorthand(db, frequent);
  const parts = db.prepare<[], number>('SELECT part FROM shorthand').pluck().all();
  const wrong = parts.find((part) => eraOf(part * PART) >= frequent.eras || !shorthand.isRight(part));
  if (wrong === undefined) return undefined;
  return `the shorthand of events ${wrong * PART} to ${(wrong + 1) * PART - 1} is not what the index has`;
}
