/**
 * The connected users and their rooms. Commands go from here to the sequencer. Their results come back through `deliver`,
 * right after the commit and before anything else runs, and go to the rooms.
 */
import type { RawData, WebSocket } from 'ws';
import { type Command, type Result, toCommand } from '../chat/types.js';
import type { Limits } from '../config.js';
import type { Reply } from '../sequencer/sequencer.js';
import { newSalt } from '../session.js';
import type { ResumePosition } from '../shared/parse.js';
import {
  CLOSE,
  type HelloFrame,
  LIMITS,
  type PostCommand,
  type RoomEvent,
  type User,
} from '../shared/protocol.js';
import { Broadcaster } from './broadcaster.js';
import {
  type Connection,
  type ConnectionOptions,
  type ReplayConnection,
  WebSocketConnection,
} from './connection.js';
import { Frames } from './frames.js';
import { Heartbeat } from './heartbeat.js';
import { Peers } from './peers.js';
import { PollConnection, RoomPolls, StreamConnection, type StreamOptions } from './readers.js';
import { type EventSource, ReplayQueue, Room, type Subscriber } from './room.js';
import { Scheduler } from './scheduler.js';
import { messageCost, sustainedBucket, Throttler, type TokenBucket } from './throttle.js';
import { MembershipTracker, type UnreadDeps } from './unread.js';
import { ConnectedUser } from './user.js';
import { type ListFrame, WorkerPresence } from './worker-presence.js';

export interface HubDeps extends Pick<UnreadDeps, 'countUnread'> {
  readonly log: EventSource;
  readonly epoch: string;
  readonly limits: Limits;
  /** Milliseconds since 1970, for the times of messages. */
  readonly now: () => number;
  readonly submit: (command: Command, reply?: Reply) => void;
  /** Submits a message of a socket, in a worker. `address`: the network that it came from. */
  readonly post?: ((command: Command, reply: Reply, address: string | undefined) => void) | undefined;
  /** Called after this process has disconnected a user for flooding. */
  readonly onFlood?: ((user: User) => void) | undefined;
  /** Updates the user's last-seen time if it is outdated. */
  readonly onSeen: (user: User) => void;
  /** Returns the committed name of a user. */
  readonly nameOf?: (id: string) => string | undefined;
  /** Sends a text to the other processes of this chat, which `hub.peers` receives. Undefined when there are none. */
  readonly publish?: ((text: string) => void) | undefined;
  /** Whether the primary counts the people of this process, which is a worker. */
  readonly isWorker?: boolean;
  /** Whether the log has other nodes, so that one of them may have shown what this one lacks. */
  readonly hasNodes?: boolean;
}

/** Milliseconds of each turn for making members of everyone who was in the room at its first message. */
const enterBudgetMs = 2;

/** How long a client waits for a number that another process has shown it. */
export const behindTimeoutMs = 5000;

/** An open socket keeps its owner's name at least this often. */
const seenCycleSeconds = 600;
/** Visits that are noted each second: some milliseconds of applying. */
const maxSeenPerSecond = 500;

export class Hub {
  /** Every connection by its WebSocket or response; a PollConnection by itself. */
  readonly connections = new Map<object, Connection>();
  /** Events delivered since the start. */
  eventCount = 0;
  readonly scheduler = new Scheduler();
  readonly broadcaster = new Broadcaster(this.scheduler);
  readonly memberships: MembershipTracker;
  readonly heartbeat: Heartbeat;
  /** The other processes of this chat. */
  readonly peers: Peers | WorkerPresence | undefined;
  readonly #deps: HubDeps;
  readonly #rooms = new Map<string, Room>();
  readonly #users = new Map<string, ConnectedUser>();
  readonly #polls = new Map<Room, RoomPolls>();
  /** Users without a socket. */
  readonly #idle = new Set<ConnectedUser>();
  /** What each address has posted lately. */
  readonly #addressBuckets = new Map<string, TokenBucket>();
  #seenCursor = this.#users.values();
  /** Users who connected, and whose last-seen time is not updated yet. `enter` stores it for a new user. */
  readonly #seenQueue = new Set<ConnectedUser>();
  readonly #throttler = new Throttler(this.scheduler);
  /** Sockets over their limit that have sent something in this iteration of the event loop. */
  readonly #pausedForTurn = new Set<WebSocketConnection>();
  readonly #replays = new ReplayQueue(this.scheduler);
  /** Those who wait for a number of a room, by room. */
  readonly #waiting = new Map<string, Set<Waiter>>();

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.heartbeat = new Heartbeat(this.connections, deps.limits.pingSeconds);
    this.memberships = new MembershipTracker({ ...deps, scheduler: this.scheduler });
    this.peers = deps.publish && this.#createPeers(deps.publish);
  }

  #createPeers(publish: (text: string) => void): Peers | WorkerPresence {
    const deps = {
      publish,
      local: () => this.#localUsers(),
      enter: (room: string, profile: User) => this.#enterRemote(room, profile),
      leave: (room: string, user: ConnectedUser, atOnce: boolean) => this.#leaveRemote(room, user, atOnce),
      typing: (room: string, profile: User) => this.#typingRemote(room, profile),
      settle: (room: string, list: ListFrame | undefined) => this.#settlePresence(room, list),
    };
    return this.#deps.isWorker ? new WorkerPresence(deps) : new Peers(deps);
  }

  get epoch(): string {
    return this.#deps.epoch;
  }

  get userCount(): number {
    return this.#users.size;
  }

  get roomCount(): number {
    return this.#rooms.size;
  }

  /** Returns the one object of this user, new or known from other sockets. */
  user(profile: User): ConnectedUser {
    const known = this.#users.get(profile.id);
    if (known) return known;
    const user = new ConnectedUser(profile, this.#deps.limits);
    this.#users.set(profile.id, user);
    this.#idle.add(user);
    return user;
  }

  /** Closes the sockets of a user whom another process has disconnected for flooding. */
  disconnect(id: string): void {
    this.#users.get(id)?.disconnect();
  }

  /** Returns how many users are in a room. */
  presenceCount(name: string): number {
    const room = this.#rooms.get(name);
    if (room) return room.presence.count;
    return this.peers instanceof WorkerPresence ? (this.peers.count(name) ?? 0) : 0;
  }

  /** True when the room has messages; false also when the log cannot be read. */
  roomExists(name: string): boolean {
    try {
      return this.#deps.log.last(name) > 0;
    } catch {
      return false;
    }
  }

  /** Extends the sockets whose cookie was renewed. Sockets of other devices have other cookies, which expire on their own. */
  renewSession(id: string, expiredAt: number, expiresAt: number): void {
    for (const connection of this.#users.get(id)?.connections ?? [])
      if (connection.sessionExpiresAt === expiredAt) connection.sessionExpiresAt = expiresAt;
  }

  /** Resolves when the memberships of this user so far are committed. */
  flushMemberships(profile: User): Promise<void> {
    return new Promise((resolve) => this.memberships.flush(this.user(profile), resolve));
  }

  open(options: ConnectionOptions, roomName: string, resume: ResumePosition): WebSocketConnection {
    const { sendBuffer } = this.#deps.limits;
    const pingSlot = this.heartbeat.assignPingSlot('websocket');
    const connection = new WebSocketConnection(options, this.#room(roomName), sendBuffer, pingSlot);
    this.#add(options.ws, connection);
    this.#replay(connection, resume);
    return connection;
  }

  /** `key` stands for the stream in `connections`. */
  openStream(key: object, options: StreamOptions, roomName: string, resume: ResumePosition): void {
    const { sendBuffer } = this.#deps.limits;
    const pingSlot = this.heartbeat.assignPingSlot('sse');
    const connection = new StreamConnection(options, this.#room(roomName), sendBuffer, pingSlot);
    this.#add(key, connection);
    this.#replay(connection, resume);
  }

  openPoll(user: ConnectedUser, roomName: string, onClosed: () => void = ignore): PollConnection {
    const room = this.#room(roomName);
    const polls = this.#polls.get(room) ?? new RoomPolls(room);
    const poll = new PollConnection(user, polls, (closed) => {
      this.close(closed);
      onClosed();
    });
    this.#add(poll, poll);
    polls.add(poll);
    this.#polls.set(room, polls);
    return poll;
  }

  #removePoll(poll: PollConnection): void {
    const polls = this.#polls.get(poll.room);
    polls?.remove(poll);
    if (polls?.isEmpty) this.#polls.delete(poll.room);
  }

  #add(key: object, connection: Connection): void {
    const { user, room } = connection;
    if (this.peers && !hasConnectionIn(user, room)) this.peers.joined(room.name, user.profile);
    this.connections.set(key, connection);
    user.addConnection(connection);
    this.#seenQueue.add(user);
    this.#idle.delete(user);
    this.memberships.onEnter(user, room.name);
    const join = room.presence.enter(user);
    if (join) this.#broadcast(room, join);
  }

  receive(connection: WebSocketConnection, data: RawData, binary: boolean): void {
    const bytes = Buffer.isBuffer(data) ? data.length : 0;
    this.#runOrQueue(connection, bytes, () => this.#process(connection, data, binary, bytes));
  }

  socket(ws: WebSocket): WebSocketConnection | undefined {
    const connection = this.connections.get(ws);
    return connection instanceof WebSocketConnection ? connection : undefined;
  }

  /** Answers a ping frame. */
  ping(connection: WebSocketConnection, payload: Buffer): void {
    this.#runOrQueue(connection, payload.length, () => connection.pong(payload));
  }

  /** Counts a pong: a peer may send any number of them without a ping. */
  pong(connection: WebSocketConnection, payload: Buffer): void {
    this.#runOrQueue(connection, payload.length, ignore);
  }

  /** Takes tokens for a message that does not come over a socket. Returns false when the user or address is over the limit. */
  takeMessageTokens(profile: User, text: string, address?: string): boolean {
    const { throttle } = this.user(profile);
    return throttle.takeMessageTokens(performance.now(), messageCost(text), this.#addressBucket(address));
  }

  #addressBucket(address: string | undefined): TokenBucket | undefined {
    if (address === undefined) return undefined;
    const known = this.#addressBuckets.get(address);
    if (known) return known;
    const bucket = sustainedBucket('address', this.#deps.limits);
    this.#addressBuckets.set(address, bucket);
    return bucket;
  }

  /** The peer of a connection is gone. */
  close(key: object): void {
    const connection = this.connections.get(key);
    if (!connection) return;
    connection.markClosed();
    this.connections.delete(key);
    if (connection instanceof PollConnection) this.#removePoll(connection);
    const { user } = connection;
    const now = performance.now();
    user.removeConnection(connection, now);
    if (user.isAway) this.#idle.add(user);
    if (this.peers && !hasConnectionIn(user, connection.room))
      this.peers.left(connection.room.name, user.profile, connection.leavesAtOnce);
    this.#leave(connection, now);
    this.memberships.onLeave(user);
  }

  /** Call it after each commit, with the results of its batch. */
  deliver(results: readonly Result[]): void {
    // first, so that new followers are notified of the messages of this batch
    for (const result of results)
      if (result.kind === 'entered')
        this.memberships.onEntered(this.#users.get(result.user.id), result.rooms);
    for (const result of results) {
      if (result.kind === 'accepted') this.#publish(result);
      else if (result.kind === 'read') this.#sendReadMark(result);
      else if (result.kind === 'expired') this.#rooms.get(result.room)?.clearCache();
      else if (result.kind === 'signed-out') this.#closeAll(result.user, CLOSE.signedOut);
      else if (result.kind === 'signed-in') {
        if (result.before) this.#rename(result.before, result.user);
        if (result.displaced) this.#closeAll(result.displaced, CLOSE.notSignedIn);
      }
    }
    this.broadcaster.run();
    this.memberships.notifier.run();
  }

  /** Sends delayed `left` frames and the counts of large rooms, and drops idle users and polls. */
  everySecond(): void {
    const now = performance.now();
    for (const room of this.#rooms.values())
      for (const update of room.presence.takeUpdates(now)) this.#broadcast(room, update);
    for (const polls of this.#polls.values()) polls.closeGone(now);
    for (const user of this.#idle) this.#forget(user, now);
    for (const [address, bucket] of this.#addressBuckets)
      if (bucket.isFull(now)) this.#addressBuckets.delete(address);
    this.peers?.everySecond(now);
    this.memberships.everySecond();
    this.#noteConnected();
  }

  /** Closes every socket, because the log is another one now. */
  onNewEpoch(): void {
    for (const room of this.#rooms.values()) room.clearCache(); // frames of a stream name the epoch
    for (const connection of this.connections.values()) connection.close(CLOSE.newEpoch);
  }

  /**
   * Calls back with true when the room has an event with this number, which another process has shown already; with false
   * after 5 s.
   */
  waitFor(room: string, id: number, done: (reached: boolean) => void): void {
    const waiters = this.#waiting.get(room) ?? new Set();
    const settle = (reached: boolean): void => {
      clearTimeout(timer);
      waiters.delete(waiter);
      if (waiters.size === 0) this.#waiting.delete(room);
      done(reached);
    };
    const timer = setTimeout(() => settle(false), behindTimeoutMs);
    const waiter: Waiter = { id, settle };
    waiters.add(waiter);
    this.#waiting.set(room, waiters);
  }

  /** Whether a client knows more of this log than this process has delivered. It happens only beside other processes. */
  isBehind(name: string, { after, epoch }: Pick<ResumePosition, 'after' | 'epoch'>): boolean {
    if (!this.peers || after === undefined || epoch !== this.#deps.epoch) return false;
    const stored = this.#deps.log.last(name);
    const delivered = this.#rooms.get(name)?.last ?? stored;
    return after > delivered && (this.#deps.hasNodes === true || after <= stored);
  }

  /**
   * Updates the last-seen times of those who connected, and of each connected user within `seenCycleSeconds`. Together once a
   * second, because a commit for each few of thousands who reconnect would hold the others up.
   */
  #noteConnected(): void {
    let left = maxSeenPerSecond;
    for (const user of this.#seenQueue) {
      if (left-- === 0) break;
      if (this.memberships.hasPending(user)) continue;
      this.#seenQueue.delete(user);
      this.#deps.onSeen(user.profile);
    }
    for (let n = Math.ceil(this.#users.size / seenCycleSeconds); n > 0; n--) {
      const { done, value: user } = this.#seenCursor.next();
      if (done) this.#seenCursor = this.#users.values();
      else if (user.connectionCount > 0 && !this.memberships.hasPending(user))
        this.#deps.onSeen(user.profile);
    }
  }

  stop(): void {
    this.peers?.bye();
    for (const waiters of this.#waiting.values()) for (const { settle } of waiters) settle(false);
    this.broadcaster.stop();
    this.#throttler.stop();
    this.memberships.stop();
  }

  /** Forgets a user whose limits are unused; others are kept, so that a reconnect does not refill them. */
  #forget(user: ConnectedUser, now: number): void {
    if (this.memberships.hasPending(user) || !user.isIdle(now)) return;
    this.#users.delete(user.profile.id);
    this.#idle.delete(user);
  }

  #room(name: string): Room {
    const known = this.#rooms.get(name);
    if (known) return known;
    const room = new Room(name, this.#deps.log, this.#deps.isWorker);
    this.#rooms.set(name, room);
    return room;
  }

  /** Sends `hello`, the events since the client's position, and the list of users. */
  #replay(connection: ReplayConnection, resume: ResumePosition): void {
    const { room, user } = connection;
    const { after, epoch, history } = resume;
    if (this.isBehind(room.name, resume)) {
      this.waitFor(room.name, after ?? 0, (reached) => {
        if (reached) this.#replay(connection, resume);
        else connection.close(CLOSE.behind);
      });
      return;
    }
    const { last } = room;
    const complete =
      (epoch === undefined || epoch === this.#deps.epoch) && (after === undefined || after <= last);
    const from = complete && after !== undefined ? after : Math.max(0, last - history);
    const hello: HelloFrame = {
      type: 'hello',
      room: room.name,
      epoch: this.#deps.epoch,
      last,
      user: user.profile,
      complete,
    };
    this.#replays.start(connection, from, Frames.encode(hello, from), () => room.presence.encodedList());
  }

  /** Processes a frame within the user's limit, or queues it. */
  #runOrQueue(connection: WebSocketConnection, bytes: number, process: () => void): void {
    const { throttle } = connection.user;
    const now = performance.now();
    connection.markAlive();
    if (!connection.open) connection.discardInput();
    else if (throttle.takeFrameToken(now)) process();
    else {
      throttle.queueFrame(bytes, process);
      this.#throttleUser(connection, now);
    }
  }

  #process(connection: WebSocketConnection, data: RawData, binary: boolean, bytes: number): void {
    const command = connection.receive(data, binary);
    if (command?.type === 'typing') this.#onTyping(connection, performance.now());
    else if (command) this.#postOrQueue(connection, command, bytes);
  }

  /** `now` is performance.now(). */
  #onTyping(connection: WebSocketConnection, now: number): void {
    const { room, user } = connection;
    const sinceLastMs = now - (connection.typedAt ?? Number.NEGATIVE_INFINITY);
    if (isLarge(room) || sinceLastMs < typingIntervalMs) return;
    connection.typedAt = now;
    broadcastTyping(room, user);
    this.peers?.typing(room.name, user.profile);
  }

  #postOrQueue(connection: WebSocketConnection, command: PostCommand, bytes: number): void {
    const { throttle } = connection.user;
    const now = performance.now();
    const cost = messageCost('data' in command ? command.data : '');
    const address = this.#addressBucket(connection.address);
    if (throttle.takeMessageTokens(now, cost, address)) this.#post(connection, command);
    else {
      throttle.queueMessage(bytes, cost, () => this.#post(connection, command), address);
      this.#throttleUser(connection, now);
    }
  }

  /** Call it when something of this user was queued. */
  #throttleUser(connection: WebSocketConnection, now: number): void {
    const { user } = connection;
    if (user.throttle.isOverLimit) {
      user.disconnect();
      this.#deps.onFlood?.(user.profile);
    } else if (user.throttle.shouldPause(now)) this.#pause(connection);
    else this.#pauseForTurn(connection);
    this.#throttler.add(user);
  }

  #pause(connection: WebSocketConnection): void {
    this.#pausedForTurn.delete(connection);
    connection.pause();
  }

  /** Reads no more of this socket in this turn: Node would read up to 2 MiB of it before it comes to the others. */
  #pauseForTurn(connection: WebSocketConnection): void {
    if (!connection.open) return;
    if (this.#pausedForTurn.size === 0) setImmediate(this.#resumePaused);
    this.#pausedForTurn.add(connection);
    connection.pause();
  }

  readonly #resumePaused = (): void => {
    for (const connection of this.#pausedForTurn) connection.resume();
    this.#pausedForTurn.clear();
  };

  #post(connection: WebSocketConnection, command: PostCommand): void {
    const { room, user } = connection;
    const origin = { at: this.#deps.now(), salt: newSalt() };
    const event = toCommand(command, room.name, user.profile, origin);
    const { submit, post, limits } = this.#deps;
    if (!post) {
      submit(event, (result) => reply(connection, result, command.cid));
      return;
    }
    const onAnswer = limits.messageRate > 0 ? user.throttle.awaitAnswer() : ignore;
    const onResult = (result: Result): void => {
      onAnswer();
      reply(connection, result, command.cid);
    };
    post(event, onResult, connection.address);
  }

  #publish({ room: name, event, messageCount, mentioned: ids }: Extract<Result, { kind: 'accepted' }>): void {
    this.eventCount++;
    const room = this.#rooms.get(name);
    if (room) this.#publishTo(room, event);
    if (this.#waiting.size > 0)
      for (const { id, settle } of this.#waiting.get(name) ?? []) if (id <= event.id) settle(true);
    const author = this.#users.get(event.user.id);
    if (author && event.type === 'chat') this.memberships.onMember(author, name);
    const mentioned = ids.flatMap((id) => this.#users.get(id) ?? []);
    this.memberships.notifier.onEvent({ room: name, event, messageCount, author, mentioned });
    if (room && event.id === 1) this.#enterAll(room);
  }

  /** An event that does not follow the last one is read from the log. When that fails, clients reconnect and resume. */
  #publishTo(room: Room, event: RoomEvent): void {
    try {
      room.publish(event);
    } catch {
      for (const connection of this.connections.values())
        if (connection.room === room) connection.close(CLOSE.serverError);
    }
    this.broadcaster.add(room);
  }

  /** People already in the room when its first message arrives become members. */
  #enterAll(room: Room): void {
    const people = room.presence.people()[Symbol.iterator]();
    this.scheduler.runSliced(() => {
      const { done, value: user } = people.next();
      if (!done && user.connectionCount > 0) this.memberships.onEnter(user, room.name);
      return !done;
    }, enterBudgetMs);
  }

  /** Sends the mark to all sockets of the user in any room, because their other devices show it too. */
  #sendReadMark({ room, user: profile, mark }: Extract<Result, { kind: 'read' }>): void {
    const user = this.#users.get(profile.id);
    if (!user) return;
    if (mark.last > 0) this.memberships.onMember(user, room);
    if (!mark.advanced) return;
    this.memberships.notifier.invalidate(room, user);
    const { last, read, unread, mentions } = mark;
    const frames = Frames.encode({ type: 'room', room, last, read, unread, mentions });
    for (const connection of user.connections) connection.write(frames);
  }

  #broadcast(room: Room, frame: Parameters<Room['broadcast']>[0]): void {
    room.broadcast(frame);
    this.broadcaster.add(room);
    this.broadcaster.run();
  }

  #leave(connection: Connection, now: number): void {
    connection.room.unsubscribe(connection);
    this.#leavePresence(connection.room, connection.user, now, connection.leavesAtOnce);
  }

  #leavePresence(room: Room, user: ConnectedUser, now: number, atOnce: boolean): void {
    const left = room.presence.leave(user, now, atOnce);
    if (room.presence.isEmpty) this.#rooms.delete(room.name);
    else if (left) this.#broadcast(room, left);
  }

  *#localUsers(): Generator<readonly [room: string, users: Iterable<User>]> {
    const rooms = new Map<string, Map<string, User>>();
    for (const { room, user } of this.connections.values()) {
      const users = rooms.get(room.name) ?? new Map<string, User>();
      rooms.set(room.name, users.set(user.profile.id, user.profile));
    }
    for (const [room, users] of rooms) yield [room, users.values()];
  }

  /** A user came into a room of another process. */
  #enterRemote(name: string, profile: User): ConnectedUser {
    const [room, user] = [this.#room(name), this.#remoteUser(profile)];
    user.enterRemoteRoom();
    this.#idle.delete(user);
    const join = room.presence.enter(user);
    if (join) this.#broadcast(room, join);
    return user;
  }

  #leaveRemote(name: string, user: ConnectedUser, atOnce: boolean): void {
    const now = performance.now();
    user.leaveRemoteRoom(now);
    if (user.isAway) this.#idle.add(user);
    const room = this.#rooms.get(name);
    if (room) this.#leavePresence(room, user, now, atOnce);
  }

  /** Another process may have told an older name than the one that this process has applied. */
  #remoteUser({ id, name }: User): ConnectedUser {
    return this.#users.get(id) ?? this.user({ id, name: this.#deps.nameOf?.(id) ?? name });
  }

  #settlePresence(name: string, list: ListFrame | undefined): void {
    const room = this.#rooms.get(name);
    const frame = room?.presence.settle(list);
    if (room && frame) this.#broadcast(room, frame);
  }

  #typingRemote(name: string, profile: User): void {
    const room = this.#rooms.get(name);
    if (room && !isLarge(room)) broadcastTyping(room, this.#remoteUser(profile));
  }

  #closeAll(profile: User, reason: (typeof CLOSE)[keyof typeof CLOSE]): void {
    const user = this.#users.get(profile.id);
    user?.clearQueue();
    for (const connection of user?.connections ?? []) {
      connection.leavesAtOnce = true;
      connection.close(reason);
    }
  }

  /** Notifies every room that lists the user, also during the leave delay, because they may return without a frame. */
  #rename(before: User, after: User): void {
    const user = this.#users.get(after.id);
    if (!user || before.name === after.name) return;
    user.profile = after;
    for (const room of this.#rooms.values()) {
      if (!room.presence.has(user)) continue;
      for (const frame of room.presence.renamed(before, after)) this.#broadcast(room, frame);
    }
  }
}

/** Answers a command that became no event. An event is its own answer: it comes back with its cid. */
function reply(connection: WebSocketConnection, result: Result, cid: string | undefined): void {
  if (result.kind === 'rejected') connection.sendError(result.problem, cid);
  else if (result.kind === 'duplicate' && cid !== undefined)
    connection.send({ type: 'ack', cid, id: result.event.id });
}

/** Milliseconds between two typing frames of one connection that are passed on. */
const typingIntervalMs = 1000;

/** Sends a typing frame to the others in a room. */
function broadcastTyping(room: Room, user: ConnectedUser): void {
  const own = new Set<Subscriber>(user.connections);
  const frames = Frames.encode({ type: 'typing', user: user.profile });
  for (const subscriber of room.subscribers) if (!own.has(subscriber)) subscriber.write(frames);
}

/** Whether the room gets no typing frames. */
function isLarge({ presence }: Room): boolean {
  return presence.count > LIMITS.listedUsers;
}

function ignore(): void {}

function hasConnectionIn(user: ConnectedUser, room: Room): boolean {
  for (const connection of user.connections) if (connection.room === room) return true;
  return false;
}

interface Waiter {
  readonly id: number;
  readonly settle: (reached: boolean) => void;
}
