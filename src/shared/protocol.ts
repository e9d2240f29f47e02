/**
 * Types and constants of the protocol, shared by the server and the page: events, frames, commands, limits, close codes.
 * The parsers are in parse.ts, the reducer of events in reducer.ts. docs/protocol.md describes all of it.
 */
/** A person as others see them. `id` is public: 12 URL-safe characters. */
export interface User {
  readonly id: string;
  readonly name: string;
}

/** A numbered event of a room. `id` counts 1, 2, 3 … in its room without a gap; `at` is milliseconds since 1970. */
export type RoomEvent = ChatEvent | ChangeEvent;

interface Numbered {
  readonly id: number;
  readonly user: User;
  readonly at: number;
  readonly cid?: string;
}

/** A message. A live frame has it as it was posted; a page of the log has its current state. `data` is '' once deleted or expired. */
export interface ChatEvent extends Numbered {
  readonly type: 'chat';
  readonly data: string;
  /** the message that it replies to */
  readonly reply?: Reply;
  /** the people that its current text mentions by @name */
  readonly mentions?: readonly User[];
  /** number of the edit that gave it this text */
  readonly edited?: number;
  /** number of its deletion */
  readonly deleted?: number;
  /** retention has dropped its text */
  readonly expired?: true;
  /** current reactions in the order of their numbers */
  readonly reactions?: readonly Reaction[];
}

/** What a message replies to, looked up when the frame or the page is built. */
export interface Reply {
  /** number of the message in the same room */
  readonly id: number;
  readonly user: User;
  /** the beginning of its current text; '' once it is deleted */
  readonly data: string;
}

export interface Reaction {
  /** number of the react event */
  readonly id: number;
  readonly user: User;
  /** one emoji */
  readonly data: string;
}

/** A change of the message with number `target`. */
export type ChangeEvent = EditEvent | DeleteEvent | ReactEvent;

export interface EditEvent extends Numbered {
  readonly type: 'edit';
  readonly target: number;
  /** the new text; '' once the message is deleted or has expired */
  readonly data: string;
  readonly mentions?: readonly User[];
  readonly expired?: true;
}

interface DeleteEvent extends Numbered {
  readonly type: 'delete';
  readonly target: number;
}

export interface ReactEvent extends Numbered {
  readonly type: 'react' | 'unreact';
  readonly target: number;
  readonly data: string;
}

export type ErrorCode =
  | 'bad_command'
  | 'unknown_type'
  | 'bad_cid'
  | 'bad_text'
  | 'empty_text'
  | 'text_too_long'
  | 'bad_target'
  | 'bad_emoji'
  | 'no_message'
  | 'not_yours'
  | 'deleted'
  | 'already_there'
  | 'not_there'
  | 'too_many_reactions'
  | 'cid_conflict'
  | 'too_fast'
  | 'storage'
  | 'signed_out'
  | 'stopping'
  | 'internal';

/** An error. Programs go by `code`; `message` tells a person what to do. */
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

/** A frame from the server. `hello` is always the first. Only numbered frames and `ack` have an `id`. */
export type ServerFrame =
  | HelloFrame
  | RoomEvent
  | { readonly type: 'list'; readonly data: readonly User[]; readonly count: number }
  | { readonly type: 'join' | 'left'; readonly user: User; readonly data: string }
  | { readonly type: 'count'; readonly data: number }
  | { readonly type: 'ack'; readonly cid: string; readonly id: number }
  | { readonly type: 'typing'; readonly user: User }
  | RoomFrame
  | { readonly type: 'pong' }
  | { readonly type: 'error'; readonly cid?: string; readonly data: Problem };

/** What is unread in another room, or, with `read`, in any room where my read mark moved. */
export interface RoomFrame {
  readonly type: 'room';
  readonly room: string;
  readonly last: number;
  readonly read?: number;
  readonly unread: number;
  readonly mentions: number;
}

/** A command that becomes a numbered event if the rules accept it: a `superchat` frame or the body of a POST. */
export type PostCommand =
  | { readonly type: 'chat'; readonly data: string; readonly reply?: number; readonly cid?: string }
  | { readonly type: 'edit'; readonly target: number; readonly data: string; readonly cid?: string }
  | { readonly type: 'delete'; readonly target: number; readonly cid?: string }
  | {
      readonly type: 'react' | 'unreact';
      readonly target: number;
      readonly data: string;
      readonly cid?: string;
    };

/** A parsed `superchat` frame. */
export type ClientCommand = PostCommand | { readonly type: 'typing' } | { readonly type: 'ping' };

/** The JSON of `GET /api/rooms/ROOM/messages`. */
export interface MessagesPage {
  readonly epoch: string;
  readonly last: number;
  readonly complete: boolean;
  readonly messages: readonly RoomEvent[];
}

/** An entry of `GET /api/rooms`. */
export interface RoomSummary {
  readonly room: string;
  readonly last: number;
  /** my read mark; 0 when I never read the room */
  readonly read: number;
  /** chat messages of others above my mark, without deleted ones; equals `mentions` when I am no member */
  readonly unread: number;
  /** those of them that mention me by their current text, or reply to me */
  readonly mentions: number;
  /** count of people in the room now */
  readonly people: number;
  /** I am a member */
  readonly joined: boolean;
}

/**
 * The data in the HTML of a room's page, all from the same moment. `page` has the events where the room opens
 * (`initialPosition`).
 */
export interface Snapshot {
  readonly user: User;
  readonly room: string;
  readonly page: MessagesPage;
  readonly rooms: readonly RoomSummary[];
}

/** A message with its room. */
export type SearchHit = ChatEvent & { readonly room: string };

/** The JSON of `GET /api/search` and `GET /api/mentions`, newest first. `next` is the `before` of the next page. */
export interface SearchPage {
  readonly messages: readonly SearchHit[];
  readonly next?: number;
  /** false: the search has not seen all messages, so there may be more */
  readonly complete: boolean;
}

/** The JSON of `GET /api/people`, most recently seen first. */
export interface PeoplePage {
  readonly people: readonly User[];
}

export const dayMs = 24 * 3600 * 1000;
export const DEFAULT_ROOM = 'lobby';
export const TEXT_SUBPROTOCOL = 'chat';
export const JSON_SUBPROTOCOL = 'superchat';

/** Returns the read mark when more is unread than fits on a screen; else undefined: the room opens at its end. */
export function initialPosition({ read, unread }: Pick<RoomSummary, 'read' | 'unread'>): number | undefined {
  return read > 0 && unread > LIMITS.screenMessages ? read : undefined;
}

/** Returns the query for as many events before a number as after it. */
export function pageAround(id: number): { readonly before: number; readonly limit: number } {
  return { before: id + LIMITS.aroundEvents / 2 + 1, limit: LIMITS.aroundEvents };
}

/** Fixed limits. Those that an operator may change are in config.ts. */
export const LIMITS = {
  /** bytes of one WebSocket frame: every allowed text fits, even when JSON escapes each character (12 bytes an emoji) */
  frameBytes: 65_536,
  /** code points of a message */
  textCodePoints: 4000,
  /** characters of a room's name */
  roomNameLength: 64,
  /** graphemes of a person's name */
  nameGraphemes: 32,
  /** events in one page of history over HTTP, and of `history` on a socket */
  pageEvents: 500,
  /** bytes of one page over HTTP, unless its only event is larger */
  pageBytes: 262_144,
  /** events in a page by default */
  defaultPageEvents: 50,
  /** unread messages that fit on a screen */
  screenMessages: 40,
  /** events in a page around a number */
  aroundEvents: 100,
  /** bytes of the messages in the HTML of a page */
  snapshotBytes: 65_536,
  /** users in a `list`; larger rooms only count their people */
  listedUsers: 100,
  /** code points of `data` in a `reply` */
  replyCodePoints: 200,
  /** reactions of one message, all emoji together */
  reactionsPerMessage: 500,
  /** people that one message mentions */
  mentionsPerMessage: 20,
  /** code points of a search */
  queryCodePoints: 200,
  /** people in a page of `GET /api/people` */
  suggestedUsers: 20,
  /** protocol errors in a row before the socket is closed */
  protocolErrors: 3,
} as const;

/** Close codes and reasons. */
export const CLOSE = {
  /** A stream ends after a minute; its reader resumes at once. */
  streamOver: [1000, 'resume'],
  invalidRoom: [4000, 'invalid room'],
  notSignedIn: [4001, 'not signed in'],
  signedOut: [4002, 'signed out'],
  tooManyConnections: [4003, 'too many connections'],
  removed: [4004, 'removed by a moderator'],
  protocolError: [4400, 'repeated malformed commands'],
  binary: [1003, 'text only'],
  policy: [1008, 'policy'],
  serverError: [1011, 'server error'],
  restart: [1012, 'restart'],
  behind: [1013, 'this node is behind'],
  tooFast: [4429, 'sends far too fast'],
  tooSlow: [4508, 'reads too slowly'],
  newEpoch: [4510, 'log replaced'],
} as const;

/** Whether a client may reconnect after a close code: not when a person must act first, or when the client is wrong. */
export function mayReconnect(code: number): boolean {
  return !FINAL_CODES.has(code);
}
const FINAL_CODES: ReadonlySet<number> = new Set([
  4000, 4001, 4002, 4003, 4004, 4400, 1002, 1003, 1007, 1008, 1009,
]);

/** For building an object field by field: on the way of a message, spreads are garbage that costs more than the work. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] };
