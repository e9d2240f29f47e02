/**
 * The client for programs: the server's /client.js, and `oneport/client` of this package. It needs nothing but what
 * browsers and Node 20 have.
 *
 *   const room = connect('https://chat.example.org/r/lobby');
 *   await room.signIn('Robot');
 *   const number = await room.say('Hello');
 *   for await (const event of room) …
 */
import type { HelloFrame, PostCommand, Problem, RoomEvent, ServerFrame, User } from '../shared/protocol.js';
import { observable, systemClock } from './clock.js';
import { Connection, type ConnectionState, type TransportMemory } from './connection.js';
import { ConnectionSubmitter, newCid, noStore, Outbox, type OutboxStore, sendLoop } from './outbox.js';
import { httpReaders } from './readers.js';
import {
  type Endpoint,
  type Frame,
  jsonPost,
  openLink,
  type Position,
  parseProblem,
  readJson,
  type SocketLike,
  type TransportName,
  transportsOf,
} from './transport.js';

export type {
  ChangeEvent,
  ChatEvent,
  HelloFrame,
  Problem,
  RoomEvent,
  ServerFrame,
  User,
} from '../shared/protocol.js';
export type { ConnectionState, TransportMemory } from './connection.js';
export type { NewCommand, OutboxStore, StoredMessage, UnsavedMessage } from './outbox.js';
export type { Position, SocketLike, TransportName } from './transport.js';

/** The class of browsers and of Node 22, or of the package `ws`. */
export type SocketClass = new (url: string, ...options: never[]) => SocketLike;

export interface ConnectOptions {
  /** The address of the room's page, `https://chat.example.org/r/lobby`, or of the server, with `room`. */
  readonly url: string | URL;
  readonly room?: string;
  /** Begins after this number. Without it, events begin with the last `history` (0 to 500, default 50). */
  readonly after?: number;
  /** The log that `after` belongs to, from `position`. */
  readonly epoch?: string;
  readonly history?: number;
  /** From `cookie` of another client, or kept by `onCookie`. Browsers have their own. */
  readonly cookie?: string;
  /** Keeps messages until the server has stored them; default: as long as the program runs. */
  readonly store?: OutboxStore;
  /** Default: WebSocket where there is one, then server-sent events by fetch, then long polling. */
  readonly transports?: readonly TransportName[];
  /** Remembers which transport got through. */
  readonly memory?: TransportMemory;
  /** For Node 20, which has none: that of the package `ws`. */
  readonly WebSocket?: SocketClass;
  readonly fetch?: typeof fetch;
  readonly onState?: (state: ConnectionState) => void;
  /** Every frame of the server, also those without a number. */
  readonly onFrame?: (frame: ServerFrame) => void;
  /** The cookie is new or renewed. It signs in as the user, so keep it like a password. */
  readonly onCookie?: (cookie: string) => void;
}

export interface SayOptions {
  /** The number of the message that this one replies to. */
  readonly reply?: number;
  /** An own id: the server stores it once, however often it is sent. */
  readonly cid?: string;
}

/** A refusal by its `code` in docs/protocol.md; `closed` when the connection has ended for another reason. */
export class OneportError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Does not connect before it is used. */
export function connect(target: string | URL | ConnectOptions): RoomClient {
  return new RoomClient(typeof target === 'string' || target instanceof URL ? { url: target } : target);
}

interface Waiting {
  readonly resolve: (id: number) => void;
  readonly reject: (error: unknown) => void;
}

const defaultHistory = 50;
/** Events that wait for the reader. Later ones are read from the server again, when the reader comes to them. */
const maxQueuedEvents = 1000;

export class RoomClient implements AsyncIterable<RoomEvent> {
  readonly #options: ConnectOptions;
  readonly #endpoint: Endpoint;
  readonly #connection: Connection;
  readonly #submitter: ConnectionSubmitter;
  readonly #cookies = new Map<string, string>();
  readonly #stop = new AbortController();
  readonly #waiting = new Map<string, Waiting>();
  #isStarted = false;
  #hello: HelloFrame | undefined;
  #outbox: Outbox | undefined;
  #position: Position | undefined;
  #queue: RoomEvent[] = [];
  /** The queue was full, so it lacks what came later. */
  #isBehind = false;
  #wakes: (() => void)[] = [];

  constructor(options: ConnectOptions) {
    this.#options = options;
    const { after, epoch, cookie = '' } = options;
    for (const pair of cookie.split('; ')) this.#keepCookie(pair);
    if (after !== undefined) this.#position = { after, epoch };
    this.#endpoint = this.#createEndpoint();
    this.#connection = this.#createConnection();
    this.#submitter = new ConnectionSubmitter(this.#connection, systemClock);
    this.#connection.state.subscribe((state) => this.#onState(state));
  }

  get state(): ConnectionState {
    return this.#connection.state.value;
  }

  /** The newest number that the reader has or that waits for them. Give it to `connect` to resume there. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** As a browser would send it; empty in browsers, whose cookies no script can read. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** Takes a name, or renames who is signed in. @throws OneportError `name_taken`, `bad_name`, `too_many` */
  async signIn(name: string): Promise<User> {
    const response = await this.fetch('signin', jsonPost({ name }));
    const { id, name: taken, error } = await readJson(response);
    if (!response.ok) {
      const { code = 'closed', message = `status ${response.status}` } = parseProblem(error) ?? {};
      throw new OneportError(code, message);
    }
    if (this.state.state === 'ended') this.#connection.connect();
    return { id: String(id), name: String(taken) };
  }

  /** Resolves with what the server said first, once the connection is live. @throws OneportError */
  async ready(): Promise<HelloFrame> {
    return this.#until(() => (this.state.state === 'live' ? this.#hello : undefined));
  }

  /** Resolves with the number of the message, once it is on the server's disk. @throws OneportError */
  say(text: string, { reply, cid }: SayOptions = {}): Promise<number> {
    return this.#submit({ type: 'chat', data: text, ...(reply !== undefined && { reply }) }, cid);
  }
  edit(target: number, text: string): Promise<number> {
    return this.#submit({ type: 'edit', target, data: text });
  }
  delete(target: number): Promise<number> {
    return this.#submit({ type: 'delete', target });
  }
  react(target: number, emoji: string): Promise<number> {
    return this.#submit({ type: 'react', target, data: emoji });
  }
  unreact(target: number, emoji: string): Promise<number> {
    return this.#submit({ type: 'unreact', target, data: emoji });
  }

  /** Tells the others that the user is typing, where the transport can. */
  typing(): void {
    this.#connection.send({ type: 'typing' });
  }

  /** Requests a path of the server as the user: `fetch('api/rooms')`. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const { cookie } = this;
    if (cookie) headers.set('cookie', cookie);
    const { fetch: request = fetch } = this.#options;
    const url = new URL(path, this.#endpoint.base);
    const fixed = { credentials: 'include', redirect: 'error', cache: 'no-store' } as const;
    const response = await request(url, { ...fixed, ...init, headers });
    for (const line of response.headers.getSetCookie?.() ?? []) this.#keepCookie(line.split(';')[0] ?? '');
    if (this.cookie !== cookie) this.#options.onCookie?.(this.cookie);
    return response;
  }

  /** Ends it. What was not stored yet is rejected, but stays in the store. */
  close(): void {
    this.#isStarted = true;
    this.#stop.abort();
    this.#connection.stop();
  }

  /** The events of the room in their order, without a gap or a repeat. For one reader. @throws OneportError */
  async *[Symbol.asyncIterator](): AsyncGenerator<RoomEvent, void> {
    this.#start();
    for (;;) {
      const event = this.#queue.shift();
      if (event) yield event;
      else if (this.#stop.signal.aborted) return;
      else if (this.state.state === 'ended') throw this.#endError();
      else if (this.#isBehind) this.#catchUp();
      else await this.#next();
    }
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#connection.connect();
  }

  /** Resolves once there is a value. Connects for it. @throws OneportError when the connection ends before */
  async #until<T>(get: () => T | undefined): Promise<T> {
    this.#start();
    for (;;) {
      if (this.state.state === 'ended') throw this.#endError();
      const value = get();
      if (value !== undefined) return value;
      await this.#next();
    }
  }

  /** Resolves when an event has come or the state has changed. */
  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakes.push(resolve);
    });
  }
  #notify(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** The first hello tells whose outbox it is. */
  async #submit(command: PostCommand, cid = newCid()): Promise<number> {
    let outbox: Outbox;
    do outbox = await this.#until(() => (this.#isPending(cid) ? undefined : this.#outbox));
    while (this.#isPending(cid));
    return new Promise((resolve, reject) => {
      this.#waiting.set(cid, { resolve, reject });
      outbox.add(command, cid).catch((error) => this.#take(cid)?.reject(error));
    });
  }

  /** A repeated cid waits, so that the server answers it: with the same number, or with `cid_conflict`. */
  #isPending(cid: string): boolean {
    const messages = this.#outbox?.messages.value ?? [];
    return this.#waiting.has(cid) || messages.some((message) => message.cid === cid && !message.problem);
  }

  #onFrame(frame: Frame): void {
    const { type, cid, id } = frame;
    // Frames of our server have the shapes of protocol.ts.
    const served = frame as unknown as ServerFrame;
    if (served.type === 'hello') this.#onHello(served);
    else if (type === 'error' && typeof cid === 'string') this.#onError(cid, parseProblem(frame['data']));
    else if (type === 'ack' && typeof cid === 'string') this.#onStored(cid, Number(id));
    else if (typeof id === 'number') this.#onEvent(frame as unknown as RoomEvent);
    this.#options.onFrame?.(served);
    this.#notify();
  }

  #onHello(hello: HelloFrame): void {
    const { epoch, last, complete, user } = hello;
    const isFirst = this.#hello === undefined;
    this.#hello = hello;
    const { history = defaultHistory } = this.#options;
    const after = complete && this.#position ? this.#position.after : Math.max(0, last - history);
    this.#position = { epoch, after };
    if (isFirst) void this.#startSending(user);
  }

  #onEvent(event: RoomEvent): void {
    if (event.cid !== undefined && event.user.id === this.#hello?.user.id)
      this.#onStored(event.cid, event.id);
    this.#isBehind ||= this.#queue.length >= maxQueuedEvents;
    if (this.#isBehind) return;
    this.#queue.push(event);
    this.#position = { ...this.#position, after: event.id };
  }

  #take(cid: string): Waiting | undefined {
    const waiting = this.#waiting.get(cid);
    this.#waiting.delete(cid);
    return waiting;
  }

  #onStored(cid: string, id: number): void {
    this.#take(cid)?.resolve(id);
    void this.#outbox?.settle(cid);
    this.#submitter.onAnswer(cid, { kind: 'settled' });
  }

  #onError(cid: string, problem: Problem | undefined): void {
    if (problem) this.#submitter.onAnswer(cid, { kind: 'error', problem });
  }

  async #startSending(user: User): Promise<void> {
    const { store = noStore() } = this.#options;
    const of = { user: user.id, room: this.#endpoint.room };
    const outbox = new Outbox(store, of, systemClock, observable([]));
    await outbox.load();
    this.#outbox = outbox;
    this.#notify();
    const onRefused = ({ cid }: { readonly cid: string }, problem: Problem) => this.#onRefused(cid, problem);
    const [clock, random, submitter] = [systemClock, Math.random, this.#submitter];
    await sendLoop({ outbox, submitter, clock, random, onRefused }, this.#stop.signal);
  }

  /** A message of an earlier run stays in the store, with its problem. */
  async #onRefused(cid: string, problem: Problem): Promise<void> {
    const waiting = this.#take(cid);
    await (waiting ? this.#outbox?.settle(cid) : this.#outbox?.refuse(cid, problem));
    waiting?.reject(new OneportError(problem.code, problem.message));
    this.#notify();
  }

  #onState(state: ConnectionState): void {
    if (state.state === 'ended') {
      for (const { reject } of this.#waiting.values()) reject(this.#endError());
      this.#waiting.clear();
    }
    this.#options.onState?.(state);
    this.#notify();
  }

  #endError(): OneportError {
    const end: { readonly state: string; readonly code?: number; readonly reason?: string } = this.state;
    const { code = 0, reason } = end;
    return new OneportError(endCodes[code] ?? 'closed', `ended: ${reason} (${code})`);
  }

  #catchUp(): void {
    this.#isBehind = false;
    this.#connection.connect();
  }

  #createConnection(): Connection {
    const possible = transportsOf(this.#endpoint);
    const { transports = possible, memory = shortMemory() } = this.#options;
    return new Connection({
      transports: transports.filter((name) => possible.includes(name)),
      open: (name, events) => openLink(name, this.#endpoint, events),
      memory,
      clock: systemClock,
      random: Math.random,
      observable,
      position: () => this.#position,
      onFrame: (frame) => this.#onFrame(frame),
      onClosed: () => this.#submitter.onConnectionLost(),
    });
  }

  #createEndpoint(): Endpoint {
    const { history = defaultHistory, WebSocket = globalWebSocket() } = this.#options;
    return {
      ...parseAddress(this.#options),
      history,
      fetch: (path, init) => this.fetch(path, init),
      readers: httpReaders,
      openSocket: WebSocket && ((url, protocols) => openSocket(WebSocket, url.href, protocols, this.cookie)),
    };
  }

  #keepCookie(pair: string): void {
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    if (value === '') this.#cookies.delete(name);
    else this.#cookies.set(name, value);
  }
}

const endCodes: Readonly<Record<number, string>> = {
  4000: 'invalid_room',
  4001: 'not_signed_in',
  4002: 'signed_out',
};

function shortMemory(): TransportMemory {
  let last: TransportName | undefined;
  return {
    get: () => last,
    set: (name) => {
      last = name;
    },
  };
}

/** @throws TypeError when the address names no room */
function parseAddress({ url, room }: ConnectOptions): Pick<Endpoint, 'base' | 'room'> {
  const { origin, pathname } = new URL(url);
  const [, below = pathname, named] = /^(.*\/)r\/([^/]+)\/?$/.exec(pathname) ?? [];
  const name = room ?? (named && decodeURIComponent(named));
  if (!name) throw new TypeError(`no /r/ROOM in ${url}`);
  return { base: new URL(below.endsWith('/') ? below : `${below}/`, origin), room: name };
}

function globalWebSocket(): SocketClass | undefined {
  const found: unknown = Reflect.get(globalThis, 'WebSocket');
  // The types of Node 20 do not know it.
  return typeof found === 'function' ? (found as SocketClass) : undefined;
}

/** Browsers send their cookies themselves. Node's class takes headers in an object, `ws` as a third parameter. */
function openSocket(Class: SocketClass, url: string, protocols: string, cookie: string): SocketLike {
  // All of these classes take these parameters.
  const Socket = Class as new (url: string, ...options: readonly (string | object)[]) => SocketLike;
  if (cookie === '') return new Socket(url, protocols);
  const headers = { cookie };
  return Class === globalWebSocket()
    ? new Socket(url, { protocols, headers })
    : new Socket(url, protocols, { headers });
}
