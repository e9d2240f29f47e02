/** The small things within words: people who are called by name, and numbers of messages. Pure. */
import type { User } from '../../shared/protocol.js';

export type Leaf =
  | string
  | { readonly kind: 'mention'; readonly user: User; readonly text: string }
  /** another message of this room */
  | { readonly kind: 'ref'; readonly id: number; readonly text: string };

/** Not in `a#1`, `&#123;`, `page/#1` or `#1a`; beside Chinese, where no space stands, it is one. */
const REF = /(?<![\w&/#])#[1-9]\d{0,14}(?!\w)/;

/** Nothing is lost: the leaves' texts, put together, are the text. */
export function leaves(text: string, mentions: readonly User[]): readonly Leaf[] {
  const found: Leaf[] = [];
  let done = 0;
  for (const { 0: hit, index } of text.matchAll(pattern(mentions))) {
    if (index > done) found.push(text.slice(done, index));
    found.push(leaf(hit, mentions));
    done = index + hit.length;
  }
  if (done < text.length) found.push(text.slice(done));
  return found;
}

function leaf(text: string, mentions: readonly User[]): Leaf {
  if (text.startsWith('#')) return { kind: 'ref', id: Number(text.slice(1)), text };
  const called = text.slice(1).normalize('NFC').toLowerCase();
  const user = mentions.find(({ name }) => name.toLowerCase() === called);
  return user ? { kind: 'mention', user, text } : text;
}

/** The longest name first: @Ann Lee is not @Ann. */
function pattern(mentions: readonly User[]): RegExp {
  const names = mentions.map(({ name }) => name).sort((a, b) => b.length - a.length);
  const called = names.map(
    (name) =>
      `@${name.replace(/[^\p{L}\p{N}\s]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)}(?![\\p{L}\\p{N}_])`,
  );
  return new RegExp([...called, REF.source].join('|'), 'giu');
}
