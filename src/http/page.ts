/**
 * The page of a room, for who has signed in; the others are led to the form and back. It says whose page it is, so that
 * it can keep what they write before it reaches us (an id holds nothing that HTML would read: identity.ts), and what is
 * to be read first (snapshot.ts).
 */
import type Koa from 'koa';
import Router from 'koa-router';
import { parseRoomSegment } from '../parse.js';
import { DEFAULT_ROOM, type Snapshot } from '../protocol.js';
import { filled, readHtml } from './assets.js';
import { HttpFault } from './fault.js';
import { languages, wordsOf } from './languages.js';
import { type SessionParts, sessionOf } from './session.js';
import { inHtml, type SnapshotParts, snapshotOf } from './snapshot.js';

export interface PageParts extends SessionParts, SnapshotParts {
  readonly publicDir: string;
}

export function pageRoutes(parts: PageParts): Router {
  const router = new Router();
  const html = new Map([...languages.keys()].map((tag) => [tag, piecesIn(tag, parts.publicDir)]));
  router.get('/', (ctx) => {
    const home = `/r/${DEFAULT_ROOM}`;
    ctx.redirect(sessionOf(ctx, parts) ? home : signinFirst(home));
  });
  router.get('/r/:room', async (ctx) => {
    const room = parseRoomSegment(ctx.path.slice('/r/'.length));
    if (room === undefined) throw new HttpFault(404, 'invalid_room', 'There can be no room of this name.');
    const session = sessionOf(ctx, parts);
    if (!session) return ctx.redirect(signinFirst(`/r/${encodeURIComponent(room)}`));
    const pieces = html.get(wordsOf(ctx).language.tag);
    if (!pieces) throw new Error('there is no page in the language that was chosen');
    showPage(ctx, pieces, await snapshotOf(session.user, room, parts));
  });
  return router;
}

/** The HTML around whose page it is and the snapshot. */
type Pieces = readonly [string, string, string];

/** @throws when the build and this file do not fit each other */
function piecesIn(tag: string, publicDir: string): Pieces {
  const html = filled(readHtml(publicDir, 'index.html', tag), tag, {});
  const [, ...three] = /^(.*data-user=")(".*id="snapshot">)(.*)$/s.exec(html) ?? [];
  const [before, between, after] = three;
  if (before === undefined || between === undefined || after === undefined)
    throw new Error('public/index.html has no place for the user and the snapshot');
  return [before, between, after];
}

/** What people said is in it: no cache may keep it, and after a deploy it is the new page. */
function showPage(ctx: Koa.Context, [before, between, after]: Pieces, snapshot: Snapshot): void {
  ctx.type = 'html';
  ctx.set('Cache-Control', 'no-store');
  ctx.body = before + snapshot.user.id + between + inHtml(snapshot) + after;
}

function signinFirst(next: string): string {
  return `/signin?next=${encodeURIComponent(next)}`;
}
