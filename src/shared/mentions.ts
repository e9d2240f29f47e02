/**
 * Where a text mentions somebody: `@Name`. The server looks names up among all people, the page among those that the
 * server found, and both take the same characters for the name. Pure, and bounded for any text.
 *
 * A name may contain spaces, so the longest match counts. A text may leave spaces out, but "@Ann a moment" does not
 * mention Anna. Code, quoted lines, links, addresses and `\@` mention nobody.
 */
import { LIMITS, type User } from './protocol.js';

/** A mention with its place in the text, in code units, the @ included. */
export interface Mention {
  readonly from: number;
  readonly to: number;
  readonly user: User;
}

/** Code units after an @ that can hold a name. */
const maxNameLength = 256;
/** Every @ that is looked at costs up to 32 lookups. */
const maxLookedAt = 2 * LIMITS.mentionsPerMessage;

/** In the order of the text. `find` returns the owner of a name. */
export function* mentionsIn(text: string, find: (name: string) => User | undefined): Generator<Mention> {
  const ats = /[@＠]/g;
  if (!ats.test(text)) return;
  const literal = literalRanges(text);
  ats.lastIndex = 0;
  for (let lookedAt = 0, hit = ats.exec(text); hit && lookedAt < maxLookedAt; hit = ats.exec(text)) {
    const from = hit.index;
    while (literal[0] && literal[0].to <= from) literal.shift();
    if ((literal[0] && literal[0].from <= from) || !startsMention(text, from)) continue;
    lookedAt++;
    const mention = mentionAt(text, from, find);
    if (!mention) continue;
    yield mention;
    ats.lastIndex = mention.to;
  }
}

/** The mention that the @ at `from` begins. The caller has seen to it that the @ is not in code, a quote or an address. */
export function mentionAt(
  text: string,
  from: number,
  find: (name: string) => User | undefined,
): Mention | undefined {
  if (!startsMention(text, from)) return undefined;
  const match = longestMatch(text.slice(from + 1, from + 1 + maxNameLength), find);
  return match && { from, to: from + 1 + match.length, user: match.user };
}

/** How the page compares a name in a text with one that the server found: width, case and spaces do not count. */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase().replace(/\s+/g, '');
}

/** True for a line that quotes: `>` and a blank, so `>_<` and `>:(` do not. */
function isQuoteLine(line: string): boolean {
  return /^ {0,3}>(?:[ \t]|$)/.test(line);
}

/** An @ right after a letter belongs to a mail address; one after a backslash is only itself. */
function startsMention(text: string, at: number): boolean {
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? '';
  return before === '\\' ? !isEscaped(text, at) : !continuesWord(before, '_');
}

/** True when an odd number of backslashes precedes. */
function isEscaped(text: string, at: number): boolean {
  let from = at;
  while (text[from - 1] === '\\') from--;
  return (at - from) % 2 === 1;
}

function longestMatch(
  rest: string,
  find: (name: string) => User | undefined,
): { readonly user: User; readonly length: number } | undefined {
  for (const name of candidateNames(rest)) {
    const user = find(name);
    if (user && countSpaces(name) <= countSpaces(user.name)) return { user, length: name.length };
  }
  return undefined;
}

function countSpaces(name: string): number {
  return name.match(/\s+/g)?.length ?? 0;
}

/**
 * What could be a name at the beginning of a text, the longest first: whole words, at most 32 characters with their marks.
 * Intl.Segmenter would be more exact, but its rules differ between versions of Node, and every node must find the same.
 */
function candidateNames(rest: string): string[] {
  const [line = ''] = rest.split('\n', 1);
  if (/^\s/.test(line)) return [];
  const parts: string[] = [];
  for (const char of line) {
    if (extendsPrevious(char, parts.at(-1) ?? '')) parts.push(`${parts.pop() ?? ''}${char}`);
    else if (parts.push(char) > LIMITS.nameGraphemes) break;
  }
  const names: string[] = [];
  for (let end = Math.min(parts.length, LIMITS.nameGraphemes); end > 0; end--) {
    const [last = '', next = ''] = [parts[end - 1], parts[end]];
    if (last.trim() !== '' && !continuesWord(last, next)) names.push(parts.slice(0, end).join(''));
  }
  return names;
}

/** Marks, joiners and what they join, modifiers of emoji, tags, and the second half of a flag. */
function extendsPrevious(char: string, previous: string): boolean {
  if (previous === '') return false;
  extenders ??= /\p{M}|\u200d|[\u{1f3fb}-\u{1f3ff}]|[\u{e0020}-\u{e007f}]/u;
  return extenders.test(char) || previous.endsWith('\u200d') || (isFlagHalf(char) && isFlagHalf(previous));
}
let extenders: RegExp | undefined;

function isFlagHalf(char: string): boolean {
  return /^[\u{1f1e6}-\u{1f1ff}]$/u.test(char);
}

/** Whether two characters that follow each other belong to one word. */
function continuesWord(one: string, next: string): boolean {
  patterns ??= {
    word: /[\p{L}\p{N}\p{M}_]/u,
    spaceless:
      /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u,
  };
  const { word, spaceless } = patterns;
  return word.test(one) && word.test(next) && !spaceless.test(one) && !spaceless.test(next);
}
/** `spaceless`: scripts that put no space between words, where a name may begin and end anywhere. */
let patterns: { readonly word: RegExp; readonly spaceless: RegExp } | undefined;

/** Parts of a text that are shown as they are written or repeat somebody else: quoted lines, code, links, addresses. */

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Ascending; they may overlap. */
function literalRanges(text: string): Range[] {
  const ranges: Range[] = [];
  for (const { from, to, isLiteral } of blocksOf(text)) {
    if (isLiteral) ranges.push({ from, to });
    else ranges.push(...inlineLiterals(text.slice(from, to), from));
  }
  return ranges;
}

interface Block extends Range {
  readonly isLiteral: boolean;
}

/** Runs of lines: fenced code and quotes are literal, blank lines end a paragraph. */
function* blocksOf(text: string): Generator<Block> {
  let fence: string | undefined;
  let paragraph = 0;
  let from = 0;
  for (const line of text.split('\n')) {
    const to = from + line.length;
    const [, mark] = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/.exec(line) ?? [];
    const isLiteral = fence !== undefined || mark !== undefined || isQuoteLine(line);
    if (isLiteral || line.trim() === '') {
      if (paragraph < from) yield { from: paragraph, to: from, isLiteral: false };
      if (isLiteral) yield { from, to, isLiteral };
      paragraph = to + 1;
    }
    if (fence === undefined) fence = mark;
    else if (mark?.startsWith(fence) && line.trim() === mark) fence = undefined;
    from = to + 1;
  }
  if (paragraph < text.length) yield { from: paragraph, to: text.length, isLiteral: false };
}

/** Code spans, links and addresses of one paragraph, which begins at `offset` of the text. */
function inlineLiterals(paragraph: string, offset: number): Range[] {
  const spans = codeSpans(paragraph);
  const links = linkRanges(paragraph, spans);
  return [...spans, ...links, ...addressRanges(paragraph, links)]
    .map(({ from, to }) => ({ from: offset + from, to: offset + to }))
    .sort((a, b) => a.from - b.from);
}

/** Addresses beside the links of a paragraph. */
function addressRanges(paragraph: string, links: readonly Range[]): Range[] {
  const starts = [0, ...links.map(({ to }) => to)];
  return starts.flatMap((start, n) =>
    [...paragraph.slice(start, links[n]?.from).matchAll(addressPattern)].map(({ 0: address, index }) => ({
      from: start + index,
      to: start + index + address.length,
    })),
  );
}
/** An address ends at white space, at `<` and `>`, or where a sentence in Chinese or Japanese goes on. */
const addressPattern = /\b(?:[a-z][a-z\d+.-]{0,30}:\/\/|www\.)[^\s<>\u3000-\u303f\uff00-\uffef“”]*/gi;

/** `[label](address)` or `![label](address)`, as Markdown has it. */
export interface LabelledLink {
  readonly label: string;
  readonly address: string;
  /** From the first bracket to the last parenthesis, without the `!`. */
  readonly length: number;
}

/**
 * A label with at most one level of brackets, an address with balanced parentheses, and maybe a title. Invariant: tried at
 * each bracket of a text that is not escaped, it takes linear time in all.
 */
const linkPattern =
  /\[((?:\\.|[^\\[\]]|\[[^[\]]*\])*)\]\(\s*<?((?:[^\s()<>]|\([^\s()]*\))+)>?(?:\s+(?:"[^"]*"|'[^']*'|“[^“”]*”))?\s*\)/y;

/** The link whose label begins with the bracket at `index`. Its address is http, https or mailto, but may be no valid URL. */
export function labelledLinkAt(text: string, index: number): LabelledLink | undefined {
  linkPattern.lastIndex = index;
  const [raw = '', label = '', address = ''] = linkPattern.exec(text) ?? [];
  return /^(?:https?:\/\/|mailto:)/i.test(address) ? { label, address, length: raw.length } : undefined;
}

/** Labels and addresses of the links of a paragraph. None begins in a code span or after a backslash. */
function linkRanges(paragraph: string, spans: readonly Range[]): Range[] {
  const ranges: Range[] = [];
  let [end, span] = [0, 0];
  for (let from = paragraph.indexOf('['); from >= 0; from = paragraph.indexOf('[', Math.max(from + 1, end))) {
    while ((spans[span]?.to ?? from + 1) <= from) span++;
    const code = spans[span];
    if (code && code.from <= from) end = code.to;
    else if (!isEscaped(paragraph, from)) {
      const link = labelledLinkAt(paragraph, from);
      if (!link) continue;
      end = from + link.length;
      ranges.push({ from, to: end });
    }
  }
  return ranges;
}

/** Between two runs of backticks of one length. A backslash takes the first backtick of an opening run away. */
function codeSpans(paragraph: string): Range[] {
  const runs = [...paragraph.matchAll(/`+/g)].map(({ 0: { length }, index }) => ({ index, length }));
  const closings = closingRuns(paragraph, runs);
  const spans: Range[] = [];
  for (let n = 0; n < runs.length; n++) {
    const [open, end] = [runs[n], closings[n]];
    const close = end === undefined ? undefined : runs[end];
    if (!open || !close || end === undefined) continue;
    spans.push({ from: open.index, to: close.index + close.length });
    n = end;
  }
  return spans;
}

/** For each run the next one that would close it. From the end on, so that the time is linear. */
function closingRuns(
  paragraph: string,
  runs: readonly { readonly index: number; readonly length: number }[],
): readonly (number | undefined)[] {
  const nextOfLength = new Map<number, number>();
  return runs
    .map((run, n) => ({ ...run, n }))
    .reverse()
    .map(({ index, length, n }) => {
      const closing = nextOfLength.get(isEscaped(paragraph, index) ? length - 1 : length);
      nextOfLength.set(length, n);
      return closing;
    })
    .reverse();
}
