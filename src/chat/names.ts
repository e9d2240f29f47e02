/**
 * Names of people: which are allowed, and which look the same. A name is shown as `parseName` returns it, and owned by its
 * `skeleton`. Both are pure and bounded. Contract: docs/protocol.md, "Identity".
 */
import { LIMITS } from '../shared/protocol.js';
import { canonicalEmoji, graphemesOf, invisibleCharacters } from '../shared/text.js';
import { foldBeforeNfkc, foldCase, foldGreek, mapConfusables } from './confusables.js';
import { escapeUnassigned } from './unicode.js';

type ParsedName =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly why: NameProblem; readonly message: string };

/** Why a name is refused. The sign-in form shows the reason in the reader's language. */
type NameProblem = keyof typeof nameProblems;

const nameProblems = {
  empty: 'Enter a name.',
  broken: 'That name contains a broken character. Type it again.',
  long: `Names can have at most ${LIMITS.nameGraphemes} characters.`,
  hidden: 'Names cannot contain invisible characters.',
  stacked: 'That name has too many accents on one letter.',
  blank: 'A name needs at least one visible character.',
} as const;

/** Code points of a name, because one grapheme can be of any length. */
const maxNameCodePoints = 128;
const hiddenCharacter = new RegExp(`[\\p{Cf}\\p{Cn}\\p{Zl}\\p{Zp}${invisibleCharacters}]`, 'u');
const stackedMarks = /\p{M}{5,}/u;
const visibleCharacter = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** Signs that suppress a vowel; Indic scripts write a joiner beside them. */
const virama =
  '[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u1039\u17d2\u1a60\u1b44\ua8c4\ua9c0]';
/** Letters of scripts whose letters join. */
const joiningLetter =
  '[\\p{L}&&[\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Nko}\\p{Script=Mongolian}\\p{Script=Adlam}]]';
/**
 * Contexts in which an invisible character is required: region flags, emoji, joiners (UAX #31, 2.3: A1, A2, B), ya-phalaa
 * after ra in Bengali, variants of ideographs and Mongolian letters. Anywhere else it is refused.
 */
const requiredInvisibles = [
  '\\u{1f3f4}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]{3,6}\\u{e007f}',
  '\\p{RGI_Emoji}',
  `(?<=${joiningLetter}\\p{M}*)\\u200c(?=${joiningLetter})`,
  `(?<=${virama}\\p{M}*)(?:\\u200d|\\u200c(?=\\p{L}))`,
  `(?<=\\p{L}\\p{M}*)\\u200d(?=${virama}\\p{L})`,
  '(?<=\\p{Ideographic})[\\ufe00-\\ufe02\\u{e0100}-\\u{e01ef}]',
  '(?<=\\p{Script=Mongolian})[\\u180b-\\u180f]',
].map((pattern) => new RegExp(pattern, 'gv'));

/** Returns the name as it is stored: NFC, trimmed, single spaces, emoji in one spelling. Or why it is refused. */
export function parseName(raw: unknown): ParsedName {
  if (typeof raw !== 'string') return rejectName('empty');
  if (!raw.isWellFormed()) return rejectName('broken');
  if (raw.length > 16 * maxNameCodePoints) return rejectName('long');
  const name = normalizeEmoji(
    raw
      .normalize('NFC')
      .trim()
      .replace(/[\p{Zs}\t\r\n]+/gu, ' '),
  );
  if (name === '') return rejectName('empty');
  const plain = requiredInvisibles.reduce((text, pattern) => text.replace(pattern, '☺'), name);
  if (hiddenCharacter.test(plain)) return rejectName('hidden');
  if (stackedMarks.test(plain)) return rejectName('stacked');
  if (!visibleCharacter.test(plain)) return rejectName('blank');
  if ([...graphemesOf(name)].length > LIMITS.nameGraphemes || [...name].length > maxNameCodePoints)
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

/**
 * Increase this when `skeleton` changes its result for any name, or the rules their mentions for any text. The store then
 * rebuilds all skeletons. It does not search older texts for mentions again.
 */
export const skeletonVersion = '5';

/**
 * Reduces a name to what it looks like. Names with one skeleton belong to one person. NFKC, case folding and the confusables of
 * UTS #39; spaces, characters that draw nothing, tatweel and marks of no living orthography do not count.
 */
export function skeleton(name: string): string {
  const folded = foldCase(foldGreek(foldBeforeNfkc(escapeUnassigned(name)).normalize('NFKC')));
  const marked = folded.replace(ignoredCharacters, '').replace(letterWithMarks, dropForeignMarks);
  return mapConfusables(marked).replace(dottedLetter, '$1').normalize('NFD');
}

/**
 * Marks of phonetics, of medieval texts and of mathematics; lines over, under and through a letter; marks that enclose it or
 * join two. The others of U+0300 to U+0362 are accents of living orthographies, as the dot below of Yoruba and Vietnamese.
 */
const unusedMarks =
  '\\p{Me}\\u0305\\u0310\\u0316-\\u031a\\u031c-\\u031f\\u0321\\u0322\\u032a-\\u032c\\u032f\\u0332-\\u033f' +
  '\\u0346-\\u0357\\u0359-\\u036f\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f';
const ignoredCharacters = new RegExp(`[\\p{Z}${invisibleCharacters}${unusedMarks}\\u0640\\u07fa]+`, 'gu');

/** A character of a script that imitates Latin names, or of ASCII, with its marks. */
const letterWithMarks =
  /([\0-\x7f\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Lisu}\p{Script=Coptic}\p{Script=Canadian_Aboriginal}])(\p{M}+)/gu;

/** Leaves out marks of other scripts, as a vowel of Thai or an accent of Hebrew. U+0320 is one of Syriac. */
function dropForeignMarks(_match: string, letter: string, marks: string): string {
  const isOwn = (mark: string): boolean => mark >= '\u0300' && mark <= '\u036f' && mark !== '\u0320';
  return letter + Array.from(marks).filter(isOwn).join('');
}

/** A dot on a letter that has one already. The lower case of the Turkish İ is i̇. */
const dottedLetter = /([lj])\u0307/g;

function rejectName(why: NameProblem): ParsedName {
  return { ok: false, why, message: nameProblems[why] };
}
