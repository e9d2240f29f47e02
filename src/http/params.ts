/** Parameters of a request, from its path, query and body. The functions throw HttpError 400, 404, 413 or 422. */
import bodyParser from '@koa/bodyparser';
import type Koa from 'koa';
import { isObject, type Parsed, parseRoom, parseWholeNumber } from '../shared/parse.js';
import { LIMITS } from '../shared/protocol.js';
import { HttpError } from './errors.js';

/** Tells whether a room has messages. */
export interface RoomLookup {
  last(room: string): number;
}

export function roomParam(ctx: Koa.Context, rooms: RoomLookup): string {
  const params: unknown = ctx['params'];
  return toRoom(isObject(params) ? String(params['room']) : '', rooms);
}

/** The room in the query; undefined when it is absent. */
export function optionalRoomParam(ctx: Koa.Context, rooms: RoomLookup): string | undefined {
  const raw = textParam(ctx, 'room');
  return raw === undefined ? undefined : toRoom(raw, rooms);
}

/** A whole number in the query; undefined when it is absent. */
export function intParam(ctx: Koa.Context, name: string): number | undefined {
  const raw = textParam(ctx, name);
  const count = raw === undefined ? undefined : parseWholeNumber(raw);
  if (raw !== undefined && count === undefined) throw badRequest(`"${name}" must be a whole number.`);
  return count;
}

export function beforeParam(ctx: Koa.Context): number {
  return intParam(ctx, 'before') ?? Number.MAX_SAFE_INTEGER;
}

export function limitParam(ctx: Koa.Context, most: number): number {
  const limit = intParam(ctx, 'limit') ?? Math.min(LIMITS.defaultPageEvents, most);
  if (limit < 1 || limit > most) throw badRequest(`"limit" must be a whole number from 1 to ${most}.`);
  return limit;
}

export function textParam(ctx: Koa.Context, name: string): string | undefined {
  const raw = ctx.query[name];
  if (raw !== undefined && typeof raw !== 'string') throw badRequest(`Send "${name}" only once.`);
  return raw;
}

/** The JSON object of the body. `shape` is for the error message. */
export function jsonBody(ctx: Koa.Context, shape: string): Readonly<Record<string, unknown>> {
  const body: unknown = ctx.request.body;
  if (ctx.is('json') !== 'json' || !isObject(body)) throw badRequest(`Send a JSON object ${shape}.`);
  return body;
}

export function unwrap<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new HttpError(422, parsed.problem.code, parsed.problem.message);
}

export function badRequest(message: string): HttpError {
  return new HttpError(400, 'bad_request', message);
}

function toRoom(raw: string, rooms: RoomLookup): string {
  const room = parseRoom(raw, (name) => rooms.last(name) > 0);
  if (room !== undefined) return room;
  throw new HttpError(
    404,
    'invalid_room',
    `Room names use letters, numbers, - and _ (${LIMITS.roomNameLength} at most).`,
  );
}

export const maxBodyBytes = 64 * 1024;
const bodyTypes = ['application/json', 'application/x-www-form-urlencoded'];

/**
 * Parses the body into `ctx.request.body`: a JSON value or the fields of a form, strictly UTF-8; {} when there is no body. The
 * body parser reads bytes. We decode them, because it would replace invalid UTF-8 by U+FFFD without an error.
 */
export function bodyReader(): Koa.Middleware {
  const read = bodyParser({
    enableTypes: ['text'],
    extendTypes: { text: bodyTypes },
    encoding: 'binary',
    textLimit: maxBodyBytes,
    onError: onReadError,
  });
  return (ctx, next) =>
    read(ctx, () => {
      ctx.request.body = parseBody(ctx);
      return next();
    });
}

export function bodyTooLarge(): HttpError {
  return new HttpError(413, 'too_big', `A request body can have at most ${maxBodyBytes} bytes.`);
}

function onReadError(error: Error): void {
  throw 'status' in error && error.status === 413 ? bodyTooLarge() : badBody();
}

function parseBody(ctx: Koa.Context): unknown {
  const bytes: unknown = ctx.request.body;
  if (typeof bytes !== 'string' || bytes === '') return {};
  if (!/^(utf-?8)?$/i.test(ctx.request.charset)) throw badBody();
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(bytes, 'binary'));
    return ctx.is('json') ? parseJson(text) : parseForm(text);
  } catch {
    throw badBody();
  }
}

/** @throws SyntaxError also when the value is no object or array */
function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null) return value;
  throw new SyntaxError('no object');
}

/** @throws URIError when an escape is no UTF-8, which URLSearchParams would replace by U+FFFD */
function parseForm(text: string): Readonly<Record<string, string>> {
  for (const [escapes] of text.matchAll(/(?:%[\da-f]{2})+/gi)) decodeURIComponent(escapes);
  return Object.fromEntries(new URLSearchParams(text));
}

function badBody(): HttpError {
  return new HttpError(400, 'bad_body', 'The body does not match its Content-Type, or is not valid UTF-8.');
}
