/** The HTML files of public/, with the names that the build gave to what they load (public/js/files.json), and what is filled in. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Koa from 'koa';
import { translations as english, type Translations } from '../shared/i18n/en.js';
import { acceptedLanguages, negotiateLanguage } from '../shared/locale.js';
import { parseJsonObject } from '../shared/parse.js';

/**
 * A page's HTML. What its script loads first is named too, the words of a language among it, so that it need not be found
 * out by loading the script.
 */
export function readHtml(publicDir: string, name: string, tag?: string): string {
  const files = parseJsonObject(readFileSync(join(publicDir, 'js', 'files.json'), 'utf8')) ?? {};
  const html = readFileSync(join(publicDir, name), 'utf8').replace(/\/js\/\w+\.(?:js|css)/g, (path) => {
    const file = files[path];
    return typeof file === 'string' ? file : path;
  });
  const words = tag === undefined ? undefined : files[`words ${tag}`];
  const first = [files['first'], words].flat().filter((file) => typeof file === 'string');
  const links = first.map((path) => `    <link rel="modulepreload" href="${path}" />\n`).join('');
  return html.includes('type="module"') ? html.replace('  </head>', `${links}  </head>`) : html;
}

/** A page with `{{blanks}}` in a language: what is filled in is text, whatever it looks like. */
export function render(html: string, tag: string, blanks: Readonly<Record<string, string>>): string {
  return html
    .replace('<html lang="en">', `<html lang="${tag}">`)
    .replace(/\{\{(\w+)\}\}/g, (_, key: string) => escapeHtml(blanks[key] ?? ''));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** The languages there are, by tag: one for each file of src/words but words.ts. Read once, when the server starts. */

const i18nFolder = new URL('../shared/i18n/', import.meta.url);

export const languages: ReadonlyMap<string, Translations> = new Map([
  [english.language.tag, english], // first: what is spoken when nothing else will do
  ...(await Promise.all(readdirSync(i18nFolder).filter(isLanguage).map(loadLanguage))),
]);

function isLanguage(file: string): boolean {
  return /^[\w-]+\.(js|ts)$/.test(file);
}

async function loadLanguage(file: string): Promise<readonly [string, Translations]> {
  const { translations }: { readonly translations: Translations } = await import(
    new URL(file, i18nFolder).href
  );
  return [translations.language.tag, translations];
}

/** The visitor's: the one they chose (cookie `lang`), or the best that their browser asks for. Caches are told. */
export function translationsFor(ctx: Koa.Context): Translations {
  ctx.vary('Accept-Language, Cookie');
  const kept = ctx.cookies.get('lang', { signed: false }) ?? 'system';
  const reads = acceptedLanguages(ctx.get('accept-language'));
  return languages.get(negotiateLanguage(kept, reads, [...languages.keys()])) ?? english;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;

/** A language that is asked for in the address is kept. */
export function chosenTranslations(ctx: Koa.Context): Translations {
  const { lang } = ctx.query;
  const words = translationsFor(ctx);
  const asked = typeof lang === 'string' ? languages.get(lang) : undefined;
  if (!asked) return words;
  const options = { httpOnly: false, sameSite: 'lax', maxAge: YEAR_MS, signed: false } as const;
  ctx.cookies.set('lang', asked.language.tag, options);
  return asked;
}

/** A button for each other language. They go to the form anew, with what was typed. */
export function languageButtons(now: string): string {
  return [...languages.values()]
    .map(({ language: { tag, name } }) =>
      tag === now
        ? `<span class="language" aria-current="true">${name}</span>`
        : `<button class="language" name="lang" value="${tag}" lang="${tag}" formmethod="get" formnovalidate>${name}</button>`,
    )
    .join('\n');
}
