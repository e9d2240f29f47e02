/** Cuts an excerpt around the matches of a search, which are compared as the server does (tokenize.ts). */
import { PLAIN_LETTERS, queryPartPattern, spacelessScripts } from '../../shared/text.js';
import { parseMarkdown, plainText } from './markdown.js';

interface ExcerptPart {
  readonly text: string;
  readonly found: boolean;
}
type Range = readonly [start: number, end: number];

/** In code points, before and after the first match. */
const charsBefore = 60;
const charsAfter = 240;

/** The words and phrases of a query. What is excluded, and what narrows the search down, is in no text. */
export function searchTerms(query: string): readonly string[] {
  return [...query.matchAll(queryPartPattern)].flatMap(([, minus, filter, phrase, word]) => {
    const term = (phrase ?? word ?? '').trim().replace(/\*$/, '');
    return minus || filter || term === '' ? [] : [term];
  });
}

/** Shows a message without delimiters, unless all matches are in what is not shown, as the address of a link. */
export function excerpt(message: string, terms: readonly string[]): readonly ExcerptPart[] {
  const shown = oneLine(plainText(parseMarkdown(message)));
  const matches = findMatches(shown, terms);
  if (matches.length > 0) return cutAround(shown, matches);
  const written = oneLine(message);
  const hidden = findMatches(written, terms);
  return cutAround(hidden.length > 0 ? written : shown, hidden);
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/gu, ' ');
}

function cutAround(flatText: string, matches: readonly Range[]): readonly ExcerptPart[] {
  const start = matches[0] ? excerptStart(flatText, matches[0][0]) : 0;
  const end = start + [...flatText.slice(start)].slice(0, charsBefore + charsAfter).join('').length;
  return [
    ...(start > 0 ? [{ text: '…', found: false }] : []),
    ...splitAt(flatText, matches, [start, end]),
    ...(end < flatText.length ? [{ text: '…', found: false }] : []),
  ];
}

/** A text without case, accents and punctuation; and where in the original each of its characters begins and ends. */
interface FoldedText {
  readonly text: string;
  readonly origins: readonly Range[];
}

const wordCharPattern = /[\p{L}\p{N}\p{M}\p{Extended_Pictographic}]/u;
const apostrophePattern = /['’ʼ]/;

function fold(text: string): FoldedText {
  let folded = '';
  const origins: Range[] = [];
  let at = 0;
  for (const char of text) {
    const isSeparator = !wordCharPattern.test(char);
    const isSkipped = isSeparator && (folded.endsWith(' ') || apostrophePattern.test(char));
    const plain = isSkipped ? '' : isSeparator ? ' ' : plainForm(char);
    const [end, last] = [at + char.length, origins.at(-1)];
    folded += plain;
    for (let n = 0; n < plain.length; n++) origins.push([at, end]);
    if (plain === '' && !isSeparator && last) origins[origins.length - 1] = [last[0], end]; // a mark
    at = end;
  }
  return { text: folded, origins };
}

function plainForm(char: string): string {
  if (char <= '\u007f') return char.toLowerCase();
  const plain = char
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase();
  return PLAIN_LETTERS[plain] ?? plain;
}

/** In these scripts a word may begin anywhere. */
const spacelessPattern = new RegExp(`[${spacelessScripts}]`, 'u');

/** In order, without overlaps; of several that begin at one place, the longest. */
function findMatches(text: string, terms: readonly string[]): readonly Range[] {
  const folded = fold(text);
  const words = terms.map((term) => fold(term).text.trim()).filter((term) => term !== '');
  const all = words.flatMap((word) => matchesOf(word, folded)).sort(([a, b], [c, d]) => a - c || d - b);
  const matches: Range[] = [];
  for (const match of all) if (match[0] >= (matches.at(-1)?.[1] ?? 0)) matches.push(match);
  return matches;
}

function matchesOf(word: string, { text, origins }: FoldedText): readonly Range[] {
  const matches: Range[] = [];
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
    const [first, last] = [origins[at], origins[at + word.length - 1]];
    if (first && last && isWordStart(text, at)) matches.push([first[0], last[1]]);
  }
  return matches;
}

function isWordStart(text: string, at: number): boolean {
  const [before, first] = [text[at - 1] ?? ' ', text[at] ?? ''];
  return before === ' ' || spacelessPattern.test(before) || spacelessPattern.test(first);
}

/** Starts at the beginning of a word if there is one near. */
function excerptStart(text: string, index: number): number {
  const before = [...text.slice(0, index)];
  if (before.length <= charsBefore) return 0;
  const preceding = before.slice(-charsBefore).join('');
  const space = preceding.indexOf(' ');
  return index - preceding.length + (space >= 0 && space < charsBefore / 2 ? space + 1 : 0);
}

function splitAt(text: string, matches: readonly Range[], [start, end]: Range): readonly ExcerptPart[] {
  const parts: ExcerptPart[] = [];
  let from = start;
  for (const [first, last] of matches) {
    if (last > end) break;
    if (first > from) parts.push({ text: text.slice(from, first), found: false });
    parts.push({ text: text.slice(first, last), found: true });
    from = last;
  }
  if (from < end || parts.length === 0) parts.push({ text: text.slice(from, end), found: false });
  return parts;
}
