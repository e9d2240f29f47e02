/**
 * What goes wrong while somebody goes from page to page in a browser: a small page in their language, with a way back.
 * Programs, and the page's own requests, get JSON (fault.ts).
 */
import type Koa from 'koa';
import { filled, readHtml } from './assets.js';
import { wordsOf } from './languages.js';

interface Fault {
  readonly status: number;
  readonly code: string;
}

export class FaultPage {
  readonly #html: string;

  /** The file is read once. */
  constructor(publicDir: string) {
    this.#html = readHtml(publicDir, 'fault.html');
  }

  /** A browser goes there: it asks for HTML by name. The API has none. */
  isAskedBy(ctx: Koa.Context): boolean {
    if (/^\/api(?:\/|$)/.test(ctx.path)) return false;
    ctx.vary('Accept');
    return ctx.accepts('json', 'html') === 'html';
  }

  /** The body; the status is the fault's own. */
  show(ctx: Koa.Context, { status, code }: Fault): void {
    const { language, problems, rooms, lost } = wordsOf(ctx);
    const { tag } = language;
    const what = Object.entries(problems).find(([name]) => name === code)?.[1] ?? problems.unknown;
    const why = code === 'invalid_room' ? rooms.bad : lost.number(status);
    ctx.set({ 'Cache-Control': 'no-store', 'Content-Language': tag });
    ctx.type = 'html';
    ctx.body = filled(this.#html, tag, { status: String(status), what, why, home: lost.home });
  }
}
