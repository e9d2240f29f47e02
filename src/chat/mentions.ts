/**
 * Whom a text calls: `@Name` of people that the book knows, compared as names are (name.ts). Names may hold spaces, so
 * the longest that fits is taken. A text may leave a name's spaces out, but put none in: "@Ann a moment" calls no Anna.
 * Bounded, whatever the text: so many looks at the book for each @, and so many @.
 */
import { LIMITS, type User } from '../protocol.js';
import type { PersonBook } from './book.js';
import { skeleton } from './name.js';

/** Code units after an @ that can hold a name. */
const REACH = 256;
/** @ that are looked at in one text: some call nobody. */
const LOOKS = 2 * LIMITS.mentions;
const WORD = /[\p{L}\p{N}\p{M}_]/u;
/** Scripts that put no space between words: a name may begin and end anywhere in them. */
const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** In the order in which they are called, each once; undefined when it is nobody. */
export function mentionsIn(text: string, people: Pick<PersonBook, 'ownerOf'>): readonly User[] | undefined {
  if (!text.includes('@')) return undefined;
  const found = new Map<string, User>();
  let looks = 0;
  for (let at = text.indexOf('@'); at >= 0 && found.size < LIMITS.mentions; at = text.indexOf('@', at + 1)) {
    if (!begins(text, at)) continue;
    if (++looks > LOOKS) break;
    const user = calledAt(text.slice(at + 1, at + 1 + REACH), people);
    if (user) found.set(user.id, user);
  }
  return found.size > 0 ? [...found.values()] : undefined;
}

/** An @ right after a letter is one of a mail address. */
function begins(text: string, at: number): boolean {
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? '';
  return !joins(before, '_');
}

function calledAt(rest: string, people: Pick<PersonBook, 'ownerOf'>): User | undefined {
  for (const name of namesIn(rest)) {
    const person = people.ownerOf(skeleton(name));
    if (person && spaces(name) <= spaces(person.name)) return { id: person.id, name: person.name };
  }
  return undefined;
}

function spaces(name: string): number {
  return name.match(/\s+/g)?.length ?? 0;
}

/** What could be a name at the beginning of a text, the longest first: whole words, at most 32 graphemes. */
function namesIn(rest: string): string[] {
  const [line = ''] = rest.split('\n', 1);
  if (/^\s/.test(line)) return [];
  const parts: string[] = [];
  for (const { segment } of graphemes.segment(line)) if (parts.push(segment) > LIMITS.name) break;
  const names: string[] = [];
  for (let end = Math.min(parts.length, LIMITS.name); end > 0; end--) {
    const [last = '', next = ''] = [parts[end - 1], parts[end]];
    if (last.trim() !== '' && !joins(last, next)) names.push(parts.slice(0, end).join(''));
  }
  return names;
}

/** Whether two graphemes that follow each other are of one word. */
function joins(one: string, next: string): boolean {
  return WORD.test(one) && WORD.test(next) && !SPACELESS.test(one) && !SPACELESS.test(next);
}
