/**
 * From the server's JSON to typed frames. Everything is looked at once here and trusted afterwards. A frame we do
 * not know is undefined.
 */
import { field, parseJsonObject } from '../../shared/parse.js';
import type { ServerFrame } from '../../shared/protocol.js';
import { parseProblem } from './answers.js';
import { type OtherEvent, parseEvent, parseUser } from './events.js';
import { type Fields, list, number, optional, text } from './fields.js';

export type Frame = ServerFrame | OtherEvent;
export type { Page } from './answers.js';
export type { LogEvent } from './events.js';

export function parseFrame(json: string): Frame | undefined {
  const fields = parseJsonObject(json);
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
  ['typing', parseTyping],
  ['room', parseRoomMoved],
  ['pong', (): Frame => ({ type: 'pong' })],
  ['error', parseError],
]);

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

function parseTyping(fields: Fields): Frame | undefined {
  const user = parseUser(field(fields, 'user'));
  return user && { type: 'typing', user };
}

function parseRoomMoved(fields: Fields): Frame | undefined {
  const room = text(fields, 'room');
  const last = number(fields, 'last');
  if (room === undefined || last === undefined) return undefined;
  return { type: 'room', room, last, ...optional('read', number(fields, 'read')) };
}

function parseError(fields: Fields): Frame | undefined {
  const data = parseProblem(field(fields, 'data'));
  return data && { type: 'error', data, ...optional('cid', text(fields, 'cid')) };
}
