/**
 * The user interface's texts in the chosen language. English is part of the bundle. Other languages load on
 * demand; English shows until then.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { translations as english, type Translations } from '../shared/i18n/en.js';
import { isolate, negotiateLanguage } from '../shared/locale.js';

export interface Language {
  /** BCP 47 tag, and the file name in src/shared/i18n */
  readonly tag: string;
  /** in the language itself */
  readonly name: string;
}

/** Defined by build.js from the files in src/shared/i18n. */
declare const LANGUAGES: readonly Language[] | undefined;

export const languages: readonly Language[] =
  typeof LANGUAGES === 'undefined' ? [english.language] : LANGUAGES;

const currentMessages = signal<Translations>(english);

export const t: ReadonlySignal<Translations> = currentMessages;

/** `setting` is a tag or `system`. Resolves when the texts have loaded or failed to. */
export async function setLanguage(setting: string): Promise<void> {
  const tags = languages.map(({ tag }) => tag);
  const tag = negotiateLanguage(setting, navigator.languages, tags);
  requestedTag = tag;
  const messages = tag === english.language.tag ? english : await loadMessages(tag);
  if (requestedTag === tag && messages) currentMessages.value = messages;
}
let requestedTag = '';

async function loadMessages(tag: string): Promise<Translations | undefined> {
  try {
    const module: { readonly translations: Translations } = await import(`../shared/i18n/${tag}.ts`);
    return module.translations;
  } catch {
    return undefined; // offline, or a deployment removed the file
  }
}

/** The language that `system` resolves to. */
export function browserLanguage(): Language {
  const tags = languages.map(({ tag }) => tag);
  const tag = negotiateLanguage('system', navigator.languages, tags);
  return languages.find((language) => language.tag === tag) ?? english.language;
}

/** Formats a list such as "Ann, Bob and Carol". Each text is isolated, because it may be right-to-left. */

const listFormats = new Map<string, Intl.ListFormat>();

export function formatList(texts: readonly string[]): string {
  const { tag } = t.value.language;
  const format = listFormats.get(tag) ?? new Intl.ListFormat(tag, { type: 'conjunction' });
  listFormats.set(tag, format);
  return format.format(texts.map(isolate));
}
