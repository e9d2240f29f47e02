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
export const CODES = 253;
const OTHER = 0;
const UNTOLD_BYTE = 254;
const END_BYTE = 255;
/** There was no room for the message. */
const UNTOLD = Buffer.of(UNTOLD_BYTE);
/** Comes after each message. */
const END = Buffer.of(END_BYTE);
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

/** As it is in the file. */
export function partOf(shorts: readonly Buffer[]): Buffer {
  let room = ROOM;
  const pieces = shorts.flatMap((short) => {
    if (short.length > room) return [UNTOLD, END];
    room -= short.length;
    return [short, END];
  });
  return Buffer.concat(pieces);
}

export function shortsOf(part: Buffer): Buffer[] {
  let end = -1;
  return Array.from({ length: PART }, () => {
    const from = end + 1;
    end = part.indexOf(END, from);
    return part.subarray(from, end);
  });
}

/** Whether it may be that of such a text. */
export function isShortOf(short: Buffer, whole: Buffer): boolean {
  return Buffer.compare(short, UNTOLD) === 0 || Buffer.compare(short, whole) === 0;
}

/** Clears the bits of those of a part that do not have the run; its first one has the bit `first`. */
export function narrow(bits: Bits, first: number, part: Buffer, run: Buffer): void {
  if (part.includes(run) || part.includes(UNTOLD)) clearOthers(bits, first, part, run);
  else bits.fill(0, first >>> 5, (first + PART) >>> 5);
}

function clearOthers(bits: Bits, first: number, part: Buffer, run: Buffer): void {
  let end = -1;
  for (let n = 0; n < PART; n++) {
    const from = ++end;
    while (end < part.length && part[end] !== END_BYTE) end++;
    if (has(bits, first + n) && !mayHave(part, from, end, run)) set(bits, first + n, false);
  }
}

function mayHave(part: Buffer, from: number, end: number, run: Buffer): boolean {
  if (part[from] === UNTOLD_BYTE) return true;
  const [head, last] = [run[0], end - run.length];
  for (let at = from; at <= last; at++) if (part[at] === head && isAt(part, at, run)) return true;
  return false;
}

function isAt(part: Buffer, at: number, run: Buffer): boolean {
  for (let n = 1; n < run.length; n++) if (part[at + n] !== run[n]) return false;
  return true;
}
