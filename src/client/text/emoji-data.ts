/** The emoji's names, in the language of the page where there are some, else in English. A chunk for each. */
import codes from 'emojibase-data/en/shortcodes/github.json' with { type: 'json' };
import { buildEmojiIndex, type EmojiIndex, type RawCodes, type RawEmoji, type RawGroups } from './emoji.js';

interface EmojiData {
  readonly emoji: { readonly default: unknown };
  readonly groups: { readonly default: unknown };
}

const importEnglish = async (): Promise<EmojiData> => ({
  emoji: await import('emojibase-data/en/compact.json'),
  groups: await import('emojibase-data/en/messages.json'),
});
const importers: Readonly<Record<string, () => Promise<EmojiData>>> = {
  zh: async () => ({
    emoji: await import('emojibase-data/zh/compact.json'),
    groups: await import('emojibase-data/zh/messages.json'),
  }),
};

export async function buildIndexFor(tag: string): Promise<EmojiIndex> {
  const named = await (importers[tag.split('-')[0] ?? ''] ?? importEnglish)();
  // Files of a package that is part of this page, with the shape that its documents give.
  return buildEmojiIndex(
    named.emoji.default as RawEmoji[],
    codes as RawCodes,
    named.groups.default as RawGroups,
  );
}
