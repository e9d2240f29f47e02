/**
 * The web manifest, in the visitor's language: what an installed app is called where it is listed. Its address is one for
 * all languages, because the browser knows the app by it; so it is sent with the cookies (`use-credentials` in the pages).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Koa from 'koa';
import Router from 'koa-router';
import type { Words } from '../words/words.js';
import { wordsOf } from './languages.js';

const NAME = 'manifest.webmanifest';

export function manifestRoute({ publicDir }: { readonly publicDir: string }): Router {
  const text = readFileSync(join(publicDir, NAME), 'utf8');
  return new Router().get(`/${NAME}`, (ctx) => show(ctx, text));
}

/** Asked again each time, and answered 304 while it is the same. */
function show(ctx: Koa.Context, text: string): void {
  const words = wordsOf(ctx);
  const body = translated(text, words);
  ctx.set({ 'Cache-Control': 'no-cache', 'Content-Language': words.language.tag });
  ctx.type = 'application/manifest+json';
  ctx.etag = createHash('sha256').update(body).digest('base64url');
  ctx.status = 200;
  if (ctx.fresh) ctx.status = 304;
  else ctx.body = body;
}

function translated(text: string, { language: { tag }, app }: Words): string {
  const blanks: Readonly<Record<string, string>> = { ...app, tag };
  return text.replace(/\{\{(\w+)\}\}/g, (_, key: string) => JSON.stringify(blanks[key] ?? '').slice(1, -1));
}
