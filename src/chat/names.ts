/**
 * Names of people: which are allowed, and which two look the same. A name is shown as `parseName` gives it and owned by
 * its `skeleton`. Both are pure and bounded. Contract: docs/protocol.md, "Identity".
 */
import { LIMITS } from '../shared/protocol.js';
import { foldBeforeNfkc, foldCase, foldGreek, mapConfusables } from './confusables.js';

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

/** Code points of a name, whatever its graphemes: one grapheme can be of any length. */
const MAX_CODE_POINTS = 128;
// An emoji may hold a joiner, a selector or tags; anywhere else they hide.
const EMOJI = /\p{RGI_Emoji}/gv;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const STACKED = /\p{M}{5,}/u;
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** The name as it is kept: NFC, trimmed, inner white space one space each; or why it cannot be one. */
export function parseName(raw: unknown): ParsedName {
  if (typeof raw !== 'string') return rejectName('empty');
  if (!raw.isWellFormed()) return rejectName('broken');
  if (raw.length > 16 * MAX_CODE_POINTS) return rejectName('long');
  const name = raw
    .normalize('NFC')
    .trim()
    .replace(/[\p{Zs}\t\r\n]+/gu, ' ');
  if (name === '') return rejectName('empty');
  const plain = name.replace(EMOJI, '☺');
  if (HIDDEN.test(plain)) return rejectName('hidden');
  if (STACKED.test(plain)) return rejectName('stacked');
  if (!VISIBLE.test(plain)) return rejectName('blank');
  if ([...graphemes.segment(name)].length > LIMITS.nameGraphemes || [...name].length > MAX_CODE_POINTS)
    return rejectName('long');
  return { ok: true, name };
}

/** Counted up whenever `skeleton` gives something else for a name than before: those that are kept are then made anew. */
export const SKELETON_VERSION = '2';

/**
 * What a name looks like: two names with one skeleton belong to one person. NFKC, case folding and the confusables of
 * UTS #39; spaces do not count.
 */
export function skeleton(name: string): string {
  const folded = foldCase(foldGreek(foldBeforeNfkc(name).normalize('NFKC')));
  return mapConfusables(folded).replace(INVISIBLE, '').replace(DOTTED, '$1').normalize('NFD');
}

const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Z}\p{Cc}]+/gu;
/** A dot on a letter that has one already changes nothing: i̇ is what becomes of the Turkish İ in lower case. */
const DOTTED = /([lj])\u0307/g;

function rejectName(why: NameProblem): ParsedName {
  return { ok: false, why, message: NAME_PROBLEMS[why] };
}
