import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { skeleton } from '../../src/chat/names.js';
import { findMentions } from '../../src/chat/rules.js';
import { escapeUnassigned, isAssigned, maskUnassigned } from '../../src/chat/unicode.js';

describe('the Unicode version of the rules', () => {
  it('is 15.1', () => {
    // U+2FFF came with 15.1, U+1C89 with 16.0
    expect([0x41, 0x2fff, 0x10ffff, 0x1c89, 0x378, 0x1fae9].map(isAssigned)).toEqual([
      ...[true, true, false, false, false, false],
    ]);
    expect(/\p{Cn}/u.test('\u1c89')).toBe(false); // this Node knows it
  });

  it('keeps newer characters apart, and takes them for no part of a word', () => {
    expect(escapeUnassigned('a\u1c89b')).toBe('a\ufffd1c89b');
    expect(maskUnassigned('a\u{1fae9}b')).toBe('a\ufffd\ufffdb');
    expect(skeleton('\u1c89nn')).not.toBe(skeleton('\u1c8ann'));
  });

  it('gives every code point of the first two planes the same skeleton and the same place in a word on every version of Node', () => {
    const ann = { key: 1, id: 'a', name: 'Ann', generation: 0, lastSeen: 0 };
    const person = { ...ann, ownsName: true, hasPosted: true, signedOut: false };
    const people = { ownerOf: (key: string) => (key === 'ann' ? person : undefined) };
    const digest = createHash('sha256');
    for (let codePoint = 0; codePoint < 0x20000; codePoint++) {
      if (codePoint >= 0xd800 && codePoint < 0xe000) continue;
      const char = String.fromCodePoint(codePoint);
      const mentions = findMentions(`${char}@Ann`, people) ? 1 : 0;
      digest.update(`${codePoint} ${skeleton(`a${char}b`)} ${skeleton(char)} ${mentions}\n`);
    }
    expect(digest.digest('hex')).toBe('3078a0cb70b8af187afca989ce9361e210ca7bf7231e9c74805d1b50d3165e87');
  }, 60_000);
});
