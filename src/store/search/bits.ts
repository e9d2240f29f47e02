/** A bit for each place of an era: which of its messages have something. */
import { ERA } from './era.js';

/** The lowest of a byte first: so it is in the file. */
export type Bits = Uint32Array;

export function noBits(): Bits {
  return new Uint32Array(ERA / 32);
}

export function has(bits: Bits, place: number): boolean {
  return (((bits[place >>> 5] ?? 0) >>> (place & 31)) & 1) === 1;
}

export function set(bits: Bits, place: number, there: boolean): void {
  const [at, bit] = [place >>> 5, 1 << (place & 31)];
  const before = bits[at] ?? 0;
  bits[at] = there ? before | bit : before & ~bit;
}

/** Those of messages of one era. */
export function bitsAt(seqs: readonly number[]): Bits {
  const bits = noBits();
  for (const seq of seqs) set(bits, seq % ERA, true);
  return bits;
}

export const and = (other: Bits) => (bits: number, n: number) => bits & (other[n] ?? 0);
export const or = (other: Bits) => (bits: number, n: number) => bits | (other[n] ?? 0);

/** Those of an era whose bit is set, before a place in the log, newest first. */
export function seqsOf(bits: Bits, era: number, end: number, count: number): number[] {
  const seqs: number[] = [];
  const start = era * ERA;
  for (let n = bits.length - 1; n >= 0 && seqs.length < count; n--) {
    for (let rest = bits[n] ?? 0; rest !== 0 && seqs.length < count; ) {
      const bit = 31 - Math.clz32(rest);
      rest &= ~(1 << bit);
      const seq = start + n * 32 + bit;
      if (seq < end) seqs.push(seq);
    }
  }
  return seqs;
}

/** As they are in the file. */
export function bitsOf({ buffer, byteOffset, length }: Uint8Array): Bits {
  return new Uint32Array(buffer.slice(byteOffset, byteOffset + length));
}

export function bytesOf(bits: Bits): Uint8Array {
  return new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
}
