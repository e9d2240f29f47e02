/**
 * The grammar of messages: marked's, with all of it switched off that a chat does not need (headings, tables, images,
 * HTML, references). The worst text of 4,000 characters takes a few milliseconds: nesting, and marks in one paragraph,
 * are capped, beyond which there are none.
 */
import { getDefaults, Lexer, type Token, Tokenizer, type Tokens } from 'marked';

/** Quotes and lists in one another; deeper is text. */
const DEEPEST = 4;
/** Marks in one paragraph: beyond them its time would grow with their square. */
const MOST_MARKS = 120;
const MARK = /[*_~[\]`<\\]|:\/\/|www\.|@/g;
export function tokensOf(text: string): readonly Token[] {
  return new Reader().lex(text);
}

class Reader extends Lexer {
  constructor() {
    super({ ...getDefaults(), tokenizer: new Grammar() });
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if ((src.match(MARK)?.length ?? 0) <= MOST_MARKS) return super.inlineTokens(src, tokens);
    tokens.push({ type: 'text', raw: src, text: src });
    return tokens;
  }
}

/** undefined: it is not one of these. */
class Grammar extends Tokenizer {
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
    return this.#deeper(() => super.blockquote(src));
  }

  override list(src: string): Tokens.List | undefined {
    return this.#deeper(() => super.list(src));
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
    if (raw === undefined || text === undefined || !WIDE.test(raw)) return token;
    return { type: 'strong', raw, text, tokens: this.lexer.inlineTokens(text) };
  }

  /** An address ends where a sentence in Chinese goes on. */
  override url(src: string): Tokens.Link | undefined {
    const end = src.search(STOP);
    return super.url(end < 0 ? src : src.slice(0, end));
  }

  #deeper<T>(read: () => T): T | undefined {
    if (this.#depth >= DEEPEST) return undefined;
    this.#depth++;
    const token = read();
    this.#depth--;
    return token;
  }
}

const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff00-\uffef]/u;
const STOP = /[\s\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u201c\u201d]/;
