// @ts-check
/**
 * The text of a bench message: `~` when it was written `~` who wrote it `~` and words, 80 bytes in all. Fixed places,
 * so that a receiver reads the two numbers out of the bytes without decoding anything. (Not `@`: that calls people, and a
 * message that calls three is not the ordinary one.)
 */
import { micros } from './clock.js';

const MARK = '~'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);
const TIME = 16;
const TALKER = 6;
const SIZE = 80;
const WORDS = ' the quick brown fox jumps over the lazy dog and comes back to tell it';

/** @param {number} talker */
export function stampedText(talker) {
  const stamp = `~${String(micros()).padStart(TIME, '0')}~${String(talker).padStart(TALKER, '0')}~`;
  return stamp + WORDS.slice(0, SIZE - stamp.length);
}

/** Where the stamp begins in a message, or -1. @param {Buffer} bytes @param {number} from */
export function stampIn(bytes, from) {
  return bytes.indexOf(MARK, from);
}

/** @param {Buffer} bytes @param {number} at where the stamp begins @returns {number} microseconds */
export function timeOf(bytes, at) {
  return decimal(bytes, at + 1, TIME);
}

/** @param {Buffer} bytes @param {number} at where the stamp begins */
export function talkerOf(bytes, at) {
  return decimal(bytes, at + 2 + TIME, TALKER);
}

/** @param {Buffer} bytes @param {number} at @param {number} count */
function decimal(bytes, at, count) {
  let value = 0;
  for (let i = at; i < at + count; i++) value = value * 10 + (bytes[i] ?? ZERO) - ZERO;
  return value;
}

/** A number up to its first non-digit. @param {Buffer} bytes @param {number} at */
export function numberAt(bytes, at) {
  let value = 0;
  for (let i = at; ; i++) {
    const digit = (bytes[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
  }
}
