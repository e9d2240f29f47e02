// @ts-check
/**
 * A fixed history of people and messages, with names and mentions whose characters are new in some version of Unicode. It must
 * end with the same heads on every version of Node: in the suite, and in the smoke test of the other versions.
 */

import { createHash } from 'node:crypto';

/** @typedef {import('../src/chat/types.js').Command} Command */

const people = [
  'Ann',
  'Łukasz',
  '小明',
  'علی‌رضا',
  'Ñandú Ⅷ',
  '\u{88F}ab',
  '\u{1C89}c',
  'STRASSE',
  '👍 Fan',
  '\u{16D40}x',
];
const texts = [
  ...[
    'hi @Ann',
    'hello @strasse!',
    '@小明你好',
    '> @Ann\n@Łukasz',
    '`@Ann` \\@Ann @ann@Ann',
    '＠Ann and @\u{88F}ab',
  ],
  ...['@\u{1C89}c?', '@👍Fan @علی‌رضا', '@Ñandú VIII', 'no one', '@\u{16D40}x\u{16D40}'],
];

/** @param {number} n @returns {import('../src/shared/protocol.js').User} */
const userOf = (n) => ({
  id: `person${String(n % people.length).padStart(6, '0')}`,
  name: people[n % people.length] ?? '',
});

/** @param {(name: string) => string} skeleton @returns {readonly Command[]} */
export function fixedHistory(skeleton) {
  /** @type {Command[]} */
  const commands = people.map((name, n) => ({
    ...{ kind: 'sign-in', user: userOf(n), generation: undefined, skeleton: skeleton(name), at: 1000 + n },
  }));
  for (let n = 0; n < 300; n++) {
    const salt = n.toString(16).padStart(32, '0');
    const fields = { room: `room${n % 3}`, user: userOf(n * 7), at: 2000 + ((n * 13) % 500), salt };
    const data = texts[n % texts.length] ?? '';
    const target = 1 + ((n * 5) % 60);
    if (n % 4 === 3) commands.push({ kind: 'change', ...fields, type: 'react', target, data: '👍' });
    else if (n % 8 === 5) commands.push({ kind: 'change', ...fields, type: 'edit', target, data });
    else if (n % 16 === 9) commands.push({ kind: 'change', ...fields, type: 'delete', target, data: '' });
    else commands.push({ kind: 'message', ...fields, data, ...(n % 2 ? { cid: `c${n % 40}` } : {}) });
  }
  return commands;
}

/**
 * A hash of everything that must be the same: the heads, and the results with their mentions and rejections.
 * @param {Iterable<unknown>} heads @param {readonly unknown[]} results
 */
export function summaryOf(heads, results) {
  return createHash('sha256')
    .update(JSON.stringify([[...heads], results]))
    .digest('hex')
    .slice(0, 32);
}

export const expectedSummary = 'ef8de935051b698d37b2392febf610f4';
