/**
 * Texts as the words that the index holds, and what people search for as a query of it. What is written without spaces
 * comes apart into its characters, so any run of them is found. The same for both, or nothing would be found; when it
 * changes, the index is made anew (`VERSION`).
 */
import { ERA } from './era.js';

export const VERSION = '3';

/** Scripts without spaces between words, and pictures: each character is a word. */
const APART =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー々〆\p{Extended_Pictographic}]/gu;
const BETWEEN = /[^\p{L}\p{N}\p{M}\p{Extended_Pictographic}]+/gu;
/** Accents, and the vowel signs that Arabic and Hebrew mostly leave out. */
const ACCENTS = /[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;
/** Begins words that no text can hold: private characters are none of its words. */
export const MARK = '\ue000';

/** A text's words, one space between each two; '' when it has none. */
export function wordsOf(text: string): string {
  if (ASCII.test(text))
    return text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, ' ')
      .trim();
  const folded = text.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ').normalize('NFKD');
  return folded.replace(ACCENTS, '').normalize('NFC').replace(APART, ' $& ').replace(BETWEEN, ' ').trim();
}

export interface Place {
  /** place in the one order of all rooms */
  readonly seq: number;
  readonly person: number;
  readonly room: number;
}

/** All words of a message, one space between each two: who said it and where are words too. */
export function contentOf({ person, room }: Omit<Place, 'seq'>, text: string): string {
  return `${mark('p', person)} ${mark('r', room)} ${wordsOf(text)}`.trim();
}

/** All that the index holds of a message. */
export function entryOf(place: Place, text: string): string {
  return inEra(eraOf(place.seq), contentOf(place, text));
}

/** The words of its text, from what the index holds of a message. */
export function wordsInEntry(entry: string): string[] {
  const marks = 2; // who and where
  const words = entry.split(' ').slice(marks);
  return words.map((word) => word.slice(word.indexOf(MARK) + 1));
}

export function eraOf(seq: number): number {
  return Math.floor(seq / ERA);
}

/** A word or a run of them as it is in the index of an era. */
export function inEra(era: number, words: string): string {
  const begin = `${era}${MARK}`;
  return begin + words.replaceAll(' ', ` ${begin}`);
}

/** The word of a person or a room. */
export function mark(kind: 'p' | 'r', key: number): string {
  return `${MARK}${kind}${key}`;
}

/** What somebody searches for. `words`: each a word or a run of words that stand together. */
export interface Query {
  readonly words: readonly string[];
  /** names, and names of rooms, as they were typed */
  readonly from: readonly string[];
  readonly rooms: readonly string[];
}

const PART = /(?:(from|in):)?(?:"([^"]*)"?|(\S+))/gi;

/** Never fails: what cannot be searched for is left out. */
export function parseQuery(raw: string): Query {
  const [words, from, rooms]: [string[], string[], string[]] = [[], [], []];
  for (const [, key, quoted, bare = ''] of raw.matchAll(PART)) {
    const text = quoted ?? bare;
    if (key === undefined) words.push(wordsOf(text));
    else if (key.toLowerCase() === 'from') from.push(text);
    else rooms.push(text);
  }
  return { words: [...new Set(words)].filter((word) => word !== ''), from, rooms };
}
