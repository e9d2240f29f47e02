/**
 * Commands, their results, and the storage that the rules write to. The node that accepts a command adds times and ids to
 * it, so that every node applies it with the same result.
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
  | ReadCommand
  | ExpireCommand;
/** Becomes a numbered event of its room, if the rules accept it. */
export type EventCommand = MessageCommand | ChangeCommand;

interface EventCommandFields {
  readonly room: string;
  readonly user: User;
  /** milliseconds since 1970 */
  readonly at: number;
  /** 16 random bytes in hex, for the hash of the content (docs/protocol.md, "The chain") */
  readonly salt: string;
  readonly cid?: string;
}

/** Posts a message. */
export interface MessageCommand extends EventCommandFields {
  readonly kind: 'message';
  readonly data: string;
  /** number of the message that it replies to */
  readonly reply?: number;
}

/** Changes the message with number `target`. `data` is the new text or the emoji; '' for a deletion. */
export interface ChangeCommand extends EventCommandFields {
  readonly kind: 'change';
  readonly type: ChangeEvent['type'];
  readonly target: number;
  readonly data: string;
}

/** Takes a name for a new id, or renames the person of a valid cookie. */
export interface SignInCommand {
  readonly kind: 'sign-in';
  readonly user: User;
  /** as the cookie has it; undefined for a new id */
  readonly generation: number | undefined;
  readonly skeleton: string;
  readonly at: number;
}

/** Ends all sessions of a person. With `link`, they can sign in again through the link. */
export interface SignOutCommand {
  readonly kind: 'sign-out';
  readonly user: User;
  readonly generation: number;
  readonly link: LinkToken | undefined;
  readonly at: number;
}

/** Makes a link that signs in as this person on another device. It replaces an earlier one. */
export interface LinkCommand {
  readonly kind: 'link';
  readonly user: User;
  readonly generation: number;
  readonly link: LinkToken;
  readonly at: number;
}

/** Only the hash of a link's secret is stored, because whoever has the secret can sign in. */
export interface LinkToken {
  readonly hash: string;
  readonly expires: number;
}

/** Signs in by a link, which is used up. */
export interface RedeemCommand {
  readonly kind: 'redeem';
  readonly hash: string;
  readonly at: number;
}

/** Updates the last-seen time of a person, which keeps their name reserved. */
interface SeenCommand {
  readonly kind: 'seen';
  readonly user: User;
  readonly at: number;
}

/** Makes a person a member of a room. Does nothing while the room has no messages. */
export interface EnterCommand {
  readonly kind: 'enter';
  readonly room: string;
  readonly user: User;
  readonly at: number;
}

/** Moves the read mark of a person up to number `id`. */
export interface ReadCommand {
  readonly kind: 'read';
  readonly room: string;
  readonly user: User;
  readonly id: number;
  readonly at: number;
}

/** Drops the texts of a room up to number `through`, because they are older than the operator keeps them. */
export interface ExpireCommand {
  readonly kind: 'expire';
  readonly room: string;
  readonly through: number;
  readonly at: number;
}

/** The result of a command. A rejected one changed nothing; `problem` names the client's mistake or the disk error. */
export type Result =
  | {
      readonly kind: 'accepted';
      readonly room: string;
      readonly event: RoomEvent;
      /** ids of the people whose mentions in this room changed: by a name in the text, or by a reply to them */
      readonly mentioned: readonly string[];
      /** chat messages in the room so far */
      readonly messageCount: number;
    }
  | { readonly kind: 'duplicate'; readonly room: string; readonly event: RoomEvent }
  | {
      readonly kind: 'signed-in';
      readonly user: User;
      readonly generation: number;
      readonly before: User | undefined;
      /** had this name and lost it after being away for too long */
      readonly displaced: User | undefined;
    }
  /** A sign-out has ended the session of the cookie. */
  | { readonly kind: 'session-over' }
  | { readonly kind: 'linked' }
  | { readonly kind: 'redeemed'; readonly user: User; readonly generation: number }
  | { readonly kind: 'link-over' }
  | { readonly kind: 'signed-out'; readonly user: User }
  | { readonly kind: 'name-taken' }
  | { readonly kind: 'seen' }
  | { readonly kind: 'entered'; readonly user: User; readonly rooms: readonly string[] }
  | { readonly kind: 'read'; readonly room: string; readonly user: User; readonly mark: ReadMark }
  | { readonly kind: 'expired'; readonly room: string }
  | { readonly kind: 'rejected'; readonly problem: Problem };

/** How far a person has read a room. `advanced`: the command moved the mark. */
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

/** Adds the person, the room, the time and a salt to a command from the wire. */
export function toCommand(
  { cid, ...post }: PostCommand,
  room: string,
  user: User,
  origin: Pick<EventCommand, 'at' | 'salt'>,
): EventCommand {
  const fields = { room, user, ...origin, ...(cid !== undefined && { cid }) };
  if (post.type !== 'chat') return { kind: 'change', ...fields, data: '', ...post };
  const { data, reply } = post;
  return { kind: 'message', ...fields, data, ...(reply !== undefined && { reply }) };
}

// The storage interface, implemented in store/. Every method reads and writes within the transaction of the batch, so a
// batch that fails leaves no trace.

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
  /** milliseconds; see `isLastSeenDue` for how exact it is */
  readonly lastSeen: number;
}

/** The stored command of a cid, and its event in its current state. */
export interface StoredCommand {
  readonly room: string;
  readonly event: RoomEvent;
  readonly target: number | undefined;
  readonly reply: number | undefined;
  /** the text or the emoji as it was sent; undefined once the message is deleted or expired */
  readonly data: string | undefined;
}

/** A message, as the rules need it. */
export interface Message {
  /** the storage's own key of this message, and of its room */
  readonly key: number;
  readonly roomKey: number;
  readonly room: string;
  readonly id: number;
  /** id of the author */
  readonly author: string;
  /** current text */
  readonly text: string;
  /** number of its last edit */
  readonly edited: number | undefined;
  readonly deleted: boolean;
  /** its text was dropped by retention */
  readonly expired: boolean;
  /** count of current reactions */
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
  /** Undoes a sign-out. `skeleton` is null when somebody else has the name by now. */
  signBackIn(person: Person, skeleton: string | null, seen: number): void;
  setPosted(person: Person): void;
  /** Replaces the link of a person, and deletes links that have expired at `at`. */
  setLink(person: Person, link: LinkToken, at: number): void;
  /** Returns the person of a link. */
  findLink(hash: string): { readonly person: Person; readonly expires: number } | undefined;
  deleteLink(person: Person, at: number): void;
  updateLastSeen(person: Person, seen: number): void;
}

export interface EventStorage {
  /** Returns the command that this person sent with this cid, in any room. */
  findByCid(person: Person, cid: string): StoredCommand | undefined;
  /** Stores a message under the room's next number. Its time is never before that of the previous event. */
  append(room: string, person: Person, message: NewMessage): ChatEvent;
  /** Count of chat messages in a room. */
  messageCount(room: string): number;
  /** Ids of the people that a message mentions by its current text, or replies to. */
  mentionedBy(message: Message): readonly string[];
  /** The message with this number; undefined when there is none, or the number is that of a change. */
  message(room: string, id: number): Message | undefined;
  /** Whether the message has this reaction of this person. */
  hasReaction(message: Message, person: Person, emoji: string): boolean;
  /** Drops the texts, salts and mentions of all messages up to this number, and of their edits. */
  expire(room: string, through: number, at: number): void;
  /** Stores a change as `append` does a message, and applies it to the message. */
  appendChange(message: Message, person: Person, change: NewChange): ChangeEvent;
}

export interface MembershipStorage {
  /** Makes a person a member. Does nothing while the room has no messages. */
  enter(room: string, person: Person): void;
  /** Notes a message of this person, which makes them a member. It neither moves their mark nor counts as unread for them. */
  addPost(room: string, person: Person, id: number): void;
  /** The rooms of this person, the most recently active first. */
  rooms(person: Person, limit: number): readonly string[];
  /** Moves the mark up to `id`, but never beyond the room's last number, and never back. */
  advanceReadMark(room: string, person: Person, id: number): ReadMark;
  /** Deletes the memberships of a person. */
  leaveAll(person: Person): void;
}

export interface Storage {
  readonly people: PeopleStorage;
  readonly events: EventStorage;
  readonly memberships: MembershipStorage;
  /** The newest time that is stored, of any event or person. */
  readonly newestTime: number;
  /** Commits all of `work` or nothing, with the position of a shared order. It is durable on return. @throws StorageError when the disk fails */
  transaction<T>(work: () => T, position?: string): T;
  /** Within a transaction: undoes what `work` has written when it throws. @throws what `work` throws */
  attempt<T>(work: () => T): T;
}

export interface NewMessage {
  readonly data: string;
  readonly at: number;
  readonly salt: string;
  readonly cid?: string;
  readonly mentions?: readonly User[];
  /** number of the message that it replies to: there is one, and it is not deleted */
  readonly reply?: number;
}

export interface NewChange extends NewMessage {
  readonly type: ChangeEvent['type'];
}

/** The disk failed: nothing of the batch was stored. */
export class StorageError extends Error {}
