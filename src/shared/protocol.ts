/**
 * The words on the wire, shared by the server and the page: events, frames, commands, limits, close codes. Their
 * parsers are in parse.ts, what events come to in fold.ts. The contract in prose is docs/protocol.md.
 */
/** Who somebody is to others. `id` is public: 12 URL-safe characters. */
export interface User {
  readonly id: string;
  readonly name: string;
}

/** A numbered fact of a room. `id` counts 1, 2, 3 … in its room without a hole; `at` is milliseconds since 1970. */
export type RoomEvent = ChatEvent | ChangeEvent;

interface Numbered {
  readonly id: number;
  readonly user: User;
  readonly at: number;
  readonly cid?: string;
}

/**
 * A message, as it is when it is sent: live it is as it was said; read from the log it holds what became of it by then.
 * `data` is '' once it is deleted.
 */
export interface ChatEvent extends Numbered {
  readonly type: 'chat';
  readonly data: string;
  /** the message that it replies to */
  readonly reply?: Reply;
  /** whom it calls by @name, as the server found them among the people it knows */
  readonly mentions?: readonly User[];
  /** number of the edit that gave it this text */
  readonly edited?: number;
  /** number of its deletion */
  readonly deleted?: number;
  /** those that stand, in the order of their numbers */
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

/** What happens to the message with number `target`. */
export type ChangeEvent = EditEvent | DeleteEvent | ReactEvent;

export interface EditEvent extends Numbered {
  readonly type: 'edit';
  readonly target: number;
  /** the new text; '' when the message was deleted since */
  readonly data: string;
  readonly mentions?: readonly User[];
}

export interface DeleteEvent extends Numbered {
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

/** What becomes a numbered event when the rules allow it; in a `superchat` frame, or as the body of a POST. */
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

/** What a client may ask in a `superchat` frame, parsed. */
export type ClientCommand = PostCommand | { readonly type: 'typing' } | { readonly type: 'ping' };

/** The JSON of `GET /api/rooms/ROOM/messages`. */
export interface MessagesPage {
  readonly epoch: string;
  readonly last: number;
  readonly complete: boolean;
  readonly messages: readonly RoomEvent[];
}

/** One of `GET /api/rooms`: those I have been in first, then the others by activity. */
export interface RoomSummary {
  readonly room: string;
  readonly last: number;
  /** the number up to which I have read; 0 when never */
  readonly read: number;
  /** chat messages of others above my mark, without deleted ones; in a room that I was never in only `mentions` */
  readonly unread: number;
  /** those of them that mention me by their current text, or reply to me */
  readonly mentions: number;
  /** how many are in it now */
  readonly people: number;
  /** I have been in it */
  readonly joined: boolean;
}

/**
 * What the page of a room is delivered with, as JSON within its HTML: all as of one moment. `page` is where the room
 * opens: its end, or around my read mark when more than LIMITS.unread are after it.
 */
export interface Snapshot {
  readonly user: User;
  readonly room: string;
  readonly page: MessagesPage;
  readonly rooms: readonly RoomSummary[];
}

/** A message with the room it was said in. */
export type SearchHit = ChatEvent & { readonly room: string };

/** The JSON of `GET /api/search` and `GET /api/mentions`, newest first. `next`: what to give as `before` for more. */
export interface SearchPage {
  readonly messages: readonly SearchHit[];
  readonly next?: number;
  /** false: the index does not hold all messages yet, so there may be more than was found */
  readonly complete: boolean;
}

/** The JSON of `GET /api/people`: whose name begins so, those seen last first. */
export interface PeoplePage {
  readonly people: readonly User[];
}

export const DEFAULT_ROOM = 'lobby';
export const TEXT_SUBPROTOCOL = 'chat';
export const JSON_SUBPROTOCOL = 'superchat';

/** Where a room opens: at one's read mark when more is unread than fits on a screen; else, undefined, at its end. */
export function initialPosition({ read, unread }: Pick<RoomSummary, 'read' | 'unread'>): number | undefined {
  return read > 0 && unread > LIMITS.screenMessages ? read : undefined;
}

/** What to ask for to read as many events before a number as after it. */
export function pageAround(id: number): { readonly before: number; readonly limit: number } {
  return { before: id + LIMITS.aroundEvents / 2 + 1, limit: LIMITS.aroundEvents };
}

/** Limits of the contract; those an operator may change are in config.ts. */
export const LIMITS = {
  /** bytes of one WebSocket frame: every allowed text fits, even when JSON escapes each character (12 bytes an emoji) */
  frameBytes: 64 * 1024,
  /** code points of a message */
  textCodePoints: 4000,
  /** characters of a room's name */
  roomNameLength: 64,
  /** graphemes of a person's name */
  nameGraphemes: 32,
  /** events in one page of history over HTTP, and in the opening of a socket */
  pageEvents: 500,
  /** events when nothing else was asked */
  defaultPageEvents: 50,
  /** unread messages that fit on a screen: with more, a room opens where one stopped reading */
  screenMessages: 40,
  /** events around a number */
  aroundEvents: 100,
  /** bytes of the messages that a page is delivered with */
  snapshotBytes: 64 * 1024,
  /** users named in a `list`, and the size from which a room only counts its people */
  listedUsers: 100,
  /** code points of a message that a reply shows */
  replyCodePoints: 200,
  /** reactions of one message, of all kinds together */
  reactionsPerMessage: 500,
  /** people that one message calls by name */
  mentionsPerMessage: 20,
  /** code points of a search */
  queryCodePoints: 200,
  /** people offered for a name that was begun */
  suggestedUsers: 20,
  /** commands in a row that make no sense before the socket is closed */
  protocolErrors: 3,
} as const;

/** Close codes with the reason we send. Which of them may come back: `mayReturn`. */
export const CLOSE = {
  invalidRoom: [4000, 'invalid room'],
  notSignedIn: [4001, 'not signed in'],
  signedOut: [4002, 'signed out'],
  tooManyConnections: [4003, 'too many connections of this person'],
  removed: [4004, 'removed by a moderator'],
  protocolError: [4400, 'commands that make no sense'],
  binary: [1003, 'text only'],
  policy: [1008, 'policy'],
  serverError: [1011, 'server error'],
  restart: [1012, 'restart'],
  tooFast: [4429, 'sends far too fast'],
  tooSlow: [4508, 'reads too slowly'],
  newEpoch: [4510, 'the log changed'],
} as const;

/** After which close codes a client comes back: never when a person must act first, or when it is at fault. */
export function mayReconnect(code: number): boolean {
  return !FINAL_CODES.has(code);
}
const FINAL_CODES: ReadonlySet<number> = new Set([
  4000, 4001, 4002, 4003, 4004, 4400, 1002, 1003, 1007, 1008, 1009,
]);
