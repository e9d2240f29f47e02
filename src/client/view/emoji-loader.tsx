/** The way to the emoji: their data and their picker are loaded when they are first wanted. */

import { t } from '../i18n.js';
import type { EmojiIndex } from '../text/emoji.js';
import { checkVersion } from '../updates.js';

/** Lets a person choose one; undefined when they do not. */
export async function pickEmoji(opener: Element): Promise<string | undefined> {
  try {
    const [{ openPicker }, book] = await Promise.all([import('./emoji-picker.js'), loadEmojiIndex()]);
    return await openPicker(opener, book);
  } catch {
    void checkVersion();
    return undefined; // the part could not be loaded: offline, or a new version was deployed
  }
}

const emojiIndexes = new Map<
  string,
  { readonly loading: Promise<EmojiIndex>; readonly loaded?: EmojiIndex }
>();

/** In the language of the page. What could not be loaded is tried again the next time. */
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

/** For what cannot wait: undefined until it has been loaded. */
export function loadedEmojiIndex(): EmojiIndex | undefined {
  return emojiIndexes.get(t.peek().language.tag)?.loaded;
}

async function importEmojiIndex(tag: string): Promise<EmojiIndex> {
  return (await import('../text/emoji-data.js')).buildIndexFor(tag);
}
