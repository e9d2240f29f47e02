/**
 * The clients of a run. A `Writer` sends commands over a socket and over HTTP until each is answered. A `Subscriber` is
 * a socket that reconnects at its last number. A `LateReader` replays recent events again and again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { field, isObject } from '../shared/parse.js';
import { JSON_SUBPROTOCOL, mayReconnect, type PostCommand, type RoomEvent } from '../shared/protocol.js';
import { type ErrorBody, parseError, parseEvent, parseFrame, type ServerFrame } from './frames.js';
import { nextCommand, type Random, randomInt } from './generator.js';
import { type History, View } from './history.js';

const ROOM = 'proof';
const REQUEST_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 5_000;

type Range = readonly [min: number, max: number];

/** Milliseconds until a lost connection is tried again. */
const RECONNECT_DELAY_MS: Range = [5, 60];

/** Whether a POST was accepted, may succeed when sent again, or was rejected for good. */
export type PostResult =
  | { readonly kind: 'accepted'; readonly event: RoomEvent }
  | { readonly kind: 'retry' }
  | { readonly kind: 'rejected'; readonly error: ErrorBody };

/** A signed-in person on the server's HTTP side. */
export class HttpClient {
  readonly port: number;
  readonly userId: string;
  readonly cookie: string;

  constructor(port: number, userId: string, cookie: string) {
    this.port = port;
    this.userId = userId;
    this.cookie = cookie;
  }

  /** `abort` cuts the connection, however far the server is with the request. */
  async post(command: PostCommand, abort: AbortSignal): Promise<PostResult> {
    try {
      const response = await this.#fetch(`/api/rooms/${ROOM}/messages`, {
        method: 'POST',
        body: JSON.stringify(command),
        signal: AbortSignal.any([abort, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      });
      const body: unknown = await response.json();
      if (response.status === 200 || response.status === 201)
        return { kind: 'accepted', event: parseEvent(body) };
      if (response.status === 503 || response.status === 429) return { kind: 'retry' };
      return { kind: 'rejected', error: parseError(isObject(body) ? field(body, 'error') : undefined) };
    } catch {
      return { kind: 'retry' }; // cut, or the server is down: the command may have been accepted or not
    }
  }

  /** Reads the whole log, page by page. */
  async *log(): AsyncGenerator<RoomEvent> {
    for (let after = 0; ; ) {
      const events = await this.#page(`after=${after}`);
      yield* events;
      const last = events.at(-1);
      if (!last) return;
      after = last.id;
    }
  }

  /** Reads the whole log from its end, the newest event first. */
  async *reverseLog(): AsyncGenerator<RoomEvent> {
    for (let before = ''; ; ) {
      const events = await this.#page(before);
      yield* events.toReversed();
      const [first] = events;
      if (!first) return;
      before = `before=${first.id}`;
    }
  }

  async #page(query: string): Promise<RoomEvent[]> {
    const response = await this.#fetch(`/api/rooms/${ROOM}/messages?limit=500&${query}`, {
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const page: unknown = await response.json();
    const events = isObject(page) ? field(page, 'messages') : undefined;
    return Array.isArray(events) ? events.map(parseEvent) : [];
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = { 'content-type': 'application/json', cookie: this.cookie };
    return fetch(`http://127.0.0.1:${this.port}${path}`, { ...init, headers });
  }
}

export async function signIn(port: number, name: string): Promise<HttpClient> {
  const response = await fetch(`http://127.0.0.1:${port}/signin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  const user: unknown = await response.json();
  const id = isObject(user) ? field(user, 'id') : undefined;
  if (typeof id !== 'string') throw new Error(`${name} cannot sign in: ${JSON.stringify(user)}`);
  const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';')[0]);
  return new HttpClient(port, id, cookies.join('; '));
}

export interface Listener {
  /** Called after each hello: unanswered commands can be sent again. */
  onOpen(): void;
  onFrame(frame: ServerFrame): void;
}

/** A reader of the room: one socket after another, each of which resumes at the last number of the one before. */
export class Subscriber {
  /** number of the newest event received */
  last = 0;
  /** built from all its connections */
  readonly view: View;
  readonly #name: string;
  readonly #http: HttpClient;
  readonly #history: History;
  readonly #random: Random;
  readonly #listener: Listener;
  #ws: WebSocket | undefined;
  /** logical time at which the current connection was opened */
  #connectedAt = 0;
  #epoch: string | undefined;
  #open = false;
  #ended = false;
  #lostAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string, http: HttpClient, history: History, random: Random, listener: Listener) {
    this.#name = name;
    this.#http = http;
    this.#history = history;
    this.#random = random;
    this.#listener = listener;
    this.view = new View(history.viewStates, http.userId);
  }

  connect(): void {
    const epoch = this.#epoch === undefined ? '' : `&epoch=${this.#epoch}`;
    const url = `ws://127.0.0.1:${this.#http.port}/ws/${ROOM}?after=${this.last}${epoch}`;
    const ws = new WebSocket(url, JSON_SUBPROTOCOL, {
      headers: { cookie: this.#http.cookie },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#ws = ws;
    this.#connectedAt = this.#history.tick();
    ws.on('error', () => {}); // 'close' follows
    ws.on('message', (data) => {
      if (ws === this.#ws) this.#receive(parseFrame(data.toString()));
    });
    ws.on('close', (code) => {
      if (ws === this.#ws) this.#onClose(code);
    });
  }

  /** Returns false without a connection. The listener sends again once there is one. */
  send(command: object): boolean {
    if (!this.#open) return false;
    this.#ws?.send(JSON.stringify(command));
    return true;
  }

  /** Drops the connection without a close frame, and whatever is unread on it. Reconnects after `delayMs`. */
  disconnect(delayMs: Range = RECONNECT_DELAY_MS): void {
    const ws = this.#ws;
    this.#ws = undefined;
    this.#open = false;
    if (!ws) return; // a reconnection is due already
    this.#history.disconnects++;
    ws.terminate();
    this.#reconnect(delayMs);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#ws?.terminate();
    this.#ws = undefined;
  }

  #onClose(code: number): void {
    if (this.#open && code === 1006) this.#lostAt = performance.now();
    this.#ws = undefined;
    this.#open = false;
    if (mayReconnect(code)) this.#reconnect(RECONNECT_DELAY_MS);
    else this.#history.violate('wrongly rejected', `${this.#name} was closed with ${code}`);
  }

  #reconnect(delayMs: Range): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.connect(), randomInt(this.#random, ...delayMs));
  }

  #receive(frame: ServerFrame): void {
    if (frame.kind === 'hello') this.#onHello(frame);
    else if (frame.kind === 'event') {
      this.#history.observe(this.#name, this.last, frame.event, this.#connectedAt);
      this.view.apply(frame.event);
      this.last = frame.event.id;
    }
    this.#listener.onFrame(frame);
  }

  #onHello({ epoch, last, complete }: Extract<ServerFrame, { kind: 'hello' }>): void {
    if (this.#lostAt !== undefined) this.#history.reconnectTimes.push(performance.now() - this.#lostAt);
    this.#lostAt = undefined;
    if (!complete || (this.#epoch ?? epoch) !== epoch)
      this.#history.violate(
        'lost',
        `${this.#name} has events up to ${this.last}, but the log ends at ${last}`,
      );
    this.#epoch = epoch;
    this.#open = true;
    this.#listener.onOpen();
  }
}

/** Commands that may be unanswered at once. */
const PENDING_MAX = 16;
/** Percentages. Commands: over HTTP, sent twice at once. HTTP requests: aborted. Disconnects: long ones. */
const PERCENT = { http: 40, twice: 8, abort: 10, longDisconnect: 25 } as const;
const DELAY_MS = {
  command: [2, 40],
  disconnect: [150, 2500],
  httpRetry: [5, 60],
  abort: [0, 12],
  longDisconnect: [300, 1500],
} as const satisfies Record<string, Range>;
/** Errors after which a client sends again. */
const RETRY_CODES = ['stopping', 'storage', 'too_fast'];
/** Errors by which the rules reject a change. The checker decides whether they were right. */
const RULE_CODES = ['no_message', 'not_yours', 'deleted', 'already_there', 'not_there', 'too_many_reactions'];

interface PendingCommand {
  readonly command: PostCommand;
  /** number of the newest event observed when it was last sent */
  after: number;
}

/**
 * Sends random commands at random times, over its socket, over HTTP, or both. It sends each again with the same cid until
 * it is answered on the way on which it was sent. Its connection is cut at random.
 */
export class Writer {
  readonly subscriber: Subscriber;
  readonly name: string;
  readonly #http: HttpClient;
  readonly #history: History;
  readonly #random: Random;
  /** unanswered commands on the socket, in order, by cid */
  readonly #pending = new Map<string, PendingCommand>();
  #pendingPosts = 0;
  #sent = 0;
  #commandTimer: NodeJS.Timeout | undefined;
  #disconnectTimer: NodeJS.Timeout | undefined;
  readonly #ended = new AbortController();

  constructor(name: string, http: HttpClient, history: History, random: Random) {
    this.name = name;
    this.#http = http;
    this.#history = history;
    this.#random = random;
    this.subscriber = new Subscriber(name, http, history, random, {
      onOpen: () => this.#resend(),
      onFrame: (frame) => this.#onFrame(frame),
    });
  }

  get pending(): number {
    return this.#pending.size + this.#pendingPosts;
  }

  start(): void {
    this.subscriber.connect();
    this.#scheduleCommands();
    this.#scheduleDisconnects();
  }

  /** Sends no new commands and cuts no connection any more. Unanswered commands are still sent again. */
  quiesce(): void {
    clearTimeout(this.#commandTimer);
    clearTimeout(this.#disconnectTimer);
  }

  end(): void {
    this.quiesce();
    this.#ended.abort();
    this.subscriber.end();
  }

  #scheduleCommands(): void {
    if (this.pending < PENDING_MAX) this.#sendNext();
    const delay = randomInt(this.#random, ...DELAY_MS.command);
    this.#commandTimer = setTimeout(() => this.#scheduleCommands(), delay);
  }

  #scheduleDisconnects(): void {
    const delay = randomInt(this.#random, ...DELAY_MS.disconnect);
    this.#disconnectTimer = setTimeout(() => {
      this.subscriber.disconnect(this.#chance('longDisconnect') ? DELAY_MS.longDisconnect : undefined);
      this.#scheduleDisconnects();
    }, delay);
  }

  #sendNext(): void {
    const cid = `${this.name}-${++this.#sent}`;
    const command = nextCommand(this.subscriber.view, this.#random, cid);
    const [overHttp, twice] = [this.#chance('http'), this.#chance('twice')];
    this.#history.invoke(cid, this.#http.userId, command, overHttp || twice ? undefined : this.#sent);
    if (overHttp || twice) void this.#post(cid, command);
    if (overHttp && twice) void this.#post(cid, command);
    if (overHttp) return;
    const pending = { command, after: 0 };
    this.#pending.set(cid, pending);
    this.#send(pending);
  }

  #send(pending: PendingCommand): void {
    pending.after = this.#history.last;
    this.subscriber.send(pending.command);
  }

  #resend(): void {
    for (const pending of this.#pending.values()) {
      this.#history.resent++;
      this.#send(pending);
    }
  }

  /** Posts over HTTP until there is an answer. */
  async #post(cid: string, command: PostCommand): Promise<void> {
    this.#pendingPosts++;
    for (let tries = 0; !this.#ended.signal.aborted; tries++) {
      if (tries > 0) this.#history.resent++;
      const after = this.#history.last;
      const result = await this.#http.post(command, this.#abortSignal());
      if (result.kind === 'accepted') this.#history.acknowledge(cid, result.event.id);
      else if (result.kind === 'rejected') this.#reject(cid, result.error, after);
      if (result.kind !== 'retry') break;
      await sleep(randomInt(this.#random, ...DELAY_MS.httpRetry));
    }
    this.#pendingPosts--;
  }

  /** Some requests are aborted halfway; the others only when the run ends. */
  #abortSignal(): AbortSignal {
    if (!this.#chance('abort')) return this.#ended.signal;
    return AbortSignal.timeout(randomInt(this.#random, ...DELAY_MS.abort));
  }

  #onFrame(frame: ServerFrame): void {
    if (frame.kind === 'event' && frame.event.user.id === this.#http.userId)
      this.#acknowledge(frame.event.cid, frame.event.id);
    else if (frame.kind === 'ack') this.#acknowledge(frame.cid, frame.id);
    else if (frame.kind === 'error' && RETRY_CODES.includes(frame.error.code))
      this.subscriber.disconnect(); // sends everything again, in order, when it is back
    else if (frame.kind === 'error') {
      const cid = frame.cid ?? '';
      this.#reject(cid, frame.error, this.#pending.get(cid)?.after ?? 0);
      this.#pending.delete(cid);
    }
  }

  #reject(cid: string, { code, message }: ErrorBody, after: number): void {
    if (RULE_CODES.includes(code)) this.#history.reject(cid, code, after);
    else this.#history.violate('wrongly rejected', `${cid}: ${code} ${message}`);
  }

  #acknowledge(cid: string | undefined, id: number): void {
    if (cid === undefined) return;
    this.#history.acknowledge(cid, id);
    this.#pending.delete(cid);
  }

  #chance(what: keyof typeof PERCENT): boolean {
    return this.#random() * 100 < PERCENT[what];
  }
}

/** How many recent events a late reader replays. */
const REPLAY_EVENTS: Range = [1, 80];
/** Milliseconds from the end of a replay to the next one. */
const REPLAY_PAUSE_MS: Range = [10, 100];
/** Ends a replay that has not reached its goal. */
const REPLAY_TIMEOUT_MS = 3_000;

/**
 * Connects again and again, each time at a number some events back, like a client after a sleep. So events whose text
 * was just deleted are replayed all the time, from the server's memory and from the log.
 */
export class LateReader {
  readonly #http: HttpClient;
  readonly #history: History;
  readonly #random: Random;
  #subscriber: Subscriber | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(http: HttpClient, history: History, random: Random) {
    this.#http = http;
    this.#history = history;
    this.#random = random;
  }

  /** Replays until `end` is called. */
  start(): void {
    this.#subscriber?.end();
    const goal = this.#history.last;
    let done = false;
    const onFrame = (): void => {
      if (done || subscriber.last < goal) return;
      done = true;
      this.#restartIn(randomInt(this.#random, ...REPLAY_PAUSE_MS));
    };
    const listener = { onOpen() {}, onFrame };
    const subscriber = new Subscriber('a late reader', this.#http, this.#history, this.#random, listener);
    subscriber.last = Math.max(0, goal - randomInt(this.#random, ...REPLAY_EVENTS));
    subscriber.connect();
    this.#subscriber = subscriber;
    this.#restartIn(REPLAY_TIMEOUT_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#subscriber?.end();
  }

  #restartIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), ms);
  }
}
