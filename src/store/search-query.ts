/** The query language of search (docs/protocol.md, Search), and the FTS5 expression of a query. */
import { skeleton } from '../chat/names.js';
import { parseRoom } from '../shared/parse.js';
import { dayMs } from '../shared/protocol.js';
import { queryPartPattern } from '../shared/text.js';
import { keyToken, linkToken, messageToken, nameToken, tokenize } from './tokenize.js';

interface Terms {
  /** words, and phrases as words separated by spaces */
  readonly phrases: string[];
  /** names as they were typed */
  readonly from: string[];
  /** names of rooms */
  readonly rooms: string[];
  hasLink: boolean;
}

export interface Query {
  readonly required: Terms;
  readonly excluded: Terms;
  /** the last word, if it also matches words that begin with it; else '' */
  prefix: string;
  /** milliseconds since 1970; `since` is inclusive, `until` exclusive */
  since: number;
  until: number;
}

export interface KeyResolver {
  room(name: string): number | undefined;
  /** who owns the name now */
  person(skeleton: string): number | undefined;
}

/** Shorter prefixes are useless, because most messages have a word with them. */
const minPrefixCodePoints = 2;
/** Splits phrases into at most four tokens each, because FTS5 reads the positions of all tokens of a phrase. */
const phrasePiecePattern = /[^ ]+(?: [^ ]+){0,3}/g;

/** Never fails: ignores unsearchable characters. */
export function parseQuery(text: string): Query {
  const [required, excluded] = [noTerms(), noTerms()];
  const query = { required, excluded, prefix: '', since: -Infinity, until: Infinity };
  let lastWord = '';
  for (const [, minus, key = '', quoted, bare = ''] of text.matchAll(queryPartPattern)) {
    const isRequired = minus === '';
    const terms = isRequired ? required : excluded;
    const [filter, value] = [key.toLowerCase(), quoted ?? bare];
    if (addFilter(terms, filter, value) || (isRequired && addDate(query, filter, value))) continue;
    const phrase = tokenize(quoted ?? `${key} ${bare}`);
    const isWord = isRequired && quoted === undefined && phrase !== '';
    terms.phrases.push(isWord ? lastWord : phrase);
    if (isWord) lastWord = phrase;
  }
  if (canBePrefix(lastWord)) query.prefix = lastWord;
  else required.phrases.push(lastWord);
  return query;
}

/** @param room the room that the search is limited to @returns undefined when the query asks for nothing */
export function toExpression(query: Query, room: string | undefined, keys: KeyResolver): string | undefined {
  const { required, excluded, prefix } = query;
  const wanted = [...required.phrases.flatMap(pieces), ...prefixPieces(prefix), ...toFilters(required, keys)];
  if (wanted.length === 0 && !hasDates(query)) return undefined;
  if (room !== undefined) wanted.push(quote(keyToken('room', keys.room(room) ?? 0)));
  if (wanted.length === 0) wanted.push(quote(messageToken));
  const unwanted = [...excluded.phrases.filter(isShort).flatMap(pieces), ...toFilters(excluded, keys)];
  const expression = `(${[...new Set(wanted)].join(' AND ')})`;
  return unwanted.length === 0 ? expression : `${expression} NOT (${unwanted.join(' OR ')})`;
}

/** Whether tokens that match the expression match the query: the expression contains only pieces of long phrases. */
export function acceptsTokens({ required, excluded, prefix }: Query, tokens: string): boolean {
  const text = ` ${tokens} `;
  const hasPhrase = (phrase: string): boolean => !isShort(phrase) && text.includes(` ${phrase} `);
  const hasPrefix = isShort(prefix) || text.includes(` ${prefix}`);
  return (
    hasPrefix &&
    required.phrases.every((phrase) => isShort(phrase) || hasPhrase(phrase)) &&
    !excluded.phrases.some(hasPhrase)
  );
}

export function hasDates({ since, until }: Query): boolean {
  return since !== -Infinity || until !== Infinity;
}

/** Days since 1970. */
export function toDay(at: number): number {
  return Math.floor(at / dayMs);
}

function noTerms(): Terms {
  return { phrases: [], from: [], rooms: [], hasLink: false };
}

/** @returns false when it is no filter */
function addFilter(terms: Terms, key: string, value: string): boolean {
  if (key === 'from') terms.from.push(value.replace(/^@/, ''));
  else if (key === 'in') terms.rooms.push(parseRoom(value.replace(/^#/, '')) ?? '');
  else if (key === 'has' && value.toLowerCase() === 'link') terms.hasLink = true;
  else return false;
  return true;
}

/** @returns false when it is no date */
function addDate(query: Query, key: string, value: string): boolean {
  const day = /^\d{4}-\d\d-\d\d$/.test(value) ? Date.parse(value) : Number.NaN;
  // Date.parse turns February 31 into a day in March
  if (Number.isNaN(day) || !new Date(day).toISOString().startsWith(value)) return false;
  if (key === 'before') query.until = Math.min(query.until, day);
  else if (key === 'after') query.since = Math.max(query.since, day);
  else return false;
  return true;
}

function canBePrefix(word: string): boolean {
  return [...word.slice(word.lastIndexOf(' ') + 1)].length >= minPrefixCodePoints;
}

/** Returns one OR group for each kind of filter. An unknown key becomes 0, which matches no message. */
function toFilters({ from, rooms, hasLink }: Terms, keys: KeyResolver): string[] {
  const people = from.flatMap((name) => [
    ...nameTokens(name),
    keyToken('person', keys.person(skeleton(name)) ?? 0),
  ]);
  const inRooms = rooms.map((name) => keyToken('room', keys.room(name) ?? 0));
  return [people, inRooms, hasLink ? [linkToken] : []]
    .filter(({ length }) => length > 0)
    .map((tokens) => `(${tokens.map(quote).join(' OR ')})`);
}

/** Returns the tokens of an author's name: as names are compared, and as words are, so that accents do not count. */
export function nameTokens(name: string): readonly string[] {
  return [...new Set([name, tokenize(name) || name].map((spelling) => nameToken(skeleton(spelling))))];
}

function isShort(phrase: string): boolean {
  return pieces(phrase).length < 2;
}

function pieces(phrase: string): string[] {
  return (phrase.match(phrasePiecePattern) ?? []).map(quote);
}

function prefixPieces(prefix: string): string[] {
  const all = pieces(prefix);
  return all.map((piece, n) => (n === all.length - 1 ? `${piece} *` : piece));
}

/** Quotes user input, so that FTS5 does not parse it as operators. No token contains a quotation mark. */
function quote(phrase: string): string {
  return `"${phrase}"`;
}
