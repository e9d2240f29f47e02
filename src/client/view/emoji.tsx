/** The way to the emoji: their data and their picker are loaded when they are first wanted. */
import type { EmojiBook } from '../state/emoji.js';
import { checkVersion } from '../version.js';
import { words } from '../words.js';

/** Lets a person choose one; undefined when they do not. */
export async function pickEmoji(opener: Element): Promise<string | undefined> {
  try {
    const [{ openPicker }, book] = await Promise.all([import('./picker.js'), emojiBook()]);
    return await openPicker(opener, book);
  } catch {
    void checkVersion();
    return undefined; // the part could not be loaded: offline, or a new version was deployed
  }
}

const books = new Map<string, { readonly loading: Promise<EmojiBook>; readonly loaded?: EmojiBook }>();

/** In the language of the page. What could not be loaded is tried again the next time. */
export function emojiBook(): Promise<EmojiBook> {
  const { tag } = words.peek().language;
  const before = books.get(tag);
  if (before) return before.loading;
  const loading = load(tag);
  books.set(tag, { loading });
  loading.then(
    (loaded) => books.set(tag, { loading, loaded }),
    () => books.delete(tag),
  );
  return loading;
}

/** For what cannot wait: undefined until it has been loaded. */
export function loadedBook(): EmojiBook | undefined {
  return books.get(words.peek().language.tag)?.loaded;
}

async function load(tag: string): Promise<EmojiBook> {
  return (await import('./emojidata.js')).loadBook(tag);
}
