/** The query language of search (docs/protocol.md, Search), and the FTS5 expression of a query. */
import { skeleton } from '../chat/names.js';
import { parseRoom } from '../shared/parse.js';
import { keyToken, LINK_TOKEN, MESSAGE_TOKEN, nameToken, tokenize } from './tokenize.js';

interface Terms {
  /** words, and the words of phrases with one space between each two */
  readonly phrases: string[];
  /** skeletons of names */
  readonly from: string[];
  /** names of rooms */
  readonly rooms: string[];
  hasLink: boolean;
}

export interface Query {
  readonly required: Terms;
  readonly excluded: Terms;
  /** the last word, if words that begin with it match too; else '' */
  prefix: string;
  /** milliseconds since 1970, the former inclusive, the latter exclusive */
  since: number;
  until: number;
}

export interface KeyResolver {
  room(name: string): number | undefined;
  /** who owns the name now */
  person(skeleton: string): number | undefined;
}

/** Quotation marks of any language, and the colon of Chinese keyboards. */
const PART =
  /(-?)(?:(from|in|has|before|after)[:：])?(?:["“”„«»「」『』]([^"“”„«»「」『』]*)["“”„«»「」『』]?|(\S+))/giu;
/** A shorter beginning is of no use: most messages have a word with it. */
const minPrefixCodePoints = 2;
/** At most four tokens each. FTS5 reads the positions of all tokens of a phrase, so a long one takes long. */
const PHRASE_PIECES = /[^ ]+(?: [^ ]+){0,3}/g;
const DAY_MS = 24 * 3600 * 1000;

/** Never fails: what cannot be searched for is ignored. */
export function parseQuery(text: string): Query {
  const [required, excluded] = [noTerms(), noTerms()];
  const query = { required, excluded, prefix: '', since: -Infinity, until: Infinity };
  let lastWord = '';
  for (const [, minus, key = '', quoted, bare = ''] of text.matchAll(PART)) {
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
  if (wanted.length === 0) wanted.push(quote(MESSAGE_TOKEN));
  const unwanted = [...excluded.phrases.filter(isShort).flatMap(pieces), ...toFilters(excluded, keys)];
  const expression = `(${[...new Set(wanted)].join(' AND ')})`;
  return unwanted.length === 0 ? expression : `${expression} NOT (${unwanted.join(' OR ')})`;
}

/** Whether tokens that match the expression match the query: of long phrases the expression has only pieces. */
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
  return Math.floor(at / DAY_MS);
}

function noTerms(): Terms {
  return { phrases: [], from: [], rooms: [], hasLink: false };
}

/** @returns false when it is no filter */
function addFilter(terms: Terms, key: string, value: string): boolean {
  if (key === 'from') terms.from.push(skeleton(value.replace(/^@/, '')));
  else if (key === 'in') terms.rooms.push(parseRoom(value.replace(/^#/, '')) ?? '');
  else if (key === 'has' && value.toLowerCase() === 'link') terms.hasLink = true;
  else return false;
  return true;
}

/** @returns false when it is no date */
function addDate(query: Query, key: string, value: string): boolean {
  const day = /^\d{4}-\d\d-\d\d$/.test(value) ? Date.parse(value) : Number.NaN;
  // Date.parse takes February 31 for a day in March
  if (Number.isNaN(day) || !new Date(day).toISOString().startsWith(value)) return false;
  if (key === 'before') query.until = Math.min(query.until, day);
  else if (key === 'after') query.since = Math.max(query.since, day);
  else return false;
  return true;
}

function canBePrefix(word: string): boolean {
  return [...word.slice(word.lastIndexOf(' ') + 1)].length >= minPrefixCodePoints;
}

/** What the filters of each kind want: any of their tokens. A key that is unknown is 0, which no message has. */
function toFilters({ from, rooms, hasLink }: Terms, keys: KeyResolver): string[] {
  const people = from.flatMap((name) => [nameToken(name), keyToken('person', keys.person(name) ?? 0)]);
  const inRooms = rooms.map((name) => keyToken('room', keys.room(name) ?? 0));
  return [people, inRooms, hasLink ? [LINK_TOKEN] : []]
    .filter(({ length }) => length > 0)
    .map((tokens) => `(${tokens.map(quote).join(' OR ')})`);
}

function isShort(phrase: string): boolean {
  return pieces(phrase).length < 2;
}

function pieces(phrase: string): string[] {
  return (phrase.match(PHRASE_PIECES) ?? []).map(quote);
}

function prefixPieces(prefix: string): string[] {
  const all = pieces(prefix);
  return all.map((piece, n) => (n === all.length - 1 ? `${piece} *` : piece));
}

/** Keeps what people type from being FTS5's own language. No token has a quotation mark. */
function quote(phrase: string): string {
  return `"${phrase}"`;
}
