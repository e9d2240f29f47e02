/** What people read: complete in each language, translated, and nowhere else than in src/shared/i18n. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { translations as english, type Translations } from '../src/shared/i18n/en.js';
import { acceptedLanguages, countFormatter, negotiateLanguage } from '../src/shared/locale.js';

const src = fileURLToPath(new URL('../src', import.meta.url));
const tags = readdirSync(join(src, 'shared', 'i18n'))
  .filter((file) => file !== 'en.ts')
  .map((file) => file.replace(/\.ts$/, ''));

type Text = string | ((...args: never[]) => string);

/** Every text of a language with its path, as `search.none`. */
function textsOf(words: object, path = ''): ReadonlyMap<string, Text> {
  return new Map(
    Object.entries(words).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null
        ? [...textsOf(value, `${path}${key}.`)]
        : [[path + key, value as Text] as const],
    ),
  );
}

/** What a text says: of a function, what it makes of 1 and of several things, or of names where it speaks of those. */
function sayings(text: Text): readonly string[] {
  if (typeof text === 'string') return [text];
  const called = text as (...args: unknown[]) => string;
  const of = (thing: unknown) => called(...Array.from({ length: text.length }, () => thing));
  try {
    return [of(1), of(2_345)];
  } catch {
    return [of(['Ann']), of(['Ann', 'Bob']), of(['Ann', 'Bob', 'Cem'])];
  }
}

/** What may be the same in all languages: numbers, names of things. */
const SAME = /^(?:Ann|[\d\s+\u2068\u2069:@#/.()…–-]*)$/;

/** The faults of a language, one line each. */
function faultsOf(words: object): string[] {
  const own = textsOf(words);
  const faults: string[] = [...own.keys()]
    .filter((path) => !textsOf(english).has(path))
    .map((path) => `${path} is not in English`);
  for (const [path, text] of textsOf(english)) {
    const other = own.get(path);
    if (other === undefined) faults.push(`${path} is missing`);
    else if (typeof other !== typeof text) faults.push(`${path} is of another kind`);
    else if (typeof text === 'function' && other.length !== text.length)
      faults.push(`${path} has ${other.length} parameters, not ${text.length}`);
    else if (sayings(other).some((saying) => saying.trim() === '')) faults.push(`${path} is empty`);
    else if (sayings(text).some((saying, n) => sayings(other)[n] === saying && !SAME.test(saying)))
      faults.push(`${path} is not translated`);
  }
  return faults;
}

describe.each(tags)('the words in %s', (tag) => {
  it('are complete and translated', async () => {
    const { translations: words }: { translations: Translations } = await import(
      `../src/shared/i18n/${tag}.ts`
    );
    expect(words.language.tag).toBe(tag);
    expect(faultsOf(words)).toEqual([]);
  });
});

describe('the checker', () => {
  const sound = { ...english, language: { name: 'Other', tag: 'xx' } };
  const translated = (value: unknown): unknown => {
    if (typeof value === 'string') return SAME.test(value) ? value : `x${value}`;
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, translated(one)]));
    const text = value as (...args: unknown[]) => string;
    const other = (...args: unknown[]) => `x${text(...args)}`;
    return Object.defineProperty(other, 'length', { value: text.length });
  };
  const language = () => translated(sound) as Record<string, Record<string, unknown>>;

  it('has nothing to say of a sound language', () => {
    expect(faultsOf(language())).toEqual([]);
  });

  it('finds what is missing, left in English, empty, too much, of another shape', () => {
    const { search = {}, rooms = {}, people = {}, ...rest } = language();
    delete search['none'];
    search['busy'] = english.search.busy;
    search['more'] = ' ';
    search['new'] = 'x';
    rooms['unread'] = () => 'x';
    people['more'] = 'x';
    expect(faultsOf({ ...rest, search, rooms, people }).sort()).toEqual([
      'people.more is of another kind',
      'rooms.unread has 0 parameters, not 1',
      'search.busy is not translated',
      'search.more is empty',
      'search.new is not in English',
      'search.none is missing',
    ]);
  });
});

describe('components', () => {
  const views = readdirSync(join(src, 'client', 'view')).filter((file) => file.endsWith('.tsx'));

  it.each(views)('%s holds no text of its own', (file) => {
    expect(literalsOf(readFileSync(join(src, 'client', 'view', file), 'utf8'))).toEqual([]);
  });

  it('are looked through well', () => {
    const bad = `const a = <p title="Bad title">Bad text {x > 0 && y && <b>{z}</b>} more bad <i aria-label={'Bad label'} />{x ? 'Bad choice' : ''}</p>;
      const ok = <T<string> class="fine" title={words.x}>Oneport, {list.map((one) => one ? <b/> : null)}{f<number>(1)} · {list.map((one) => <b>{one}</b>)}</T>;
      const styles = {
        first: { a: 1 },
        second: { b: 2 },
      };`;
    expect(literalsOf(bad)).toEqual([
      'Bad text',
      'more bad',
      'Bad title',
      'Bad label',
      'Bad title',
      'Bad label',
      'Bad choice',
    ]);
  });
});

/** Names that are the same everywhere, and words of the program between its braces. */
const NAME = /^(Oneport|Page Up|Page Down|Ctrl K|catch|else|finally|try)$/;
/** The key between two objects of a literal with a line for each key, as esbuild prints it. */
const OBJECT_KEY = /^,\n +\w+: $/;
const ATTRIBUTES =
  /\b(?:aria-label|aria-description|aria-placeholder|aria-roledescription|title|placeholder|alt|label)=\{?(["'`])((?:(?!\1).)*)\1/g;

/** Texts between tags and in attributes that people read. The types are taken out first: they look like tags. */
function literalsOf(source: string): string[] {
  const { code } = transformSync(source, { loader: 'tsx', jsx: 'preserve', target: 'esnext' });
  const between = [...code.matchAll(/(?:(?<!=)>|\})([^<>{}]*)(?=[<{])/g)]
    .map(([, text = '']) => text)
    .filter((text) => !OBJECT_KEY.test(text));
  const inside = [...code.matchAll(ATTRIBUTES)].map(([, , text = '']) => text);
  const chosen = [...code.matchAll(/(["'`])(\p{Lu}\p{Ll}+ (?:(?!\1).)*)\1/gu)].map(([, , text = '']) => text);
  return [...between, ...inside, ...chosen]
    .map((text) => text.trim().replace(/^[\s,.:·]+|[\s,.:·]+$/g, ''))
    .filter((text) => /^[\p{L}\d\s'’.,!?…:-]*$/u.test(text) && /\p{L}{2}/u.test(text) && !NAME.test(text));
}

describe('the language', () => {
  const has = ['en', 'zh-CN'];

  it.each([
    ['system', ['zh-CN', 'en'], 'zh-CN'],
    ['system', ['de', 'zh-Hans-SG', 'en'], 'zh-CN'],
    ['system', ['zh-TW'], 'zh-CN'],
    ['system', ['en-GB', 'zh-CN'], 'en'],
    ['system', ['fr'], 'en'],
    ['system', [], 'en'],
    ['zh-CN', ['en'], 'zh-CN'],
    ['xx', ['zh'], 'zh-CN'],
    ['<b>', ['*'], 'en'],
  ])('set to %s, for one who reads %j, is %s', (setting, reads, tag) => {
    expect(negotiateLanguage(setting, reads, has)).toBe(tag);
  });

  it('is read from what a browser accepts, best first', () => {
    expect(acceptedLanguages('en;q=0.8, zh-CN, *;q=0.1,de;q=0')).toEqual(['zh-CN', 'en']);
    expect(acceptedLanguages('')).toEqual([]);
    expect(acceptedLanguages('en;q=x,zh')).toEqual(['zh']);
  });
});

it('counts as a language writes it', () => {
  expect([0, 999, 1000, 1234567].map(countFormatter('en'))).toEqual(['0', '999', '1,000', '1,234,567']);
  expect(countFormatter('de')(1234567)).toBe('1.234.567');
  expect(countFormatter('de')(0.5)).toBe('0,5');
});
