/**
 * Who is connected, and in which room. Commands go from here to the sequencer; what became of them comes back through
 * `deliver`, right after the commit and before anything else runs, and goes to the rooms.
 */
import type { RawData, WebSocket } from 'ws';
import { type Command, type Result, toCommand } from '../chat/types.js';
import type { Limits } from '../config.js';
import type { Reply } from '../sequencer/sequencer.js';
import { CLOSE, type HelloFrame, LIMITS, type PostCommand, type User } from '../shared/protocol.js';
import { Broadcaster } from './broadcaster.js';
import { Connection, type ConnectionOptions, textFrame } from './connection.js';
import { Heartbeat } from './heartbeat.js';
import { type EventSource, Room, replay, type Subscriber } from './room.js';
import { ThrottleQueue } from './throttle.js';
import { MembershipTracker, type MembershipTrackerDeps } from './unread.js';
import { ConnectedUser } from './user.js';

export interface HubDeps extends Pick<MembershipTrackerDeps, 'roomsOf'> {
  readonly log: EventSource;
  readonly epoch: string;
  readonly limits: Limits;
  /** milliseconds since 1970, for the times of messages */
  readonly now: () => number;
  readonly submit: (command: Command, reply?: Reply) => void;
}

/** From where a socket wants to read. */
export interface ResumePosition {
  readonly after: number | undefined;
  readonly epoch: string | undefined;
  readonly history: number;
}

export class Hub {
  readonly connections = new Map<WebSocket, Connection>();
  /** numbered events delivered since the start */
  eventCount = 0;
  readonly broadcaster = new Broadcaster();
  readonly memberships: MembershipTracker;
  readonly heartbeat = new Heartbeat();
  readonly #deps: HubDeps;
  readonly #rooms = new Map<string, Room>();
  readonly #users = new Map<string, ConnectedUser>();
  /** those of them without a socket */
  readonly #idle = new Set<ConnectedUser>();
  readonly #throttle = new ThrottleQueue();

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.memberships = new MembershipTracker(deps);
  }

  get userCount(): number {
    return this.#users.size;
  }

  get roomCount(): number {
    return this.#rooms.size;
  }

  /** The person with this id, known from other sockets or new. */
  user(user: User): ConnectedUser {
    const known = this.#users.get(user.id);
    if (known) return known;
    const person = new ConnectedUser(user, this.#deps.limits);
    this.#users.set(user.id, person);
    this.#idle.add(person);
    return person;
  }

  /** How many people are in a room now. */
  presenceCount(room: string): number {
    return this.#rooms.get(room)?.presence.count ?? 0;
  }

  /** Resolves when it is written down where this person has been until now. */
  flushMemberships(user: User): Promise<void> {
    return new Promise((resolve) => this.memberships.flush(this.user(user), resolve));
  }

  mayConnect(person: ConnectedUser): boolean {
    const most = this.#deps.limits.connectionsPerPerson;
    return most === 0 || person.connectionCount < most;
  }

  open(opening: ConnectionOptions, roomName: string, place: ResumePosition): Connection {
    const room = this.#room(roomName);
    const connection = new Connection(opening, room, this.#deps.limits.sendBuffer);
    this.connections.set(opening.ws, connection);
    this.heartbeat.add(connection);
    connection.person.addConnection(connection);
    this.#idle.delete(connection.person);
    this.memberships.onEnter(connection.person, room);
    const news = room.presence.enter(connection.person);
    if (news) this.#broadcast(room, news);
    this.#sendHello(connection, place);
    return connection;
  }

  receive(ws: WebSocket, data: RawData, binary: boolean): void {
    const connection = this.connections.get(ws);
    const asked = connection?.receive(data, binary);
    if (!connection || !asked) return;
    if (asked.type === 'typing') broadcastTyping(connection, performance.now());
    else this.#throttleOrPost(connection, asked, Buffer.isBuffer(data) ? data.length : 0);
  }

  close(ws: WebSocket): void {
    const connection = this.connections.get(ws);
    if (!connection) return;
    connection.markClosed();
    this.connections.delete(ws);
    this.heartbeat.remove(connection);
    const { person } = connection;
    person.removeConnection(connection);
    if (person.connectionCount === 0) this.#idle.add(person);
    this.#leave(connection);
    this.memberships.onLeave(person);
    if (person.connectionCount === 0) this.#forget(person);
  }

  /** After every commit, with all that came of its beat. */
  deliver(results: readonly Result[]): void {
    for (const result of results) {
      if (result.kind === 'accepted') this.#publish(result);
      else if (result.kind === 'read') this.#read(result);
      else if (result.kind === 'signed-out') this.#signedOut(result.user);
      else if (result.kind === 'signed-in' && result.before) this.#renamed(result.before, result.user);
    }
    this.broadcaster.run();
  }

  /**
   * Once a second: the counts of large rooms. And people without sockets, who are kept until their budget is whole again:
   * reconnecting does not refill it.
   */
  everySecond(): void {
    for (const room of this.#rooms.values()) {
      const count = room.presence.takeUpdate();
      if (count) this.#broadcast(room, count);
    }
    for (const person of this.#idle) this.#forget(person);
  }

  stop(): void {
    this.broadcaster.stop();
    this.#throttle.stop();
    this.memberships.stop();
  }

  #forget(person: ConnectedUser): void {
    if (person.queuedPosts > 0 || this.memberships.hasPending(person) || !person.isIdle(performance.now()))
      return;
    this.#users.delete(person.user.id);
    this.#idle.delete(person);
  }

  #room(name: string): Room {
    const known = this.#rooms.get(name);
    if (known) return known;
    const room = new Room(name, this.#deps.log);
    this.#rooms.set(name, room);
    return room;
  }

  #sendHello(connection: Connection, { after, epoch, history }: ResumePosition): void {
    const { room, person } = connection;
    const { last } = room;
    const complete =
      (epoch === undefined || epoch === this.#deps.epoch) && (after === undefined || after <= last);
    const from = complete && after !== undefined ? after : Math.max(0, last - history);
    const hello: HelloFrame = {
      type: 'hello',
      room: room.name,
      epoch: this.#deps.epoch,
      last,
      user: person.user,
      complete,
    };
    replay(connection, from, textFrame(hello), () => room.presence.encodedList());
  }

  #throttleOrPost(connection: Connection, posting: PostCommand, bytes: number): void {
    const { person } = connection;
    const now = performance.now();
    if (person.mayPost(now)) {
      this.#post(connection, posting);
      return;
    }
    person.enqueue({ bytes, post: () => this.#post(connection, posting) });
    if (person.isOverLimit) person.disconnect();
    else if (person.shouldPause(now)) connection.pause();
    this.#throttle.add(person);
  }

  #post(connection: Connection, posting: PostCommand): void {
    const { room, person } = connection;
    const command = toCommand(posting, room.name, person.user, this.#deps.now());
    this.#deps.submit(command, (result) => reply(connection, result, posting.cid));
  }

  #publish({ room: name, event }: Extract<Result, { kind: 'accepted' }>): void {
    this.eventCount++;
    const room = this.#rooms.get(name);
    room?.publish(event);
    if (room) this.broadcaster.add(room);
    const visited = room ?? { name, last: event.id };
    this.memberships.onMessage(this.#users.get(event.user.id), visited);
    // who sat there in silence has been there from its first word on
    if (event.id === 1)
      for (const person of room?.presence.people() ?? []) this.memberships.onEnter(person, visited);
  }

  /** To all sockets of this person, wherever they are: their other devices move too. */
  #read({ room, user, mark: { last, read, advanced: moved } }: Extract<Result, { kind: 'read' }>): void {
    if (!moved) return;
    const bytes = textFrame({ type: 'room', room, last, read });
    for (const connection of this.#users.get(user.id)?.connections ?? []) connection.write(bytes);
  }

  #broadcast(room: Room, frame: Parameters<Room['broadcast']>[0]): void {
    room.broadcast(frame);
    this.broadcaster.add(room);
    this.broadcaster.run();
  }

  #leave(connection: Connection): void {
    const { room } = connection;
    room.unsubscribe(connection);
    const news = room.presence.leave(connection.person);
    if (room.presence.count === 0) this.#rooms.delete(room.name);
    else if (news) this.#broadcast(room, news);
  }

  #signedOut(user: User): void {
    const person = this.#users.get(user.id);
    person?.clearQueue();
    for (const connection of person?.connections ?? []) connection.close(CLOSE.signedOut);
  }

  #renamed(before: User, after: User): void {
    const person = this.#users.get(after.id);
    if (!person || before.name === after.name) return;
    person.user = after;
    for (const room of new Set([...person.connections].map((connection) => connection.room))) {
      for (const frame of room.presence.renamed(before, after)) this.#broadcast(room, frame);
    }
  }
}

/** A committed event answers for itself: it comes back with its cid. */
function reply(connection: Connection, result: Result, cid: string | undefined): void {
  if (result.kind === 'rejected') connection.sendError(result.problem, cid);
  else if (result.kind === 'duplicate' && cid !== undefined)
    connection.send({ type: 'ack', cid, id: result.event.id });
}

/** Somebody types: told to the others in the room, never kept. In a large room nobody would look, so nobody is told. */

/** Milliseconds between two of one connection. */
const typingIntervalMs = 1000;

/** `now` in milliseconds, from a clock that does not go back. */
export function broadcastTyping(connection: Connection, now: number): void {
  const { room, person } = connection;
  if (
    room.presence.count > LIMITS.listedUsers ||
    now - (connection.typedAt ?? Number.NEGATIVE_INFINITY) < typingIntervalMs
  )
    return;
  connection.typedAt = now;
  const own = new Set<Subscriber>(person.connections);
  const bytes = textFrame({ type: 'typing', user: person.user });
  for (const member of room.subscribers) if (!own.has(member)) member.write(bytes);
}
