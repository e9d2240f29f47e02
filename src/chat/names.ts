/**
 * Names of people: which are allowed, and which look the same. A name is shown as `parseName` returns it, and owned by its
 * `skeleton`. Both are pure and bounded. Contract: docs/protocol.md, "Identity".
 */
import { LIMITS } from '../shared/protocol.js';
import { canonicalEmoji, graphemesOf, INVISIBLE_CHARACTERS } from '../shared/text.js';
import { foldBeforeNfkc, foldCase, foldGreek, mapConfusables } from './confusables.js';
import { escapeUnassigned } from './unicode.js';

export type ParsedName =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly why: NameProblem; readonly message: string };

/** Why a name is refused. The sign-in form shows the reason in the reader's language. */
export type NameProblem = keyof typeof NAME_PROBLEMS;

const NAME_PROBLEMS = {
  empty: 'Enter a name.',
  broken: 'That name contains a broken character. Type it again.',
  long: `Names can have at most ${LIMITS.nameGraphemes} characters.`,
  hidden: 'Names cannot contain invisible characters.',
  stacked: 'That name has too many accents on one letter.',
  blank: 'A name needs at least one visible character.',
} as const;

/** Code points of a name, because one grapheme can be of any length. */
const MAX_CODE_POINTS = 128;
const HIDDEN = new RegExp(`[\\p{Cf}\\p{Cn}\\p{Zl}\\p{Zp}${INVISIBLE_CHARACTERS}]`, 'u');
const STACKED = /\p{M}{5,}/u;
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** Signs that suppress a vowel; Indic scripts write a joiner beside them. */
const VIRAMA =
  '[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u1039\u17d2\u1a60\u1b44\ua8c4\ua9c0]';
/** Letters of scripts whose letters join. */
const JOINING =
  '[\\p{L}&&[\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Nko}\\p{Script=Mongolian}\\p{Script=Adlam}]]';
/**
 * Where a script needs a character that draws nothing: flags of regions, emoji, joiners (UAX #31, 2.3: A1, A2, B),
 * ya-phalaa after ra in Bengali, variants of ideographs and Mongolian letters. Anywhere else such a character is refused.
 */
const NEEDED = [
  '\\u{1f3f4}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]{3,6}\\u{e007f}',
  '\\p{RGI_Emoji}',
  `(?<=${JOINING}\\p{M}*)\\u200c(?=${JOINING})`,
  `(?<=${VIRAMA}\\p{M}*)(?:\\u200d|\\u200c(?=\\p{L}))`,
  `(?<=\\p{L}\\p{M}*)\\u200d(?=${VIRAMA}\\p{L})`,
  '(?<=\\p{Ideographic})[\\ufe00-\\ufe02\\u{e0100}-\\u{e01ef}]',
  '(?<=\\p{Script=Mongolian})[\\u180b-\\u180f]',
].map((pattern) => new RegExp(pattern, 'gv'));

/** Returns the name as it is stored: NFC, trimmed, single spaces, emoji in one spelling. Or why it is refused. */
export function parseName(raw: unknown): ParsedName {
  if (typeof raw !== 'string') return rejectName('empty');
  if (!raw.isWellFormed()) return rejectName('broken');
  if (raw.length > 16 * MAX_CODE_POINTS) return rejectName('long');
  const name = normalizeEmoji(
    raw
      .normalize('NFC')
      .trim()
      .replace(/[\p{Zs}\t\r\n]+/gu, ' '),
  );
  if (name === '') return rejectName('empty');
  const plain = NEEDED.reduce((text, pattern) => text.replace(pattern, '☺'), name);
  if (HIDDEN.test(plain)) return rejectName('hidden');
  if (STACKED.test(plain)) return rejectName('stacked');
  if (!VISIBLE.test(plain)) return rejectName('blank');
  if ([...graphemesOf(name)].length > LIMITS.nameGraphemes || [...name].length > MAX_CODE_POINTS)
    return rejectName('long');
  return { ok: true, name };
}

/** Phones add U+FE0F where it is not needed and leave it out where it is. Leaves text-style symbols as they are. */
function normalizeEmoji(name: string): string {
  if (!/[\ufe0f\u200d]/.test(name)) return name;
  return [...graphemesOf(name)]
    .map((grapheme) => (/[\ufe0f\u200d]/.test(grapheme) ? (canonicalEmoji(grapheme) ?? grapheme) : grapheme))
    .join('');
}

/** To be increased whenever `skeleton` changes its result for any name: stored skeletons are then rebuilt. */
export const SKELETON_VERSION = '4';

/**
 * What a name looks like: two names with one skeleton belong to one person. NFKC, case folding and the confusables of
 * UTS #39; spaces, characters that draw nothing, lines through or under a letter and tatweel do not count.
 */
export function skeleton(name: string): string {
  const folded = foldCase(foldGreek(foldBeforeNfkc(escapeUnassigned(name)).normalize('NFKC')));
  return mapConfusables(folded).replace(IGNORED, '').replace(DOTTED, '$1').normalize('NFD');
}

/** U+0305, 0332 to 0338 and 033F are lines over, under and through a letter; Me are marks that enclose it. */
const IGNORED = new RegExp(
  `[\\p{Z}${INVISIBLE_CHARACTERS}\\p{Me}\\u0305\\u0332-\\u0338\\u033f\\u0640\\u07fa]+`,
  'gu',
);
/** A dot on a letter that has one already. The lower case of the Turkish İ is i̇. */
const DOTTED = /([lj])\u0307/g;

function rejectName(why: NameProblem): ParsedName {
  return { ok: false, why, message: NAME_PROBLEMS[why] };
}
