/** Loads the emoji picker and its data on first use. */

import { t } from '../i18n.js';
import type { EmojiIndex } from '../text/emoji.js';
import { checkVersion } from '../updates.js';

/** Resolves with undefined when the user picks none. */
export async function pickEmoji(opener: Element): Promise<string | undefined> {
  try {
    const [{ openPicker }, index] = await Promise.all([import('./emoji-picker.js'), loadEmojiIndex()]);
    return await openPicker(opener, index);
  } catch {
    void checkVersion();
    return undefined; // offline, or a deployment removed the file
  }
}

const emojiIndexes = new Map<
  string,
  { readonly loading: Promise<EmojiIndex>; readonly loaded?: EmojiIndex }
>();

/** In the page's language. A failed load is repeated next time. */
export function loadEmojiIndex(): Promise<EmojiIndex> {
  const { tag } = t.peek().language;
  const before = emojiIndexes.get(tag);
  if (before) return before.loading;
  const loading = importEmojiIndex(tag);
  emojiIndexes.set(tag, { loading });
  loading.then(
    (loaded) => emojiIndexes.set(tag, { loading, loaded }),
    () => emojiIndexes.delete(tag),
  );
  return loading;
}

/** Undefined until loaded. */
export function loadedEmojiIndex(): EmojiIndex | undefined {
  return emojiIndexes.get(t.peek().language.tag)?.loaded;
}

async function importEmojiIndex(tag: string): Promise<EmojiIndex> {
  return (await import('../text/emoji-data.js')).buildIndexFor(tag);
}
