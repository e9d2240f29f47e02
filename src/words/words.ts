/**
 * What people read. A language is one file beside this one, named by its tag, and a line in LANGUAGES; English is the
 * one that all others are held to, and what is shown until another one has come.
 */
import type { words } from './en.js';

/** A text, or one made of what it speaks of (numbers, names). */
type Widened<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { readonly [K in keyof T]: Widened<T[K]> };

export type Words = Widened<typeof words>;

/** Each language by its tag (BCP 47), with its name in itself. */
export const LANGUAGES = { en: 'English', 'zh-CN': '简体中文' } as const;
export type Language = keyof typeof LANGUAGES;

export function isLanguage(tag: unknown): tag is Language {
  return typeof tag === 'string' && Object.hasOwn(LANGUAGES, tag);
}

/** Of the languages that somebody reads, best first, the first that we have; a near one (zh-TW, en-GB) will do. */
export function languageFor(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const found = (Object.keys(LANGUAGES) as Language[]).find((one) => primary(one) === primary(tag));
    if (found) return found;
  }
  return 'en';
}

function primary(tag: string): string {
  return tag.split('-')[0]?.toLowerCase() ?? '';
}

/** The languages of an Accept-Language header (RFC 9110, 12.5.4), best first. */
export function acceptedLanguages(header: string): readonly string[] {
  return header
    .split(',', 32)
    .map((range) => {
      const [tag = '', ...rest] = range.split(';').map((part) => part.trim());
      const q = rest.find((part) => part.startsWith('q='))?.slice(2);
      return { tag, weight: q === undefined ? 1 : Number(q) };
    })
    .filter(({ tag, weight }) => tag !== '' && tag !== '*' && weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag);
}
