/**
 * The clients of a run. An `HttpClient` is a signed-in person on the HTTP side. A `Subscriber` is a connection to one room
 * that reconnects at its last number. A `LateReader` replays recent events repeatedly. A `RoamingReader` changes its
 * transport all the time.
 */
import WebSocket from 'ws';
import { field, isObject } from '../shared/parse.js';
import {
  CLOSE,
  JSON_SUBPROTOCOL,
  LIMITS,
  mayReconnect,
  type PostCommand,
  type RoomEvent,
  type TEXT_SUBPROTOCOL,
  type User,
} from '../shared/protocol.js';
import {
  type ErrorBody,
  type FoundPage,
  type HelloFrame,
  type PresenceFrame,
  parseError,
  parseEvent,
  parseFoundPage,
  parseFrame,
  parseRoomList,
  parseUser,
  parseUsers,
  type RoomEntry,
  type RoomFrame,
  type ServerFrame,
} from './frames.js';
import { pick, type Random, randomInt } from './generator.js';
import { describeUsers, type RoomHistory, View } from './history.js';
import { openHttp, type PlainPage, type Transport, transports } from './transports.js';

const REQUEST_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 5_000;
const GET_TRIES = 3;

export type Range = readonly [min: number, max: number];

/** Milliseconds until a lost connection is tried again. */
const RECONNECT_DELAY_MS: Range = [5, 60];

/** Whether a command was accepted, may succeed when sent again, or was rejected for good. */
export type PostResult =
  | { readonly kind: 'accepted'; readonly event: RoomEvent }
  /** `refused`: the server could not store it; otherwise its outcome is unknown. */
  | { readonly kind: 'retry'; readonly refused: boolean }
  | { readonly kind: 'rejected'; readonly error: ErrorBody };

/** Whether a change of the person was made, may succeed when sent again, or was refused with a status. */
export type ChangeResult = 'done' | 'retry' | number;

/** A request that a sound server answers. */
export class RequestError extends Error {}

interface HttpResponse {
  readonly status: number;
  readonly body: unknown;
  readonly cookies: readonly string[];
  /** how far the server has applied the order; '' when it does not say so */
  readonly position: string;
}

/** The ports of all nodes. A client uses any of them, another one each time. */
export class Addresses {
  readonly ports: readonly number[];
  readonly #random: Random;

  constructor(ports: readonly number[], random: Random) {
    this.ports = ports;
    this.#random = random;
  }

  any(): number {
    return pick(this.ports, this.#random) ?? 0;
  }
}

/** Lower bounds for an entry of a room list. */
interface KnownRoom {
  readonly last: number;
  readonly read: number;
}

export class HttpClient {
  readonly addresses: Addresses;
  readonly userId: string;
  /** The node for changes of the person. Another node might still carry out an earlier try, after a later change. */
  readonly #home: number;
  readonly #known = new Map<string, KnownRoom>();
  #cookie: string;
  #position: string;

  constructor(addresses: Addresses, home: number, userId: string, { cookies, position }: HttpResponse) {
    this.addresses = addresses;
    this.userId = userId;
    this.#home = home;
    this.#cookie = cookies.join('; ');
    this.#position = position;
  }

  get cookie(): string {
    return this.#cookie;
  }

  /** What the answers to this person say of a room. Requests carry the position, so every node knows as much. */
  known(room: string): KnownRoom {
    return this.#known.get(room) ?? { last: 0, read: 0 };
  }

  /** `abort` cuts the connection, however far the server is with the request. */
  async post(room: string, command: PostCommand, abort?: AbortSignal): Promise<PostResult> {
    const response = await this.#send('POST', `/api/rooms/${room}/messages`, command, abort);
    const change = toChangeResult(response);
    if (change === 'retry') return { kind: 'retry', refused: errorOf(response?.body).code === 'storage' };
    if (change !== 'done') return { kind: 'rejected', error: errorOf(response?.body) };
    const event = parseEvent(response?.body);
    this.#learn(room, { last: event.id, read: 0 });
    return { kind: 'accepted', event };
  }

  async rename(name: string): Promise<ChangeResult> {
    const response = await this.#send('POST', '/signin', { name }, undefined, this.#home);
    const result = toChangeResult(response);
    if (result === 'done' && parseUser(response?.body).id !== this.userId) return 409; // it signed in somebody else
    if (result === 'done' && response) this.#cookie = response.cookies.join('; ');
    return result;
  }

  async signOut(): Promise<ChangeResult> {
    return toChangeResult(await this.#send('POST', '/signout', {}, undefined, this.#home));
  }

  /** `min`: the lowest number that the mark may get. */
  async markRead(room: string, id: number, min: number): Promise<ChangeResult> {
    const result = toChangeResult(await this.#send('PUT', `/api/rooms/${room}/read`, { id }));
    if (result === 'done') this.#learn(room, { last: min, read: min });
    return result;
  }

  /** Whether the session is valid; undefined when the server is down or behind. */
  async isSignedIn(): Promise<boolean | undefined> {
    const response = await this.#send('GET', '/api/me');
    return response && response.status !== 503 ? response.status === 200 : undefined;
  }

  /** Resolves with undefined when the server is down. */
  async rooms(port = this.addresses.any()): Promise<RoomEntry[] | undefined> {
    const response = await this.#send('GET', '/api/rooms', undefined, undefined, port);
    return response?.status === 200 ? parseRoomList(response.body) : undefined;
  }

  /** Reads the whole log of a room, page by page. Ends also at a page that does not continue the previous one. */
  async *log(room: string): AsyncGenerator<RoomEvent> {
    for (let after = 0; ; ) {
      const events = await this.#page(room, `after=${after}`);
      yield* events;
      const last = events.at(-1);
      if (!last || !(last.id > after)) return;
      after = last.id;
    }
  }

  /** Reads the whole log of a room from its end, the newest event first. */
  async *reverseLog(room: string): AsyncGenerator<RoomEvent> {
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      const events = await this.#page(room, Number.isFinite(before) ? `before=${before}` : '');
      yield* events.toReversed();
      const [first] = events;
      if (!first || !(first.id < before)) return;
      before = first.id;
    }
  }

  async search(text: string, room: string | undefined, before: number | undefined): Promise<FoundPage> {
    const where = room === undefined ? '' : `&room=${room}`;
    return parseFoundPage(
      await this.#get(`/api/search?q=${encodeURIComponent(text)}${where}${page(before)}`),
    );
  }

  async mentions(before: number | undefined): Promise<FoundPage> {
    return parseFoundPage(await this.#get(`/api/mentions?${page(before)}`));
  }

  /** Returns people whose names start like this. */
  async people(start: string): Promise<User[]> {
    return parseUsers(await this.#get(`/api/people?q=${encodeURIComponent(start)}`), 'people');
  }

  async #page(room: string, query: string): Promise<RoomEvent[]> {
    const body = await this.#get(`/api/rooms/${room}/messages?limit=${LIMITS.pageEvents}&${query}`);
    const events = isObject(body) ? field(body, 'messages') : undefined;
    return Array.isArray(events) ? events.map(parseEvent) : [];
  }

  /** @throws RequestError when there is no answer after several tries, or one other than 200 */
  async #get(path: string): Promise<unknown> {
    let response: HttpResponse | undefined;
    for (let tries = 0; tries < GET_TRIES && !response; tries++) response = await this.#send('GET', path);
    if (response?.status !== 200)
      throw new RequestError(`GET ${path} was answered with ${response?.status ?? 'nothing'}`);
    return response.body;
  }

  #learn(room: string, { last, read }: KnownRoom): void {
    const before = this.known(room);
    this.#known.set(room, { last: Math.max(before.last, last), read: Math.max(before.read, read) });
  }

  async #send(
    method: string,
    path: string,
    body?: unknown,
    abort?: AbortSignal,
    port = this.addresses.any(),
  ): Promise<HttpResponse | undefined> {
    const [cookie, position] = [this.#cookie, this.#position];
    const response = await send(port, method, path, { body, cookie, abort, position });
    if (response && isAfter(response.position, this.#position)) this.#position = response.position;
    return response;
  }
}

/** Compares positions, whose numbers only grow: "1764244800000-3". */
function isAfter(position: string, before: string): boolean {
  const [ms = 0, count = 0] = position.split('-').map(Number);
  const [msBefore = 0, countBefore = 0] = before.split('-').map(Number);
  return ms > msBefore || (ms === msBefore && count > countBefore);
}

function page(before: number | undefined): string {
  return before === undefined ? '&limit=100' : `&limit=100&before=${before}`;
}

function errorOf(body: unknown): ErrorBody {
  return parseError(isObject(body) ? field(body, 'error') : undefined);
}

function toChangeResult(response: HttpResponse | undefined): ChangeResult {
  if (!response || response.status === 503 || response.status === 429) return 'retry';
  return response.status >= 200 && response.status < 300 ? 'done' : response.status;
}

interface RequestOptions {
  readonly body?: unknown;
  readonly cookie?: string;
  readonly abort?: AbortSignal | undefined;
  readonly position?: string;
}

/** Resolves with undefined when the request was cut or the server is down: it may have processed the request or not. */
async function send(
  port: number,
  method: string,
  path: string,
  { body, cookie = '', abort, position = '' }: RequestOptions,
): Promise<HttpResponse | undefined> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        cookie,
        ...(position === '' ? {} : { 'oneport-position': position }),
      },
      signal: abort ? AbortSignal.any([abort, timeout]) : timeout,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0] ?? '');
    const json: unknown = response.status === 204 ? undefined : await response.json();
    const reached = response.headers.get('oneport-position') ?? '';
    return { status: response.status, body: json, cookies, position: reached };
  } catch {
    return undefined;
  }
}

/** Resolves with undefined when there is no answer, and with the status when the name is refused. */
export async function signIn(addresses: Addresses, name: string): Promise<HttpClient | number | undefined> {
  const home = addresses.any();
  const response = await send(home, 'POST', '/signin', { body: { name } });
  const result = toChangeResult(response);
  if (result === 'retry' || !response) return undefined;
  return result === 'done' ? new HttpClient(addresses, home, parseUser(response.body).id, response) : result;
}

/** The users in a room, according to the frames of one connection. */
class Presence {
  readonly #users = new Map<string, User>();
  #count = 0;

  apply(frame: PresenceFrame): void {
    switch (frame.kind) {
      case 'list':
        this.#users.clear();
        for (const user of frame.users) this.#users.set(user.id, user);
        this.#count = frame.count;
        break;
      case 'join':
        this.#users.set(frame.user.id, frame.user);
        this.#count = this.#users.size;
        break;
      case 'left':
        this.#users.delete(frame.user.id);
        this.#count = this.#users.size;
        break;
      case 'count':
        this.#count = frame.count;
    }
  }

  /** Returns everyone, sorted by id. A large room sends only a count. */
  describe(): string {
    return describePresence([...this.#users.values()], this.#count);
  }
}

export function describePresence(users: readonly User[], count: number): string {
  if (count > LIMITS.listedUsers) return `${count} people`;
  return describeUsers(users.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
}

export interface Listener {
  /** Called after each hello: unanswered commands can be sent again. */
  onOpen(): void;
  /** Called when a connection is gone. */
  onLost(): void;
  onFrame(frame: ServerFrame): void;
}

/** A reader of a room: one socket after another, each of which resumes at the last number of the previous one. */
export class Subscriber {
  readonly room: RoomHistory;
  /** number of the newest event received */
  last = 0;
  /** built from all its connections */
  readonly view: View;
  presence = new Presence();
  /** The server closed it because the person signed out. */
  signedOut = false;
  readonly #name: string;
  #http: HttpClient;
  readonly #random: Random;
  readonly #listener: Listener;
  readonly #protocol: typeof JSON_SUBPROTOCOL | typeof TEXT_SUBPROTOCOL;
  #transports: readonly Transport[];
  #transport: Transport = 'websocket';
  #ws: WebSocket | undefined;
  /** Cuts the current connection over HTTP. */
  #cutHttp: (() => void) | undefined;
  /** logical time at which the current connection was opened */
  #connectedAt = 0;
  /** newest event that any reader had received by then */
  #connectedAtEvent = 0;
  /** newest event of the room by the hello of the current connection: the server knew all up to it */
  #helloLast = 0;
  /** newest read marks received on the current connection, by room */
  readonly #readMarks = new Map<string, number>();
  #epoch: string | undefined;
  #open = false;
  #ended = false;
  #signingOut = false;
  #lostAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    name: string,
    room: RoomHistory,
    http: HttpClient,
    random: Random,
    listener: Listener,
    protocol: typeof JSON_SUBPROTOCOL | typeof TEXT_SUBPROTOCOL = JSON_SUBPROTOCOL,
    transports: readonly Transport[] = ['websocket'],
  ) {
    this.#name = name;
    this.room = room;
    this.#http = http;
    this.#random = random;
    this.#listener = listener;
    this.#protocol = protocol;
    this.#transports = transports;
    this.#epoch = room.history.isShared ? room.history.epoch : undefined;
    this.view = new View(room, http.userId);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  connect(): void {
    const [first = 'websocket'] = this.#transports;
    const index = this.#transports.length > 1 ? randomInt(this.#random, 0, this.#transports.length) : 0;
    this.#transport = this.#transports[index] ?? first;
    this.#connectedAt = this.room.history.tick();
    this.#connectedAtEvent = this.room.last;
    this.#readMarks.clear();
    if (this.#transport === 'websocket') this.#connectSocket();
    else this.#connectHttp(this.#transport);
  }

  #connectHttp(transport: Exclude<Transport, 'websocket'>): void {
    const { addresses, cookie } = this.#http;
    const origin = `http://127.0.0.1:${addresses.any()}`;
    const place = { origin, cookie, room: this.room.name, after: this.last, epoch: this.#epoch };
    this.#cutHttp = openHttp(transport, place, {
      onFrame: (json) => this.#receive(parseFrame(json)),
      onPage: (page) => this.#onPlainPage(page),
      onClose: (code) => this.#onClose(code),
    });
  }

  /** The page shows messages without their changes, so the reader stays at its number. */
  #onPlainPage(page: PlainPage): void {
    this.room.plainPages.push({ ...page, known: this.room.history.isShared ? 0 : this.#connectedAtEvent });
    if (this.#open) return;
    this.#open = true;
    this.#listener.onOpen();
  }

  #connectSocket(): void {
    const epoch = this.#epoch === undefined ? '' : `&epoch=${this.#epoch}`;
    const port = this.#http.addresses.any();
    const url = `ws://127.0.0.1:${port}/ws/${this.room.name}?after=${this.last}${epoch}`;
    const ws = new WebSocket(url, this.#protocol, {
      headers: { cookie: this.#http.cookie },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#ws = ws;
    ws.on('error', () => {}); // 'close' follows
    ws.on('message', (data) => {
      if (ws === this.#ws) this.#receive(parseFrame(data.toString()));
    });
    ws.on('close', (code) => {
      if (ws === this.#ws) this.#onClose(code);
    });
  }

  /** Returns false without a connection. The listener sends again once there is one. */
  send(frame: string): boolean {
    if (!this.#open) return false;
    this.#ws?.send(frame);
    return true;
  }

  /** Drops the connection and its unread data, without a close frame. Reconnects after `delayMs`. */
  disconnect(delayMs: Range = RECONNECT_DELAY_MS): void {
    const [ws, cutHttp] = [this.#ws, this.#cutHttp];
    if (!ws && !cutHttp) return; // a reconnection is due already
    this.#drop();
    this.room.history.disconnects++;
    ws?.terminate();
    cutHttp?.();
    this.#reconnect(delayMs);
  }

  /** Uses only transports that bring events from now on. */
  leavePlainPage(): void {
    this.#transports = this.#transports.filter((one) => one !== 'plain');
    if (this.#transport === 'plain') this.disconnect();
  }

  /** Allows the server to close the connection for good, until it belongs to another person. */
  expectSignOut(): void {
    this.#signingOut = true;
  }

  /** Connects again as another person. */
  switchUser(http: HttpClient): void {
    this.#http = http;
    this.#signingOut = false;
    this.signedOut = false;
    this.view.switchUser(http.userId);
    this.connect();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#ws?.terminate();
    this.#cutHttp?.();
    this.#ws = undefined;
    this.#cutHttp = undefined;
  }

  #onClose(code: number): void {
    if (this.#open && code === 1006) this.#lostAt = performance.now();
    this.#drop();
    const isSignedOut = code === CLOSE.signedOut[0] || code === CLOSE.notSignedIn[0];
    if (this.#signingOut && isSignedOut) this.signedOut = true;
    else if (mayReconnect(code)) this.#reconnect(RECONNECT_DELAY_MS);
    else this.room.violate('wrongly rejected', `${this.#name} was closed with ${code}`);
  }

  #drop(): void {
    this.#ws = undefined;
    this.#cutHttp = undefined;
    this.#open = false;
    this.#listener.onLost();
  }

  #reconnect(delayMs: Range): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.connect(), randomInt(this.#random, ...delayMs));
  }

  #receive(frame: ServerFrame): void {
    switch (frame.kind) {
      case 'hello':
        this.#onHello(frame);
        break;
      case 'event':
        this.room.observe(this.#name, this.last, frame.event, this.#helloLast);
        this.view.apply(frame.event);
        this.last = frame.event.id;
        break;
      case 'list':
      case 'join':
      case 'left':
      case 'count':
        this.presence.apply(frame);
        break;
      case 'room':
        this.#onRoomFrame(frame);
    }
    this.#listener.onFrame(frame);
  }

  #onHello({ epoch, last, complete, user }: HelloFrame): void {
    const { history } = this.room;
    if (this.#lostAt !== undefined) history.reconnectTimes.push(performance.now() - this.#lostAt);
    this.#lostAt = undefined;
    if (!complete || (this.#epoch ?? epoch) !== epoch)
      this.room.violate('lost', `${this.#name} has events up to ${this.last}, but the log ends at ${last}`);
    const since = history.isShared ? 0 : this.#connectedAt; // a node may know only an earlier name
    if (user.id !== this.#http.userId || !history.people.mayAct(user, since, history.tick()))
      this.room.violate('inconsistent', `${this.#name} was greeted as ${describeUsers([user])}`);
    this.#epoch = epoch;
    history.epoch ??= epoch;
    this.#helloLast = last;
    this.#open = true;
    this.#listener.onOpen();
  }

  /** Without the read mark, a frame may count from an earlier one. */
  #onRoomFrame({ room, last, read, unread, mentions }: RoomFrame): void {
    if (read === undefined) return;
    this.#onReadMark(room, read, last);
    const { userId } = this.#http;
    this.room.history.rooms.get(room)?.counts.push({ userId, last, read, unread, mentions });
  }

  #onReadMark(room: string, read: number, last: number): void {
    const { history } = this.room;
    const { userId } = this.#http;
    const before = this.#readMarks.get(room) ?? 0;
    const what = `${this.#name} was told of the read mark ${read} in ${room}`;
    if (read < before) this.room.violate('out of order', `${what} after ${before}`);
    if (!(read <= Math.min(last, history.readMarks.max(userId, room))))
      this.room.violate('invalid', `${what}, which is too high`);
    this.#readMarks.set(room, read);
    history.readMarks.confirm(userId, room, read);
  }
}

/** How many recent events a late reader replays. */
const REPLAY_EVENTS: Range = [1, 80];
/** Milliseconds from the end of a replay to the next one. */
const REPLAY_PAUSE_MS: Range = [10, 100];
/** Ends a replay that has not reached its goal. */
const REPLAY_TIMEOUT_MS = 3_000;

/**
 * Connects repeatedly, each time at a number some events back, like a client after a sleep. So events whose text was just
 * deleted are replayed constantly, from the server's memory and from the log.
 */
export class LateReader {
  readonly #room: RoomHistory;
  readonly #http: HttpClient;
  readonly #random: Random;
  #subscriber: Subscriber | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(room: RoomHistory, http: HttpClient, random: Random) {
    this.#room = room;
    this.#http = http;
    this.#random = random;
  }

  /** Replays until `end` is called. */
  start(): void {
    this.#subscriber?.end();
    const goal = this.#room.last;
    let done = false;
    const onFrame = (): void => {
      if (done || subscriber.last < goal) return;
      done = true;
      this.#restartIn(randomInt(this.#random, ...REPLAY_PAUSE_MS));
    };
    const listener = { onOpen() {}, onLost() {}, onFrame };
    const subscriber = new Subscriber('a late reader', this.#room, this.#http, this.#random, listener);
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

/** Milliseconds for which a roaming reader keeps a transport that is open. */
const ROAM_MS: Range = [30, 1_500];

/** Reads a room over another transport every moment: WebSocket, event stream, lines, long polling, plain HTML. */
export class RoamingReader {
  readonly subscriber: Subscriber;
  readonly #http: HttpClient;
  readonly #random: Random;
  #timer: NodeJS.Timeout | undefined;
  #isRoaming = false;

  constructor(room: RoomHistory, http: HttpClient, random: Random) {
    const listener = { onOpen: () => this.#roam(), onLost() {}, onFrame() {} };
    this.#http = http;
    this.#random = random;
    const protocol = JSON_SUBPROTOCOL;
    this.subscriber = new Subscriber('a roaming reader', room, http, random, listener, protocol, transports);
  }

  start(): void {
    this.#isRoaming = true;
    this.subscriber.connect();
  }

  #roam(): void {
    clearTimeout(this.#timer);
    if (!this.#isRoaming) return;
    this.#timer = setTimeout(() => this.subscriber.disconnect(), randomInt(this.#random, ...ROAM_MS));
  }

  /** Keeps its last connection, unless that is the plain page. */
  quiesce(): void {
    this.#isRoaming = false;
    clearTimeout(this.#timer);
    this.subscriber.leavePlainPage();
  }

  /** Leaves the room at once: after a poll alone, it would stay present for a while. */
  async leave(): Promise<void> {
    this.end();
    await this.#http.signOut();
  }

  end(): void {
    this.quiesce();
    this.subscriber.end();
  }
}
