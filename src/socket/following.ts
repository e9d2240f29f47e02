/**
 * Which rooms people have been in, and word of those that moved while they sit in another. Coming into a room must stay
 * as cheap as it is: who came is only noted, and looked at in slices. Word of a room goes out at most once a second,
 * built once, in slices too; and only to who is not in it, so a room of 18,000 that know no other tells nobody.
 */
import type { Command, Outcome } from '../chat/command.js';
import type { User } from '../protocol.js';
import type { Reply } from '../sequencer/sequencer.js';
import { Crier } from './crier.js';
import type { Person } from './person.js';

/** A room that somebody came into, or said something in. */
export interface Visited {
  readonly name: string;
  /** its newest number; 0: nothing was ever said in it, so nobody has been in it */
  readonly last: number;
}

export interface FollowingParts {
  /** the rooms that somebody has been in, those that moved last first */
  readonly roomsOf: (user: User, limit: number) => readonly { readonly room: string }[];
  readonly submit: (command: Command, reply?: Reply) => void;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/** People looked at in one slice and milliseconds that it may take, and milliseconds between two slices. */
const SLICE = 250;
const TURN = 5;
const PAUSE = 50;
/** A slice in a rush: letting thousands in goes first. One has begun when so many came between two slices, and is over so many ms later. */
const RUSH = { slice: 10, came: 50, calm: 500 } as const;
/** So few who came are looked at before word goes out: who has just left the room for another hears of it as well. */
const FEW = 16;
/** Rooms that one person hears of. */
const MOST = 500;
/** The same for all who have been in none. */
const NOWHERE: readonly string[] = [];

export class Following {
  readonly crier = new Crier();
  readonly #parts: FollowingParts;
  /** who came, and where, since they were looked at last: mostly one room, without a list around it */
  readonly #arrivals = new Map<Person, Visited | readonly Visited[]>();
  /** whose membership is on its way to the book */
  readonly #entering = new Set<Person>();
  #timer: NodeJS.Timeout | undefined;
  /** how many were left when the last slice ended */
  #left = 0;
  /** when the rush is over, as performance.now() */
  #rush = 0;

  constructor(parts: FollowingParts) {
    this.#parts = parts;
  }

  /** A socket of this person was opened in that room, or they said something in it. */
  arrived(person: Person, room: Visited): void {
    const before = this.#arrivals.get(person);
    const rooms = before && listOf(before);
    if (rooms?.includes(room)) return;
    this.#arrivals.set(person, rooms ? [...rooms, room] : room);
    this.#timer ??= setTimeout(this.#slice, PAUSE);
  }

  /** A message of this author (none when they are not connected) was said; most have been there before. */
  said(author: Person | undefined, room: Visited): void {
    if (author && !author.rooms?.includes(room.name)) this.arrived(author, room);
    if (this.#arrivals.size <= FEW) this.#lookAtAll();
    this.crier.moved(room);
  }

  /** A socket of this person was closed. */
  left(person: Person): void {
    if (person.rooms) this.#follow(person, person.rooms);
  }

  /** Something about this person is still to be written down. */
  waitsFor(person: Person): boolean {
    return this.#arrivals.has(person) || this.#entering.has(person);
  }

  /** Calls back when all is in the book that is known of this person. */
  settle(person: Person, done: () => void): void {
    const rooms = this.#arrivals.get(person);
    if (rooms) this.#look(person, rooms);
    if (!this.#entering.has(person)) done();
    // the order is one: what is asked now is applied after all that was asked before
    else this.#parts.submit({ kind: 'seen', user: person.user, at: this.#parts.now() }, done);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.crier.stop();
  }

  readonly #slice = (): void => {
    const now = performance.now();
    if (this.#arrivals.size - this.#left > RUSH.came) this.#rush = now + RUSH.calm;
    let left: number = now < this.#rush ? RUSH.slice : SLICE;
    for (const [person, rooms] of this.#arrivals) {
      if (left-- === 0 || performance.now() - now > TURN) break;
      this.#look(person, rooms);
    }
    this.#left = this.#arrivals.size;
    this.#timer = this.#left > 0 ? setTimeout(this.#slice, PAUSE) : undefined;
  };

  #lookAtAll(): void {
    for (const [person, rooms] of this.#arrivals) this.#look(person, rooms);
  }

  #look(person: Person, visited: Visited | readonly Visited[]): void {
    this.#arrivals.delete(person);
    person.rooms ??= this.#roomsOf(person.user);
    for (const { name, last } of listOf(visited))
      if (last > 0 && !person.rooms.includes(name)) this.#enter(person, person.rooms, name);
    this.#follow(person, person.rooms);
  }

  #roomsOf(user: User): readonly string[] {
    const rooms = this.#parts.roomsOf(user, MOST);
    return rooms.length === 0 ? NOWHERE : rooms.map(({ room }) => room);
  }

  #enter(person: Person, rooms: readonly string[], room: string): void {
    person.rooms = [...rooms, room];
    if (person.follows && room !== person.home) this.crier.add(room, person);
    this.#entering.add(person);
    this.#parts.submit({ kind: 'enter', room, user: person.user, at: this.#parts.now() }, (outcome) =>
      this.#entered(person, room, outcome),
    );
  }

  #entered(person: Person, room: string, { kind }: Outcome): void {
    this.#entering.delete(person);
    if (kind !== 'entered') person.rooms = person.rooms?.filter((one) => one !== room); // the disk failed: at the next occasion
  }

  /** Puts the person where they hear of their rooms, but not of the one that all their sockets are in. */
  #follow(person: Person, rooms: readonly string[]): void {
    const home = homeOf(person);
    if (person.sockets === 0) this.#unfollow(person, rooms);
    else if (!person.follows) {
      for (const room of rooms) if (room !== home) this.crier.add(room, person);
    } else if (person.home !== home) {
      if (person.home !== undefined && rooms.includes(person.home)) this.crier.add(person.home, person);
      if (home !== undefined) this.crier.remove(home, person);
    }
    person.follows = person.sockets > 0;
    person.home = home;
  }

  #unfollow(person: Person, rooms: readonly string[]): void {
    for (const room of rooms) this.crier.remove(room, person);
    person.rooms = undefined; // read again when they come back
  }
}

function listOf(visited: Visited | readonly Visited[]): readonly Visited[] {
  return 'name' in visited ? [visited] : visited;
}

/** The room that all sockets of a person are in. */
function homeOf({ connections }: Person): string | undefined {
  let home: string | undefined;
  for (const { room } of connections) {
    if (home !== undefined && room.name !== home) return undefined;
    home = room.name;
  }
  return home;
}
