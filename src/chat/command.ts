/**
 * Commands: what somebody asks, before it has its place in the one order. Times and ids are put in by the node that
 * accepted the command, so that applying it is the same everywhere. Outcomes: what became of each.
 */
import type { ChangeEvent, Posting, Problem, RoomEvent, User } from '../protocol.js';

export type Command = Post | SignIn | SignOut | Seen | Enter | Read;
/** What becomes a numbered event of its room, when the rules allow it. */
export type Post = Say | Change;

interface Posted {
  readonly room: string;
  readonly user: User;
  /** milliseconds since 1970 */
  readonly at: number;
  readonly cid?: string;
}

/** Say `data` in a room. */
export interface Say extends Posted {
  readonly kind: 'say';
  readonly data: string;
}

/** Do something to the message with number `target`. `data`: the new text, or the emoji; '' for a deletion. */
export interface Change extends Posted {
  readonly kind: 'change';
  readonly type: ChangeEvent['type'];
  readonly target: number;
  readonly data: string;
}

/** Take a name. `user.id` is new, or the one that a valid cookie proved (then it is a renaming, or nothing). */
export interface SignIn {
  readonly kind: 'sign-in';
  readonly user: User;
  readonly skeleton: string;
  readonly at: number;
}

/** End an identity for ever and give its name free. */
export interface SignOut {
  readonly kind: 'sign-out';
  readonly user: User;
}

/** Somebody was here, which keeps their name theirs. */
export interface Seen {
  readonly kind: 'seen';
  readonly user: User;
  readonly at: number;
}

/** Somebody is in a room, and from now on has been. Of a room in which nothing was ever said nothing is kept. */
export interface Enter {
  readonly kind: 'enter';
  readonly room: string;
  readonly user: User;
  readonly at: number;
}

/** Somebody has read a room up to number `id`. */
export interface Read {
  readonly kind: 'read';
  readonly room: string;
  readonly user: User;
  readonly id: number;
  readonly at: number;
}

/** What became of a command. `problem` is the client's mistake or the disk's; it changed nothing. */
export type Outcome =
  | { readonly kind: 'said'; readonly room: string; readonly event: RoomEvent }
  | { readonly kind: 'repeated'; readonly room: string; readonly event: RoomEvent }
  | { readonly kind: 'signed-in'; readonly user: User; readonly before: User | undefined }
  | { readonly kind: 'signed-out'; readonly user: User }
  | { readonly kind: 'taken' }
  | { readonly kind: 'seen' }
  | { readonly kind: 'entered' }
  | { readonly kind: 'read'; readonly room: string; readonly user: User; readonly mark: Mark }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** How far somebody has read a room. `moved`: further than before. */
export interface Mark {
  readonly last: number;
  readonly read: number;
  readonly moved: boolean;
}

/** What was asked on the wire, as a command of that person in that room. */
export function commandOf(posting: Posting, room: string, user: User, at: number): Post {
  const { cid } = posting;
  const posted = { room, user, at, ...(cid === undefined ? {} : { cid }) };
  if (posting.type === 'chat') return { kind: 'say', ...posted, data: posting.data };
  const data = posting.type === 'delete' ? '' : posting.data;
  return { kind: 'change', ...posted, type: posting.type, target: posting.target, data };
}
