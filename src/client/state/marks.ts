/**
 * From the text of a message to what is shown of it: a tree of a few known nodes. The grammar is in grammar.ts.
 * What must stay true:
 * 1. No letter is lost but the marks themselves: what is not known, or would leave nothing to be seen, is shown as it was
 *    written, line ends too.
 * 2. A link leads to http, https or mailto, and to nowhere else.
 */
import type { Token, Tokens } from 'marked';
import type { ChatEvent, User } from '../../shared/protocol.js';
import { tokensOf } from './grammar.js';
import { type Leaf, leaves } from './leaves.js';

export type Mark =
  | Leaf
  | { readonly kind: 'strong' | 'em' | 'del'; readonly of: Marks }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'block'; readonly text: string; readonly language: string }
  | { readonly kind: 'link'; readonly href: string; readonly of: Marks }
  | { readonly kind: 'quote'; readonly of: Marks; readonly from?: Source }
  | { readonly kind: 'list'; readonly items: readonly Item[] };
export type Marks = readonly Mark[];

/** An item of a list: with its number as it was written, or with a point. */
export interface Item {
  readonly value?: number;
  readonly of: Marks;
}
/** Who is quoted, and the number of the message. */
export interface Source {
  readonly name: string;
  readonly id: number;
}

/** Nothing of what the grammar knows can begin without one of these. */
const PLAIN = /^(?!.*[*_~`[<@#\\]|.*(?::\/\/|www\.)|\s*(?:>|[-+]\s|\d+[.)]\s))/;

const known = new WeakMap<ChatEvent, Marks>();

/** Each message is read once, however often it is drawn. */
export function marksOf(event: ChatEvent): Marks {
  const before = known.get(event);
  if (before) return before;
  const marks = parseMarks(event.data, event.mentions);
  known.set(event, marks);
  return marks;
}

export function parseMarks(text: string, mentions: readonly User[] = []): Marks {
  if (text.split('\n').every((line) => PLAIN.test(line))) return [text];
  const marks = tidy(blocks(tokensOf(text), mentions));
  return canBeSeen(plainText(marks)) ? marks : [text];
}

function blocks(tokens: readonly Token[], mentions: readonly User[]): Marks {
  return tokens.flatMap((token) => mark(token as Tokens.Generic, mentions));
}

/** The token's fields are as marked's documents say; what it does not say of them is never used. */
function mark(token: Tokens.Generic, mentions: readonly User[]): Marks {
  const of = () => blocks(token.tokens ?? [], mentions);
  switch (token.type) {
    case 'paragraph':
    case 'text':
      return token.tokens ? [...of(), tail(token.raw)] : leaves(token.raw, mentions);
    case 'strong':
    case 'em':
    case 'del':
      return [{ kind: token.type, of: of() }];
    case 'codespan':
      return [{ kind: 'code', text: String(token['text']) }];
    case 'code':
      return [block(token.raw, String(token['text']), String(token['lang'] ?? ''))];
    case 'link':
      return link(token as Tokens.Link, of);
    case 'blockquote':
      return [quote(tidy(of()))];
    case 'list':
      return [{ kind: 'list', items: (token as Tokens.List).items.map((item) => listed(item, mentions)) }];
    case 'escape':
      return [String(token['text'])];
    default:
      return leaves(token.raw, mentions);
  }
}

/** What stands behind the fence and is no language, or is all there is, is text like the rest. */
function block(raw: string, text: string, language: string): Mark {
  const [said, empty] = [language.trim() !== '', text.trim() === ''];
  if (empty) return said ? { kind: 'block', text: language, language: '' } : raw;
  if (/^[\w+#.-]{0,24}$/.test(language)) return { kind: 'block', text, language };
  return { kind: 'block', text: `${language}\n${text}`, language: '' };
}

function tail(raw: string): string {
  return /\n*$/.exec(raw)?.[0] ?? '';
}

function listed({ raw, tokens }: Tokens.ListItem, mentions: readonly User[]): Item {
  const number = /^\s*(\d+)[.)]/.exec(raw)?.[1];
  const of = tidy(blocks(tokens, mentions));
  return number === undefined ? { of } : { value: Number(number), of };
}

/** A link says where it leads: one that looks like another address is shown with both, and so is one that says nothing. */
function link({ raw, href, text, title }: Tokens.Link, of: () => Marks): Marks {
  const safe = safeHref(href);
  const itself = text === raw || raw === `<${text}>`;
  if (safe === undefined || title || (!itself && LOOKS_LIKE_ADDRESS.test(text))) return [raw];
  const words = itself ? [text] : of();
  return canBeSeen(plainText(words)) ? [{ kind: 'link', href: safe, of: words }] : [raw];
}
const LOOKS_LIKE_ADDRESS = /:\/\/|www\.|\w\.[a-z]{2,}(?:[/\s]|$)/i;

export function safeHref(href: string): string | undefined {
  if (!/^(?:https?:\/\/|mailto:)/i.test(href) || !URL.canParse(href)) return undefined;
  const url = new URL(href);
  return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : undefined;
}

/** `Ann, #12: text` at the head of a quote is how a reply names what it answers (reply.ts). */
function quote(of: Marks): Mark {
  const [name, ref, text, ...rest] = of;
  if (typeof name !== 'string' || typeof ref !== 'object' || ref.kind !== 'ref') return { kind: 'quote', of };
  if (!name.endsWith(', ') || name.includes('\n') || typeof text !== 'string' || !text.startsWith(': '))
    return { kind: 'quote', of };
  return { kind: 'quote', from: { name: name.slice(0, -2), id: ref.id }, of: tidy([text.slice(2), ...rest]) };
}

/** A block begins and ends its own line: the line end beside it would be an empty line. */
function tidy(marks: Marks): Marks {
  const joined: Mark[] = [];
  for (const one of marks) {
    const before = joined.at(-1);
    if (typeof one !== 'string') joined.push(one);
    else if (typeof before === 'string') joined[joined.length - 1] = before + one;
    else joined.push(before && isBlock(before) ? one.replace(/^\n{1,2}/, '') : one);
  }
  return joined.filter((one) => one !== '');
}

export function isBlock(mark: Mark): boolean {
  return typeof mark === 'object' && ['block', 'quote', 'list'].includes(mark.kind);
}

/** The words without the marks: for the clipboard of a screen reader's user, notifications and tests. */
export function plainText(marks: Marks): string {
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
function canBeSeen(text: string): boolean {
  return (
    /[!-~\u00ae-\u02ff\u3041-\u30ff\u4e00-\u9fff]/.test(text) ||
    /[^\s\p{Default_Ignorable_Code_Point}\p{C}\p{Z}\p{M}\u2800]/u.test(text)
  );
}
