/**
 * Commands: what somebody asks, before it has its place in the one order. Times and ids are put in by the node that
 * accepted the command, so that applying it is the same everywhere. Outcomes: what became of each.
 */
import type { Problem, RoomEvent, User } from '../protocol.js';

export type Command = Say | SignIn | SignOut | Seen;

/** Say `data` in a room. `at`: milliseconds since 1970. */
export interface Say {
  readonly kind: 'say';
  readonly room: string;
  readonly user: User;
  readonly data: string;
  readonly at: number;
  readonly cid?: string;
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

/** What became of a command. `problem` is the client's mistake or the disk's; it changed nothing. */
export type Outcome =
  | { readonly kind: 'said'; readonly room: string; readonly event: RoomEvent }
  | { readonly kind: 'repeated'; readonly room: string; readonly event: RoomEvent }
  | { readonly kind: 'signed-in'; readonly user: User; readonly before: User | undefined }
  | { readonly kind: 'signed-out'; readonly user: User }
  | { readonly kind: 'taken' }
  | { readonly kind: 'seen' }
  | { readonly kind: 'refused'; readonly problem: Problem };
