/** The API: who am I, read a room, say something in it. Errors are JSON, with a code and what to do. */
import type Koa from 'koa';
import Router from 'koa-router';
import type { Command, Outcome } from '../chat/command.js';
import { field, isObject, type Parsed, parseCid, parseCount, parseRoom, parseText } from '../parse.js';
import { LIMITS, type MessagesPage, type RoomEvent, type User } from '../protocol.js';
import { HttpFault } from './fault.js';
import { requireUser, type SessionParts } from './session.js';

export interface ApiParts extends SessionParts {
  readonly log: {
    last(room: string): number;
    after(room: string, id: number, limit: number): RoomEvent[];
    before(room: string, id: number, limit: number): RoomEvent[];
  };
  readonly epoch: string;
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Outcome>;
  /** Takes one message from the person's budget; false when they are too fast. */
  readonly mayPost: (user: User) => boolean;
}

export function apiRoutes(parts: ApiParts): Router {
  const router = new Router({ prefix: '/api' });
  router.use(async (ctx, next) => {
    ctx.set('Cache-Control', 'no-store');
    await next();
  });
  router.get('/me', (ctx) => {
    ctx.body = requireUser(ctx, parts);
  });
  router.get('/rooms/:room/messages', (ctx) => {
    requireUser(ctx, parts);
    ctx.body = readPage(ctx, roomOf(ctx), parts);
  });
  router.post('/rooms/:room/messages', async (ctx) => {
    await post(ctx, requireUser(ctx, parts), parts);
  });
  return router;
}

function readPage(ctx: Koa.Context, room: string, { log, epoch }: ApiParts): MessagesPage {
  const [after, before] = [countOf(ctx, 'after'), countOf(ctx, 'before')];
  const limit = countOf(ctx, 'limit') ?? LIMITS.defaultPage;
  if (limit < 1 || limit > LIMITS.page) throw bad(`"limit" is a number from 1 to ${LIMITS.page}.`);
  if (after !== undefined && before !== undefined) throw bad('Give "after" or "before", not both.');
  const last = log.last(room);
  const messages =
    after === undefined ? log.before(room, before ?? last + 1, limit) : log.after(room, after, limit);
  return { epoch, last, complete: isComplete(messages, { after, before, last }), messages };
}

/** Nothing lies between what was asked and what came: the page touches the number it was asked to go on from. */
function isComplete(
  messages: readonly RoomEvent[],
  { after, before, last }: { after: number | undefined; before: number | undefined; last: number },
): boolean {
  if (after !== undefined) return after <= last && (messages[0]?.id ?? after + 1) === after + 1;
  const end = Math.min(before ?? last + 1, last + 1);
  return (messages.at(-1)?.id ?? 0) === Math.max(0, end - 1);
}

async function post(ctx: Koa.Context, user: User, { submit, now, mayPost }: ApiParts): Promise<void> {
  const body: unknown = ctx.request.body;
  if (ctx.is('json') !== 'json' || !isObject(body)) throw bad('Send a JSON object {"data", "cid"?}.');
  const room = roomOf(ctx);
  const data = valid(parseText(field(body, 'data')));
  const cid = valid(parseCid(field(body, 'cid')));
  if (!mayPost(user))
    throw new HttpFault(429, 'too_fast', 'You are too fast; wait a second.', { 'Retry-After': '1' });
  const outcome = await submit({
    kind: 'say',
    room,
    user,
    data,
    at: now(),
    ...(cid === undefined ? {} : { cid }),
  });
  answer(ctx, outcome);
}

function answer(ctx: Koa.Context, outcome: Outcome): void {
  if (outcome.kind === 'said' || outcome.kind === 'repeated') {
    ctx.status = outcome.kind === 'said' ? 201 : 200;
    ctx.body = outcome.event;
    return;
  }
  if (outcome.kind !== 'refused') throw new Error(`a message came to ${outcome.kind}`);
  const { code, message } = outcome.problem;
  throw new HttpFault(STATUS[code] ?? 400, code, message);
}

const STATUS: Readonly<Record<string, number>> = {
  cid_conflict: 409,
  signed_out: 401,
  storage: 503,
  stopping: 503,
  internal: 500,
};

function valid<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new HttpFault(422, parsed.problem.code, parsed.problem.message);
}

function roomOf(ctx: Koa.Context): string {
  const params: unknown = ctx['params'];
  const room = isObject(params) ? parseRoom(String(params['room'])) : undefined;
  if (room === undefined)
    throw new HttpFault(404, 'invalid_room', `A room is 1 to ${LIMITS.room} letters, digits, - and _.`);
  return room;
}

/** A number from the query; undefined when it is not there. */
function countOf(ctx: Koa.Context, name: string): number | undefined {
  const raw = ctx.query[name];
  if (raw === undefined) return undefined;
  const count = typeof raw === 'string' ? parseCount(raw) : undefined;
  if (count === undefined) throw bad(`"${name}" is a whole number.`);
  return count;
}

function bad(message: string): HttpFault {
  return new HttpFault(400, 'bad_request', message);
}
