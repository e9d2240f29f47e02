/**
 * Splits texts into the tokens of the search index. Messages and queries are split alike, so that they meet. A change here
 * must raise `tokenizerVersion`: the index is then rebuilt.
 */

import { PLAIN_LETTERS } from '../shared/text.js';

export const tokenizerVersion = 1;

/** Scripts without spaces between words, and emoji: each character is a token, so any run of them is found. */
const SINGLE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー々〆\p{Extended_Pictographic}]/gu;
const SEPARATORS = /[^\p{L}\p{N}\p{M}\p{Extended_Pictographic}]+/gu;
/** Accents, vowel signs that Arabic and Hebrew mostly omit, and variation selectors of emoji. */
const MARKS = /[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]|[\ufe00-\ufe0f]/g;
const FOLDED_LETTERS = new RegExp(`[${Object.keys(PLAIN_LETTERS).join('')}]`, 'g');
// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII includes the control characters
const ASCII = /^[\u0000-\u007f]*$/;

/** 1,000,000 and 1’000’000. A dot is no separator here, because 1.234 is a decimal number elsewhere. */
const GROUPED_DIGITS = /(?<![\d,])\d{1,3}(?:[,'’\u00a0\u2009\u202f]\d{3})+(?!\d)/g;
const GROUP_SEPARATORS = /\D/g;
const APOSTROPHE = /['’ʼ]/;
/** Looks behind last: tested first, it would be tried at every character. */
const INNER_APOSTROPHE = /['’ʼ](?<=[\p{L}\p{N}\p{M}].)(?=[\p{L}\p{N}])/gu;
const BETWEEN_WORDS = /[^\p{L}\p{N}\p{M}'’ʼ]+/u;

/** Stands between the tokens of a text and the parts of its words, so that no phrase runs across. */
const PARTS_TOKEN = '\ue000';
/** Every message has it. */
export const MESSAGE_TOKEN = '\ue001';
/** The message has a link. */
export const LINK_TOKEN = '\ue002';
const NAME_PREFIX = '\ue003';

/** The tokens of a text with one space between each two; '' when it has none. */
export function tokenize(text: string): string {
  return split(fold(text).replace(INNER_APOSTROPHE, ''));
}

/** The same of a message. Words with an apostrophe count whole and in parts: l'eau is found as leau and as eau. */
export function tokenizeMessage(text: string): string {
  const folded = fold(text);
  const tokens = split(folded.replace(INNER_APOSTROPHE, ''));
  const parts = APOSTROPHE.test(folded) ? split(partsOf(folded).join(' ')) : '';
  return parts === '' ? tokens : `${tokens} ${PARTS_TOKEN} ${parts}`;
}

const PRIVATE_PLANES = { first: 0xf0000, size: 0x20000 } as const;

/**
 * The token of a room or a person by its key. It is made of private characters, which no text's token has. One stands for
 * each of the first 65,000, because a token of one character is in no index of beginnings.
 */
export function keyToken(kind: 'room' | 'person', key: number): string {
  let token = '';
  let rest = key * 2 + (kind === 'room' ? 0 : 1);
  do {
    token += String.fromCodePoint(PRIVATE_PLANES.first + (rest % PRIVATE_PLANES.size));
    rest = Math.floor(rest / PRIVATE_PLANES.size);
  } while (rest > 0);
  return token;
}

/** The token of a name that a message is shown with. Punctuation becomes private characters: FTS5 would split at it. */
export function nameToken(nameSkeleton: string): string {
  const token = nameSkeleton.replace(/[^a-z0-9\u0080-\uffff]/gi, (mark) =>
    String.fromCharCode(0xe100 + mark.charCodeAt(0)),
  );
  return NAME_PREFIX + token;
}

export function hasLink(text: string): boolean {
  return /\bhttps?:\/\/\S/i.test(text);
}

function fold(text: string): string {
  const joined = text.replace(GROUPED_DIGITS, (number) => number.replace(GROUP_SEPARATORS, ''));
  if (ASCII.test(joined)) return joined.toLowerCase();
  const plain = joined.normalize('NFKC').toLowerCase().normalize('NFKD').replace(MARKS, '');
  return plain.replace(FOLDED_LETTERS, (letter) => PLAIN_LETTERS[letter] ?? letter).normalize('NFC');
}

function split(folded: string): string {
  const apart = ASCII.test(folded)
    ? folded.replace(/[^a-z0-9]+/g, ' ')
    : folded.replace(SINGLE, ' $& ').replace(SEPARATORS, ' ');
  return apart.trim();
}

/** What stands before and after the apostrophes of words, if it is longer than a letter. */
function partsOf(folded: string): string[] {
  const words = folded.split(BETWEEN_WORDS).filter((word) => word.search(INNER_APOSTROPHE) >= 0);
  return words.flatMap((word) => word.split(APOSTROPHE)).filter((part) => part.length > 1);
}
