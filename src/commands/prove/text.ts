/**
 * The texts of the proof. Each begins with the cid it was sent with, so nobody need be believed about whose text it is,
 * and is else one secret word over and over, so that a piece of it is known wherever it turns up.
 */
import { between, type Random } from './random.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxy';
const SECRET = 14;
/** How every secret ends, and no other word; and so much before it that no two end alike. */
const END = 'zq';
const TAIL = /[a-y]{10}zq/g;
/** An index may keep a word without the beginning that it shares with others: we look for its tail. */
export const TAIL_LENGTH = 12;

export function textOf(cid: string, random: Random): string {
  const letters = Array.from({ length: SECRET }, () => LETTERS[between(random, 0, LETTERS.length)]);
  const secret = letters.join('') + END;
  return [cid, ...Array.from({ length: between(random, 1, 12) }, () => secret)].join(' ');
}

/** The cid of the message or edit that brought this text; undefined when it is none of ours. */
export function cidIn(text: string): string | undefined {
  const end = text.indexOf(' ');
  return end < 0 ? undefined : text.slice(0, end);
}

export function tailOf(text: string): string {
  return text.slice(-TAIL_LENGTH);
}

/** What is said of a text to people: once is enough. */
export function brief(evidence: string): string {
  return evidence.replace(/([a-y]{14}zq)(?: \1)+/g, '$1 …');
}

/** The tails of all secrets in some bytes, read as Latin-1. */
export function tailsIn(bytes: string): string[] {
  return bytes.match(TAIL) ?? [];
}
