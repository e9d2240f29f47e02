/**
 * From the server's JSON to typed frames. Everything is looked at once here and trusted afterwards. A frame we do
 * not know is undefined; a numbered one that we do not know keeps its number, for a newer server must not look to
 * us like a log with holes.
 */

import { field, isObject, parseObject } from '../../parse.js';
import type { ErrorCode, MessagesPage, Problem, RoomEvent, ServerFrame, User } from '../../protocol.js';

/** A numbered event of a kind this page does not know. */
export interface OtherEvent {
  readonly id: number;
  readonly type: 'other';
}
export type LogEvent = RoomEvent | OtherEvent;
export type Frame = ServerFrame | OtherEvent;
export type Page = Omit<MessagesPage, 'messages'> & { readonly messages: readonly LogEvent[] };

type Fields = Readonly<Record<string, unknown>>;

export function parseFrame(json: string): Frame | undefined {
  const fields = parseObject(json);
  if (!fields) return undefined;
  return KNOWN.get(field(fields, 'type'))?.(fields) ?? parseEvent(fields);
}

const KNOWN: ReadonlyMap<unknown, (fields: Fields) => Frame | undefined> = new Map([
  ['hello', parseHello],
  ['list', parseList],
  ['join', (fields: Fields) => parsePresence(fields, 'join')],
  ['left', (fields: Fields) => parsePresence(fields, 'left')],
  ['count', parseCounted],
  ['ack', parseAck],
  ['pong', (): Frame => ({ type: 'pong' })],
  ['error', parseError],
]);

/** One numbered event, or undefined when it has no number. */
export function parseEvent(value: unknown): LogEvent | undefined {
  if (!isObject(value)) return undefined;
  const id = number(value, 'id');
  if (id === undefined || id < 1 || value['type'] === 'ack') return undefined;
  return parseChat(value, id) ?? { id, type: 'other' };
}

function parseChat(fields: Fields, id: number): RoomEvent | undefined {
  const user = parseUser(field(fields, 'user'));
  const data = text(fields, 'data');
  const at = number(fields, 'at');
  if (field(fields, 'type') !== 'chat' || !user || data === undefined || at === undefined) return undefined;
  const cid = text(fields, 'cid');
  return { id, type: 'chat', user, data, at, ...(cid === undefined ? {} : { cid }) };
}

/** The answer of `GET /api/rooms/ROOM/messages`. */
export function parsePage(value: unknown): Page | undefined {
  if (!isObject(value)) return undefined;
  const epoch = text(value, 'epoch');
  const last = number(value, 'last');
  const messages = list(value, 'messages', parseEvent);
  if (epoch === undefined || last === undefined || !messages) return undefined;
  return { epoch, last, complete: field(value, 'complete') === true, messages };
}

export function parseUser(value: unknown): User | undefined {
  if (!isObject(value)) return undefined;
  const id = text(value, 'id');
  const name = text(value, 'name');
  return id === undefined || name === undefined ? undefined : { id, name };
}

/** `{code, message}` as it is in `error` frames and in the API's errors. A code we do not know is a refusal too. */
export function parseProblem(value: unknown): Problem | undefined {
  if (!isObject(value)) return undefined;
  const code = text(value, 'code');
  const message = text(value, 'message');
  // A newer server may know more codes: the page only compares them, so an unknown one does no harm.
  return code === undefined || message === undefined ? undefined : { code: code as ErrorCode, message };
}

function parseHello(fields: Fields): Frame | undefined {
  const user = parseUser(field(fields, 'user'));
  const room = text(fields, 'room');
  const epoch = text(fields, 'epoch');
  const last = number(fields, 'last');
  if (!user || room === undefined || epoch === undefined || last === undefined) return undefined;
  return { type: 'hello', room, epoch, last, user, complete: field(fields, 'complete') !== false };
}

function parseList(fields: Fields): Frame | undefined {
  const data = list(fields, 'data', parseUser);
  return data && { type: 'list', data, count: number(fields, 'count') ?? data.length };
}

function parsePresence(fields: Fields, type: 'join' | 'left'): Frame | undefined {
  const user = parseUser(field(fields, 'user'));
  return user && { type, user, data: text(fields, 'data') ?? '' };
}

function parseCounted(fields: Fields): Frame | undefined {
  const data = number(fields, 'data');
  return data === undefined ? undefined : { type: 'count', data };
}

function parseAck(fields: Fields): Frame | undefined {
  const cid = text(fields, 'cid');
  const id = number(fields, 'id');
  return cid === undefined || id === undefined ? undefined : { type: 'ack', cid, id };
}

function parseError(fields: Fields): Frame | undefined {
  const data = parseProblem(field(fields, 'data'));
  const cid = text(fields, 'cid');
  return data && { type: 'error', data, ...(cid === undefined ? {} : { cid }) };
}

function text(fields: Fields, name: string): string | undefined {
  const value = field(fields, name);
  return typeof value === 'string' ? value : undefined;
}

function number(fields: Fields, name: string): number | undefined {
  const value = field(fields, name);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Every entry parsed, or undefined when it is no list or one of them makes no sense. */
function list<T>(fields: Fields, name: string, parse: (value: unknown) => T | undefined): T[] | undefined {
  const value = field(fields, name);
  if (!Array.isArray(value)) return undefined;
  const parsed = value.map(parse).filter((entry) => entry !== undefined);
  return parsed.length === value.length ? parsed : undefined;
}
