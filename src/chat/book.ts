/**
 * What the rules need to be kept, in their own words; store/ keeps it in SQLite. Every method reads and writes within
 * the transaction of the beat, so a beat that fails leaves no trace.
 */
import type { RoomEvent, User } from '../protocol.js';

export interface Person {
  /** the book's own key of this person */
  readonly key: number;
  readonly id: string;
  readonly name: string;
  readonly signedOut: boolean;
  /** when they were last known to be here, to the day, in milliseconds */
  readonly seen: number;
}

/** A command that was kept under a cid: where, and with what text. */
export interface Kept {
  readonly room: string;
  readonly event: RoomEvent;
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
  /** Gives the room's next number and a time that does not go back in it, and keeps the event under them. */
  append(room: string, person: Person, said: Said): RoomEvent;
}

export interface Book {
  readonly people: PersonBook;
  readonly log: EventBook;
  /** All of `work` or nothing of it; durable when it returns. @throws StorageError when the disk does not take it */
  transaction<T>(work: () => T): T;
}

export interface Said {
  readonly user: User;
  readonly data: string;
  readonly at: number;
  readonly cid?: string;
}

/** The disk is full, gone or broken: nothing of the beat was kept. */
export class StorageError extends Error {}
