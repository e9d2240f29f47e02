/**
 * Splits texts into the tokens of the search index. Messages and queries are split by the same rules. A change here must
 * raise `tokenizerVersion`, which rebuilds the index.
 */

import { PLAIN_LETTERS, spacelessScripts } from '../shared/text.js';

export const tokenizerVersion = 1;

/** Of a script without spaces, or an emoji: each character is a token, so any run of them is found. */
const singleCharacter = new RegExp(`[${spacelessScripts}ー々〆\\p{Extended_Pictographic}]`, 'gu');
const tokenSeparator = /[^\p{L}\p{N}\p{M}\p{Extended_Pictographic}]+/gu;
/** Accents, vowel signs that Arabic and Hebrew mostly omit, and variation selectors of emoji. */
const ignoredMarks = /[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]|[\ufe00-\ufe0f]/g;
const foldedLetter = new RegExp(`[${Object.keys(PLAIN_LETTERS).join('')}]`, 'g');
// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII includes the control characters
const asciiText = /^[\u0000-\u007f]*$/;

/** 1,000,000 and 1’000’000. A dot is no separator here, because 1.234 is a decimal number elsewhere. */
const groupedDigits = /(?<![\d,])\d{1,3}(?:[,'’\u00a0\u2009\u202f]\d{3})+(?!\d)/g;
const groupSeparator = /\D/g;
const apostrophe = /['’ʼ]/;
/** The lookbehind comes second. In first position it would be tried at every character. */
const innerApostrophe = /['’ʼ](?<=[\p{L}\p{N}\p{M}].)(?=[\p{L}\p{N}])/gu;
const wordSeparator = /[^\p{L}\p{N}\p{M}'’ʼ]+/u;

/** Separates the tokens of a text from the parts of its words, so that no phrase matches across. */
const partsToken = '\ue000';
/** Every message has it. */
export const messageToken = '\ue001';
/** The message has a link. */
export const linkToken = '\ue002';
const namePrefix = '\ue003';

/** Returns the tokens of a text, separated by spaces. */
export function tokenize(text: string): string {
  return split(fold(text).replace(innerApostrophe, ''));
}

/** Tokenizes a message. It indexes words with an apostrophe whole and in parts: l'eau is found as leau and as eau. */
export function tokenizeMessage(text: string): string {
  const folded = fold(text);
  const tokens = split(folded.replace(innerApostrophe, ''));
  const parts = apostrophe.test(folded) ? split(partsOf(folded).join(' ')) : '';
  return parts === '' ? tokens : `${tokens} ${partsToken} ${parts}`;
}

const privatePlanes = { first: 0xf0000, size: 0x20000 } as const;

/**
 * Returns the token of a room or a person. It consists of private-use characters, which never occur in a text's tokens.
 * The first 65,000 keys take one character each, because FTS5's prefix index skips such short tokens.
 */
export function keyToken(kind: 'room' | 'person', key: number): string {
  let token = '';
  let rest = key * 2 + (kind === 'room' ? 0 : 1);
  do {
    token += String.fromCodePoint(privatePlanes.first + (rest % privatePlanes.size));
    rest = Math.floor(rest / privatePlanes.size);
  } while (rest > 0);
  return token;
}

/** Returns the token of an author's name. Punctuation becomes private-use characters, because FTS5 would split at it. */
export function nameToken(nameSkeleton: string): string {
  const token = nameSkeleton.replace(/[^a-z0-9\u0080-\uffff]/gi, (mark) =>
    String.fromCharCode(0xe100 + mark.charCodeAt(0)),
  );
  return namePrefix + token;
}

export function hasLink(text: string): boolean {
  return /\bhttps?:\/\/\S/i.test(text);
}

function fold(text: string): string {
  const joined = text.replace(groupedDigits, (number) => number.replace(groupSeparator, ''));
  if (asciiText.test(joined)) return joined.toLowerCase();
  const plain = joined.normalize('NFKC').toLowerCase().normalize('NFKD').replace(ignoredMarks, '');
  return plain.replace(foldedLetter, (letter) => PLAIN_LETTERS[letter] ?? letter).normalize('NFC');
}

function split(folded: string): string {
  const apart = asciiText.test(folded)
    ? folded.replace(/[^a-z0-9]+/g, ' ')
    : folded.replace(singleCharacter, ' $& ').replace(tokenSeparator, ' ');
  return apart.trim();
}

/** Returns the parts of words with an apostrophe, without single letters. */
function partsOf(folded: string): string[] {
  const words = folded.split(wordSeparator).filter((word) => word.search(innerApostrophe) >= 0);
  return words.flatMap((word) => word.split(apostrophe)).filter((part) => part.length > 1);
}
