/** Emoji by name in two languages, and by shortcode. */
import { describe, expect, it } from 'vitest';
import {
  containsShortcodeStart,
  findEmoji,
  isEmojiOnly,
  replaceShortcodes,
} from '../../src/client/text/emoji.js';
import { buildIndexFor } from '../../src/client/text/emoji-data.js';

const [english, chinese] = await Promise.all([buildIndexFor('en'), buildIndexFor('zh-CN')]);
const first = (book: typeof english, query: string) => findEmoji(book, query, 10).map(({ char }) => char);

describe('emoji', () => {
  it('have groups with names', () => {
    expect(english.all.length).toBeGreaterThan(1_800);
    expect(
      english.groups.every(({ id, name }) => name !== '' && english.all.some(({ group }) => group === id)),
    ).toBe(true);
    expect(chinese.groups.map(({ id }) => id)).toEqual(english.groups.map(({ id }) => id));
  });

  it('are found by shortcode, by name, and in Chinese by any part of it', () => {
    expect(first(english, 'thumbsup')[0]).toBe('👍');
    expect(first(english, 'tada')[0]).toBe('🎉');
    expect(first(english, 'red heart')[0]).toBe('❤️');
    expect(first(chinese, '笑').length).toBeGreaterThan(3);
    expect(first(chinese, 'tada')[0]).toBe('🎉');
    expect(first(english, 'no such thing at all')).toEqual([]);
    expect([first(english, '30'), first(english, '100')[0]]).toEqual([[], '💯']);
  });

  it.each([
    ['yes :tada: :nonsense: 10:30:00', 'yes 🎉 :nonsense: 10:30:00'],
    [':tada::100:', '🎉💯'],
    ['(:tada:), **:tada:**!', '(🎉), **🎉**!'],
    ['好:tada:的', '好🎉的'],
    ['🎉:tada:', '🎉🎉'],
    ['a\n:tada:', 'a\n🎉'],
  ])('replace their shortcodes: %j', (written, said) => {
    expect(replaceShortcodes(written, english)).toBe(said);
    expect(containsShortcodeStart(written)).toBe(true);
  });

  it.each([
    'https://h.test/a:x:b',
    'https://h.test/?q=:x: and www.h.test/(:x:)',
    'user:id:42',
    '1:100:1',
    '10:30:45',
    'C:\\a:key:b',
    'C:\\:x:',
    'é:x: x:x: :x:é _:x:_',
    '::x::',
    'std::x::y',
    '`:tada:` ``a ` :tada:`` ```\n:tada:\n``` ```:tada:',
    '~~~\n:tada:\n~~~',
  ])('leave other text as it is: %j', (text) => {
    expect(replaceShortcodes(text, english)).toBe(text);
  });

  it('are loaded when a shortcode begins, not at each colon', () => {
    for (const text of [':', 'a :t', '好:', '(:tada:)'])
      expect(containsShortcodeStart(text), text).toBe(true);
    for (const text of ['at 10:30', 'note: this', 'https://x.org', 'a:b'])
      expect(containsShortcodeStart(text), text).toBe(false);
  });

  it('are found in hostile texts in little time', () => {
    for (const bit of ['`', '`a``', '~~~\n', 'a', ':', ':a', ':a:', 'a:/', '```', 'www.', ': '])
      expect(
        timeOf(() => replaceShortcodes(`${bit.repeat(4000 / bit.length)} :tada`, english)),
        bit,
      ).toBeLessThan(300);
  });

  it('are shown large when one to three stand alone', () => {
    for (const text of ['🎉', '👍🏽 ❤️', '👨‍👩‍👧🎉🎉', '👍️', '⚡️', '☝🏿', '🏳‍🌈'])
      expect(isEmojiOnly(text), text).toBe(true);
    for (const text of ['🎉🎉🎉🎉', '1', 'a🎉', '12', '©', '™ ©', ' ', '…'])
      expect(isEmojiOnly(text), text).toBe(false);
  });
});

/** CPU milliseconds. */
function timeOf(work: () => unknown): number {
  const from = process.cpuUsage();
  work();
  return process.cpuUsage(from).user / 1_000;
}
