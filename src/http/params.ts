/** Parameters of a request, from its path, query and body. The functions throw HttpError 400, 404 or 422. */
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
