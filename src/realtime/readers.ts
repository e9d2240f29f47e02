/**
 * Readers over plain HTTP. A stream is a response that does not end: frames as `text/event-stream` or as lines of JSON. A
 * poll is a request that waits for the next event; its reader stays present for a while after it.
 *
 * A stream writes to the socket itself, and its end is the end of the connection. In chunks, a frame would be three writes
 * instead of one Buffer that all readers of a format share.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '../config.js';
import { addressOf, networkOf } from '../origin.js';
import type { Session } from '../session.js';
import type { ResumePosition } from '../shared/parse.js';
import { CLOSE, type User } from '../shared/protocol.js';
import type { Telemetry } from '../telemetry.js';
import type { CloseReason, Connection, ReplayConnection } from './connection.js';
import type { Frames } from './frames.js';
import type { Hub } from './hub.js';
import type { Room, Subscriber } from './room.js';
import {
  type AddressCounts,
  type ConnectionCounter,
  type ConnectionRefusal,
  releaseOnClose,
} from './upgrade.js';
import type { ConnectedUser } from './user.js';

/** A stream ends after this time, so that a reader that lost its network is noticed. Readers resume at once. */
const streamLifeMs = 60_000;
/** Part of the life that is random, so that readers that came at once do not return at once. */
const streamLifeSpreadMs = 5_000;
/** How long a reader counts as present after a poll. */
const pollPresenceMs = 40_000;

export type StreamFormat = 'sse' | 'ndjson';

export interface StreamOptions {
  readonly socket: Socket;
  readonly format: StreamFormat;
  readonly encoding: StreamEncoding;
  readonly user: ConnectedUser;
  /** Milliseconds since 1970. */
  readonly sessionExpiresAt: number;
  readonly endsAt: number;
}

/** How a format spells what the server sends. */
interface StreamEncoding {
  readonly start: string;
  readonly ping: string;
  bytesOf(frames: Frames): Buffer;
  closing(reason: CloseReason): string;
}

const ndjson: StreamEncoding = {
  start: '',
  ping: '\n',
  bytesOf: (frames) => frames.lines,
  closing: ([code, reason]) => `${JSON.stringify({ type: 'close', code, reason })}\n`,
};

/** `retry`: milliseconds until an EventSource comes back. */
function sse(epoch: () => string): StreamEncoding {
  return {
    start: 'retry: 1000\n\n',
    ping: ':\n\n',
    bytesOf: (frames) => frames.eventStream(epoch()),
    closing: ([code, reason]) => `event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`,
  };
}

export class StreamConnection implements ReplayConnection {
  readonly user: ConnectedUser;
  readonly room: Room;
  readonly transport: StreamFormat;
  readonly pingSlot: number;
  readonly endsAt: number;
  sessionExpiresAt: number;
  firstBatch = 0;
  leavesAtOnce = false;
  /** The code with which we ended it, or 1006 when we cut it. */
  closeCode: number | undefined;
  readonly #socket: Socket;
  readonly #sendBuffer: number;
  readonly #encoding: StreamEncoding;
  #isOpen = true;

  /** `sendBuffer` and `pingSlot`: see WebSocketConnection. */
  constructor(options: StreamOptions, room: Room, sendBuffer: number, pingSlot: number) {
    this.user = options.user;
    this.room = room;
    this.transport = options.format;
    this.sessionExpiresAt = options.sessionExpiresAt;
    this.endsAt = options.endsAt;
    this.pingSlot = pingSlot;
    this.#socket = options.socket;
    this.#sendBuffer = sendBuffer;
    this.#encoding = options.encoding;
    this.#socket.write(this.#encoding.start);
  }

  write(frames: Frames): void {
    this.#write(this.#encoding.bytesOf(frames));
  }

  /** Cuts a reader that is over its limit: it comes back and resumes at its number. */
  #write(bytes: Buffer | string): void {
    if (!this.#isOpen) return;
    this.#socket.write(bytes);
    if (this.#sendBuffer > 0 && this.#socket.writableLength > this.#sendBuffer) this.terminate();
  }

  writePage(page: Frames): boolean {
    return !this.#isOpen || this.#socket.write(this.#encoding.bytesOf(page));
  }

  onDrain(next: () => void): void {
    this.#socket.once('drain', next);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get open(): boolean {
    return this.#isOpen;
  }

  /** Writes an empty line or comment, so that no proxy takes the stream for dead. */
  ping(): void {
    this.#write(this.#encoding.ping);
  }

  /** Does nothing: a stream sends no commands. */
  resume(): void {}

  /** Ends the stream with the reason. A reader that does not take it is cut by the timeout of the HTTP server. */
  close(reason: CloseReason): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.closeCode = reason[0];
    this.#socket.write(this.#encoding.closing(reason));
    this.#socket.destroySoon();
  }

  closeFlood(reason: CloseReason): void {
    this.close(reason);
  }

  terminate(): void {
    this.#isOpen = false;
    this.closeCode ??= 1006;
    this.#socket.destroy();
  }

  markClosed(): void {
    this.#isOpen = false;
  }
}

/** The polls of a user in a room. It stays open until the user has not polled for a while. */
export class PollConnection implements Connection {
  readonly user: ConnectedUser;
  readonly room: Room;
  readonly transport = 'poll';
  readonly pingSlot = 0;
  readonly endsAt = Number.POSITIVE_INFINITY;
  readonly bufferedBytes = 0;
  sessionExpiresAt = 0;
  firstBatch = 0;
  leavesAtOnce = true;
  /** When the user is gone unless they poll again, as performance.now(). */
  goneAt = 0;
  /** Whether it was closed because the session of the user is over. */
  isSignedOut = false;
  readonly #polls: RoomPolls;
  readonly #onClose: (connection: PollConnection) => void;
  /** What ends each wait, with the number that its client has. */
  readonly #waiting = new Map<() => void, number>();
  #isOpen = true;

  constructor(user: ConnectedUser, polls: RoomPolls, onClose: (connection: PollConnection) => void) {
    this.user = user;
    this.room = polls.room;
    this.#polls = polls;
    this.#onClose = onClose;
  }

  get open(): boolean {
    return this.#isOpen;
  }

  /** The number of the newest event of the room. */
  get last(): number {
    return this.room.last;
  }

  /** Returns whether an answer has to wait, although the room has an event for it. */
  delaysAnswer(): boolean {
    return this.#polls.delaysAnswer();
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Calls `done` once: when the room has an event after `after`, when the time is over, or when the connection closes. Returns
   * a function that does it at once.
   */
  wait(after: number, ms: number, done: () => void): () => void {
    const finish = (): void => {
      if (!this.#waiting.delete(finish)) return;
      clearTimeout(timer);
      this.noteUse();
      done();
    };
    const timer = setTimeout(finish, ms);
    this.#waiting.set(finish, after);
    this.noteUse();
    return finish;
  }

  /** The user stays present from now on for a while. */
  noteUse(): void {
    const isWaiting = this.#waiting.size > 0;
    this.goneAt = isWaiting ? Number.POSITIVE_INFINITY : performance.now() + pollPresenceMs;
  }

  /** Does nothing: its room's RoomPolls tells it of events. */
  write(): void {}

  /** Answers the polls that lack an event. */
  answer(): void {
    for (const [finish, after] of this.#waiting) if (after < this.room.last) finish();
  }

  ping(): void {}

  resume(): void {}

  /** Answers what waits. */
  close([code]: CloseReason): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.isSignedOut = code === CLOSE.notSignedIn[0] || code === CLOSE.signedOut[0];
    for (const finish of this.#waiting.keys()) finish();
    this.#onClose(this);
  }

  closeFlood(reason: CloseReason): void {
    this.close(reason);
  }

  terminate(): void {
    this.close(CLOSE.streamOver);
  }

  markClosed(): void {
    this.#isOpen = false;
  }
}

/**
 * The polls of all users in a room. An answer and the next poll of its client cost some hundred times as much as a write to a
 * socket. So after an answer to many, the next events wait for each other.
 */
export class RoomPolls implements Subscriber {
  firstBatch = 0;
  readonly room: Room;
  readonly #polls = new Set<PollConnection>();
  /** When the next answer may begin, as performance.now(). */
  #nextAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(room: Room) {
    this.room = room;
  }

  get isEmpty(): boolean {
    return this.#polls.size === 0;
  }

  add(poll: PollConnection): void {
    if (this.isEmpty) this.room.subscribe(this);
    this.#polls.add(poll);
  }

  remove(poll: PollConnection): void {
    this.#polls.delete(poll);
    if (!this.isEmpty) return;
    clearTimeout(this.#timer);
    this.room.unsubscribe(this);
  }

  /** Closes the polls of users who stopped polling. `now` is performance.now(). */
  closeGone(now: number): void {
    for (const poll of this.#polls) if (poll.goneAt <= now) poll.terminate();
  }

  write(): void {
    if (!this.delaysAnswer()) this.#answer();
  }

  /** Returns whether an answer has to wait. Then one to all polls follows. */
  delaysAnswer(): boolean {
    const delay = this.#nextAt - performance.now();
    if (delay > 0) this.#timer ??= setTimeout(() => this.#answer(), delay);
    return delay > 0;
  }

  #answer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#nextAt = performance.now() + Math.min(this.#polls.size * answerDelay.msPerPoll, answerDelay.maxMs);
    for (const poll of this.#polls) poll.answer();
  }
}

const answerDelay = { msPerPoll: 1, maxMs: 1000 } as const;

function toReaderRefusal(refusal: ConnectionRefusal | null): ReaderRefusal | undefined {
  if (refusal === null) return undefined;
  return refusal === 'rate' ? 'too_fast' : 'too_many_connections';
}

/** Why a reader is refused; the codes of docs/protocol.md. */
type ReaderRefusal = 'stopping' | 'too_many_connections' | 'too_fast';

interface StreamRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly session: Session;
  readonly room: string;
  readonly format: StreamFormat;
  readonly resume: ResumePosition;
}

interface ReaderHandlerDeps {
  readonly config: Config;
  readonly hub: Hub;
  readonly telemetry: Telemetry;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The sockets and streams of each address. */
  readonly addresses: AddressCounts;
  /** Counts the connections of all processes; undefined: this one counts its own. */
  readonly counter: ConnectionCounter | undefined;
  /** Whether the server is stopping. */
  readonly isDraining: () => boolean;
  readonly onError: (error: unknown) => void;
}

export class ReaderHandler {
  readonly #deps: ReaderHandlerDeps;
  readonly #encodings: Readonly<Record<StreamFormat, StreamEncoding>>;

  constructor(deps: ReaderHandlerDeps) {
    this.#deps = deps;
    this.#encodings = { ndjson, sse: sse(() => deps.hub.epoch) };
  }

  /** Calls back with why this user may not open a stream now. Counts the attempt. */
  refusal(request: IncomingMessage, profile: User, done: (refusal: ReaderRefusal | undefined) => void): void {
    const { config, isDraining, counter } = this.#deps;
    if (isDraining() || !counter) {
      done(isDraining() ? 'stopping' : this.#ownRefusal(request, profile));
      return;
    }
    const isLimited = config.limits.connectionsPerAddress > 0;
    const owner = { user: profile.id, ...(isLimited ? { address: this.#networkOf(request) } : {}) };
    counter.open(owner, (refusal) => {
      if (refusal === null && request.method === 'HEAD') counter.close(owner);
      else if (refusal === null) releaseOnClose(counter, owner, request.socket);
      done(toReaderRefusal(refusal));
    });
  }

  #ownRefusal(request: IncomingMessage, profile: User): ReaderRefusal | undefined {
    const { config, hub, addresses } = this.#deps;
    const { connectionsPerAddress: limit } = config.limits;
    if (limit > 0 && addresses.count(this.#networkOf(request)) >= limit) return 'too_many_connections';
    return toReaderRefusal(hub.user(profile).refuseConnection(performance.now()));
  }

  /** Turns a response, whose headers are set, into a stream. Call it when `refusal` returned undefined. */
  openStream({ request, response, session, room, format, resume }: StreamRequest): void {
    const { hub, addresses, now, onError } = this.#deps;
    const { socket } = request;
    if (socket.destroyed) return; // its client has gone
    const encoding = this.#encodings[format];
    socket.cork(); // sends the head and the first frames in one write
    response.removeHeader('Transfer-Encoding');
    response.setHeader('Connection', 'close');
    response.flushHeaders();
    socket.once('close', () => this.#onClose(response));
    addresses.add(response, this.#networkOf(request));
    try {
      const endsAt = now() + streamLifeMs - Math.random() * streamLifeSpreadMs;
      const { user, expiresAt: sessionExpiresAt } = session;
      const options = { socket, format, encoding, user: hub.user(user), sessionExpiresAt, endsAt };
      hub.openStream(response, options, room, resume);
    } catch (error) {
      onError(error); // the database cannot be read
      socket.end(encoding.closing(CLOSE.serverError));
    }
    socket.uncork();
  }

  /** Calls back with the polls of this user in the room, who counts as present, or with why they are refused. */
  poll(
    { user, expiresAt }: Session,
    room: string,
    done: (poll: PollConnection | ReaderRefusal) => void,
  ): void {
    if (this.#deps.isDraining()) {
      done('stopping');
      return;
    }
    this.#findPoll(this.#deps.hub.user(user), room, (poll) => {
      if (typeof poll !== 'string') {
        poll.sessionExpiresAt = expiresAt;
        poll.noteUse();
      }
      done(poll);
    });
  }

  #findPoll(
    user: ConnectedUser,
    room: string,
    done: (poll: PollConnection | 'too_many_connections') => void,
  ): void {
    const known = pollsOf(user).find((poll) => poll.room.name === room);
    const limit = this.#deps.config.limits.connectionsPerPerson;
    if (known) done(limit > 0 && known.waitingCount >= limit ? 'too_many_connections' : known);
    else if (this.#deps.counter) this.#openCounted(this.#deps.counter, user, room, done);
    else {
      if (!user.isBelowConnectionLimit) leaveIdleRoom(user);
      done(user.isBelowConnectionLimit ? this.#deps.hub.openPoll(user, room) : 'too_many_connections');
    }
  }

  /** Another poll may have opened the room meanwhile. */
  #openCounted(
    counter: ConnectionCounter,
    user: ConnectedUser,
    room: string,
    done: (poll: PollConnection | 'too_many_connections') => void,
  ): void {
    const owner = { user: user.profile.id, isPoll: true };
    const onAnswer = (refusal: ConnectionRefusal | null): void => {
      if (refusal !== null) {
        done('too_many_connections');
        return;
      }
      const known = pollsOf(user).find((poll) => poll.room.name === room);
      if (known) counter.close(owner);
      done(known ?? this.#deps.hub.openPoll(user, room, () => counter.close(owner)));
    };
    counter.open(owner, (refusal) => {
      if (refusal !== null && leaveIdleRoom(user)) counter.open(owner, onAnswer);
      else onAnswer(refusal);
    });
  }

  #networkOf(request: IncomingMessage): string {
    return networkOf(addressOf(request, this.#deps.config.trustedProxies));
  }

  #onClose(response: ServerResponse): void {
    const { hub, addresses, telemetry } = this.#deps;
    const connection = hub.connections.get(response);
    const closeCode = connection instanceof StreamConnection ? connection.closeCode : undefined;
    telemetry.closed(closeCode ?? 1005);
    addresses.remove(response);
    hub.close(response);
  }
}

function pollsOf({ connections }: ConnectedUser): PollConnection[] {
  return [...connections].filter((connection) => connection instanceof PollConnection);
}

/**
 * Makes place for a poll in another room, because a user may change rooms faster than they stop to be present. Returns whether
 * there was one to leave.
 */
function leaveIdleRoom(user: ConnectedUser): boolean {
  const idle = pollsOf(user).find(({ waitingCount }) => waitingCount === 0);
  idle?.terminate();
  return idle !== undefined;
}
