/**
 * Commands: what somebody asks, before it has its place in the one order. Times and ids are put in by the node that
 * accepted the command, so that applying it is the same everywhere. Outcomes: what became of each.
 */
import type { ChangeEvent, ChatEvent, PostCommand, Problem, RoomEvent, User } from '../shared/protocol.js';

export type Command =
  | EventCommand
  | SignInCommand
  | SignOutCommand
  | LinkCommand
  | RedeemCommand
  | SeenCommand
  | EnterCommand
  | ReadCommand;
/** What becomes a numbered event of its room, when the rules allow it. */
export type EventCommand = MessageCommand | ChangeCommand;

interface EventCommandFields {
  readonly room: string;
  readonly user: User;
  /** milliseconds since 1970 */
  readonly at: number;
  readonly cid?: string;
}

/** Say `data` in a room. */
export interface MessageCommand extends EventCommandFields {
  readonly kind: 'message';
  readonly data: string;
  /** number of the message that it replies to */
  readonly reply?: number;
}

/** Do something to the message with number `target`. `data`: the new text, or the emoji; '' for a deletion. */
export interface ChangeCommand extends EventCommandFields {
  readonly kind: 'change';
  readonly type: ChangeEvent['type'];
  readonly target: number;
  readonly data: string;
}

/** Takes a name. `user.id` is new, or a valid cookie proved it: then this renames, or does nothing. */
export interface SignInCommand {
  readonly kind: 'sign-in';
  readonly user: User;
  /** as the cookie has it; undefined for a new id */
  readonly generation: number | undefined;
  readonly skeleton: string;
  readonly at: number;
}

/** Ends all sessions of a person. With `link` they may come back by it. */
export interface SignOutCommand {
  readonly kind: 'sign-out';
  readonly user: User;
  readonly generation: number;
  readonly link: LinkSecret | undefined;
  readonly at: number;
}

/** Makes a link that signs in as this person on another device. It replaces an earlier one. */
export interface LinkCommand {
  readonly kind: 'link';
  readonly user: User;
  readonly generation: number;
  readonly link: LinkSecret;
  readonly at: number;
}

/** What is known of a link: whoever has the secret can sign in, so only its hash is stored. */
export interface LinkSecret {
  readonly hash: string;
  readonly expires: number;
}

/** Signs in by a link, which is used up. */
export interface RedeemCommand {
  readonly kind: 'redeem';
  readonly hash: string;
  readonly at: number;
}

/** Somebody was here, which keeps their name theirs. */
export interface SeenCommand {
  readonly kind: 'seen';
  readonly user: User;
  readonly at: number;
}

/** Somebody is in a room, and from now on has been. Of a room in which nothing was ever said nothing is kept. */
export interface EnterCommand {
  readonly kind: 'enter';
  readonly room: string;
  readonly user: User;
  readonly at: number;
}

/** Somebody has read a room up to number `id`. */
export interface ReadCommand {
  readonly kind: 'read';
  readonly room: string;
  readonly user: User;
  readonly id: number;
  readonly at: number;
}

/** What became of a command. `problem` is the client's mistake or the disk's; it changed nothing. */
export type Result =
  | {
      readonly kind: 'accepted';
      readonly room: string;
      readonly event: RoomEvent;
      /** ids of the people whose mentions in this room changed: by a name in the text, or by a reply to them */
      readonly mentioned: readonly string[];
      /** count of chat messages in the room so far */
      readonly messages: number;
    }
  | { readonly kind: 'duplicate'; readonly room: string; readonly event: RoomEvent }
  | {
      readonly kind: 'signed-in';
      readonly user: User;
      readonly generation: number;
      readonly before: User | undefined;
      /** who had this name and lost it, because they were away for too long */
      readonly displaced: User | undefined;
    }
  /** The cookie is of a session that a sign-out has ended. */
  | { readonly kind: 'session-over' }
  | { readonly kind: 'linked' }
  | { readonly kind: 'redeemed'; readonly user: User; readonly generation: number }
  | { readonly kind: 'link-over' }
  | { readonly kind: 'signed-out'; readonly user: User }
  | { readonly kind: 'name-taken' }
  | { readonly kind: 'seen' }
  | { readonly kind: 'entered'; readonly user: User; readonly rooms: readonly string[] }
  | { readonly kind: 'read'; readonly room: string; readonly user: User; readonly mark: ReadMark }
  | { readonly kind: 'rejected'; readonly problem: Problem };

/** How far somebody has read a room. `moved`: further than before. */
export interface ReadMark extends UnreadCounts {
  readonly last: number;
  readonly read: number;
  readonly advanced: boolean;
}

export interface UnreadCounts {
  /** chat messages of others above the read mark, without deleted ones */
  readonly unread: number;
  /** those of them that mention the reader or reply to them */
  readonly mentions: number;
}

/** What was asked on the wire, as a command of that person in that room. */
export function toCommand(posting: PostCommand, room: string, user: User, at: number): EventCommand {
  const { cid } = posting;
  const posted = { room, user, at, ...(cid === undefined ? {} : { cid }) };
  if (posting.type === 'chat') {
    const { data, reply } = posting;
    return { kind: 'message', ...posted, data, ...(reply === undefined ? {} : { reply }) };
  }
  const data = posting.type === 'delete' ? '' : posting.data;
  return { kind: 'change', ...posted, type: posting.type, target: posting.target, data };
}

/**
 * What the rules need to be kept, in their own words; store/ keeps it in SQLite. Every method reads and writes within
 * the transaction of the beat, so a beat that fails leaves no trace.
 */

export interface Person {
  /** the storage's own key of this person */
  readonly key: number;
  readonly id: string;
  readonly name: string;
  /** false: somebody else took their name while they were away */
  readonly ownsName: boolean;
  readonly signedOut: boolean;
  /** count of sign-outs; a cookie with a lower one is worthless */
  readonly generation: number;
  /** has posted a message */
  readonly hasPosted: boolean;
  /** when they were last known to be here, in milliseconds */
  readonly lastSeen: number;
}

/** What was kept under a cid: the event as it is now, and what was asked for. */
export interface StoredCommand {
  readonly room: string;
  readonly event: RoomEvent;
  readonly target: number | undefined;
  readonly reply: number | undefined;
  /** the text or the emoji as it was sent; undefined when it was deleted since */
  readonly data: string | undefined;
}

/** A message that somebody wants to change. */
export interface Message {
  /** the storage's own key of this message, and of its room */
  readonly key: number;
  readonly roomKey: number;
  readonly room: string;
  readonly id: number;
  /** public id of who said it */
  readonly author: string;
  /** its text as it is now */
  readonly text: string;
  /** number of its last edit */
  readonly edited: number | undefined;
  readonly deleted: boolean;
  /** how many stand */
  readonly reactions: number;
}

export interface PeopleStorage {
  person(id: string): Person | undefined;
  ownerOf(skeleton: string): Person | undefined;
  addPerson(user: User, skeleton: string | null, seen: number): Person;
  rename(person: Person, name: string, skeleton: string, seen: number): void;
  freeName(person: Person): void;
  /** Ends all sessions; the name stays reserved. */
  signOut(person: Person, generation: number, seen: number): void;
  /** Comes back after a sign-out. `skeleton`: of their name, unless somebody else has it by now. */
  signBackIn(person: Person, skeleton: string | null, seen: number): void;
  setPosted(person: Person): void;
  /** Replaces the link that a person has, and drops links that are over at `at`. */
  setLink(person: Person, link: LinkSecret, at: number): void;
  /** The person of a link, until it expires. */
  findLink(hash: string): { readonly person: Person; readonly expires: number } | undefined;
  deleteLink(person: Person): void;
  updateLastSeen(person: Person, seen: number): void;
}

export interface EventStorage {
  /** What this person kept under this cid, ever, in any room. */
  findByCid(person: Person, cid: string): StoredCommand | undefined;
  /** Gives the room's next number and a time that does not go back in it, and keeps the message under them. */
  append(room: string, person: Person, said: NewMessage): ChatEvent;
  /** Count of chat messages in a room. */
  messageCount(room: string): number;
  /** Ids of the people that a message mentions by its current text, or replies to. */
  mentionedBy(message: Message): readonly string[];
  /** The message with this number; undefined when there is none, or the number is that of a change. */
  message(room: string, id: number): Message | undefined;
  /** Whether this person's reaction of this kind stands. */
  hasReaction(message: Message, person: Person, emoji: string): boolean;
  /** Numbers and keeps the change as `append` does a message, and makes the message what it is after it. */
  appendChange(message: Message, person: Person, made: NewChange): ChangeEvent;
}

export interface MembershipStorage {
  /** From now on this person has been in the room. Nothing, when nothing was ever said in it. */
  enter(room: string, person: Person): void;
  /** Notes a message of this person, which makes them a member. It does not move their mark, and is not unread for them. */
  addPost(room: string, person: Person, id: number): void;
  /** The rooms of this person, the most recently active first. */
  rooms(person: Person, limit: number): readonly string[];
  /** Moves the mark up to `id`, but never beyond the room's last number, and never back. */
  advanceReadMark(room: string, person: Person, id: number): ReadMark;
  /** Forgets where this person has been. */
  leaveAll(person: Person): void;
}

export interface Storage {
  readonly people: PeopleStorage;
  readonly events: EventStorage;
  readonly memberships: MembershipStorage;
  /** All of `work` or nothing of it; durable when it returns. @throws StorageError when the disk does not take it */
  transaction<T>(work: () => T): T;
}

export interface NewMessage {
  readonly user: User;
  readonly data: string;
  readonly at: number;
  readonly cid?: string;
  readonly mentions?: readonly User[];
  /** number of the message that it replies to: there is one, and it is not deleted */
  readonly reply?: number;
}

export interface NewChange extends NewMessage {
  readonly type: ChangeEvent['type'];
}

/** The disk is full, gone or broken: nothing of the beat was kept. */
export class StorageError extends Error {}
