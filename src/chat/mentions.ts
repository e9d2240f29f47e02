/**
 * Whom a text calls: `@Name` of people that the storage knows, compared as names are (name.ts). Names may hold spaces, so
 * the longest that fits is taken. A text may leave a name's spaces out, but put none in: "@Ann a moment" calls no Anna.
 * Bounded, whatever the text: so many looks at the storage for each @, and so many @.
 */
import { LIMITS, type User } from '../shared/protocol.js';
import { skeleton } from './names.js';
import type { PeopleStorage } from './types.js';

/** Code units after an @ that can hold a name. */
const MAX_NAME_LENGTH = 256;
/** @ that are looked at in one text: some call nobody. */
const MAX_LOOKUPS = 2 * LIMITS.mentionsPerMessage;
const WORD_CHARACTER = /[\p{L}\p{N}\p{M}_]/u;
/** Scripts that put no space between words: a name may begin and end anywhere in them. */
const SPACELESS_SCRIPTS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** In the order in which they are called, each once; undefined when it is nobody. */
export function findMentions(
  text: string,
  people: Pick<PeopleStorage, 'ownerOf'>,
): readonly User[] | undefined {
  if (!text.includes('@')) return undefined;
  const found = new Map<string, User>();
  let looks = 0;
  for (
    let at = text.indexOf('@');
    at >= 0 && found.size < LIMITS.mentionsPerMessage;
    at = text.indexOf('@', at + 1)
  ) {
    if (!startsMention(text, at)) continue;
    if (++looks > MAX_LOOKUPS) break;
    const user = longestMatch(text.slice(at + 1, at + 1 + MAX_NAME_LENGTH), people);
    if (user) found.set(user.id, user);
  }
  return found.size > 0 ? [...found.values()] : undefined;
}

/** An @ right after a letter is one of a mail address. */
function startsMention(text: string, at: number): boolean {
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? '';
  return !continuesWord(before, '_');
}

function longestMatch(rest: string, people: Pick<PeopleStorage, 'ownerOf'>): User | undefined {
  for (const name of candidateNames(rest)) {
    const person = people.ownerOf(skeleton(name));
    if (person && countSpaces(name) <= countSpaces(person.name)) return { id: person.id, name: person.name };
  }
  return undefined;
}

function countSpaces(name: string): number {
  return name.match(/\s+/g)?.length ?? 0;
}

/** What could be a name at the beginning of a text, the longest first: whole words, at most 32 graphemes. */
function candidateNames(rest: string): string[] {
  const [line = ''] = rest.split('\n', 1);
  if (/^\s/.test(line)) return [];
  const parts: string[] = [];
  for (const { segment } of graphemes.segment(line)) if (parts.push(segment) > LIMITS.nameGraphemes) break;
  const names: string[] = [];
  for (let end = Math.min(parts.length, LIMITS.nameGraphemes); end > 0; end--) {
    const [last = '', next = ''] = [parts[end - 1], parts[end]];
    if (last.trim() !== '' && !continuesWord(last, next)) names.push(parts.slice(0, end).join(''));
  }
  return names;
}

/** Whether two graphemes that follow each other are of one word. */
function continuesWord(one: string, next: string): boolean {
  return (
    WORD_CHARACTER.test(one) &&
    WORD_CHARACTER.test(next) &&
    !SPACELESS_SCRIPTS.test(one) &&
    !SPACELESS_SCRIPTS.test(next)
  );
}
