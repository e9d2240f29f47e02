/**
 * What people read, in the language they chose, else in the first of their browser's that there is. English comes with
 * the page; the others are loaded when they are used, and until then it stands in.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { translations as english, type Translations } from '../shared/i18n/en.js';
import { negotiateLanguage } from '../shared/locale.js';

export interface Language {
  /** BCP 47, which is also the name of its file in src/shared/i18n */
  readonly tag: string;
  /** in itself */
  readonly name: string;
}

/** Put in by build.js, from the files in src/shared/i18n. */
declare const LANGUAGES: readonly Language[] | undefined;

/** All there are: for the choice in the settings. */
export const languages: readonly Language[] =
  typeof LANGUAGES === 'undefined' ? [english.language] : LANGUAGES;

const currentMessages = signal<Translations>(english);

export const t: ReadonlySignal<Translations> = currentMessages;

/** Speaks the language of a setting: a tag, or `system`. Resolves when its words are there, or cannot be had. */
export async function setLanguage(setting: string): Promise<void> {
  const tags = languages.map(({ tag }) => tag);
  const tag = negotiateLanguage(setting, navigator.languages, tags);
  requestedTag = tag;
  const loaded = tag === english.language.tag ? english : await loadMessages(tag);
  if (requestedTag === tag && loaded) currentMessages.value = loaded;
}
let requestedTag = '';

async function loadMessages(tag: string): Promise<Translations | undefined> {
  try {
    const module: { readonly translations: Translations } = await import(`../shared/i18n/${tag}.ts`);
    return module.translations;
  } catch {
    return undefined; // offline, or a deploy took the file away: English is understood
  }
}

/** The one that `system` comes to here. */
export function browserLanguage(): Language {
  const tags = languages.map(({ tag }) => tag);
  const tag = negotiateLanguage('system', navigator.languages, tags);
  return languages.find((one) => one.tag === tag) ?? english.language;
}

/** Names one after the other as the page's language does: "Ann, Bob and Carol". */

const listFormats = new Map<string, Intl.ListFormat>();

export function formatList(texts: readonly string[]): string {
  const { tag } = t.value.language;
  const format = listFormats.get(tag) ?? new Intl.ListFormat(tag, { type: 'conjunction' });
  listFormats.set(tag, format);
  return format.format(texts.map((text) => `\u2068${text}\u2069`)); // each with a direction of its own
}
