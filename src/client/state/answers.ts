/** Answers of the HTTP API out of JSON. What is no such answer is undefined. */
import { field, isObject } from '../../shared/parse.js';
import type {
  Snapshot as Delivered,
  ErrorCode,
  MessagesPage,
  Problem,
  RoomSummary,
  SearchHit,
  SearchPage,
  User,
} from '../../shared/protocol.js';
import { type LogEvent, parseChat, parseEvent, parseUser } from './events.js';
import { list, number, optional, parsedList, text } from './fields.js';

export type Page = Omit<MessagesPage, 'messages'> & { readonly messages: readonly LogEvent[] };
export type Snapshot = Omit<Delivered, 'page'> & { readonly page: Page };

/** What a room's page is delivered with. */
export function parseSnapshot(value: unknown): Snapshot | undefined {
  if (!isObject(value)) return undefined;
  const [user, room] = [parseUser(field(value, 'user')), text(value, 'room')];
  const [page, rooms] = [parsePage(field(value, 'page')), parseRooms(field(value, 'rooms'))];
  return user && room !== undefined && page && rooms ? { user, room, page, rooms } : undefined;
}

/** `GET /api/rooms/ROOM/messages` */
export function parsePage(value: unknown): Page | undefined {
  if (!isObject(value)) return undefined;
  const epoch = text(value, 'epoch');
  const last = number(value, 'last');
  const messages = list(value, 'messages', parseEvent);
  if (epoch === undefined || last === undefined || !messages) return undefined;
  return { epoch, last, complete: field(value, 'complete') === true, messages };
}

/** `GET /api/rooms` */
export function parseRooms(value: unknown): readonly RoomSummary[] | undefined {
  return parsedList(value, parseSummary);
}

function parseSummary(value: unknown): RoomSummary | undefined {
  if (!isObject(value)) return undefined;
  const room = text(value, 'room');
  const last = number(value, 'last');
  if (room === undefined || last === undefined) return undefined;
  const [read, people] = [number(value, 'read') ?? 0, number(value, 'people') ?? 0];
  return { room, last, read, people, joined: field(value, 'joined') === true };
}

/** `GET /api/search`, `GET /api/mentions` */
export function parseFound(value: unknown): SearchPage | undefined {
  if (!isObject(value)) return undefined;
  const messages = list(value, 'messages', parseFoundMessage);
  const complete = field(value, 'complete') !== false;
  return messages && { messages, complete, ...optional('next', number(value, 'next')) };
}

function parseFoundMessage(value: unknown): SearchHit | undefined {
  if (!isObject(value)) return undefined;
  const [message, room] = [parseChat(value), text(value, 'room')];
  return message && room !== undefined ? { ...message, room } : undefined;
}

/** `GET /api/people` */
export function parsePeople(value: unknown): readonly User[] | undefined {
  return isObject(value) ? list(value, 'people', parseUser) : undefined;
}

/** `{code, message}` as it is in `error` frames and in the API's errors. A code we do not know is a refusal too. */
export function parseProblem(value: unknown): Problem | undefined {
  if (!isObject(value)) return undefined;
  const code = text(value, 'code');
  const message = text(value, 'message');
  // A newer server may know more codes: the page only compares them, so an unknown one does no harm.
  return code === undefined || message === undefined ? undefined : { code: code as ErrorCode, message };
}
