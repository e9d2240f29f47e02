/** A room's messages over HTTP: read a page of them, say one, change one. */
import type Koa from 'koa';
import type Router from 'koa-router';
import { type Command, commandOf, type Outcome } from '../chat/command.js';
import { field, parsePosting } from '../parse.js';
import { LIMITS, type MessagesPage, type RoomEvent, type User } from '../protocol.js';
import { bad, bodyOf, countAsked, limitAsked, roomOf, valid } from './asked.js';
import { HttpFault } from './fault.js';
import { refusal } from './refusal.js';
import { requireUser, type SessionParts } from './session.js';

/** What pages are read from. */
export interface LogParts {
  readonly log: {
    last(room: string): number;
    after(room: string, id: number, limit: number): RoomEvent[];
    before(room: string, id: number, limit: number): RoomEvent[];
  };
  readonly epoch: string;
}

export interface MessageParts extends SessionParts, LogParts {
  readonly now: () => number;
  readonly submit: (command: Command) => Promise<Outcome>;
  /** Takes one message from the person's budget; false when they are too fast. */
  readonly mayPost: (user: User) => boolean;
}

interface Where {
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  readonly limit: number;
}

export function messageRoutes(router: Router, parts: MessageParts): void {
  router.get('/rooms/:room/messages', (ctx) => {
    requireUser(ctx, parts);
    ctx.body = readPage(ctx, roomOf(ctx), parts);
  });
  router.post('/rooms/:room/messages', async (ctx) => {
    await post(ctx, requireUser(ctx, parts), parts);
  });
}

function readPage(ctx: Koa.Context, room: string, parts: LogParts): MessagesPage {
  const [after, before] = [countAsked(ctx, 'after'), countAsked(ctx, 'before')];
  const limit = limitAsked(ctx, LIMITS.page);
  if (after !== undefined && before !== undefined) throw bad('Give "after" or "before", not both.');
  return pageOf(room, { after, before, limit }, parts);
}

/** Of an end of the log or around a place in it; without `after` and `before` the latest. */
export function pageOf(
  room: string,
  { after, before, limit }: Where,
  { log, epoch }: LogParts,
): MessagesPage {
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

async function post(ctx: Koa.Context, user: User, { submit, now, mayPost }: MessageParts): Promise<void> {
  const body = bodyOf(ctx, '{"type"?, "data"?, "target"?, "cid"?}');
  const room = roomOf(ctx);
  const type = field(body, 'type') ?? 'chat'; // as it was before there were others
  const posting = valid(parsePosting(body, type));
  if (!mayPost(user))
    throw new HttpFault(429, 'too_fast', 'You are too fast; wait a second.', { 'Retry-After': '1' });
  answer(ctx, await submit(commandOf(posting, room, user, now())));
}

function answer(ctx: Koa.Context, outcome: Outcome): void {
  if (outcome.kind === 'refused') throw refusal(outcome.problem);
  if (outcome.kind !== 'said' && outcome.kind !== 'repeated')
    throw new Error(`a message came to ${outcome.kind}`);
  ctx.status = outcome.kind === 'said' ? 201 : 200;
  ctx.body = outcome.event;
}
