/** The languages there are, by tag: one for each file of src/words but words.ts. Read once, when the server starts. */
import { readdirSync } from 'node:fs';
import type Koa from 'koa';
import { acceptedLanguages, chosenLanguage } from '../language.js';
import { words as english } from '../words/en.js';
import type { Words } from '../words/words.js';

const folder = new URL('../words/', import.meta.url);

export const languages: ReadonlyMap<string, Words> = new Map([
  [english.language.tag, english], // first: what is spoken when nothing else will do
  ...(await Promise.all(readdirSync(folder).filter(isLanguage).map(load))),
]);

function isLanguage(file: string): boolean {
  return /^(?!words\.)[\w-]+\.(js|ts)$/.test(file);
}

async function load(file: string): Promise<readonly [string, Words]> {
  const { words }: { readonly words: Words } = await import(new URL(file, folder).href);
  return [words.language.tag, words];
}

/** The visitor's: the one they chose (cookie `lang`), or the best that their browser asks for. Caches are told. */
export function wordsOf(ctx: Koa.Context): Words {
  ctx.vary('Accept-Language, Cookie');
  const kept = ctx.cookies.get('lang', { signed: false }) ?? 'system';
  const reads = acceptedLanguages(ctx.get('accept-language'));
  return languages.get(chosenLanguage(kept, reads, [...languages.keys()])) ?? english;
}
