/** The emoji's names, in the language of the page where there are some, else in English. A chunk for each. */
import codes from 'emojibase-data/en/shortcodes/github.json' with { type: 'json' };
import { bookOf, type EmojiBook, type RawCodes, type RawEmoji, type RawGroups } from '../state/emoji.js';

interface Named {
  readonly emoji: { readonly default: unknown };
  readonly groups: { readonly default: unknown };
}

const english = async (): Promise<Named> => ({
  emoji: await import('emojibase-data/en/compact.json'),
  groups: await import('emojibase-data/en/messages.json'),
});
const NAMES: Readonly<Record<string, () => Promise<Named>>> = {
  zh: async () => ({
    emoji: await import('emojibase-data/zh/compact.json'),
    groups: await import('emojibase-data/zh/messages.json'),
  }),
};

export async function loadBook(tag: string): Promise<EmojiBook> {
  const named = await (NAMES[tag.split('-')[0] ?? ''] ?? english)();
  // Files of a package that is part of this page, with the shape that its documents give.
  return bookOf(named.emoji.default as RawEmoji[], codes as RawCodes, named.groups.default as RawGroups);
}
