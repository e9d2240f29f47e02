/**
 * Readers without a WebSocket, below /api: a room as an event stream or as lines of JSON, and pages that wait for the next
 * event. This file checks a request; realtime/readers.ts writes the stream.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type Koa from 'koa';
import type Router from 'koa-router';
import type { Session } from '../session.js';
import { parseEventId, parseResumePosition, type ResumePosition } from '../shared/parse.js';
import type { User } from '../shared/protocol.js';
import type { LogDeps } from './api.js';
import { notSignedIn, requireSession, type SessionDeps } from './auth.js';
import { HttpError, tooFast } from './errors.js';
import { badRequest, intParam, roomParam } from './params.js';

export type StreamFormat = 'sse' | 'ndjson';
type Refusal = 'stopping' | 'too_many_connections' | 'too_fast';

/** The polls of a user in a room. */
interface Poll {
  /** The number of the newest event of the room. */
  readonly last: number;
  /** Whether the server ended the waits because the session is over. */
  readonly isSignedOut: boolean;
  /** Returns whether an answer has to wait, although the room has an event for it. */
  delaysAnswer(): boolean;
  /**
   * Calls `done` once: when the room has an event after `after`, after `ms`, or when the server ends the wait. Returns a
   * function that does it at once.
   */
  wait(after: number, ms: number, done: () => void): () => void;
}

export interface ReaderDeps extends SessionDeps {
  readonly log: LogDeps['log'];
  readonly readers: {
    /** Calls back with why the user may not open a stream now. */
    refusal(request: IncomingMessage, user: User, done: (refusal: Refusal | undefined) => void): void;
    /** Turns the response into a stream. */
    openStream(stream: {
      readonly request: IncomingMessage;
      readonly response: ServerResponse;
      readonly session: Session;
      readonly room: string;
      readonly format: StreamFormat;
      readonly resume: ResumePosition;
    }): void;
    /** Counts the user as present in the room, unless it calls back with why not. */
    poll(session: Session, room: string, done: (poll: Poll | Refusal) => void): void;
  };
  /** Resolves when a request may go on after it has waited. */
  readonly turn: (request: IncomingMessage) => Promise<void>;
}

const contentTypes: Readonly<Record<StreamFormat, string>> = {
  sse: 'text/event-stream; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
};

export function streamRoutes(router: Router, deps: ReaderDeps): void {
  router.get('/rooms/:room/events', async (ctx) => {
    const session = requireSession(ctx, deps);
    const room = roomParam(ctx, deps.log);
    const [format, resume] = [formatOf(ctx), resumePosition(ctx)];
    const refusal = await new Promise<Refusal | undefined>((resolve) =>
      deps.readers.refusal(ctx.req, session.user, resolve),
    );
    if (refusal) throw toHttpError(refusal);
    ctx.status = 200;
    // A proxy must neither compress nor collect what it passes on.
    ctx.set({
      'Content-Type': contentTypes[format],
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
    if (ctx.method === 'HEAD') return;
    ctx.respond = false;
    deps.readers.openStream({ request: ctx.req, response: ctx.res, session, room, format, resume });
  });
}

function formatOf(ctx: Koa.Context): StreamFormat {
  ctx.vary('Accept');
  const type = ctx.accepts('text/event-stream', 'application/x-ndjson');
  if (type === false)
    throw new HttpError(406, 'not_acceptable', 'Accept text/event-stream or application/x-ndjson.');
  return type === 'application/x-ndjson' ? 'ndjson' : 'sse';
}

/** The position in the query, or that in Last-Event-ID, which an EventSource sends when it comes back. */
function resumePosition(ctx: Koa.Context): ResumePosition {
  const position = parseResumePosition(new URLSearchParams(ctx.querystring));
  if (!position) throw badRequest('"after", "epoch" or "history" is not a value that it may be.');
  const raw = ctx.headers['last-event-id'];
  if (raw === undefined) return position;
  const eventId = typeof raw === 'string' ? parseEventId(raw) : undefined;
  if (!eventId) throw badRequest('Last-Event-ID must be EPOCH/N, as in the id of an event.');
  return { ...position, ...eventId };
}

const maxWaitSeconds = 30;
/** Added to the time that a connection may be silent, because the answer comes after the wait. */
const answerTimeoutMs = 30_000;

interface WaitRequest {
  readonly session: Session;
  readonly room: string;
  readonly after: number | undefined;
  /** Whether `after` is a number of another log: then nothing is waited for. */
  readonly isOtherLog: boolean;
}

/**
 * Waits until the room has an event after `after`, or for `wait` seconds. Returns false when the client has gone.
 * @throws HttpError 400, 401, 429, 503
 */
export async function waitForEvent(
  ctx: Koa.Context,
  { session, room, after, isOtherLog }: WaitRequest,
  deps: ReaderDeps,
): Promise<boolean> {
  const seconds = intParam(ctx, 'wait');
  if (seconds === undefined) return true;
  if (after === undefined) throw badRequest('Send "wait" together with "after".');
  if (seconds < 1 || seconds > maxWaitSeconds)
    throw badRequest(`"wait" must be a whole number from 1 to ${maxWaitSeconds}.`);
  const poll = await new Promise<Poll | Refusal>((resolve) => deps.readers.poll(session, room, resolve));
  if (typeof poll === 'string') throw toHttpError(poll);
  if (isOtherLog || poll.last < after || (poll.last > after && !poll.delaysAnswer())) return true;
  ctx.req.socket.setTimeout(seconds * 1000 + answerTimeoutMs);
  await new Promise<void>((resolve) => {
    const stop = poll.wait(after, seconds * 1000, () => {
      ctx.res.off('close', stop);
      resolve();
    });
    ctx.res.once('close', stop);
  });
  if (ctx.res.closed) return false;
  await deps.turn(ctx.req);
  if (poll.isSignedOut) throw notSignedIn();
  return true;
}

function toHttpError(refusal: Refusal): HttpError {
  if (refusal === 'too_fast') return tooFast();
  if (refusal === 'stopping')
    return new HttpError(503, 'stopping', 'The server restarts. Try again in a moment.', {
      'Retry-After': '2',
    });
  return new HttpError(
    429,
    'too_many_connections',
    'You have too many open connections. Close some of them.',
    {
      'Retry-After': '10',
    },
  );
}
