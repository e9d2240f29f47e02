/**
 * Parses the text of a message into a tree of a few known nodes: a small Markdown without headings, tables, images
 * and HTML.
 *
 * Invariants:
 * 1. Only delimiters are removed. Whatever is not recognised, or would show nothing, appears as written.
 * 2. A link leads to http, https or mailto only, and its text does not look like another address.
 * 3. Time is bounded: nesting is limited, and a paragraph with too many delimiters is plain text.
 */
import { foldName, labelledLinkAt, mentionAt } from '../../shared/mentions.js';
import type { ChatEvent, User } from '../../shared/protocol.js';
import { spacelessScripts } from '../../shared/text.js';

export type MarkdownNode =
  | InlineToken
  | { readonly kind: 'strong' | 'em' | 'del'; readonly children: MarkdownNodes }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'block'; readonly text: string; readonly language: string }
  | { readonly kind: 'link'; readonly href: string; readonly children: MarkdownNodes }
  | { readonly kind: 'quote'; readonly children: MarkdownNodes; readonly from?: QuoteSource }
  | { readonly kind: 'list'; readonly items: readonly ListItem[] };
export type MarkdownNodes = readonly MarkdownNode[];

type InlineToken =
  | string
  | { readonly kind: 'mention'; readonly user: User; readonly text: string }
  /** another message of this room */
  | { readonly kind: 'ref'; readonly id: number; readonly text: string };

/** `value` is the number as written; bullets have none. */
export interface ListItem {
  readonly value?: number;
  readonly children: MarkdownNodes;
}
/** Author and number of the quoted message. */
export interface QuoteSource {
  readonly name: string;
  readonly id: number;
}

/** No syntax begins without one of these. */
const plainLinePattern = /^(?!.*[*_~`[<@＠#\\]|.*(?::\/\/|www\.)|\s*(?:>|[-+]\s|\d+[.)]\s))/i;
const parsedMessages = new WeakMap<ChatEvent, MarkdownNodes>();

/** Parses each message once. */
export function parseMessage(event: ChatEvent): MarkdownNodes {
  const nodes = parsedMessages.get(event) ?? parseMarkdown(event.data, event.mentions);
  parsedMessages.set(event, nodes);
  return nodes;
}

export function parseMarkdown(text: string, mentions: readonly User[] = []): MarkdownNodes {
  const lines = text.split('\n');
  if (lines.every((line) => plainLinePattern.test(line))) return [text];
  const nodes = parseBlocks(lines, mentions, 0);
  return isVisibleText(plainText(nodes)) ? nodes : [text];
}

/** The text without delimiters. A block has lines of its own. */
export function plainText(nodes: MarkdownNodes): string {
  return nodes
    .map((node) => {
      if (typeof node === 'string') return node;
      if (node.kind === 'list') return `\n${node.items.map(itemText).join('\n')}\n`;
      if (node.kind === 'quote') return `\n${sourceText(node.from)}${plainText(node.children)}\n`;
      if (node.kind === 'block') return `\n${node.text}\n`;
      return 'children' in node ? plainText(node.children) : node.text;
    })
    .join('');
}

function itemText({ value, children }: ListItem): string {
  return `${value ?? ''} ${plainText(children)}`;
}

function sourceText(from: QuoteSource | undefined): string {
  return from ? `${from.name}, #${from.id}: ` : '';
}

/** The first test decides most texts; building the Unicode tables of the second is slow. */
function isVisibleText(text: string): boolean {
  return (
    /[!-~\u00ae-\u02ff\u3041-\u30ff\u4e00-\u9fff]/.test(text) ||
    /[^\s\p{Default_Ignorable_Code_Point}\p{C}\p{Z}\p{M}\u2800]/u.test(text)
  );
}

/** Quotes and lists inside one another; deeper ones are text. */
const maxNesting = 4;
const fencePattern = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
const quotePattern = /^ {0,3}>(?: |$)/;
/** A marker, its indentation, and the text. A line of markers only, such as `* * *`, is text. */
const itemPattern = /^( {0,3})(?:([-*+])|(\d{1,9})[.)])( +)(?=\S)(?!(?:[-*+] *)+$)/;

interface Block {
  readonly nodes: MarkdownNodes;
  readonly lineCount: number;
}

function parseBlocks(lines: readonly string[], mentions: readonly User[], depth: number): MarkdownNodes {
  const nodes: MarkdownNode[] = [];
  let paragraph: string[] = [];
  const endParagraph = () => {
    if (paragraph.length > 0) nodes.push(...parseInline(paragraph.join('\n'), mentions));
    paragraph = [];
  };
  for (let at = 0; at < lines.length; ) {
    const rest = lines.slice(at);
    const block =
      parseFence(rest) ?? (depth < maxNesting ? parseContainer(rest, mentions, depth) : undefined);
    if (!block) paragraph.push(lines[at++] ?? '');
    else {
      endParagraph();
      nodes.push(...block.nodes);
      at += block.lineCount;
      // A block ends its line, so the blank line after it would show as two.
      if (lines[at] === '' && at < lines.length - 1) at++;
    }
  }
  endParagraph();
  return joinText(nodes);
}

/** A code block. Without its own text, the text behind the fence is the code. */
function parseFence(lines: readonly string[]): Block | undefined {
  const [, fence = '', info = ''] = fencePattern.exec(lines[0] ?? '') ?? [];
  if (fence === '') return undefined;
  const closing = new RegExp(`^ {0,3}${fence[0]}{${fence.length},} *$`);
  const end = lines.findIndex((line, index) => index > 0 && closing.test(line));
  const code = lines.slice(1, end < 0 ? undefined : end).join('\n');
  const language = info.trim();
  const lineCount = end < 0 ? lines.length : end + 1;
  if (code.trim() === '')
    return language === ''
      ? undefined
      : { nodes: [{ kind: 'block', text: language, language: '' }], lineCount };
  const isLanguage = /^[\w+#.-]{0,24}$/.test(language);
  const text = isLanguage ? code : `${language}\n${code}`;
  return { nodes: [{ kind: 'block', text, language: isLanguage ? language : '' }], lineCount };
}

function parseContainer(
  lines: readonly string[],
  mentions: readonly User[],
  depth: number,
): Block | undefined {
  return parseQuote(lines, mentions, depth) ?? parseList(lines, mentions, depth);
}

/** Ends with the first line that has no marker. Emoticons such as `>_<` are not markers. */
function parseQuote(lines: readonly string[], mentions: readonly User[], depth: number): Block | undefined {
  const end = lines.findIndex((line) => !quotePattern.test(line));
  const quoted = lines.slice(0, end < 0 ? undefined : end).map((line) => line.replace(quotePattern, ''));
  if (quoted.every((line) => line.trim() === '')) return undefined;
  const children = parseBlocks(quoted, mentions, depth + 1);
  return { nodes: [quoteNode(children)], lineCount: quoted.length };
}

/** Recognises the head of a reply, `Ann, #12: text` (room/composer.ts). */
function quoteNode(children: MarkdownNodes): MarkdownNode {
  const [name, ref, text, ...rest] = children;
  const isReply =
    typeof name === 'string' && name.endsWith(', ') && !name.includes('\n') && typeof ref === 'object';
  if (!isReply || ref.kind !== 'ref' || typeof text !== 'string' || !text.startsWith(': '))
    return { kind: 'quote', children };
  const from = { name: name.slice(0, -2), id: ref.id };
  return { kind: 'quote', from, children: joinText([text.slice(2), ...rest]) };
}

function parseList(lines: readonly string[], mentions: readonly User[], depth: number): Block | undefined {
  const first = itemPattern.exec(lines[0] ?? '');
  if (!first) return undefined;
  const items: ListItem[] = [];
  let at = 0;
  for (let match: RegExpExecArray | null = first; match; match = itemPattern.exec(lines[at] ?? '')) {
    if ((match[3] === undefined) !== (first[3] === undefined)) break; // the other kind of list
    const content = [(lines[at++] ?? '').slice(match[0].length)];
    while (isContinuation(lines, at))
      content.push((lines[at++] ?? '').trim() === '' ? '' : dedent(lines[at - 1] ?? '', match[0].length));
    const children = parseBlocks(content, mentions, depth + 1);
    items.push(match[3] === undefined ? { children } : { value: Number(match[3]), children });
    if (lines[at] === '' && itemPattern.test(lines[at + 1] ?? '')) at++;
  }
  return { nodes: [{ kind: 'list', items }], lineCount: at };
}

/** An indented line, or a blank one before an indented one. */
function isContinuation(lines: readonly string[], at: number): boolean {
  const line = lines[at] ?? '';
  return /^ {2}/.test(line) ? line.trim() !== '' : line === '' && /^ {2,}\S/.test(lines[at + 1] ?? '');
}

function dedent(line: string, indent: number): string {
  return line.slice(Math.min(indent, /^ */.exec(line)?.[0].length ?? 0));
}

/** Merges adjacent texts. The line breaks next to a block are part of it. */
function joinText(nodes: MarkdownNodes): MarkdownNodes {
  const joined: MarkdownNode[] = [];
  for (const node of nodes) {
    const before = joined.at(-1);
    if (typeof node === 'string' && typeof before === 'string') joined[joined.length - 1] = before + node;
    else joined.push(node);
  }
  return joined.filter((node) => node !== '');
}

/** More delimiters in one paragraph would take time quadratic in their number. */
const maxDelimiters = 120;
const delimiterPattern = /[*_~[\]`<\\@＠#]|:\/\/|www\./g;
const inlinePatterns = [
  '\\\\[*`~\\[_@＠]',
  '`+',
  '!?\\[',
  '<(?:https?://|mailto:)[^\\s<>]+>',
  '(?<![a-z0-9_@/])(?:https?://|www\\.)',
  '(?<![\\w.+-])[a-z0-9][\\w.+-]{0,63}@[a-z0-9-]+(?:\\.[a-z0-9-]+)*\\.[a-z]{2,}(?![\\w-])',
  // Not in `a#1`, `&#123;`, `page/#1` or `#1a`.
  '(?<![\\w&/#])#[1-9]\\d{0,14}(?!\\w)',
  '\\*+|_+|~~+',
  '[@＠]',
];
let inlinePattern: RegExp | undefined;

/** A run of `*`, `_` or `~`, which may begin or end emphasis. */
interface Delimiter {
  readonly char: string;
  readonly size: number;
  readonly canOpen: boolean;
  readonly canClose: boolean;
}
type InlineItem = MarkdownNode | Delimiter;

function parseInline(text: string, mentions: readonly User[], isLabel = false): MarkdownNodes {
  if ((text.match(delimiterPattern)?.length ?? 0) > maxDelimiters) return [text];
  const items: InlineItem[] = [];
  inlinePattern ??= new RegExp(inlinePatterns.join('|'), 'giu');
  const pattern = inlinePattern;
  let done = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const { index } = match;
    const found = inlineItemAt(text, match[0], index, mentions, isLabel);
    items.push(text.slice(done, index), ...found.items);
    done = pattern.lastIndex = index + found.length;
  }
  items.push(text.slice(done));
  return joinText(resolveEmphasis(items));
}

interface FoundItem {
  readonly items: readonly InlineItem[];
  /** of the source text */
  readonly length: number;
}

/** What begins at a match of the inline pattern; the match itself as text when nothing does. */
function inlineItemAt(
  text: string,
  match: string,
  index: number,
  mentions: readonly User[],
  isLabel: boolean,
): FoundItem {
  const asText = { items: [match], length: match.length };
  const { length } = match;
  switch (match[0]) {
    case '\\':
      return { items: [match === '\\_' ? match : match.slice(1)], length };
    case '`':
      return codeSpanAt(text, match, index) ?? asText;
    case '*':
    case '_':
    case '~':
      return { items: [delimiterAt(text, match, index)], length };
  }
  if (isLabel) return asText; // no links in links
  if (match.endsWith('[')) return linkAt(text, match, index) ?? asText;
  if (match[0] === '<') return { items: [linkNode(match.slice(1, -1)) ?? match], length };
  if (match[0] === '#') return { items: [{ kind: 'ref', id: Number(match.slice(1)), text: match }], length };
  if (match === '@' || match === '＠') return mentionNodeAt(text, index, mentions) ?? asText;
  if (/^(?:https?:\/\/|www\.)/i.test(match)) return autolinkAt(text, index) ?? asText;
  return match.includes('@') ? { items: [linkNode(`mailto:${match}`, match) ?? match], length } : asText;
}

/** Finds the mentions that the server found, by the same rules. */
function mentionNodeAt(text: string, index: number, mentions: readonly User[]): FoundItem | undefined {
  if (mentions.length === 0) return undefined;
  const users = usersByName.get(mentions) ?? new Map(mentions.map((user) => [foldName(user.name), user]));
  usersByName.set(mentions, users);
  const found = mentionAt(text, index, (name) => users.get(foldName(name)));
  if (!found) return undefined;
  const { from, to, user } = found;
  return { items: [{ kind: 'mention', user, text: text.slice(from, to) }], length: to - from };
}
const usersByName = new WeakMap<readonly User[], ReadonlyMap<string, User>>();

/** Ends with a run of as many backticks. */
function codeSpanAt(text: string, fence: string, index: number): FoundItem | undefined {
  const from = index + fence.length;
  const end = new RegExp(`(?<!\`)${fence}(?!\`)`).exec(text.slice(from))?.index;
  if (end === undefined) return undefined;
  const code = text.slice(from, from + end);
  const trimmed = /^ .*\S.* $/s.test(code) ? code.slice(1, -1) : code;
  if (trimmed.trim() === '') return undefined;
  return { items: [{ kind: 'code', text: trimmed.replace(/\n/g, ' ') }], length: 2 * fence.length + end };
}

/**
 * A link with a label. An image is text, and so is a link whose label shows nothing or another address; only the address
 * leads there. The server finds no mention in any of them.
 */
function linkAt(text: string, match: string, index: number): FoundItem | undefined {
  const labelAt = index + match.length;
  const link = labelledLinkAt(text, labelAt - 1);
  if (!link) return undefined;
  const { label, address } = link;
  const length = match.length - 1 + link.length;
  const href = match === '[' ? safeHref(address) : undefined;
  const children = parseInline(label.replace(bidiControlPattern, ''), [], true);
  const shown = plainText(children);
  if (href !== undefined && isVisibleText(shown) && !isMisleading(shown, href))
    return { items: [{ kind: 'link', href, children }], length };
  const rest = text.slice(labelAt + label.length, index + length);
  return { items: [match, ...parseInline(label, []), ...parseInline(rest, [])], length };
}

const bidiControlPattern = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** A host name or an IP address within a text. */
const hostPattern = /(?:[\p{L}\p{N}-]+[.。])+(?:\p{L}[\p{L}\p{N}-]+|\d+)(?![\p{L}\p{N}])/gu;
/** A label that is nothing but an address without a dot. */
const localAddressPattern = /^\s*(?:localhost|[\w-]+:\d+|\[[\da-f:.]+\])(?::\d+)?(?:[/?#].*)?\s*$/;
/** Endings that are file names and not top-level domains. */
const fileNamePattern = /\.(?:[jt]sx?|mjs|json|css|html?|txt|xml|ya?ml|toml|csv|pdf|png|jpe?g|svg|lock)$/i;

/** The label looks like an address that is not the link's own. */
function isMisleading(label: string, href: string): boolean {
  const text = label
    .normalize('NFKC')
    .replace(/[\p{Default_Ignorable_Code_Point}\p{C}]/gu, '')
    .toLowerCase();
  const { hostname, pathname, protocol } = new URL(href);
  const own = protocol === 'mailto:' ? (pathname.split('@')[1] ?? '') : hostname;
  const hosts = (text.match(hostPattern) ?? []).filter((host) => !fileNamePattern.test(host));
  if (localAddressPattern.test(text)) return safeHref(`http://${text.trim()}`) !== href;
  if (hosts.length === 0) return text.includes('://') && safeHref(text.trim()) !== href;
  return hosts.some((host) => withoutWww(hostnameOf(host)) !== withoutWww(own));
}

/** The ASCII form of a host name. */
function hostnameOf(host: string): string {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : host;
}

function withoutWww(host: string): string {
  return host.replace(/^www\./, '');
}

function linkNode(address: string, text = address): Exclude<MarkdownNode, string> | undefined {
  const href = safeHref(address);
  return href === undefined ? undefined : { kind: 'link', href, children: [text] };
}

/** Undefined unless it is an absolute http, https or mailto URL. */
export function safeHref(address: string): string | undefined {
  if (!/^(?:https?:\/\/|mailto:)/i.test(address) || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : undefined;
}

const hostAtPattern =
  /(?:https?:\/\/)?(\[[0-9a-f:.]+\]|[\p{L}\p{N}\p{M}_-]+(?:\.[\p{L}\p{N}\p{M}_-]+)*)(:\d{1,5})?/iuy;
/** Characters that end a path: white space, quotation marks, sentence punctuation, invisible ones. */
const pathEndPattern =
  /[\s<>"`|^“”‘’«»‹›„…—–؟،؛।॥\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u3001\u3002\u3008-\u3011\u3014-\u301b\u301d-\u301f\uff01\uff0c\uff0e\uff1a\uff1b\uff1f\uff5b-\uff65]/;
const openingBrackets = '([{（';
const closingBrackets = ')]}）';

/** A URL in running text, which ends where the sentence goes on. */
function autolinkAt(text: string, index: number): FoundItem | undefined {
  hostAtPattern.lastIndex = index;
  const [matched = '', host = '', port = ''] = hostAtPattern.exec(text) ?? [];
  const cut = cutHost(host);
  if (cut === undefined) return undefined;
  const hostEnd = index + matched.length - port.length - (host.length - cut.length);
  const portEnd = cut === host ? hostEnd + port.length : hostEnd;
  const end = cut === host ? pathEnd(text, portEnd) : hostEnd;
  const address = text.slice(index, end);
  const node = linkNode(/^www\./i.test(address) ? `http://${address}` : address, address);
  return node && { items: [node], length: address.length };
}

/** Cuts off what follows the host without a space, as in `example.comです`. Undefined when it is not a host. */
function cutHost(host: string): string | undefined {
  if (host.startsWith('[')) return host;
  const labels = host.split('.');
  const last = labels.at(-1) ?? '';
  const ascii = /^[a-z0-9_-]+/i.exec(last)?.[0];
  const cut = `${labels.slice(0, -1).join('.')}${labels.length > 1 ? '.' : ''}${ascii ?? last}`.replace(
    /-+$/,
    '',
  );
  const isName =
    labels.length > 1 ? labels.length > 2 || labels[0]?.toLowerCase() !== 'www' : ascii !== undefined;
  return isName && cut !== '' ? cut : undefined;
}

function pathEnd(text: string, from: number): number {
  if (!/[/?#]/.test(text[from] ?? '')) return from;
  const open: string[] = [];
  let end = from;
  for (; end < text.length && !pathEndPattern.test(text[end] ?? ''); end++) {
    const char = text[end] ?? '';
    if (openingBrackets.includes(char)) open.push(char);
    const bracket = closingBrackets.indexOf(char);
    if (bracket >= 0 && open.pop() !== openingBrackets[bracket]) break;
  }
  while (end > from && /[.,:;!?'*_~([{（]/.test(text[end - 1] ?? '')) end--;
  return end;
}

/** What may precede an opening `_`, and follow a closing one; paths and emoticons may not. */
const underscoreBoundary = /[\s([{)\]}"'“”‘’«»*~,.;:!?…—–-]/;

/**
 * Emphasis begins before a visible character and ends after one. Outside of it there is no letter, except of scripts
 * without spaces, where `**100%**的` is usual. So `2*3*4`, `snake_case` and `^_^` stay, and so do patterns of files such as
 * `*.ts,*.js` and `src/*, lib/*`.
 */
function delimiterAt(text: string, run: string, index: number): Delimiter {
  const end = index + run.length;
  const before = [...text.slice(Math.max(0, index - 2), index)].at(-1) ?? ' ';
  const after = [...text.slice(end, end + 2)][0] ?? ' ';
  const char = run[0] ?? '';
  const isBoundary = (outside: string) =>
    isSpaceless(outside) ||
    (char === '_' ? underscoreBoundary.test(outside) : !/[\p{L}\p{N}^]/u.test(outside));
  return {
    char,
    size: run.length,
    canOpen:
      after.trim() !== '' && isBoundary(before) && !/^(?:\*+\/|\*\.\w)/.test(text.slice(index, end + 2)),
    canClose: before.trim() !== '' && isBoundary(after) && !(run === '*' && before === '/'),
  };
}

const spacelessPattern = new RegExp(`[${spacelessScripts}\\u3000-\\u303f\\uff00-\\uffef]`, 'u');
function isSpaceless(char: string): boolean {
  return char > '\u0e00' && spacelessPattern.test(char);
}

const emphasisKinds = { '*1': 'em', '*2': 'strong', _1: 'em', _2: 'strong', '~2': 'del' } as const;

function isDelimiter(item: InlineItem): item is Delimiter {
  return typeof item === 'object' && 'canOpen' in item;
}

/** Pairs delimiters, innermost first. Those without a partner are text. */
function resolveEmphasis(items: readonly InlineItem[]): MarkdownNodes {
  const stack: { readonly opener: Delimiter | undefined; readonly nodes: MarkdownNode[] }[] = [
    { opener: undefined, nodes: [] },
  ];
  const push = (...nodes: readonly MarkdownNode[]) => stack.at(-1)?.nodes.push(...nodes);
  /** Turns the openers above a level into text. */
  const unwind = (level: number) => {
    while (stack.length > level) {
      const top = stack.pop();
      if (top?.opener) push(top.opener.char.repeat(top.opener.size), ...top.nodes);
    }
  };
  for (const item of items.flatMap(splitDelimiter)) {
    if (!isDelimiter(item)) {
      push(item);
      continue;
    }
    const level = item.canClose
      ? stack.findLastIndex(({ opener }) => opener?.char === item.char && opener.size === item.size)
      : -1;
    if (level > 0) unwind(level + 1);
    const content = level > 0 ? stack.pop()?.nodes : undefined;
    if (content && isEmphasis(item, content))
      push({
        kind: emphasisKinds[`${item.char}${item.size}` as keyof typeof emphasisKinds],
        children: joinText(content),
      });
    else if (content) push(item.char.repeat(item.size), ...content, item.char.repeat(item.size));
    else if (item.canOpen) stack.push({ opener: item, nodes: [] });
    else push(item.char.repeat(item.size));
  }
  unwind(1);
  return stack[0]?.nodes ?? [];
}

/** `***` is `**` and `*`; longer runs, and sizes without a meaning, are text. */
function splitDelimiter(item: InlineItem): readonly InlineItem[] {
  if (!isDelimiter(item)) return [item];
  const { char, size } = item;
  if (size === 3 && char !== '~') {
    const sizes = item.canOpen ? [2, 1] : [1, 2];
    return sizes.map((part) => ({ ...item, size: part }));
  }
  return `${char}${size}` in emphasisKinds ? [item] : [char.repeat(size)];
}

/** `(*^_^*)` and `__init__` are not emphasis. */
function isEmphasis({ char, size }: Delimiter, content: MarkdownNodes): boolean {
  const text = plainText(content);
  if (char === '_' && size === 2 && /^\w+$/.test(text)) return false;
  return /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(text);
}

/** Long messages are folded beyond these; the folded text is clearly shorter. */
const foldAfterLines = 14;
const foldAfterChars = 1_200;
const foldedLines = 10;
const foldedChars = 800;

/** The beginning of a long text; undefined when it is not long. */
export function foldText(text: string): string | undefined {
  if (text.length <= foldAfterChars && text.split('\n', foldAfterLines + 1).length <= foldAfterLines)
    return undefined;
  const lines = text.split('\n').slice(0, foldedLines).join('\n');
  if (lines.length <= foldedChars) return lines;
  // At the end of a word if there is one near, and never within a character.
  const word = lines.slice(0, foldedChars).replace(/\s+\S{0,60}$/, '');
  return word.toWellFormed().replace(/\ufffd$/, '');
}
