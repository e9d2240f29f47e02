/**
 * Who is connected, and in which room. Commands go from here to the sequencer; what became of them comes back through
 * `deliver`, right after the commit and before anything else runs, and goes to the rooms.
 */
import type { RawData, WebSocket } from 'ws';
import { type Command, commandOf, type Outcome } from '../chat/command.js';
import type { Limits } from '../config.js';
import { CLOSE, type HelloFrame, type Posting, type User } from '../protocol.js';
import type { Reply } from '../sequencer/sequencer.js';
import { Connection, type Opening } from './connection.js';
import { Following, type FollowingParts } from './following.js';
import { textFrame } from './frame.js';
import { Heartbeat } from './heartbeat.js';
import { Lane } from './lane.js';
import { Outlet } from './outlet.js';
import { Person } from './person.js';
import { replay } from './replay.js';
import { LiveRoom, type Pages } from './room.js';
import { tellTyping } from './typing.js';

export interface HubParts extends Pick<FollowingParts, 'roomsOf'> {
  readonly log: Pages;
  readonly epoch: string;
  readonly limits: Limits;
  /** milliseconds since 1970, for the times of messages */
  readonly now: () => number;
  readonly submit: (command: Command, reply?: Reply) => void;
}

/** From where a socket wants to read. */
export interface Place {
  readonly after: number | undefined;
  readonly epoch: string | undefined;
  readonly history: number;
}

export class Hub {
  readonly connections = new Map<WebSocket, Connection>();
  /** numbered events delivered since the start */
  events = 0;
  readonly outlet = new Outlet();
  readonly following: Following;
  readonly heartbeat = new Heartbeat();
  readonly #parts: HubParts;
  readonly #rooms = new Map<string, LiveRoom>();
  readonly #people = new Map<string, Person>();
  /** those of them without a socket */
  readonly #idle = new Set<Person>();
  readonly #lane = new Lane();

  constructor(parts: HubParts) {
    this.#parts = parts;
    this.following = new Following(parts);
  }

  get people(): number {
    return this.#people.size;
  }

  get rooms(): number {
    return this.#rooms.size;
  }

  /** The person with this id, known from other sockets or new. */
  person(user: User): Person {
    const known = this.#people.get(user.id);
    if (known) return known;
    const person = new Person(user, this.#parts.limits);
    this.#people.set(user.id, person);
    this.#idle.add(person);
    return person;
  }

  /** How many people are in a room now. */
  presentIn(room: string): number {
    return this.#rooms.get(room)?.presence.count ?? 0;
  }

  /** Resolves when it is written down where this person has been until now. */
  settled(user: User): Promise<void> {
    return new Promise((resolve) => this.following.settle(this.person(user), resolve));
  }

  mayConnect(person: Person): boolean {
    const most = this.#parts.limits.connectionsPerPerson;
    return most === 0 || person.sockets < most;
  }

  open(opening: Opening, roomName: string, place: Place): Connection {
    const room = this.#room(roomName);
    const connection = new Connection(opening, room, this.#parts.limits.sendBuffer);
    this.connections.set(opening.ws, connection);
    this.heartbeat.add(connection);
    connection.person.connected(connection);
    this.#idle.delete(connection.person);
    this.following.arrived(connection.person, room);
    const news = room.presence.enter(connection.person);
    if (news) this.#announce(room, news);
    this.#greet(connection, place);
    return connection;
  }

  receive(ws: WebSocket, data: RawData, binary: boolean): void {
    const connection = this.connections.get(ws);
    const asked = connection?.receive(data, binary);
    if (!connection || !asked) return;
    if (asked.type === 'typing') tellTyping(connection, performance.now());
    else this.#take(connection, asked, Buffer.isBuffer(data) ? data.length : 0);
  }

  close(ws: WebSocket): void {
    const connection = this.connections.get(ws);
    if (!connection) return;
    connection.closed();
    this.connections.delete(ws);
    this.heartbeat.remove(connection);
    const { person } = connection;
    person.disconnected(connection);
    if (person.sockets === 0) this.#idle.add(person);
    this.#leave(connection);
    this.following.left(person);
    if (person.sockets === 0) this.#forget(person);
  }

  /** After every commit, with all that came of its beat. */
  deliver(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      if (outcome.kind === 'said') this.#publish(outcome);
      else if (outcome.kind === 'read') this.#read(outcome);
      else if (outcome.kind === 'signed-out') this.#signedOut(outcome.user);
      else if (outcome.kind === 'signed-in' && outcome.before) this.#renamed(outcome.before, outcome.user);
    }
    this.outlet.run();
  }

  /**
   * Once a second: the counts of large rooms. And people without sockets, who are kept until their budget is whole again:
   * reconnecting does not refill it.
   */
  second(): void {
    for (const room of this.#rooms.values()) {
      const count = room.presence.changed();
      if (count) this.#announce(room, count);
    }
    for (const person of this.#idle) this.#forget(person);
  }

  stop(): void {
    this.outlet.stop();
    this.#lane.stop();
    this.following.stop();
  }

  #forget(person: Person): void {
    if (person.waiting > 0 || this.following.waitsFor(person) || !person.rested(performance.now())) return;
    this.#people.delete(person.user.id);
    this.#idle.delete(person);
  }

  #room(name: string): LiveRoom {
    const known = this.#rooms.get(name);
    if (known) return known;
    const room = new LiveRoom(name, this.#parts.log);
    this.#rooms.set(name, room);
    return room;
  }

  #greet(connection: Connection, { after, epoch, history }: Place): void {
    const { room, person } = connection;
    const { last } = room;
    const complete =
      (epoch === undefined || epoch === this.#parts.epoch) && (after === undefined || after <= last);
    const from = complete && after !== undefined ? after : Math.max(0, last - history);
    const hello: HelloFrame = {
      type: 'hello',
      room: room.name,
      epoch: this.#parts.epoch,
      last,
      user: person.user,
      complete,
    };
    replay(connection, from, textFrame(hello), () => room.presence.listed());
  }

  #take(connection: Connection, posting: Posting, bytes: number): void {
    const { person } = connection;
    const now = performance.now();
    if (person.mayPost(now)) {
      this.#post(connection, posting);
      return;
    }
    person.wait({ bytes, post: () => this.#post(connection, posting) });
    if (person.keepsTooMuch) person.throwOut();
    else if (person.shouldPause(now)) connection.pause();
    this.#lane.add(person);
  }

  #post(connection: Connection, posting: Posting): void {
    const { room, person } = connection;
    const command = commandOf(posting, room.name, person.user, this.#parts.now());
    this.#parts.submit(command, (outcome) => answer(connection, outcome, posting.cid));
  }

  #publish({ room: name, event }: Extract<Outcome, { kind: 'said' }>): void {
    this.events++;
    const room = this.#rooms.get(name);
    room?.publish(event);
    if (room) this.outlet.add(room);
    const visited = room ?? { name, last: event.id };
    this.following.said(this.#people.get(event.user.id), visited);
    // who sat there in silence has been there from its first word on
    if (event.id === 1)
      for (const person of room?.presence.people() ?? []) this.following.arrived(person, visited);
  }

  /** To all sockets of this person, wherever they are: their other devices move too. */
  #read({ room, user, mark: { last, read, moved } }: Extract<Outcome, { kind: 'read' }>): void {
    if (!moved) return;
    const bytes = textFrame({ type: 'room', room, last, read });
    for (const connection of this.#people.get(user.id)?.connections ?? []) connection.write(bytes);
  }

  #announce(room: LiveRoom, frame: Parameters<LiveRoom['announce']>[0]): void {
    room.announce(frame);
    this.outlet.add(room);
    this.outlet.run();
  }

  #leave(connection: Connection): void {
    const { room } = connection;
    room.leave(connection);
    const news = room.presence.leave(connection.person);
    if (room.presence.count === 0) this.#rooms.delete(room.name);
    else if (news) this.#announce(room, news);
  }

  #signedOut(user: User): void {
    const person = this.#people.get(user.id);
    person?.forgetWaiting();
    for (const connection of person?.connections ?? []) connection.close(CLOSE.signedOut);
  }

  #renamed(before: User, after: User): void {
    const person = this.#people.get(after.id);
    if (!person || before.name === after.name) return;
    person.user = after;
    for (const room of new Set([...person.connections].map((connection) => connection.room))) {
      for (const frame of room.presence.renamed(before, after)) this.#announce(room, frame);
    }
  }
}

/** A committed event answers for itself: it comes back with its cid. */
function answer(connection: Connection, outcome: Outcome, cid: string | undefined): void {
  if (outcome.kind === 'refused') connection.refuse(outcome.problem, cid);
  else if (outcome.kind === 'repeated' && cid !== undefined)
    connection.send({ type: 'ack', cid, id: outcome.event.id });
}
