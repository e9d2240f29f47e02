/** Names one after the other as the page's language does: "Ann, Bob and Carol". */
import { words } from '../words.js';

const made = new Map<string, Intl.ListFormat>();

export function listed(texts: readonly string[]): string {
  const { tag } = words.value.language;
  const format = made.get(tag) ?? new Intl.ListFormat(tag, { type: 'conjunction' });
  made.set(tag, format);
  return format.format(texts.map((text) => `\u2068${text}\u2069`)); // each with a direction of its own
}
