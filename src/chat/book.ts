/**
 * What the rules need to be kept, in their own words; store/ keeps it in SQLite. Every method reads and writes within
 * the transaction of the beat, so a beat that fails leaves no trace.
 */
import type { ChangeEvent, ChatEvent, RoomEvent, User } from '../protocol.js';
import type { Mark } from './command.js';

export interface Person {
  /** the book's own key of this person */
  readonly key: number;
  readonly id: string;
  readonly name: string;
  readonly signedOut: boolean;
  /** when they were last known to be here, to the day, in milliseconds */
  readonly seen: number;
}

/** What was kept under a cid: the event as it is now, and what was asked for. */
export interface Kept {
  readonly room: string;
  readonly event: RoomEvent;
  readonly target: number | undefined;
  /** the text or the emoji as it was sent; undefined when it was deleted since */
  readonly data: string | undefined;
}

/** A message that somebody wants to change. */
export interface Message {
  /** the book's own key of this message, and of its room */
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

export interface PersonBook {
  person(id: string): Person | undefined;
  ownerOf(skeleton: string): Person | undefined;
  addPerson(user: User, skeleton: string | null, seen: number): Person;
  rename(person: Person, name: string, skeleton: string, seen: number): void;
  freeName(person: Person): void;
  signOut(person: Person): void;
  touch(person: Person, seen: number): void;
}

export interface EventBook {
  /** What this person kept under this cid, ever, in any room. */
  kept(person: Person, cid: string): Kept | undefined;
  /** Gives the room's next number and a time that does not go back in it, and keeps the message under them. */
  append(room: string, person: Person, said: Said): ChatEvent;
  /** The message with this number; undefined when there is none, or the number is that of a change. */
  message(room: string, id: number): Message | undefined;
  /** Whether this person's reaction of this kind stands. */
  reacted(message: Message, person: Person, emoji: string): boolean;
  /** Numbers and keeps the change as `append` does a message, and makes the message what it is after it. */
  change(message: Message, person: Person, made: Made): ChangeEvent;
}

export interface MemberBook {
  /** From now on this person has been in the room. Nothing, when nothing was ever said in it. */
  enter(room: string, person: Person): void;
  /** Moves the mark up to `id`, but never beyond the room's last number, and never back. */
  read(room: string, person: Person, id: number): Mark;
  /** Forgets where this person has been. */
  leaveAll(person: Person): void;
}

export interface Book {
  readonly people: PersonBook;
  readonly log: EventBook;
  readonly members: MemberBook;
  /** All of `work` or nothing of it; durable when it returns. @throws StorageError when the disk does not take it */
  transaction<T>(work: () => T): T;
}

export interface Said {
  readonly user: User;
  readonly data: string;
  readonly at: number;
  readonly cid?: string;
  readonly mentions?: readonly User[];
}

export interface Made extends Said {
  readonly type: ChangeEvent['type'];
}

/** The disk is full, gone or broken: nothing of the beat was kept. */
export class StorageError extends Error {}
