/** What a request asks for: room, numbers, texts out of its path and query; or the fault that says what is wrong. */
import type Koa from 'koa';
import { isObject, type Parsed, parseCount, parseRoom } from '../parse.js';
import { LIMITS } from '../protocol.js';
import { HttpFault } from './fault.js';

export function roomOf(ctx: Koa.Context): string {
  const params: unknown = ctx['params'];
  return validRoom(isObject(params) ? String(params['room']) : '');
}

/** The room named in the query; undefined when there is none. */
export function roomAsked(ctx: Koa.Context): string | undefined {
  const raw = textAsked(ctx, 'room');
  return raw === undefined ? undefined : validRoom(raw);
}

/** A number from the query; undefined when it is not there. */
export function countAsked(ctx: Koa.Context, name: string): number | undefined {
  const raw = textAsked(ctx, name);
  const count = raw === undefined ? undefined : parseCount(raw);
  if (raw !== undefined && count === undefined) throw bad(`"${name}" is a whole number.`);
  return count;
}

export function limitAsked(ctx: Koa.Context, most: number): number {
  const limit = countAsked(ctx, 'limit') ?? Math.min(LIMITS.defaultPage, most);
  if (limit < 1 || limit > most) throw bad(`"limit" is a number from 1 to ${most}.`);
  return limit;
}

export function textAsked(ctx: Koa.Context, name: string): string | undefined {
  const raw = ctx.query[name];
  if (raw !== undefined && typeof raw !== 'string') throw bad(`Give "${name}" once.`);
  return raw;
}

/** The object that came as JSON. `shape` says to a person what it should have been. */
export function bodyOf(ctx: Koa.Context, shape: string): Readonly<Record<string, unknown>> {
  const body: unknown = ctx.request.body;
  if (ctx.is('json') !== 'json' || !isObject(body)) throw bad(`Send a JSON object ${shape}.`);
  return body;
}

export function valid<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new HttpFault(422, parsed.problem.code, parsed.problem.message);
}

export function bad(message: string): HttpFault {
  return new HttpFault(400, 'bad_request', message);
}

function validRoom(raw: string): string {
  const room = parseRoom(raw);
  if (room !== undefined) return room;
  throw new HttpFault(404, 'invalid_room', `A room is 1 to ${LIMITS.room} letters, digits, - and _.`);
}
