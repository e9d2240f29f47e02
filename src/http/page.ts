/**
 * The page of a room. Visitors who are not signed in are redirected to the form and back. The HTML has the user's id, so that
 * the page can store drafts before it is connected, and a snapshot. An id needs no escaping (session.ts).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type Koa from 'koa';
import Router from 'koa-router';
import type { Site } from '../config.js';
import { publicPath } from '../origin.js';
import type { Translations } from '../shared/i18n/en.js';
import { parseRoomSegment } from '../shared/parse.js';
import {
  DEFAULT_ROOM,
  initialPosition,
  LIMITS,
  type MessagesPage,
  type RoomEvent,
  type Snapshot,
  type User,
} from '../shared/protocol.js';
import { type LogDeps, listRooms, messagesPage, type RoomListDeps } from './api.js';
import { type SessionDeps, sessionOf } from './auth.js';
import { HttpError } from './errors.js';
import { languages, readHtml, render, translationsFor } from './html.js';

interface PageDeps extends SessionDeps, SnapshotDeps {
  readonly publicDir: string;
}

export function pageRoutes(deps: PageDeps): Router {
  const router = new Router();
  const { site } = deps.config;
  const html = new Map([...languages.values()].map((texts) => [texts.language.tag, loadPieces(texts, deps)]));
  router.get('/', (ctx) => {
    const home = roomPath(site, site.defaultRoom);
    ctx.redirect(sessionOf(ctx, deps) ? home : signinUrl(site, home));
  });
  router.get('/r/:room', async (ctx) => {
    const room = roomOf(ctx.path, deps);
    const address = roomPath(site, room);
    if (decodeURIComponent(ctx.path) !== `/r/${room}`) return ctx.redirect(address + ctx.search);
    const session = sessionOf(ctx, deps);
    if (!session) return ctx.redirect(signinUrl(site, address));
    const pieces = html.get(translationsFor(ctx).language.tag);
    if (!pieces) throw new Error('there is no page in the language that was chosen');
    sendPage(ctx, pieces, await createSnapshot(ctx, session.user, room, deps), site);
  });
  return router;
}

/** Returns the room of a path that begins with `/r/`. @throws HttpError 404 */
export function roomOf(path: string, { log }: Pick<LogDeps, 'log'>): string {
  const segment = path.slice('/r/'.length).replace(/\/$/, '');
  const room = parseRoomSegment(segment, (name) => log.last(name) > 0);
  if (room === undefined) throw new HttpError(404, 'invalid_room', 'That is not a valid room name.');
  return room;
}

/** Returns the address of a room without JavaScript. */
export function plainPath(site: Site, room: string): string {
  return `${roomPath(site, room)}/plain`;
}

function roomPath(site: Site, room: string): string {
  return publicPath(site, `/r/${encodeURIComponent(room)}`);
}

/** The HTML before, between and after the user's id, the snapshot, and the address of the plain page. */
type HtmlPieces = readonly [string, string, string, string];

/** @throws when the template does not match this file */
function loadPieces(
  { language: { tag }, signIn, dialog }: Translations,
  { publicDir, config: { site } }: PageDeps,
): HtmlPieces {
  const texts = { noScript: signIn.noScript, plain: signIn.plain, loading: dialog.loading };
  const html = render(readHtml(publicDir, 'index.html', site, tag), tag, texts);
  const [, a, b, c, d] =
    /^(.*data-user=")(.*id="snapshot">)(.*class="noscript".*<a href=")(".*)$/s.exec(html) ?? [];
  if (a === undefined || b === undefined || c === undefined || d === undefined)
    throw new Error('public/index.html has no place for the user, the snapshot and the plain page');
  return [a, b, c, d];
}

/** Forbids caching, because the page contains messages and the file names of the current build. */
function sendPage(ctx: Koa.Context, [a, b, c, d]: HtmlPieces, snapshot: Snapshot, site: Site): void {
  ctx.type = 'html';
  ctx.set('Cache-Control', 'no-store');
  ctx.body = a + snapshot.user.id + b + toScriptJson(snapshot) + c + plainPath(site, snapshot.room) + d;
}

export function signinUrl(site: Site, next: string): string {
  return publicPath(site, `/signin?next=${encodeURIComponent(next)}`);
}

/**
 * Returns the snapshot (`Snapshot` in protocol.ts), so that the page shows messages before its first request. Invariants: its
 * parts are from the same moment, so there is no await between its reads. No text in it can end its script element. Its
 * size is bounded.
 */

interface SnapshotDeps extends LogDeps, RoomListDeps {
  /** Resolves when the request may go on after it has waited. */
  readonly turn: (request: IncomingMessage) => Promise<void>;
}

async function createSnapshot(
  ctx: Koa.Context,
  user: User,
  room: string,
  deps: SnapshotDeps,
): Promise<Snapshot> {
  await deps.hub.flushMemberships(user);
  await deps.turn(ctx.req);
  return deps.readAtOnce(() => {
    const rooms = listRooms(user, deps);
    const entry = rooms.find(({ room: name }) => name === room);
    const mark = entry && initialPosition(entry);
    const page =
      mark === undefined
        ? messagesPage(room, { limit: LIMITS.defaultPageEvents }, deps)
        : readAround(room, mark, deps);
    return { user, room, page: limitBytes(page, mark ?? page.last), rooms };
  });
}

/** Reads the events of `pageAround` from the number in both directions, because a page of bytes might not reach it. */
function readAround(room: string, id: number, { log, epoch }: LogDeps): MessagesPage {
  const [half, last] = [LIMITS.aroundEvents / 2, log.last(room)];
  const newer = log.after(room, id, half, LIMITS.snapshotBytes);
  const older = log.before(room, id + 1, LIMITS.aroundEvents - newer.length, LIMITS.snapshotBytes);
  return { epoch, last, complete: true, messages: [...older, ...newer] };
}

/** Returns as many messages around a number as fit, alternating between newer and older ones. */
function limitBytes(page: MessagesPage, mark: number): MessagesPage {
  const { messages } = page;
  let room: number = LIMITS.snapshotBytes;
  const fits = (event: RoomEvent | undefined): boolean => {
    if (event) room -= Buffer.byteLength(JSON.stringify(event));
    return event !== undefined && room >= 0;
  };
  const middle = messages.filter(({ id }) => id <= mark).length;
  let [from, to] = [middle, middle];
  for (let [up, down] = [true, true]; up || down; ) {
    down &&= fits(messages[to]);
    if (down) to++;
    up &&= fits(messages[from - 1]);
    if (up) from--;
  }
  return { ...page, messages: messages.slice(from, to) };
}

/** Returns JSON for a script element, in which only `<` must be escaped. */
function toScriptJson(snapshot: Snapshot): string {
  return JSON.stringify(snapshot).replaceAll('<', '\\u003c');
}

/**
 * The web manifest in the visitor's language. All languages share one URL, because browsers identify the app by it. So the
 * pages request it with cookies (`use-credentials`).
 */

const manifestFile = 'manifest.webmanifest';

export function manifestRoute({ publicDir, config }: PageDeps): Router {
  const text = readFileSync(join(publicDir, manifestFile), 'utf8');
  return new Router().get(`/${manifestFile}`, (ctx) => sendManifest(ctx, text, config.site));
}

/** Revalidated on each request. */
function sendManifest(ctx: Koa.Context, text: string, site: Site): void {
  const t = translationsFor(ctx);
  const body = fillManifest(text, t, site);
  ctx.set({ 'Cache-Control': 'no-cache', 'Content-Language': t.language.tag });
  ctx.type = 'application/manifest+json';
  ctx.etag = createHash('sha256').update(body).digest('base64url');
  ctx.status = 200;
  if (ctx.fresh) ctx.status = 304;
  else ctx.body = body;
}

function fillManifest(
  text: string,
  { language: { tag }, app: { description, lobby } }: Translations,
  { name, defaultRoom, basePath }: Site,
): string {
  const blanks: Readonly<Record<string, string>> = {
    ...{ tag, description, base: basePath, site: name, room: encodeURIComponent(defaultRoom) },
    roomName: defaultRoom === DEFAULT_ROOM ? lobby : defaultRoom,
  };
  return text.replace(/\{\{(\w+)\}\}/g, (_, key: string) => JSON.stringify(blanks[key] ?? '').slice(1, -1));
}
