/** Emoji names in the page's language, or in English. One chunk per language. */
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
  const data = await (importers[tag.split('-')[0] ?? ''] ?? importEnglish)();
  // the documented shape of emojibase-data
  return buildEmojiIndex(
    data.emoji.default as RawEmoji[],
    codes as RawCodes,
    data.groups.default as RawGroups,
  );
}
