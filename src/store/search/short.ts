/**
 * A message in shorthand: a byte for each frequent word of its era, and one for all that stands between two of them. A run of
 * words is written likewise and looked for in it, a hundred times as fast as in the text. What must stay true: who has a run,
 * has its shorthand too. (Not the reverse: of other words it tells only that they are there.)
 */
import { type Bits, has, set } from './bits.js';
import { ERA } from './era.js';

/** The byte of each frequent word, from 1 on. */
export type Codes = ReadonlyMap<string, number>;

/** Messages that are kept together: two pages of the file or three, so that an edit writes little anew. */
export const PART = Math.max(32, ERA / 64);
/** Bytes of a part at most: so much of long texts is looked through, and what has no room is read when it must be. */
const ROOM = PART * 48;
/** Words that can have a byte. */
export const CODES = 254;
const OTHER = 0;
/** Comes after each message. */
const END = Buffer.of(255);
/** The length of a message for which there was no room. */
const NO_LENGTH = 255;
const UNTOLD = Buffer.of(NO_LENGTH);
export const NOTHING = Buffer.of();

export function shortOf(words: readonly string[], codes: Codes): Buffer {
  const short: number[] = [];
  for (const word of words) {
    if (word === '') continue; // of a text without words
    const code = codes.get(word) ?? OTHER;
    if (code !== OTHER || short.at(-1) !== OTHER) short.push(code);
  }
  return Buffer.from(short);
}

/** Whether it is worth being looked for: one frequent word alone has bits. */
export function isTelling(run: Buffer): boolean {
  return run.filter((code) => code !== OTHER).length > 1;
}

/** As it is in the file: the length of each, then what each is. */
export function partOf(shorts: readonly Buffer[]): Buffer {
  let room = ROOM;
  const kept = shorts.map((short) => {
    if (short.length > room || short.length >= NO_LENGTH || short.equals(UNTOLD)) return UNTOLD;
    room -= short.length;
    return short;
  });
  const lengths = kept.map((short) => (short === UNTOLD ? NO_LENGTH : short.length));
  return Buffer.concat([
    Buffer.from(lengths),
    ...kept.flatMap((short) => (short === UNTOLD ? [] : [short, END])),
  ]);
}

export function shortsOf(part: Buffer): Buffer[] {
  let next = PART;
  return Array.from(part.subarray(0, PART), (length) => {
    if (length === NO_LENGTH) return UNTOLD;
    next += length + END.length;
    return part.subarray(next - length - END.length, next - END.length);
  });
}

/** Whether it may be that of such a text. */
export function isShortOf(short: Buffer, whole: Buffer): boolean {
  return short.equals(UNTOLD) || short.equals(whole);
}

/** Clears the bits of those of a part that do not have the run; its first one has the bit `first`. */
export function narrow(bits: Bits, first: number, part: Buffer, run: Buffer): void {
  const allTold = part.indexOf(NO_LENGTH) >= PART;
  if (allTold && !part.includes(run, PART)) bits.fill(0, first >>> 5, (first + PART) >>> 5);
  else clearOthers(bits, first, part, run);
}

function clearOthers(bits: Bits, first: number, part: Buffer, run: Buffer): void {
  let next = PART;
  for (let n = 0; n < PART; n++) {
    const length = part[n] ?? NO_LENGTH;
    if (length === NO_LENGTH) continue;
    if (has(bits, first + n) && !isBetween(part, next, next + length, run)) set(bits, first + n, false);
    next += length + END.length;
  }
}

function isBetween(part: Buffer, from: number, end: number, run: Buffer): boolean {
  const [head, last] = [run[0], end - run.length];
  for (let at = from; at <= last; at++) if (part[at] === head && isAt(part, at, run)) return true;
  return false;
}

function isAt(part: Buffer, at: number, run: Buffer): boolean {
  for (let n = 1; n < run.length; n++) if (part[at + n] !== run[n]) return false;
  return true;
}
