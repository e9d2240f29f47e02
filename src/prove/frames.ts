/** Parses the server's frames and HTTP answers. Never throws and trusts no field, because the server is under test. */
import { field, isObject, parseJsonObject } from '../shared/parse.js';
import type { ChatEvent, Reaction, Reply, RoomEvent, User } from '../shared/protocol.js';

export type ServerFrame =
  | HelloFrame
  | { readonly kind: 'event'; readonly event: RoomEvent }
  | { readonly kind: 'ack'; readonly cid: string; readonly id: number }
  | { readonly kind: 'error'; readonly cid: string | undefined; readonly error: ErrorBody }
  | PresenceFrame
  | RoomFrame
  | { readonly kind: 'other' };

export interface RoomFrame {
  readonly kind: 'room';
  readonly room: string;
  readonly last: number;
  readonly read: number | undefined;
  readonly unread: number;
  readonly mentions: number;
}

export interface HelloFrame {
  readonly kind: 'hello';
  readonly epoch: string;
  readonly last: number;
  readonly complete: boolean;
  readonly user: User;
}

export type PresenceFrame =
  | { readonly kind: 'list'; readonly users: readonly User[]; readonly count: number }
  | { readonly kind: 'join' | 'left'; readonly user: User }
  | { readonly kind: 'count'; readonly count: number };

/** A message in a result of a search or of the mentions. */
export interface FoundMessage {
  readonly room: string;
  readonly message: RoomEvent;
}

export interface FoundPage {
  readonly messages: readonly FoundMessage[];
  /** where the next page starts; undefined on the last one */
  readonly next: number | undefined;
  readonly complete: boolean;
}

/** An entry of the room list. */
export interface RoomEntry {
  readonly room: string;
  readonly last: number;
  readonly read: number;
  readonly unread: number;
  readonly mentions: number;
  readonly people: number;
  readonly joined: boolean;
}

/** An error with any code, also one that the protocol does not have. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function parseFrame(json: string): ServerFrame {
  const fields = parseJsonObject(json) ?? {};
  const type = field(fields, 'type');
  switch (type) {
    case 'hello':
      return parseHello(fields);
    case 'chat':
    case 'edit':
    case 'delete':
    case 'react':
    case 'unreact':
      return { kind: 'event', event: parseEvent(fields) };
    case 'ack':
      return { kind: 'ack', cid: text(fields, 'cid'), id: number(fields, 'id') };
    case 'error':
      return { kind: 'error', cid: optionalText(fields, 'cid'), error: parseError(field(fields, 'data')) };
    case 'list':
      return { kind: 'list', users: list(fields, 'data').map(parseUser), count: number(fields, 'count') };
    case 'join':
    case 'left':
      return { kind: type, user: parseUser(field(fields, 'user')) };
    case 'count':
      return { kind: 'count', count: number(fields, 'data') };
    case 'room':
      return parseRoomFrame(fields);
    default:
      return { kind: 'other' };
  }
}

function parseHello(fields: Fields): HelloFrame {
  return {
    kind: 'hello',
    epoch: text(fields, 'epoch'),
    last: number(fields, 'last'),
    complete: field(fields, 'complete') === true,
    user: parseUser(field(fields, 'user')),
  };
}

function parseRoomFrame(fields: Fields): ServerFrame {
  const read = field(fields, 'read') === undefined ? undefined : number(fields, 'read');
  const [unread, mentions] = [number(fields, 'unread'), number(fields, 'mentions')];
  return { kind: 'room', room: text(fields, 'room'), last: number(fields, 'last'), read, unread, mentions };
}

export function parseRoomList(body: unknown): RoomEntry[] {
  return (Array.isArray(body) ? body : []).map((entry: unknown) => {
    const fields = toFields(entry);
    return {
      room: text(fields, 'room'),
      last: number(fields, 'last'),
      read: number(fields, 'read'),
      unread: number(fields, 'unread'),
      mentions: number(fields, 'mentions'),
      people: number(fields, 'people'),
      joined: field(fields, 'joined') === true,
    };
  });
}

export function parseFoundPage(body: unknown): FoundPage {
  const fields = toFields(body);
  const messages = list(fields, 'messages').map((message) => ({
    room: text(toFields(message), 'room'),
    message: parseEvent(message),
  }));
  const next = field(fields, 'next') === undefined ? undefined : number(fields, 'next');
  return { messages, next, complete: field(fields, 'complete') === true };
}

export function parseUsers(body: unknown, name: string): User[] {
  return list(toFields(body), name).map(parseUser);
}

/** Treats an unknown type as a message, which the checker reports because nobody sent it. */
export function parseEvent(value: unknown): RoomEvent {
  const fields = toFields(value);
  const cid = optionalText(fields, 'cid');
  const common = {
    ...{ id: number(fields, 'id'), user: parseUser(field(fields, 'user')), at: number(fields, 'at') },
    ...(cid === undefined ? {} : { cid }),
  };
  const [type, data] = [field(fields, 'type'), text(fields, 'data')];
  switch (type) {
    case 'edit':
      return { type, ...common, target: number(fields, 'target'), data, ...parseMentions(fields) };
    case 'react':
    case 'unreact':
      return { type, ...common, target: number(fields, 'target'), data };
    case 'delete':
      return { type, ...common, target: number(fields, 'target') };
    default:
      return {
        type: 'chat',
        ...common,
        data,
        ...parseReply(fields),
        ...parseMentions(fields),
        ...parseChanges(fields),
      };
  }
}

function parseChanges(fields: Fields): Pick<ChatEvent, 'edited' | 'deleted' | 'reactions'> {
  const reactions = field(fields, 'reactions');
  return {
    ...(field(fields, 'edited') === undefined ? {} : { edited: number(fields, 'edited') }),
    ...(field(fields, 'deleted') === undefined ? {} : { deleted: number(fields, 'deleted') }),
    ...(Array.isArray(reactions) ? { reactions: reactions.map(parseReaction) } : {}),
  };
}

function parseMentions(fields: Fields): Pick<ChatEvent, 'mentions'> {
  return field(fields, 'mentions') === undefined ? {} : { mentions: list(fields, 'mentions').map(parseUser) };
}

function parseReply(fields: Fields): { readonly reply?: Reply } {
  if (field(fields, 'reply') === undefined) return {};
  const reply = toFields(field(fields, 'reply'));
  return {
    reply: { id: number(reply, 'id'), user: parseUser(field(reply, 'user')), data: text(reply, 'data') },
  };
}

function parseReaction(value: unknown): Reaction {
  const fields = toFields(value);
  return { id: number(fields, 'id'), user: parseUser(field(fields, 'user')), data: text(fields, 'data') };
}

export function parseUser(value: unknown): User {
  const fields = toFields(value);
  return { id: text(fields, 'id'), name: text(fields, 'name') };
}

export function parseError(value: unknown): ErrorBody {
  const fields = toFields(value);
  return { code: text(fields, 'code'), message: text(fields, 'message') };
}

function toFields(value: unknown): Fields {
  return isObject(value) ? value : {};
}

function list(fields: Fields, name: string): unknown[] {
  const value = field(fields, name);
  return Array.isArray(value) ? value : [];
}

/** Returns NaN for a missing number. The checker reports it, because NaN equals nothing. */
function number(fields: Fields, name: string): number {
  const value = field(fields, name);
  return typeof value === 'number' ? value : Number.NaN;
}

function text(fields: Fields, name: string): string {
  return optionalText(fields, name) ?? '';
}

function optionalText(fields: Fields, name: string): string | undefined {
  const value = field(fields, name);
  return typeof value === 'string' ? value : undefined;
}
