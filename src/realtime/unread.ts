/**
 * Which rooms people have been in, and word of those that moved while they sit in another. Coming into a room must stay
 * as cheap as it is: who came is only noted, and looked at in slices. Word of a room goes out at most once a second,
 * built once, in slices too; and only to who is not in it, so a room of 18,000 that know no other tells nobody.
 */
import type { Command, Result } from '../chat/types.js';
import type { Reply } from '../sequencer/sequencer.js';
import type { User } from '../shared/protocol.js';
import { textFrame } from './connection.js';
import type { ConnectedUser } from './user.js';

/** A room that somebody came into, or said something in. */
export interface VisitedRoom {
  readonly name: string;
  /** its newest number; 0: nothing was ever said in it, so nobody has been in it */
  readonly last: number;
}

export interface MembershipTrackerDeps {
  /** the rooms that somebody has been in, those that moved last first */
  readonly roomsOf: (user: User, limit: number) => readonly { readonly room: string }[];
  readonly submit: (command: Command, reply?: Reply) => void;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/** People looked at in one slice and milliseconds that it may take, and milliseconds between two slices. */
const arrivalsPerSlice = 250;
const sliceMs = 5;
const slicePauseMs = 50;
/** A slice in a rush: letting thousands in goes first. One has begun when so many came between two slices, and is over so many ms later. */
const rushLimits = { slice: 10, came: 50, calm: 500 } as const;
/** So few who came are looked at before word goes out: who has just left the room for another hears of it as well. */
const fewArrivals = 16;
/** Rooms that one person hears of. */
const maxFollowedRooms = 500;
/** The same for all who have been in none. */
const noRooms: readonly string[] = [];

export class MembershipTracker {
  readonly notifier = new UnreadNotifier();
  readonly #deps: MembershipTrackerDeps;
  /** who came, and where, since they were looked at last: mostly one room, without a list around it */
  readonly #arrivals = new Map<ConnectedUser, VisitedRoom | readonly VisitedRoom[]>();
  /** whose membership is on its way to the book */
  readonly #entering = new Set<ConnectedUser>();
  #timer: NodeJS.Timeout | undefined;
  /** how many were left when the last slice ended */
  #left = 0;
  /** when the rush is over, as performance.now() */
  #rush = 0;

  constructor(deps: MembershipTrackerDeps) {
    this.#deps = deps;
  }

  /** A socket of this person was opened in that room, or they said something in it. */
  onEnter(person: ConnectedUser, room: VisitedRoom): void {
    const before = this.#arrivals.get(person);
    const rooms = before && toList(before);
    if (rooms?.includes(room)) return;
    this.#arrivals.set(person, rooms ? [...rooms, room] : room);
    this.#timer ??= setTimeout(this.#slice, slicePauseMs);
  }

  /** A message of this author (none when they are not connected) was said; most have been there before. */
  onMessage(author: ConnectedUser | undefined, room: VisitedRoom): void {
    if (author && !author.rooms?.includes(room.name)) this.onEnter(author, room);
    if (this.#arrivals.size <= fewArrivals) this.#recordAll();
    this.notifier.roomAdvanced(room);
  }

  /** A socket of this person was closed. */
  onLeave(person: ConnectedUser): void {
    if (person.rooms) this.#follow(person, person.rooms);
  }

  /** Something about this person is still to be written down. */
  hasPending(person: ConnectedUser): boolean {
    return this.#arrivals.has(person) || this.#entering.has(person);
  }

  /** Calls back when all is in the book that is known of this person. */
  flush(person: ConnectedUser, done: () => void): void {
    const rooms = this.#arrivals.get(person);
    if (rooms) this.#record(person, rooms);
    if (!this.#entering.has(person)) done();
    // the order is one: what is asked now is applied after all that was asked before
    else this.#deps.submit({ kind: 'seen', user: person.user, at: this.#deps.now() }, done);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.notifier.stop();
  }

  readonly #slice = (): void => {
    const now = performance.now();
    if (this.#arrivals.size - this.#left > rushLimits.came) this.#rush = now + rushLimits.calm;
    let left: number = now < this.#rush ? rushLimits.slice : arrivalsPerSlice;
    for (const [person, rooms] of this.#arrivals) {
      if (left-- === 0 || performance.now() - now > sliceMs) break;
      this.#record(person, rooms);
    }
    this.#left = this.#arrivals.size;
    this.#timer = this.#left > 0 ? setTimeout(this.#slice, slicePauseMs) : undefined;
  };

  #recordAll(): void {
    for (const [person, rooms] of this.#arrivals) this.#record(person, rooms);
  }

  #record(person: ConnectedUser, visited: VisitedRoom | readonly VisitedRoom[]): void {
    this.#arrivals.delete(person);
    person.rooms ??= this.#roomsOf(person.user);
    for (const { name, last } of toList(visited))
      if (last > 0 && !person.rooms.includes(name)) this.#enter(person, person.rooms, name);
    this.#follow(person, person.rooms);
  }

  #roomsOf(user: User): readonly string[] {
    const rooms = this.#deps.roomsOf(user, maxFollowedRooms);
    return rooms.length === 0 ? noRooms : rooms.map(({ room }) => room);
  }

  #enter(person: ConnectedUser, rooms: readonly string[], room: string): void {
    person.rooms = [...rooms, room];
    if (person.isFollowing && room !== person.onlyRoom) this.notifier.add(room, person);
    this.#entering.add(person);
    this.#deps.submit({ kind: 'enter', room, user: person.user, at: this.#deps.now() }, (result) =>
      this.#entered(person, room, result),
    );
  }

  #entered(person: ConnectedUser, room: string, { kind }: Result): void {
    this.#entering.delete(person);
    if (kind !== 'entered') person.rooms = person.rooms?.filter((one) => one !== room); // the disk failed: at the next occasion
  }

  /** Puts the person where they hear of their rooms, but not of the one that all their sockets are in. */
  #follow(person: ConnectedUser, rooms: readonly string[]): void {
    const home = onlyRoomOf(person);
    if (person.connectionCount === 0) this.#unfollow(person, rooms);
    else if (!person.isFollowing) {
      for (const room of rooms) if (room !== home) this.notifier.add(room, person);
    } else if (person.onlyRoom !== home) {
      if (person.onlyRoom !== undefined && rooms.includes(person.onlyRoom))
        this.notifier.add(person.onlyRoom, person);
      if (home !== undefined) this.notifier.remove(home, person);
    }
    person.isFollowing = person.connectionCount > 0;
    person.onlyRoom = home;
  }

  #unfollow(person: ConnectedUser, rooms: readonly string[]): void {
    for (const room of rooms) this.notifier.remove(room, person);
    person.rooms = undefined; // read again when they come back
  }
}

function toList(visited: VisitedRoom | readonly VisitedRoom[]): readonly VisitedRoom[] {
  return 'name' in visited ? [visited] : visited;
}

/** The room that all sockets of a person are in. */
function onlyRoomOf({ connections }: ConnectedUser): string | undefined {
  let home: string | undefined;
  for (const { room } of connections) {
    if (home !== undefined && room.name !== home) return undefined;
    home = room.name;
  }
  return home;
}

/** Word of rooms that have moved, to those who have been in them and are elsewhere: at most once a second of each room. */

interface RoomFollowers {
  readonly people: Set<ConnectedUser>;
  last: number;
  /** when it was cried last, as performance.now() */
  at: number;
}

interface PendingNotice {
  readonly room: string;
  readonly bytes: Buffer;
  readonly people: IterableIterator<ConnectedUser>;
}

/** Milliseconds between two words of one room, and between two looks at those that wait for it. */
const noticeIntervalMs = 1000;
const lateCheckMs = 100;
/** People written to before the event loop gets its turn. */
const peoplePerSlice = 256;

export class UnreadNotifier {
  readonly #rooms = new Map<string, RoomFollowers>();
  /** have moved again within the second */
  readonly #late = new Set<string>();
  readonly #notices: PendingNotice[] = [];
  #timer: NodeJS.Timeout | undefined;

  add(room: string, person: ConnectedUser): void {
    const followed = this.#rooms.get(room);
    if (followed) followed.people.add(person);
    else this.#rooms.set(room, { people: new Set([person]), last: 0, at: Number.NEGATIVE_INFINITY });
  }

  remove(room: string, person: ConnectedUser): void {
    const people = this.#rooms.get(room)?.people;
    people?.delete(person);
    if (people?.size === 0) this.#rooms.delete(room);
  }

  roomAdvanced({ name, last }: { readonly name: string; readonly last: number }): void {
    const followed = this.#rooms.get(name);
    if (!followed) return;
    followed.last = last;
    if (performance.now() - followed.at >= noticeIntervalMs) this.#notify(name, followed);
    else {
      this.#late.add(name);
      this.#timer ??= setInterval(() => this.#notifyLate(), lateCheckMs);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #notifyLate(): void {
    for (const name of this.#late) {
      const followed = this.#rooms.get(name);
      if (followed && performance.now() - followed.at < noticeIntervalMs) continue;
      this.#late.delete(name);
      if (followed) this.#notify(name, followed);
    }
    if (this.#late.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #notify(room: string, followed: RoomFollowers): void {
    followed.at = performance.now();
    const bytes = textFrame({ type: 'room', room, last: followed.last });
    this.#notices.push({ room, bytes, people: followed.people.values() });
    if (this.#notices.length === 1) setImmediate(this.#write);
  }

  readonly #write = (): void => {
    const [cry] = this.#notices;
    if (!cry) return;
    for (let n = 0; n < peoplePerSlice; n++) {
      const { done, value: person } = cry.people.next();
      if (done) {
        this.#notices.shift();
        break;
      }
      for (const connection of person.connections)
        if (connection.room.name !== cry.room) connection.write(cry.bytes);
    }
    if (this.#notices.length > 0) setImmediate(this.#write);
  };
}
