/**
 * From the text of a message to what is shown of it: a tree of a few known nodes. The grammar is in grammar.ts.
 * What must stay true:
 * 1. No letter is lost but the marks themselves: what is not known, or would leave nothing to be seen, is shown as it was
 *    written, line ends too.
 * 2. A link leads to http, https or mailto, and to nowhere else.
 */
import { getDefaults, Lexer, type Token, Tokenizer, type Tokens } from 'marked';
import { foldName, mentionsIn } from '../../shared/mentions.js';
import type { ChatEvent, User } from '../../shared/protocol.js';

export type MarkdownNode =
  | InlineToken
  | { readonly kind: 'strong' | 'em' | 'del'; readonly of: MarkdownNodes }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'block'; readonly text: string; readonly language: string }
  | { readonly kind: 'link'; readonly href: string; readonly of: MarkdownNodes }
  | { readonly kind: 'quote'; readonly of: MarkdownNodes; readonly from?: QuoteSource }
  | { readonly kind: 'list'; readonly items: readonly ListItem[] };
export type MarkdownNodes = readonly MarkdownNode[];

/** An item of a list: with its number as it was written, or with a point. */
export interface ListItem {
  readonly value?: number;
  readonly of: MarkdownNodes;
}
/** Who is quoted, and the number of the message. */
export interface QuoteSource {
  readonly name: string;
  readonly id: number;
}

/** Nothing of what the grammar knows can begin without one of these. */
const plainLinePattern = /^(?!.*[*_~`[<@＠#\\]|.*(?::\/\/|www\.)|\s*(?:>|[-+]\s|\d+[.)]\s))/;

const parsedMessages = new WeakMap<ChatEvent, MarkdownNodes>();

/** Each message is read once, however often it is drawn. */
export function parseMessage(event: ChatEvent): MarkdownNodes {
  const before = parsedMessages.get(event);
  if (before) return before;
  const marks = parseMarkdown(event.data, event.mentions);
  parsedMessages.set(event, marks);
  return marks;
}

export function parseMarkdown(text: string, mentions: readonly User[] = []): MarkdownNodes {
  if (text.split('\n').every((line) => plainLinePattern.test(line))) return [text];
  const marks = joinText(toNodes(tokenize(text), mentions));
  return isVisibleText(plainText(marks)) ? marks : [text];
}

function toNodes(tokens: readonly Token[], mentions: readonly User[]): MarkdownNodes {
  return tokens.flatMap((token) => toNode(token as Tokens.Generic, mentions));
}

/** The token's fields are as marked's documents say; what it does not say of them is never used. */
function toNode(token: Tokens.Generic, mentions: readonly User[]): MarkdownNodes {
  const of = () => toNodes(token.tokens ?? [], mentions);
  switch (token.type) {
    case 'paragraph':
    case 'text':
      return token.tokens ? [...of(), trailingNewlines(token.raw)] : tokenizeInline(token.raw, mentions);
    case 'strong':
    case 'em':
    case 'del':
      return [{ kind: token.type, of: of() }];
    case 'codespan':
      return [{ kind: 'code', text: String(token['text']) }];
    case 'code':
      return [codeBlockNode(token.raw, String(token['text']), String(token['lang'] ?? ''))];
    case 'link':
      return linkNodes(token as Tokens.Link, of);
    case 'blockquote':
      return [quoteNode(joinText(of()))];
    case 'list':
      return [
        { kind: 'list', items: (token as Tokens.List).items.map((item) => toListItem(item, mentions)) },
      ];
    case 'escape':
      return [String(token['text'])];
    default:
      return tokenizeInline(token.raw, mentions);
  }
}

/** What stands behind the fence and is no language, or is all there is, is text like the rest. */
function codeBlockNode(raw: string, text: string, language: string): MarkdownNode {
  const [said, empty] = [language.trim() !== '', text.trim() === ''];
  if (empty) return said ? { kind: 'block', text: language, language: '' } : raw;
  if (/^[\w+#.-]{0,24}$/.test(language)) return { kind: 'block', text, language };
  return { kind: 'block', text: `${language}\n${text}`, language: '' };
}

function trailingNewlines(raw: string): string {
  return /\n*$/.exec(raw)?.[0] ?? '';
}

function toListItem({ raw, tokens }: Tokens.ListItem, mentions: readonly User[]): ListItem {
  const number = /^\s*(\d+)[.)]/.exec(raw)?.[1];
  const of = joinText(toNodes(tokens, mentions));
  return number === undefined ? { of } : { value: Number(number), of };
}

/** A link says where it leads: one that looks like another address is shown with both, and so is one that says nothing. */
function linkNodes({ raw, href, text, title }: Tokens.Link, of: () => MarkdownNodes): MarkdownNodes {
  const safe = safeHref(href);
  const itself = text === raw || raw === `<${text}>`;
  if (safe === undefined || title || (!itself && addressPattern.test(text))) return [raw];
  const words = itself ? [text] : of();
  return isVisibleText(plainText(words)) ? [{ kind: 'link', href: safe, of: words }] : [raw];
}
const addressPattern = /:\/\/|www\.|\w\.[a-z]{2,}(?:[/\s]|$)/i;

export function safeHref(href: string): string | undefined {
  if (!/^(?:https?:\/\/|mailto:)/i.test(href) || !URL.canParse(href)) return undefined;
  const url = new URL(href);
  return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : undefined;
}

/** `Ann, #12: text` at the head of a quote is how a reply names what it answers (reply.ts). */
function quoteNode(of: MarkdownNodes): MarkdownNode {
  const [name, ref, text, ...rest] = of;
  if (typeof name !== 'string' || typeof ref !== 'object' || ref.kind !== 'ref') return { kind: 'quote', of };
  if (!name.endsWith(', ') || name.includes('\n') || typeof text !== 'string' || !text.startsWith(': '))
    return { kind: 'quote', of };
  return {
    kind: 'quote',
    from: { name: name.slice(0, -2), id: ref.id },
    of: joinText([text.slice(2), ...rest]),
  };
}

/** A block begins and ends its own line: the line end beside it would be an empty line. */
function joinText(marks: MarkdownNodes): MarkdownNodes {
  const joined: MarkdownNode[] = [];
  for (const one of marks) {
    const before = joined.at(-1);
    if (typeof one !== 'string') joined.push(one);
    else if (typeof before === 'string') joined[joined.length - 1] = before + one;
    else joined.push(before && isBlockNode(before) ? one.replace(/^\n{1,2}/, '') : one);
  }
  return joined.filter((one) => one !== '');
}

export function isBlockNode(mark: MarkdownNode): boolean {
  return typeof mark === 'object' && ['block', 'quote', 'list'].includes(mark.kind);
}

/** The words without the marks: for the clipboard of a screen reader's user, notifications and tests. */
export function plainText(marks: MarkdownNodes): string {
  return marks
    .map((one) => {
      if (typeof one === 'string') return one;
      if (one.kind === 'list')
        return one.items.map(({ value, of }) => `${value ?? ''} ${plainText(of)}`).join('\n');
      if (one.kind === 'quote' && one.from)
        return `${one.from.name}, #${one.from.id}: ${plainText(one.of)}\n`;
      return 'of' in one ? plainText(one.of) : one.text;
    })
    .join('');
}

/** Most texts hold what the first can tell: the tables of all letters are slow to make. */
function isVisibleText(text: string): boolean {
  return (
    /[!-~\u00ae-\u02ff\u3041-\u30ff\u4e00-\u9fff]/.test(text) ||
    /[^\s\p{Default_Ignorable_Code_Point}\p{C}\p{Z}\p{M}\u2800]/u.test(text)
  );
}

/**
 * The grammar of messages: marked's, with all of it switched off that a chat does not need (headings, tables, images,
 * HTML, references). The worst text of 4,000 characters takes a few milliseconds: nesting, and marks in one paragraph,
 * are capped, beyond which there are none.
 */

/** Quotes and lists in one another; deeper is text. */
const maxNesting = 4;
/** Marks in one paragraph: beyond them its time would grow with their square. */
const maxDelimiters = 120;
const delimiterPattern = /[*_~[\]`<\\]|:\/\/|www\.|@/g;
export function tokenize(text: string): readonly Token[] {
  return new ChatLexer().lex(text);
}

class ChatLexer extends Lexer {
  constructor() {
    super({ ...getDefaults(), tokenizer: new ChatTokenizer() });
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if ((src.match(delimiterPattern)?.length ?? 0) <= maxDelimiters) return super.inlineTokens(src, tokens);
    tokens.push({ type: 'text', raw: src, text: src });
    return tokens;
  }
}

/** undefined: it is not one of these. */
class ChatTokenizer extends Tokenizer {
  #depth = 0;

  override code(): undefined {}
  override heading(): undefined {}
  override hr(): undefined {}
  override html(): undefined {}
  override def(): undefined {}
  override table(): undefined {}
  override lheading(): undefined {}
  override tag(): undefined {}
  override reflink(): undefined {}
  override br(): undefined {}

  override blockquote(src: string): Tokens.Blockquote | undefined {
    return this.#nested(() => super.blockquote(src));
  }

  override list(src: string): Tokens.List | undefined {
    return this.#nested(() => super.list(src));
  }

  /** Only of what marks words here: of a path or a shrug with its arm no backslash is lost. */
  override escape(src: string): Tokens.Escape | undefined {
    const char = /^\\([*`~[_])/.exec(src)?.[1];
    if (char === undefined) return undefined;
    return { type: 'escape', raw: src.slice(0, 2), text: char === '_' ? '\\_' : char };
  }

  /** One tilde is a tone of voice in Chinese and Japanese. */
  override del(src: string, masked: string, before?: string): Tokens.Del | undefined {
    return src.startsWith('~~') ? super.del(src, masked, before) : undefined;
  }

  /** As the rules have it, bold that ends in a full-width stop needs a space after it, which nobody writes in Chinese. */
  override emStrong(src: string, masked: string, before?: string): Tokens.Em | Tokens.Strong | undefined {
    const token = super.emStrong(src, masked, before);
    const [raw, text] = (!token && /^\*\*(?![\s*])([^*\n]{1,400})(?<!\s)\*\*/.exec(src)) || [];
    if (raw === undefined || text === undefined || !wideCharPattern.test(raw)) return token;
    return { type: 'strong', raw, text, tokens: this.lexer.inlineTokens(text) };
  }

  /** An address ends where a sentence in Chinese goes on. */
  override url(src: string): Tokens.Link | undefined {
    const end = src.search(urlEndPattern);
    return super.url(end < 0 ? src : src.slice(0, end));
  }

  #nested<T>(read: () => T): T | undefined {
    if (this.#depth >= maxNesting) return undefined;
    this.#depth++;
    const token = read();
    this.#depth--;
    return token;
  }
}

const wideCharPattern = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff00-\uffef]/u;
const urlEndPattern = /[\s\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u201c\u201d]/;

/** The small things within words: people who are called by name, and numbers of messages. Pure. */

export type InlineToken =
  | string
  | { readonly kind: 'mention'; readonly user: User; readonly text: string }
  /** another message of this room */
  | { readonly kind: 'ref'; readonly id: number; readonly text: string };

/** Not in `a#1`, `&#123;`, `page/#1` or `#1a`; beside Chinese, where no space stands, it is one. */
const messageRefPattern = /(?<![\w&/#])#[1-9]\d{0,14}(?!\w)/g;

/** Nothing is lost: the leaves' texts, put together, are the text. */
export function tokenizeInline(text: string, mentions: readonly User[]): readonly InlineToken[] {
  const found: InlineToken[] = [];
  let done = 0;
  for (const { from, token } of tokensIn(text, mentions)) {
    if (from < done) continue; // a number within a name
    if (from > done) found.push(text.slice(done, from));
    found.push(token);
    done = from + token.text.length;
  }
  if (done < text.length) found.push(text.slice(done));
  return found;
}

/** Mentions and numbers in the order of the text. */
function tokensIn(text: string, mentions: readonly User[]) {
  const people = new Map(mentions.map((user) => [foldName(user.name), user]));
  const found = (name: string): User | undefined => people.get(foldName(name));
  const called = mentions.length === 0 ? [] : [...mentionsIn(text, found)];
  return [
    ...called.map(({ from, to, user }) => ({
      from,
      token: { kind: 'mention', user, text: text.slice(from, to) } as const,
    })),
    ...[...text.matchAll(messageRefPattern)].map(({ 0: hit, index }) => ({
      from: index,
      token: { kind: 'ref', id: Number(hit.slice(1)), text: hit } as const,
    })),
  ].sort((a, b) => a.from - b.from);
}

/** Long messages are shown in part until somebody wants all of it. Pure. */
const foldAfterLines = 14;
const foldAfterChars = 1_200;
/** What is left of a long one: clearly less, or folding would not be worth it. */
const foldedLines = 10;
const foldedChars = 800;

/** The beginning of a long text; undefined when it is not long. */
export function foldText(text: string): string | undefined {
  if (text.length <= foldAfterChars && countLines(text) <= foldAfterLines) return undefined;
  const short = text.split('\n').slice(0, foldedLines).join('\n');
  return short.length <= foldedChars ? short : truncate(short, foldedChars);
}

function countLines(text: string): number {
  let count = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

/** At the end of a word when there is one, and never within a character. */
function truncate(text: string, most: number): string {
  const cut = text.slice(0, most);
  const word = cut.replace(/\s+\S{0,60}$/, '');
  return word.toWellFormed().replace(/\ufffd$/, '');
}
