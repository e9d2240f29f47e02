/** The JSON API below /api. */
import type Koa from 'koa';
import Router from 'koa-router';
import { skeleton } from '../chat/names.js';
import { type Command, type Result, toCommand } from '../chat/types.js';
import { knownNetworkOf } from '../origin.js';
import { newSalt } from '../session.js';
import { field, parsePost } from '../shared/parse.js';
import {
  LIMITS,
  type MessagesPage,
  type PeoplePage,
  type RoomEvent,
  type RoomSummary,
  type SearchPage,
  type User,
} from '../shared/protocol.js';
import { requireSession, requireUser, type SessionDeps } from './auth.js';
import { behind, HttpError, toError } from './errors.js';
import {
  badRequest,
  beforeParam,
  intParam,
  jsonBody,
  limitParam,
  optionalRoomParam,
  type RoomLookup,
  roomParam,
  textParam,
  unwrap,
} from './params.js';
import type { Limiter } from './rate-limiter.js';
import { type ReaderDeps, streamRoutes, waitForEvent } from './readers.js';

export interface ApiDeps extends MessageDeps, ReaderDeps, RoomDeps, ListDeps, SearchDeps {
  readonly hub: MessageDeps['hub'] & RoomDeps['hub'];
  readonly log: LogDeps['log'];
  readonly store: RoomDeps['store'] & ListDeps['store'] & SearchDeps['store'];
}

export function apiRoutes(deps: ApiDeps): Router {
  const router = new Router({ prefix: '/api' });
  router.use(async (ctx, next) => {
    ctx.set('Cache-Control', 'no-store');
    await next();
  });
  router.get('/me', (ctx) => {
    ctx.body = requireUser(ctx, deps);
  });
  messageRoutes(router, deps);
  streamRoutes(router, deps);
  roomRoutes(router, deps);
  listRoutes(router, deps);
  searchRoutes(router, deps);
  return router;
}

/** Reads pages of a room's events, posts and changes messages. */
export interface LogDeps {
  readonly log: {
    last(room: string): number;
    /** Both read no more once the texts have reached `maxBytes`. */
    after(room: string, id: number, limit: number, maxBytes: number): RoomEvent[];
    before(room: string, id: number, limit: number, maxBytes: number): RoomEvent[];
    /** the end of a room's hash chain */
    head(room: string): { readonly last: number; readonly hash: string };
  };
  readonly epoch: string;
  /** Runs `work`, whose reads see the database at one moment. Another process may write to it meanwhile. */
  readonly readAtOnce: <T>(work: () => T) => T;
}

interface MessageDeps extends SessionDeps, LogDeps {
  readonly hub: {
    /** whether a client knows more of this log than this node has applied */
    isBehind(room: string, known: { readonly after: number; readonly epoch: string | undefined }): boolean;
    /** calls back with false when the room does not get to this number soon enough */
    waitFor(room: string, id: number, done: (reached: boolean) => void): void;
  };
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Result>;
  /** Takes the tokens for a message with this text. Returns false when the user sends too fast. */
  readonly takeToken: (user: User, text?: string, address?: string) => boolean | Promise<boolean>;
}

interface PageRequest {
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  readonly limit: number;
}

function messageRoutes(router: Router, deps: MessageDeps & ReaderDeps): void {
  const pages = new PolledPages(deps);
  router.get('/rooms/:room/messages', async (ctx) => {
    const session = requireSession(ctx, deps);
    const room = roomParam(ctx, deps.log);
    const request = pageRequest(ctx);
    await waitForNumber(ctx, room, deps);
    const isOtherLog = namesOtherLog(ctx, deps);
    const isPoll = ctx.query['wait'] !== undefined;
    if (isPoll && !(await waitForEvent(ctx, { session, room, after: request.after, isOtherLog }, deps)))
      return;
    ctx.type = 'json';
    if (isPoll && !isOtherLog) ctx.body = pages.json(room, request);
    else {
      const page = messagesPage(room, request, deps);
      ctx.body = isOtherLog ? { ...page, complete: false } : page;
    }
  });
  router.get('/rooms/:room/head', (ctx) => {
    requireUser(ctx, deps);
    const room = roomParam(ctx, deps.log);
    ctx.body = { room, epoch: deps.epoch, ...deps.log.head(room) };
  });
  router.post('/rooms/:room/messages', async (ctx) => {
    await postEvent(ctx, requireUser(ctx, deps), deps);
  });
}

/** Whether the numbers of the client belong to another log, so that it must start over. */
function namesOtherLog(ctx: Koa.Context, { epoch }: LogDeps): boolean {
  const known = textParam(ctx, 'epoch');
  return known !== undefined && known !== epoch;
}

/** Waits for a number that another node has shown the client. @throws HttpError 503 */
async function waitForNumber(ctx: Koa.Context, room: string, { hub }: MessageDeps): Promise<void> {
  const [after, epoch] = [intParam(ctx, 'after'), textParam(ctx, 'epoch')];
  if (after === undefined || !hub.isBehind(room, { after, epoch })) return;
  const isReached = await new Promise((resolve) => hub.waitFor(room, after, resolve));
  if (!isReached) throw behind();
}

function pageRequest(ctx: Koa.Context): PageRequest {
  const [after, before] = [intParam(ctx, 'after'), intParam(ctx, 'before')];
  const limit = limitParam(ctx, LIMITS.pageEvents);
  if (after !== undefined && before !== undefined) throw badRequest('Send "after" or "before", not both.');
  return { after, before, limit };
}

/** Returns the events after or before a number, or the latest: those nearest to it that fit into a page. */
export function messagesPage(
  room: string,
  { after, before, limit }: PageRequest,
  { log, epoch, readAtOnce }: LogDeps,
): MessagesPage {
  const [last, found] = readAtOnce(() => {
    const newest = log.last(room);
    return after === undefined
      ? [newest, log.before(room, before ?? newest + 1, limit, LIMITS.pageBytes).reverse()]
      : [newest, log.after(room, after, limit, LIMITS.pageBytes)];
  });
  const messages = takeFitting(found, LIMITS.pageBytes);
  if (after === undefined) messages.reverse();
  return { epoch, last, complete: isComplete(messages, { after, before, last }), messages };
}

/** The newest pages for polls as JSON, because thousands ask for the same one within a second. */
class PolledPages {
  readonly #deps: LogDeps;
  readonly #pages = new Map<string, { readonly last: number; readonly json: string }>();

  constructor(deps: LogDeps) {
    this.#deps = deps;
  }

  json(room: string, request: PageRequest): string {
    const key = `${this.#deps.epoch} ${room} ${request.after} ${request.limit}`;
    const known = this.#pages.get(key);
    if (known?.last === this.#deps.log.last(room)) return known.json;
    const page = messagesPage(room, request, this.#deps);
    const json = JSON.stringify(page);
    if (this.#pages.size >= maxPolledPages) this.#pages.clear();
    if (this.#pages.size === 0) setTimeout(() => this.#pages.clear(), pollAnswersMs).unref();
    this.#pages.set(key, { last: page.last, json });
    return json;
  }
}

/** Polls that wait for an event lack the same few, so more pages belong to clients that ask for other numbers. */
const maxPolledPages = 32;
/** How long it takes at most to answer all polls of a room. No longer, because a page that is kept may hold expired text. */
const pollAnswersMs = 1000;

/** Takes events from the beginning until their JSON fills a page, at least one. */
function takeFitting<T>(events: readonly T[], maxBytes: number): T[] {
  let bytes = pageFrameBytes;
  const end = events.findIndex((event, n) => {
    bytes += Buffer.byteLength(JSON.stringify(event)) + 1;
    return n > 0 && bytes > maxBytes;
  });
  return events.slice(0, end < 0 ? events.length : end);
}

/** The JSON around the events of a page. */
const pageFrameBytes = 200;

/** Whether no event lies between the page and the requested number. */
function isComplete(
  messages: readonly RoomEvent[],
  { after, before, last }: { after: number | undefined; before: number | undefined; last: number },
): boolean {
  if (after !== undefined) return after <= last && (messages[0]?.id ?? after + 1) === after + 1;
  const end = Math.min(before ?? last + 1, last + 1);
  return (messages.at(-1)?.id ?? 0) === Math.max(0, end - 1);
}

async function postEvent(
  ctx: Koa.Context,
  user: User,
  { submit, now, takeToken, log, config }: MessageDeps,
): Promise<void> {
  const body = jsonBody(ctx, '{"type"?, "data"?, "target"?, "cid"?}');
  const room = roomParam(ctx, log);
  const type = field(body, 'type') ?? 'chat';
  const post = unwrap(parsePost(body, type));
  const address = knownNetworkOf(ctx.req, config.trustedProxies);
  if (!(await takeToken(user, 'data' in post ? post.data : '', address)))
    throw new HttpError(429, 'too_fast', 'You are sending too fast. Wait a second.', { 'Retry-After': '1' });
  respondToPost(ctx, await submit(toCommand(post, room, user, { at: now(), salt: newSalt() })));
}

function respondToPost(ctx: Koa.Context, result: Result): void {
  if (result.kind === 'rejected') throw toError(result.problem);
  if (result.kind !== 'accepted' && result.kind !== 'duplicate')
    throw new Error(`a message came to ${result.kind}`);
  ctx.status = result.kind === 'accepted' ? 201 : 200;
  ctx.body = result.event;
}

/** Lists rooms and moves read marks. */
export interface RoomListDeps {
  readonly hub: {
    /** resolves when the memberships of this user so far are committed */
    flushMemberships(user: User): Promise<void>;
    /** count of users in a room now */
    presenceCount(room: string): number;
  };
  readonly store: {
    readonly memberships: {
      list(user: User, limit: number): readonly UnreadRoom[];
      /** rooms that mention a user who is no member */
      listMentioned(user: User, limit: number): readonly UnreadRoom[];
    };
    readonly recentRooms: {
      list(limit: number, without: ReadonlySet<string>): readonly Pick<UnreadRoom, 'room' | 'last'>[];
    };
  };
}

interface RoomDeps extends SessionDeps, RoomListDeps {
  readonly log: RoomLookup;
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Result>;
}

/** `read` is 0 when the person never read the room. */
type UnreadRoom = Omit<RoomSummary, 'people' | 'joined'>;

/** Rooms in the list, by membership. */
const maxListedRooms = { joined: 500, others: 100 } as const;

function roomRoutes(router: Router, deps: RoomDeps): void {
  router.get('/rooms', async (ctx) => {
    const user = requireUser(ctx, deps);
    await deps.hub.flushMemberships(user);
    ctx.body = listRooms(user, deps);
  });
  router.put('/rooms/:room/read', async (ctx) => {
    await markRead(ctx, requireUser(ctx, deps), deps);
  });
}

/** Call it after `hub.flushMemberships`. */
export function listRooms(user: User, { hub, store }: RoomListDeps): RoomSummary[] {
  const joined = store.memberships.list(user, maxListedRooms.joined);
  const mentioned = store.memberships.listMentioned(user, maxListedRooms.others);
  const known = new Set([...joined, ...mentioned].map(({ room }) => room));
  const recent = store.recentRooms.list(maxListedRooms.others - mentioned.length, known);
  const people = (room: string): number => hub.presenceCount(room);
  return [
    ...joined.map((room) => ({ ...room, people: people(room.room), joined: true })),
    ...mentioned.map((room) => ({ ...room, people: people(room.room), joined: false })),
    ...recent.map(({ room, last }) => ({
      ...{ room, last, read: 0, unread: 0, mentions: 0 },
      people: people(room),
      joined: false,
    })),
  ];
}

async function markRead(ctx: Koa.Context, user: User, { submit, now, log }: RoomDeps): Promise<void> {
  const id = field(jsonBody(ctx, '{"id"}'), 'id');
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0)
    throw badRequest('"id" must be a whole number.');
  const result = await submit({ kind: 'read', room: roomParam(ctx, log), user, id, at: now() });
  if (result.kind === 'rejected') throw toError(result.problem);
  ctx.status = 204;
}

/** Lists mentions, and people by the beginning of their name. */
interface ListDeps extends SessionDeps {
  readonly store: {
    /** messages that mention a person, newest first, below a position in the one order */
    listMentions(user: User, before: number, limit: number): SearchPage;
    /** people by the beginning of their skeleton, most recently seen first */
    readonly people: { withPrefix(begin: string, limit: number): readonly User[] };
  };
}

/** Limit of a page of mentions or search results. */
const maxHitsPerPage = 100;

function listRoutes(router: Router, deps: ListDeps): void {
  router.get('/mentions', (ctx) => {
    const user = requireUser(ctx, deps);
    ctx.body = deps.store.listMentions(user, beforeParam(ctx), limitParam(ctx, maxHitsPerPage));
  });
  router.get('/people', (ctx) => {
    requireUser(ctx, deps);
    const begin = skeleton((textParam(ctx, 'q') ?? '').slice(0, LIMITS.queryCodePoints));
    const page: PeoplePage = { people: deps.store.people.withPrefix(begin, LIMITS.suggestedUsers) };
    ctx.body = page;
  });
}

/** Searches messages. */
export interface SearchDeps extends SessionDeps {
  readonly log: RoomLookup;
  /** Limits the searches of each user. */
  readonly searchLimiter: Limiter;
  readonly store: {
    readonly search: { find(wanted: SearchQuery): Promise<SearchPage | undefined> };
  };
}

interface SearchQuery {
  readonly q: string;
  readonly room: string | undefined;
  readonly before: number | undefined;
  readonly limit: number;
}

function searchRoutes(router: Router, deps: SearchDeps): void {
  router.get('/search', async (ctx) => {
    const user = requireUser(ctx, deps);
    ctx.body = await findMessages(user, searchParams(ctx, deps.log), deps);
  });
}

/** Searches for a user. @throws HttpError 400, 429, 503 */
export async function findMessages(
  user: User,
  wanted: SearchQuery,
  { store, searchLimiter }: Pick<SearchDeps, 'store' | 'searchLimiter'>,
): Promise<SearchPage> {
  assertSearchable(wanted.q);
  if ((await searchLimiter.take(user.id)) > 0)
    throw new HttpError(429, 'too_fast', 'You are searching too fast. Wait a second.', {
      'Retry-After': '1',
    });
  const page = await store.search.find(wanted);
  if (page !== undefined) return page;
  throw new HttpError(503, 'full', 'Too many searches are running. Try again in a moment.', {
    'Retry-After': '1',
  });
}

function searchParams(ctx: Koa.Context, rooms: RoomLookup): SearchQuery {
  const q = textParam(ctx, 'q') ?? '';
  const [room, before] = [optionalRoomParam(ctx, rooms), intParam(ctx, 'before')];
  return { q, room, before, limit: limitParam(ctx, maxHitsPerPage) };
}

function assertSearchable(q: string): void {
  if (!q.isWellFormed()) throw badRequest('"q" contains a broken character (a lone surrogate).');
  if ([...q].length > LIMITS.queryCodePoints)
    throw badRequest(`A search can have at most ${LIMITS.queryCodePoints} characters.`);
}
