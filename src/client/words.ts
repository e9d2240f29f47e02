/**
 * What people read, in the language they chose, else in the first of their browser's that there is. English comes with
 * the page; the others are loaded when they are used, and until then it stands in.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { chosenLanguage } from '../language.js';
import { words as english } from '../words/en.js';
import type { Words } from '../words/words.js';

export interface Language {
  /** BCP 47, which is also the name of its file in src/words */
  readonly tag: string;
  /** in itself */
  readonly name: string;
}

/** Put in by build.js, from the files in src/words. */
declare const LANGUAGES: readonly Language[] | undefined;

/** All there are: for the choice in the settings. */
export const languages: readonly Language[] =
  typeof LANGUAGES === 'undefined' ? [english.language] : LANGUAGES;

const current = signal<Words>(english);

export const words: ReadonlySignal<Words> = current;

/** Speaks the language of a setting: a tag, or `system`. Resolves when its words are there, or cannot be had. */
export async function speak(setting: string): Promise<void> {
  const tags = languages.map(({ tag }) => tag);
  const tag = chosenLanguage(setting, navigator.languages, tags);
  asked = tag;
  const loaded = tag === english.language.tag ? english : await load(tag);
  if (asked === tag && loaded) current.value = loaded;
}
let asked = '';

async function load(tag: string): Promise<Words | undefined> {
  try {
    const module: { readonly words: Words } = await import(`../words/${tag}.ts`);
    return module.words;
  } catch {
    return undefined; // offline, or a deploy took the file away: English is understood
  }
}

/** The one that `system` comes to here. */
export function browserLanguage(): Language {
  const tags = languages.map(({ tag }) => tag);
  const tag = chosenLanguage('system', navigator.languages, tags);
  return languages.find((one) => one.tag === tag) ?? english.language;
}
