/**
 * The words on the wire, shared by the server and the page: frames, limits, close codes, and the parsing of what
 * people send. Pure: no I/O, no clock. What leaves a parser here is trusted everywhere else.
 * The contract in prose is docs/protocol.md.
 */

/** Who somebody is to others. `id` is public: 12 URL-safe characters. */
export interface User {
  readonly id: string;
  readonly name: string;
}

/** A numbered fact of a room. `id` counts 1, 2, 3 … in its room without a hole; `at` is milliseconds since 1970. */
export type RoomEvent = ChatEvent;

export interface ChatEvent {
  readonly id: number;
  readonly type: 'chat';
  readonly user: User;
  readonly data: string;
  readonly at: number;
  readonly cid?: string;
}

export type ErrorCode =
  | 'bad_command'
  | 'unknown_type'
  | 'bad_cid'
  | 'bad_text'
  | 'empty_text'
  | 'text_too_long'
  | 'cid_conflict'
  | 'too_fast'
  | 'storage'
  | 'signed_out'
  | 'stopping'
  | 'internal';

/** What went wrong and what to do about it, in words a person can read. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface HelloFrame {
  readonly type: 'hello';
  readonly room: string;
  readonly epoch: string;
  readonly last: number;
  readonly user: User;
  readonly complete: boolean;
}

/** Everything the server may say. `hello` is always the first; `id` is on numbered frames and on `ack` only. */
export type ServerFrame =
  | HelloFrame
  | RoomEvent
  | { readonly type: 'list'; readonly data: readonly User[]; readonly count: number }
  | { readonly type: 'join' | 'left'; readonly user: User; readonly data: string }
  | { readonly type: 'count'; readonly data: number }
  | { readonly type: 'ack'; readonly cid: string; readonly id: number }
  | { readonly type: 'pong' }
  | { readonly type: 'error'; readonly cid?: string; readonly data: Problem };

/** What a client may ask in a `superchat` frame, parsed. */
export type ClientCommand =
  | { readonly type: 'chat'; readonly data: string; readonly cid?: string }
  | { readonly type: 'ping' };

/** The JSON of `GET /api/rooms/ROOM/messages`. */
export interface MessagesPage {
  readonly epoch: string;
  readonly last: number;
  readonly complete: boolean;
  readonly messages: readonly RoomEvent[];
}

export const DEFAULT_ROOM = 'lobby';
export const PLAIN = 'chat';
export const COMMANDS = 'superchat';

/** Limits of the contract; those an operator may change are in config.ts. */
export const LIMITS = {
  /** bytes of one frame or one request body's text */
  frame: 16 * 1024,
  /** code points of a message */
  text: 4000,
  /** characters of a room's name */
  room: 64,
  /** graphemes of a person's name */
  name: 32,
  /** events in one page of history over HTTP, and in the opening of a socket */
  page: 500,
  /** events when nothing else was asked */
  defaultPage: 50,
  /** users named in a `list`, and the size from which a room only counts its people */
  list: 100,
  /** commands in a row that make no sense before the socket is closed */
  nonsense: 3,
} as const;

/** Close codes with the reason we send. Which of them may come back: `mayReturn`. */
export const CLOSE = {
  invalidRoom: [4000, 'invalid room'],
  notSignedIn: [4001, 'not signed in'],
  signedOut: [4002, 'signed out'],
  tooManyOfPerson: [4003, 'too many connections of this person'],
  removed: [4004, 'removed by a moderator'],
  nonsense: [4400, 'commands that make no sense'],
  binary: [1003, 'text only'],
  policy: [1008, 'policy'],
  serverError: [1011, 'server error'],
  restart: [1012, 'restart'],
  tooFast: [4429, 'sends far too fast'],
  tooSlow: [4508, 'reads too slowly'],
  newEpoch: [4510, 'the log changed'],
} as const;

/** After which close codes a client comes back: never when a person must act first, or when it is at fault. */
export function mayReturn(code: number): boolean {
  return !NEVER_AGAIN.has(code);
}
const NEVER_AGAIN: ReadonlySet<number> = new Set([
  4000, 4001, 4002, 4003, 4004, 4400, 1002, 1003, 1007, 1008, 1009,
]);

/** A value or the reason why there is none. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

const ROOM = /^[\p{L}\p{N}\p{M}_-]+$/u;
const CID = /^[A-Za-z0-9_-]{1,64}$/;
// C0 but tab and newline, DEL and C1: they act on terminals and logs and show nothing.
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const INVISIBLE = /^[\s\p{Default_Ignorable_Code_Point}]*$/u;

/** The name of a room as it is compared and stored (NFC, lower case), or undefined when it is none. */
export function parseRoom(raw: string): string | undefined {
  if (!raw.isWellFormed()) return undefined;
  const room = raw.normalize('NFC').toLowerCase().normalize('NFC');
  return ROOM.test(room) && codePoints(room) <= LIMITS.room ? room : undefined;
}

/** A room's name out of a percent-encoded path segment. */
export function parseRoomSegment(segment: string): string | undefined {
  try {
    return parseRoom(decodeURIComponent(segment));
  } catch {
    return undefined; // a broken escape
  }
}

/**
 * The text of a message as it is stored: line ends are \n, control characters are taken out, outer white space is
 * trimmed. 1 to 4,000 code points of well-formed Unicode are left, at least one of which can be seen.
 */
export function parseText(raw: unknown): Parsed<string> {
  if (typeof raw !== 'string') return refuse('bad_text', 'A message is a string of text in "data".');
  if (!raw.isWellFormed()) return refuse('bad_text', 'The text holds half a character (a lone surrogate).');
  const text = raw.replace(/\r\n?/g, '\n').replace(CONTROLS, '').trim();
  if (INVISIBLE.test(text)) return refuse('empty_text', 'The message has nothing that can be seen.');
  if (codePoints(text) > LIMITS.text) {
    return refuse('text_too_long', `A message has at most ${LIMITS.text} characters; send it in parts.`);
  }
  return { ok: true, value: text };
}

/** A client's own id for a command: 1 to 64 URL-safe characters; undefined when it gave none. */
export function parseCid(raw: unknown): Parsed<string | undefined> {
  if (raw === undefined) return { ok: true, value: undefined };
  if (typeof raw === 'string' && CID.test(raw)) return { ok: true, value: raw };
  return refuse('bad_cid', 'A cid is 1 to 64 characters out of A-Z a-z 0-9 _ -.');
}

/** One `superchat` frame. Only known fields are read; nothing of the parsed object is kept or spread. */
export function parseCommand(frame: string): Parsed<ClientCommand> & { readonly cid?: string } {
  const fields = parseObject(frame);
  if (!fields) return refuse('bad_command', 'A command is one JSON object.');
  const cid = parseCid(field(fields, 'cid'));
  if (!cid.ok) return cid;
  return withCid(parseKnown(field(fields, 'type'), fields, cid.value), cid.value);
}

function parseKnown(
  type: unknown,
  fields: Readonly<Record<string, unknown>>,
  cid: string | undefined,
): Parsed<ClientCommand> {
  switch (type) {
    case 'chat':
      return parseSay(fields, cid);
    case 'ping':
      return { ok: true, value: { type: 'ping' } };
    default:
      return refuse('unknown_type', 'This server knows the types chat and ping.');
  }
}

function parseSay(fields: Readonly<Record<string, unknown>>, cid: string | undefined): Parsed<ClientCommand> {
  const text = parseText(field(fields, 'data'));
  if (!text.ok) return text;
  return { ok: true, value: { type: 'chat', data: text.value, ...(cid === undefined ? {} : { cid }) } };
}

/** The value of an own property; what sits on a prototype is not there. */
export function field(fields: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** JSON text that holds an object (not null, not an array), or undefined. Never throws. */
export function parseObject(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A whole number 0 … 2^53-1 in decimal digits, as in `after=17`; undefined when it is anything else. */
export function parseCount(raw: string): number | undefined {
  if (!/^\d{1,16}$/.test(raw)) return undefined;
  const count = Number(raw);
  return Number.isSafeInteger(count) ? count : undefined;
}

function refuse(code: ErrorCode, message: string): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: { code, message } };
}

function withCid<T>(parsed: Parsed<T>, cid: string | undefined): Parsed<T> & { readonly cid?: string } {
  return cid === undefined ? parsed : { ...parsed, cid };
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
