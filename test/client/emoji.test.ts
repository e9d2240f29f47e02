/** The emoji: found by name in two languages, written by shortcode. */
import { describe, expect, it } from 'vitest';
import { findEmoji, hasShortcode, isEmojiOnly, withEmoji } from '../../src/client/state/emoji.js';
import { loadBook } from '../../src/client/view/emojidata.js';

const [english, chinese] = await Promise.all([loadBook('en'), loadBook('zh-CN')]);
const first = (book: typeof english, query: string) => findEmoji(book, query, 10).map(({ char }) => char);

describe('emoji', () => {
  it('are all there, with groups that have names', () => {
    expect(english.all.length).toBeGreaterThan(1_800);
    expect(
      english.groups.every(({ id, name }) => name !== '' && english.all.some(({ group }) => group === id)),
    ).toBe(true);
    expect(chinese.groups.map(({ id }) => id)).toEqual(english.groups.map(({ id }) => id));
  });

  it('are found by code, by name, and in Chinese by any part of it', () => {
    expect(first(english, 'thumbsup')[0]).toBe('👍️');
    expect(first(english, 'tada')[0]).toBe('🎉');
    expect(first(english, 'red heart')[0]).toBe('❤️');
    expect(first(chinese, '笑').length).toBeGreaterThan(3);
    expect(first(chinese, 'tada')[0]).toBe('🎉');
    expect(first(english, 'no such thing at all')).toEqual([]);
  });

  it('are put in place of their codes, but not in code', () => {
    expect(withEmoji('yes :tada: :nonsense: `:tada:` 10:30:00', english)).toBe(
      'yes 🎉 :nonsense: `:tada:` 10:30:00',
    );
    expect(hasShortcode('a :tada: b')).toBe(true);
    expect(hasShortcode('at 10:30')).toBe(false);
  });

  it('one to three alone are shown large', () => {
    for (const text of ['🎉', '👍🏽 ❤️', '👨‍👩‍👧🎉🎉']) expect(isEmojiOnly(text), text).toBe(true);
    for (const text of ['🎉🎉🎉🎉', '1', 'a🎉', '12']) expect(isEmojiOnly(text), text).toBe(false);
  });
});
