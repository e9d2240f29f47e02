/**
 * The sign-in form, in the reader's language. Works without JavaScript, the choice of a language too (cookie `lang`,
 * which the page sets as well). What is filled in is escaped.
 */
import type Koa from 'koa';
import { parseName } from '../chat/name.js';
import type { Words } from '../words/words.js';
import { filled, readHtml } from './assets.js';
import type { HttpFault } from './fault.js';
import { languages, wordsOf } from './languages.js';

const YEAR_MS = 365 * 24 * 3600 * 1000;

interface Blanks {
  readonly fault?: HttpFault;
  readonly name: string;
  readonly next: string;
}

export class SigninForm {
  readonly #html: string;

  /** The file is read once. */
  constructor(publicDir: string) {
    this.#html = readHtml(publicDir, 'signin.html');
  }

  /** Answers with the form; with a fault, its status and what is wrong in words. */
  show(ctx: Koa.Context, { fault, name, next }: Blanks): void {
    const words = chosenWords(ctx);
    const { tag } = words.language;
    const { title, lead, enter } = words.signIn;
    const error = fault ? explained(fault, name, words) : '';
    const blanks = { title, lead, label: words.signIn.name, enter, error, name, next };
    ctx.status = fault?.status ?? 200;
    ctx.set({ ...fault?.headers, 'Cache-Control': 'no-store', 'Content-Language': tag });
    ctx.type = 'html';
    const html = this.#html
      .replace('aria-invalid="false"', `aria-invalid="${fault !== undefined}"`)
      .replace('{{choices}}', choices(tag));
    ctx.body = filled(html, tag, { ...blanks, languages: words.signIn.languages });
  }
}

/** A language that is asked for in the address is kept. */
function chosenWords(ctx: Koa.Context): Words {
  const { lang } = ctx.query;
  const words = wordsOf(ctx);
  const asked = typeof lang === 'string' ? languages.get(lang) : undefined;
  if (!asked) return words;
  const options = { httpOnly: false, sameSite: 'lax', maxAge: YEAR_MS, signed: false } as const;
  ctx.cookies.set('lang', asked.language.tag, options);
  return asked;
}

function explained(fault: HttpFault, raw: string, words: Words): string {
  const name = parseName(raw);
  switch (fault.code) {
    case 'bad_name':
      return name.ok ? words.problems.bad_name : words.names[name.why];
    case 'name_taken':
      return words.signIn.taken;
    case 'too_many':
      return words.signIn.tooMany(Number(fault.headers['Retry-After'] ?? 60));
    default:
      return words.signIn.failed;
  }
}

/** A button for each other language. They go to the form anew, with what was typed. */
function choices(now: string): string {
  return [...languages.values()]
    .map(({ language: { tag, name } }) =>
      tag === now
        ? `<span class="language" aria-current="true">${name}</span>`
        : `<button class="language" name="lang" value="${tag}" lang="${tag}" formmethod="get" formnovalidate>${name}</button>`,
    )
    .join('\n');
}
