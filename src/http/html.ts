/** The HTML templates of public/, with the hashed file names of the build (public/js/files.json), and the languages. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Koa from 'koa';
import type { Site } from '../config.js';
import { translations as english, type Translations } from '../shared/i18n/en.js';
import { acceptedLanguages, negotiateLanguage } from '../shared/locale.js';
import { parseJsonObject } from '../shared/parse.js';

/**
 * Reads a template and fills in the operator's settings. Adds preload links for the modules that its script imports,
 * including those of a language.
 */
export function readHtml(publicDir: string, name: string, site: Site, tag?: string): string {
  const files = parseJsonObject(readFileSync(join(publicDir, 'js', 'files.json'), 'utf8')) ?? {};
  const html = readFileSync(join(publicDir, name), 'utf8').replace(/\/js\/\w+\.(?:js|css)/g, (path) => {
    const file = files[path];
    return typeof file === 'string' ? file : path;
  });
  const translations = tag === undefined ? undefined : files[`words ${tag}`];
  const first = [files['first'], translations].flat().filter((file) => typeof file === 'string');
  const links = first.map((path) => `    <link rel="modulepreload" href="${path}" />\n`).join('');
  const linked = html.includes('type="module"') ? html.replace('  </head>', `${links}  </head>`) : html;
  return linked
    .replace(/(?<= (?:href|src)=")\/(?!\/)/g, site.basePath)
    .replaceAll('{{base}}', site.basePath)
    .replaceAll('{{site}}', () => escapeHtml(site.name))
    .replaceAll('{{room}}', () => escapeHtml(site.defaultRoom));
}

/** Fills in `{{placeholders}}`. The values are escaped. */
export function render(html: string, tag: string, blanks: Readonly<Record<string, string>>): string {
  return html
    .replace('<html lang="en"', `<html lang="${tag}"`)
    .replace(/\{\{(\w+)\}\}/g, (_, key: string) => escapeHtml(blanks[key] ?? ''));
}

/** HTML that is not escaped again. */
export interface Markup {
  readonly text: string;
}

type Interpolation = string | number | false | undefined | Markup | readonly (Markup | string)[];

/** Builds HTML. Texts are escaped; false and undefined are left out. */
export function html(parts: TemplateStringsArray, ...values: readonly Interpolation[]): Markup {
  return { text: parts.map((part, n) => part + markupOf(values[n])).join('') };
}

function markupOf(value: Interpolation): string {
  if (value === undefined || value === false) return '';
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value));
  return 'text' in value ? value.text : value.map(markupOf).join('');
}

/** Explains an error code. */
export function problemText({ problems }: Translations, code: string): string {
  return Object.entries(problems).find(([name]) => name === code)?.[1] ?? problems.unknown;
}

/** Escapes braces too, so that a value cannot contain a placeholder. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"'{}]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** The languages by tag: one for each file of src/shared/i18n. Read when the server starts. */
const i18nFolder = new URL('../shared/i18n/', import.meta.url);

export const languages: ReadonlyMap<string, Translations> = new Map([
  [english.language.tag, english], // first, because it is the fallback
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

/** The visitor's language: the cookie `lang`, else the best match of Accept-Language. Sets Vary. */
export function translationsFor(ctx: Koa.Context): Translations {
  ctx.vary('Accept-Language, Cookie');
  const chosen = ctx.cookies.get('lang', { signed: false }) ?? 'system';
  const reads = acceptedLanguages(ctx.get('accept-language'));
  return languages.get(negotiateLanguage(chosen, reads, [...languages.keys()])) ?? english;
}

const yearMs = 365 * 24 * 3600 * 1000;

/** Does the same, and stores a language from the query in the cookie. */
export function chosenTranslations(ctx: Koa.Context, { basePath: path }: Site): Translations {
  const { lang } = ctx.query;
  const current = translationsFor(ctx);
  const chosen = typeof lang === 'string' ? languages.get(lang) : undefined;
  if (!chosen) return current;
  const options = { path, httpOnly: false, sameSite: 'lax', maxAge: yearMs, signed: false } as const;
  ctx.cookies.set('lang', chosen.language.tag, options);
  return chosen;
}

/** A link for each other language. */
export function languageLinks(now: string): Markup[] {
  return [...languages.values()].map(({ language: { tag, name } }) =>
    tag === now
      ? html`<span lang="${tag}">${name}</span> `
      : html`<a href="?lang=${tag}" lang="${tag}" hreflang="${tag}">${name}</a> `,
  );
}

/** A button for each other language, which reloads the form with the same input. */
export function languageButtons(now: string): string {
  return [...languages.values()]
    .map(({ language: { tag, name } }) =>
      tag === now
        ? `<span class="language" aria-current="true">${name}</span>`
        : `<button class="language" name="lang" value="${tag}" lang="${tag}" formmethod="get" formnovalidate>${name}</button>`,
    )
    .join('\n');
}
