/**
 * The page of a room, for who has signed in; the others are led to the form and back. It says whose page it is, so that
 * it can keep what they write before it reaches us (an id holds nothing that HTML would read: identity.ts).
 */
import type Koa from 'koa';
import Router from 'koa-router';
import { parseRoomSegment } from '../parse.js';
import { DEFAULT_ROOM } from '../protocol.js';
import { readHtml } from './assets.js';
import { HttpFault } from './fault.js';
import { type SessionParts, sessionOf } from './session.js';

export interface PageParts extends SessionParts {
  readonly publicDir: string;
}

export function pageRoutes(parts: PageParts): Router {
  const router = new Router();
  const html = readHtml(parts.publicDir, 'index.html');
  router.get('/', (ctx) => {
    const home = `/r/${DEFAULT_ROOM}`;
    ctx.redirect(sessionOf(ctx, parts) ? home : signinFirst(home));
  });
  router.get('/r/:room', (ctx) => {
    const room = parseRoomSegment(ctx.path.slice('/r/'.length));
    if (room === undefined) throw new HttpFault(404, 'invalid_room', 'There can be no room of this name.');
    const session = sessionOf(ctx, parts);
    if (session) showPage(ctx, html.replace('data-user=""', `data-user="${session.user.id}"`));
    else ctx.redirect(signinFirst(`/r/${encodeURIComponent(room)}`));
  });
  return router;
}

function showPage(ctx: Koa.Context, html: string): void {
  ctx.type = 'html';
  ctx.set('Cache-Control', 'private, no-cache'); // it names a person; and after a deploy, the new page
  ctx.body = html;
}

function signinFirst(next: string): string {
  return `/signin?next=${encodeURIComponent(next)}`;
}
