/**
 * Decodes the server's JSON into typed values. Everything is validated here once and trusted afterwards. A
 * field that has the wrong type reads as undefined.
 */
import { parseProblem } from '../connect/transport.js';
import { field, isObject } from '../shared/parse.js';
import type {
  ChangeEvent,
  ChatEvent,
  Snapshot as Delivered,
  MessagesPage,
  Reaction,
  RoomEvent,
  RoomSummary,
  SearchHit,
  SearchPage,
  ServerFrame,
  User,
} from '../shared/protocol.js';

export type Fields = Readonly<Record<string, unknown>>;

export function stringField(fields: Fields, name: string): string | undefined {
  const value = field(fields, name);
  return typeof value === 'string' ? value : undefined;
}

/** A non-negative safe integer. */
export function countField(fields: Fields, name: string): number | undefined {
  const value = field(fields, name);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Returns undefined unless the value is a list whose entries all parse. */
function listField<T>(
  fields: Fields,
  name: string,
  parse: (value: unknown) => T | undefined,
): T[] | undefined {
  return parseAll(field(fields, name), parse);
}

export function parseAll<T>(value: unknown, parse: (value: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const parsed = value.map(parse).filter((entry) => entry !== undefined);
  return parsed.length === value.length ? parsed : undefined;
}

/** Returns `{name: value}`, or `{}` for undefined, to spread into an object with an optional field. */
function optionalField<K extends string, V>(name: K, value: V | undefined): { readonly [k in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [k in K]?: V }; // TypeScript widens a computed key to string
}

/**
 * Numbered events. An unknown or malformed event keeps its number, so that a newer server's log does not look
 * as if it had gaps.
 */

interface UnknownEvent {
  readonly id: number;
  readonly type: 'other';
}
export type LogEvent = RoomEvent | UnknownEvent;

/** Returns undefined when the value has no number. */
export function parseEvent(value: unknown): LogEvent | undefined {
  if (!isObject(value)) return undefined;
  const id = countField(value, 'id');
  if (id === undefined || id < 1 || field(value, 'type') === 'ack') return undefined;
  return parseChat(value) ?? parseChange(value) ?? { id, type: 'other' };
}

function parseChat(fields: Fields): ChatEvent | undefined {
  const base = parseEventBase(fields);
  const data = stringField(fields, 'data');
  if (field(fields, 'type') !== 'chat' || !base || data === undefined) return undefined;
  return {
    ...base,
    type: 'chat',
    data,
    ...optionalField('reply', parseReaction(field(fields, 'reply'))),
    ...optionalField('mentions', listField(fields, 'mentions', parseUser)),
    ...optionalField('edited', countField(fields, 'edited')),
    ...optionalField('deleted', countField(fields, 'deleted')),
    ...(field(fields, 'expired') === true ? { expired: true as const } : {}),
    ...optionalField('reactions', listField(fields, 'reactions', parseReaction)),
  };
}

function parseChange(fields: Fields): ChangeEvent | undefined {
  const base = parseEventBase(fields);
  const target = countField(fields, 'target');
  const type = field(fields, 'type');
  if (!base || target === undefined || !isChangeType(type)) return undefined;
  const data = stringField(fields, 'data');
  if (type === 'delete') return { ...base, type, target };
  if (data === undefined) return undefined;
  switch (type) {
    case 'edit': {
      const mentions = listField(fields, 'mentions', parseUser);
      return { ...base, type, target, data, ...optionalField('mentions', mentions) };
    }
    case 'react':
    case 'unreact':
      return { ...base, type, target, data };
    default:
      return type satisfies never;
  }
}

/** Has to name every type of change. */
const changeTypes: Readonly<Record<ChangeEvent['type'], true>> = {
  edit: true,
  delete: true,
  react: true,
  unreact: true,
};

function isChangeType(type: unknown): type is ChangeEvent['type'] {
  return typeof type === 'string' && Object.hasOwn(changeTypes, type);
}

function parseEventBase(fields: Fields) {
  const id = countField(fields, 'id');
  const user = parseUser(field(fields, 'user'));
  const at = countField(fields, 'at');
  if (id === undefined || id < 1 || !user || at === undefined) return undefined;
  return { id, user, at, ...optionalField('cid', stringField(fields, 'cid')) };
}

/** A reply has the same fields. */
function parseReaction(value: unknown): Reaction | undefined {
  if (!isObject(value)) return undefined;
  const id = countField(value, 'id');
  const user = parseUser(field(value, 'user'));
  const data = stringField(value, 'data');
  return id === undefined || !user || data === undefined ? undefined : { id, user, data };
}

export function parseUser(value: unknown): User | undefined {
  if (!isObject(value)) return undefined;
  const id = stringField(value, 'id');
  const name = stringField(value, 'name');
  return id === undefined || name === undefined ? undefined : { id, name };
}

/** HTTP answers. */

export type Page = Omit<MessagesPage, 'messages'> & { readonly messages: readonly LogEvent[] };
export type Snapshot = Omit<Delivered, 'page'> & { readonly page: Page };

/** The JSON inside a room's HTML page. */
export function parseSnapshot(value: unknown): Snapshot | undefined {
  if (!isObject(value)) return undefined;
  const [user, room] = [parseUser(field(value, 'user')), stringField(value, 'room')];
  const [page, rooms] = [parsePage(field(value, 'page')), parseRooms(field(value, 'rooms'))];
  return user && room !== undefined && page && rooms ? { user, room, page, rooms } : undefined;
}

/** `GET /api/rooms/ROOM/messages` */
export function parsePage(value: unknown): Page | undefined {
  if (!isObject(value)) return undefined;
  const epoch = stringField(value, 'epoch');
  const last = countField(value, 'last');
  const messages = listField(value, 'messages', parseEvent);
  if (epoch === undefined || last === undefined || !messages) return undefined;
  return { epoch, last, complete: field(value, 'complete') === true, messages };
}

/** `GET /api/rooms` */
export function parseRooms(value: unknown): readonly RoomSummary[] | undefined {
  return parseAll(value, parseRoomSummary);
}

function parseRoomSummary(value: unknown): RoomSummary | undefined {
  if (!isObject(value)) return undefined;
  const room = stringField(value, 'room');
  const last = countField(value, 'last');
  if (room === undefined || last === undefined) return undefined;
  const count = (name: string) => countField(value, name) ?? 0;
  const joined = field(value, 'joined') === true;
  const [read, unread, mentions] = [count('read'), count('unread'), count('mentions')];
  return { room, last, read, unread, mentions, people: count('people'), joined };
}

/** `GET /api/search`, `GET /api/mentions` */
export function parseFoundPage(value: unknown): SearchPage | undefined {
  if (!isObject(value)) return undefined;
  const messages = listField(value, 'messages', parseFoundMessage);
  const complete = field(value, 'complete') !== false;
  return messages && { messages, complete, ...optionalField('next', countField(value, 'next')) };
}

function parseFoundMessage(value: unknown): SearchHit | undefined {
  if (!isObject(value)) return undefined;
  const [message, room] = [parseChat(value), stringField(value, 'room')];
  return message && room !== undefined ? { ...message, room } : undefined;
}

/** `GET /api/people` */
export function parsePeople(value: unknown): readonly User[] | undefined {
  return isObject(value) ? listField(value, 'people', parseUser) : undefined;
}

/** Frames of a connection. An unknown frame is undefined. */

export type Frame = ServerFrame | UnknownEvent;

export function parseFrame(fields: Fields): Frame | undefined {
  return frameParsers.get(field(fields, 'type'))?.(fields) ?? parseEvent(fields);
}

const frameParsers: ReadonlyMap<unknown, (fields: Fields) => Frame | undefined> = new Map([
  ['hello', parseHelloFrame],
  ['list', parsePeopleList],
  ['join', (fields: Fields) => parsePresenceFrame(fields, 'join')],
  ['left', (fields: Fields) => parsePresenceFrame(fields, 'left')],
  ['count', parseCountFrame],
  ['ack', parseAckFrame],
  ['typing', parseTypingFrame],
  ['room', parseRoomFrame],
  ['pong', (): Frame => ({ type: 'pong' })],
  ['error', parseErrorFrame],
]);

function parseHelloFrame(fields: Fields): Frame | undefined {
  const user = parseUser(field(fields, 'user'));
  const room = stringField(fields, 'room');
  const epoch = stringField(fields, 'epoch');
  const last = countField(fields, 'last');
  if (!user || room === undefined || epoch === undefined || last === undefined) return undefined;
  return { type: 'hello', room, epoch, last, user, complete: field(fields, 'complete') !== false };
}

function parsePeopleList(fields: Fields): Frame | undefined {
  const data = listField(fields, 'data', parseUser);
  return data && { type: 'list', data, count: countField(fields, 'count') ?? data.length };
}

function parsePresenceFrame(fields: Fields, type: 'join' | 'left'): Frame | undefined {
  const user = parseUser(field(fields, 'user'));
  return user && { type, user, data: stringField(fields, 'data') ?? '' };
}

function parseCountFrame(fields: Fields): Frame | undefined {
  const data = countField(fields, 'data');
  return data === undefined ? undefined : { type: 'count', data };
}

function parseAckFrame(fields: Fields): Frame | undefined {
  const cid = stringField(fields, 'cid');
  const id = countField(fields, 'id');
  return cid === undefined || id === undefined ? undefined : { type: 'ack', cid, id };
}

function parseTypingFrame(fields: Fields): Frame | undefined {
  const user = parseUser(field(fields, 'user'));
  return user && { type: 'typing', user };
}

function parseRoomFrame(fields: Fields): Frame | undefined {
  const room = stringField(fields, 'room');
  const last = countField(fields, 'last');
  if (room === undefined || last === undefined) return undefined;
  const [unread, mentions] = [countField(fields, 'unread') ?? 0, countField(fields, 'mentions') ?? 0];
  return { type: 'room', room, last, unread, mentions, ...optionalField('read', countField(fields, 'read')) };
}

function parseErrorFrame(fields: Fields): Frame | undefined {
  const data = parseProblem(field(fields, 'data'));
  return data && { type: 'error', data, ...optionalField('cid', stringField(fields, 'cid')) };
}
