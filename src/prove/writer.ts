/**
 * A writer: one person at a time, with a socket in every room, who sends random commands at random times. It sometimes
 * changes its name or signs out. After a sign-out it continues as a new person.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { JSON_SUBPROTOCOL, type PostCommand, TEXT_SUBPROTOCOL } from '../shared/protocol.js';
import {
  type Addresses,
  type ChangeResult,
  type HttpClient,
  type Range,
  Subscriber,
  signIn,
} from './clients.js';
import type { ErrorBody, ServerFrame } from './frames.js';
import { messageText, NAME_LETTERS, nextCommand, pick, type Random, randomInt } from './generator.js';
import { describe, type History, type Invocation, type RoomHistory } from './history.js';
import { checkRoomEntry } from './queries.js';
import { waitUntil } from './servers.js';

/** Commands that may be unanswered at once. */
const PENDING_MAX = 16;
/** A cid is repeated in another room while it is one of the newest N. */
const RECENT_CIDS = 20;
/** Percentages. */
const PERCENT = {
  // of commands; `repeatText` of those with a repeated cid
  ...{ http: 40, twice: 8, plain: 10, withoutCid: 5, repeatCid: 5, repeatText: 50 },
  // of commands while the disk fails: messages without a cid over HTTP, each of which is refused or stored
  onceOnly: 50,
  // of HTTP requests
  abort: 10,
  // of disconnects
  ...{ longDisconnect: 25, allSockets: 15 },
  // of read marks: below or above the newest event
  ...{ lowMark: 30, highMark: 15 },
} as const;
const DELAY_MS = {
  command: [2, 40],
  disconnect: [150, 2500],
  longDisconnect: [300, 1500],
  rename: [1000, 8000],
  signOut: [1500, 12_000],
  readMark: [50, 400],
  roomList: [200, 1500],
  retry: [5, 60],
  abort: [0, 12],
} as const satisfies Record<string, Range>;
/** A node refuses commands that have waited for this long for the shared order, or soon will. */
const OVERDUE_MS = 4_000;
/** Errors after which a client sends again. */
const RETRY_CODES = ['stopping', 'storage', 'too_fast'];
/** Errors by which the rules reject a command. The checker decides whether they were right. */
const RULE_CODES = [
  ...['no_message', 'not_yours', 'deleted', 'already_there', 'not_there', 'too_many_reactions'],
  'cid_conflict',
];
/** Errors that a person gets who has signed out. */
const SIGNED_OUT_CODES = ['signed_out', 'not_signed_in'];

interface Pending {
  readonly invocation: Invocation;
  /** number of the newest event when it was last sent */
  after: number;
  /** performance.now() of the first sending */
  readonly since: number;
}

/** One person's socket in one room, with the commands that are unanswered on it. */
export class Channel {
  readonly subscriber: Subscriber;
  readonly #history: History;
  readonly #protocol: typeof JSON_SUBPROTOCOL | typeof TEXT_SUBPROTOCOL;
  /** with a cid, in order: sent again until answered */
  readonly #pending = new Map<string, Pending>();
  /** commands without a cid, sent once, on the current connection, by tag */
  readonly #unconfirmed = new Map<string, Invocation>();
  #userId: string;
  #connections = 0;

  constructor(
    name: string,
    room: RoomHistory,
    http: HttpClient,
    random: Random,
    protocol: typeof JSON_SUBPROTOCOL | typeof TEXT_SUBPROTOCOL,
  ) {
    this.#history = room.history;
    this.#protocol = protocol;
    this.#userId = http.userId;
    const listener = {
      onOpen: () => {
        this.#connections++;
        this.#resend();
      },
      onLost: () => this.#unconfirmed.clear(), // their outcome stays unknown
      onFrame: (frame: ServerFrame) => this.#onFrame(frame),
    };
    this.subscriber = new Subscriber(name, room, http, random, listener, protocol);
  }

  /** Names a sequence of messages without a cid. In a shared order, only those of one connection have an order. */
  get textStream(): string {
    return this.#history.isShared ? `text ${this.#connections}` : 'text';
  }

  get pending(): number {
    return this.#pending.size + this.#unconfirmed.size;
  }

  switchUser(http: HttpClient): void {
    this.#userId = http.userId;
    this.subscriber.switchUser(http);
  }

  send(invocation: Invocation): void {
    const { cid } = invocation.command;
    const { last } = this.subscriber.room;
    if (cid !== undefined) this.#pending.set(cid, { invocation, after: last, since: performance.now() });
    if (this.#transmit(invocation.command) && cid === undefined)
      this.#unconfirmed.set(invocation.tag, invocation);
  }

  #transmit(command: PostCommand): boolean {
    const isText = this.#protocol === TEXT_SUBPROTOCOL && command.type === 'chat';
    return this.subscriber.send(isText ? command.data : JSON.stringify(command));
  }

  #resend(): void {
    if (this.#isOverdue()) this.#disturb();
    for (const pending of this.#pending.values()) {
      this.#history.resent++;
      pending.after = this.subscriber.room.last;
      this.#transmit(pending.invocation.command);
    }
  }

  /** Whether a node may have refused a command and not those after it. */
  #isOverdue(): boolean {
    const before = performance.now() - OVERDUE_MS;
    return this.#history.hasRedis && [...this.#pending.values()].some(({ since }) => since < before);
  }

  /** What is pending has no order any more: a refused command is sent again, those after it may be stored before. */
  #disturb(): void {
    for (const { invocation } of this.#pending.values()) invocation.disturbed = true;
  }

  #onFrame(frame: ServerFrame): void {
    if (frame.kind === 'event' && frame.event.user.id === this.#userId) {
      const { cid, id } = frame.event;
      const origin = this.subscriber.room.originOf(frame.event);
      if (cid !== undefined) this.#acknowledge(cid, id);
      else if (origin && this.#unconfirmed.delete(origin.tag)) this.#history.acknowledge(origin, id);
    } else if (frame.kind === 'ack') this.#acknowledge(frame.cid, frame.id);
    else if (frame.kind === 'error') this.#onError(frame.cid, frame.error);
  }

  #onError(cid: string | undefined, error: ErrorBody): void {
    const pending = this.#pending.get(cid ?? '');
    const [only] = this.#unconfirmed.size === 1 ? this.#unconfirmed.values() : [];
    if (error.code === 'storage' && cid === undefined && only) this.#history.refuse(only);
    if (error.code === 'storage' && this.#history.hasRedis) this.#disturb();
    if (RETRY_CODES.includes(error.code))
      this.subscriber.disconnect(); // sends everything again, in order, when it is back
    else if (pending) {
      recordRejection(pending.invocation, error, pending.after, this.#history);
      this.#pending.delete(cid ?? '');
    } else if (!cid || !this.subscriber.room.find(this.#userId, cid))
      this.subscriber.room.violate('invalid', `unexpected error: ${error.code} ${error.message}`);
  }

  #acknowledge(cid: string, id: number): void {
    const invocation = this.subscriber.room.find(this.#userId, cid);
    if (invocation) this.#history.acknowledge(invocation, id);
    else this.subscriber.room.violate('invalid', `${cid} was acknowledged but never sent`);
    this.#pending.delete(cid);
  }
}

function recordRejection(
  invocation: Invocation,
  { code, message }: ErrorBody,
  after: number,
  history: History,
): void {
  if (RULE_CODES.includes(code)) history.reject(invocation, code, after);
  else history.violate('wrongly rejected', `${describe(invocation)}: ${code} ${message}`);
}

/** A command that was sent with a cid. */
interface SentCid {
  readonly room: RoomHistory;
  readonly cid: string;
  readonly tag: string;
  readonly text: string | undefined;
}

export class Writer {
  readonly code: string;
  readonly channels: readonly Channel[];
  readonly #jsonChannels: readonly Channel[];
  readonly #textChannel: Channel | undefined;
  readonly #history: History;
  readonly #random: Random;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ended = new AbortController();
  #http: HttpClient;
  #recent: SentCid[] = [];
  /** HTTP requests and changes of the person that are under way */
  #busy = 0;
  #sent = 0;
  #generation = 0;
  #quiesced = false;
  /** Whether sending is paused, because the person is about to change. */
  #paused = false;
  #isListing = false;
  #isChanging = false;

  /** `code` distinguishes the names and tags of this writer. */
  static async create(code: string, addresses: Addresses, history: History, random: Random): Promise<Writer> {
    const name = writerName(code, 0);
    const takenAfter = history.tick();
    const http = await signIn(addresses, name);
    if (typeof http !== 'object') throw new Error(`${name} cannot sign in: ${http}`);
    history.people.signIn({ id: http.userId, name }, takenAfter, history.tick());
    return new Writer(code, http, history, random);
  }

  private constructor(code: string, http: HttpClient, history: History, random: Random) {
    this.code = code;
    this.#http = http;
    this.#history = history;
    this.#random = random;
    const rooms = [...history.rooms.values()];
    this.#jsonChannels = rooms.map((room) => new Channel(code, room, http, random, JSON_SUBPROTOCOL));
    const textRoom = pick(rooms, random);
    this.#textChannel = textRoom && new Channel(`${code} (text)`, textRoom, http, random, TEXT_SUBPROTOCOL);
    this.channels = this.#textChannel ? [...this.#jsonChannels, this.#textChannel] : this.#jsonChannels;
  }

  get http(): HttpClient {
    return this.#http;
  }

  get pending(): number {
    return this.channels.reduce((sum, { pending }) => sum + pending, this.#busy);
  }

  start(): void {
    for (const { subscriber } of this.channels) subscriber.connect();
    this.#repeat(DELAY_MS.command, () => this.#sendNext());
    this.#repeat(DELAY_MS.disconnect, () => this.#disconnect());
    this.#repeat(DELAY_MS.readMark, () => this.#markRead());
    this.#repeat(DELAY_MS.roomList, () => this.#listRooms());
    this.#repeat(DELAY_MS.rename, () => this.#change(() => this.#rename()));
    this.#repeat(DELAY_MS.signOut, () => this.#change(() => this.#signOut()));
  }

  /** Starts nothing new. What is under way is still finished, unanswered commands are still sent again. */
  quiesce(): void {
    this.#quiesced = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  end(): void {
    this.quiesce();
    this.#ended.abort();
    for (const { subscriber } of this.channels) subscriber.end();
  }

  #repeat(delay: Range, action: () => unknown): void {
    if (this.#quiesced) return;
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        action();
        this.#repeat(delay, action);
      },
      randomInt(this.#random, ...delay),
    );
    this.#timers.add(timer);
  }

  #disconnect(): void {
    const all = this.#chance('allSockets');
    const only = pick(this.channels, this.#random);
    const delay = this.#chance('longDisconnect') ? DELAY_MS.longDisconnect : undefined;
    for (const channel of this.channels) if (all || channel === only) channel.subscriber.disconnect(delay);
  }

  #sendNext(): void {
    const channel = pick(this.#jsonChannels, this.#random);
    const { isDiskFailing } = this.#history;
    if (!channel || this.#paused || this.pending >= PENDING_MAX * (isDiskFailing ? 2 : 1)) return;
    const seq = ++this.#sent;
    const tag = `${this.code}-${seq}`;
    if (isDiskFailing && this.#chance('onceOnly')) this.#sendWithoutCid(channel, tag, undefined);
    else if (this.#chance('plain') && this.#textChannel) this.#sendWithoutCid(this.#textChannel, tag, seq);
    else if (this.#chance('withoutCid')) this.#sendWithoutCid(channel, tag, undefined);
    else this.#sendWithCid(channel, tag, seq);
  }

  /** Sends a message once. Without an answer, its outcome is unknown. */
  #sendWithoutCid(channel: Channel, tag: string, seq: number | undefined): void {
    const { subscriber } = channel;
    const { isDiskFailing } = this.#history;
    const overHttp = channel !== this.#textChannel && (isDiskFailing || this.#chance('http'));
    if (!overHttp && !subscriber.isOpen) return;
    const data = messageText(tag, this.#history.people.names, this.#random);
    const position =
      seq === undefined ? undefined : { stream: `${this.#http.userId} ${channel.textStream}`, seq };
    const invocation = this.#history.invoke({
      ...{ room: subscriber.room.name, author: this.#http.userId },
      ...{ tag, command: { type: 'chat', data }, position },
    });
    if (overHttp) void this.#post(invocation, subscriber.room);
    else channel.send(invocation);
  }

  #sendWithCid(channel: Channel, tag: string, seq: number): void {
    const { room, view } = channel.subscriber;
    const { names } = this.#history.people;
    const repeated = this.#chance('repeatCid') ? this.#repeatCid(room, tag) : undefined;
    const [overHttp, twice] = [this.#chance('http'), this.#chance('twice')];
    const ordered = !overHttp && !twice && !repeated;
    const invocation = this.#history.invoke({
      ...{ room: room.name, author: this.#http.userId },
      ...(repeated ?? { tag, command: { ...nextCommand(view, names, this.#random, tag), cid: `c${seq}` } }),
      position: ordered ? { stream: `${this.#http.userId} ${room.name}`, seq } : undefined,
    });
    if (!repeated) this.#remember(invocation, room);
    if (overHttp || twice) void this.#post(invocation, room);
    if (overHttp && twice) void this.#post(invocation, room);
    if (!overHttp) channel.send(invocation);
  }

  #remember({ tag, command }: Invocation, room: RoomHistory): void {
    const text = command.type === 'chat' ? command.data : undefined;
    this.#recent.push({ room, cid: command.cid ?? '', tag, text });
    if (this.#recent.length > RECENT_CIDS) this.#recent.shift();
  }

  /** Returns a message with a cid that was used in another room: a cid is unique per person, so one of both is rejected. */
  #repeatCid(room: RoomHistory, tag: string): { tag: string; command: PostCommand } | undefined {
    const unused = this.#recent.filter(
      (one) => one.room !== room && room.find(this.#http.userId, one.cid) === undefined,
    );
    const sent = pick(unused, this.#random);
    if (!sent) return undefined;
    const { cid, text } = sent;
    if (text !== undefined && this.#chance('repeatText'))
      return { tag: sent.tag, command: { type: 'chat', data: text, cid } };
    const data = messageText(tag, this.#history.people.names, this.#random);
    return { tag, command: { type: 'chat', data, cid } };
  }

  /** Posts over HTTP: with a cid until there is an answer, without one once. */
  async #post(invocation: Invocation, room: RoomHistory): Promise<void> {
    const { command } = invocation;
    this.#busy++;
    for (let tries = 0; !this.#ended.signal.aborted; tries++) {
      if (tries > 0) this.#history.resent++;
      const after = room.last;
      const result = await this.#http.post(room.name, command, this.#abortSignal());
      if (result.kind === 'accepted') this.#history.acknowledge(invocation, result.event.id, result.event);
      else if (result.kind === 'rejected') recordRejection(invocation, result.error, after, this.#history);
      if (result.kind === 'retry' && result.refused && command.cid === undefined)
        this.#history.refuse(invocation);
      if (result.kind !== 'retry' || command.cid === undefined) break;
      await this.#retryDelay();
    }
    this.#busy--;
  }

  /** Some requests are aborted halfway; the others only when the run ends. */
  #abortSignal(): AbortSignal {
    if (!this.#chance('abort')) return this.#ended.signal;
    return AbortSignal.timeout(randomInt(this.#random, ...DELAY_MS.abort));
  }

  async #markRead(): Promise<void> {
    const subscriber = pick(this.#jsonChannels, this.#random)?.subscriber;
    if (!subscriber || this.#paused || subscriber.last === 0) return;
    const { room } = subscriber;
    const { readMarks } = this.#history;
    const id = this.#nextReadMark(subscriber.last);
    const min = Math.min(id, room.last);
    this.#history.readMarksSent++;
    readMarks.request(this.#http.userId, room.name, id);
    this.#busy++;
    const result = await this.#http.markRead(room.name, id, min);
    this.#busy--;
    if (result === 'done') readMarks.confirm(this.#http.userId, room.name, min);
    else if (result !== 'retry') room.violate('wrongly rejected', `read mark ${id}: ${result}`);
  }

  #nextReadMark(last: number): number {
    if (this.#chance('lowMark')) return randomInt(this.#random, 0, last);
    return this.#chance('highMark') ? last + randomInt(this.#random, 1, 1000) : last;
  }

  async #listRooms(): Promise<void> {
    if (this.#paused || this.#isListing) return;
    this.#isListing = true;
    this.#busy++;
    const { userId } = this.#http;
    const rooms = this.#jsonChannels.map(({ subscriber }) => subscriber.room);
    const before = rooms.map((room) => ({
      room,
      ...(this.#history.isShared
        ? this.#http.known(room.name) // another node may know less than others have received
        : { last: room.last, read: this.#history.readMarks.min(userId, room.name) }),
    }));
    const entries = await this.#http.rooms();
    for (const one of entries ? before : []) checkRoomEntry(userId, one, entries ?? []);
    this.#busy--;
    this.#isListing = false;
  }

  async #rename(): Promise<void> {
    const { people } = this.#history;
    const name = writerName(this.code, ++this.#generation);
    const confirm = people.rename(this.#http.userId, name, this.#history.tick());
    if (!(await this.#untilDone(`rename to ${name}`, () => this.#http.rename(name)))) return;
    confirm(this.#history.tick());
    this.#history.renames++;
  }

  /** Signs out once everything is answered, checks that the session is invalid, and continues as a new person. */
  async #signOut(): Promise<void> {
    const former = this.#http;
    this.#paused = true;
    await this.#waitUntil(() => this.pending === 1); // this change itself
    for (const { subscriber } of this.channels) subscriber.expectSignOut();
    if (!(await this.#untilDone('sign-out', () => former.signOut()))) return;
    this.#history.people.signOut(former.userId, this.#history.tick());
    this.#history.signOuts++;
    await this.#waitUntil(() => this.channels.every(({ subscriber }) => subscriber.signedOut));
    await this.#checkSignedOut(former);
    if (await this.#signInAgain(former.addresses)) this.#paused = false;
  }

  async #checkSignedOut(former: HttpClient): Promise<void> {
    const room = [...this.#history.rooms.keys()][0] ?? '';
    const data = messageText(`${this.code}-after-sign-out`, [], this.#random);
    await this.#untilDone('message after sign-out', async () => {
      const result = await former.post(room, { type: 'chat', data });
      if (result.kind === 'retry') return 'retry';
      const isRejected = result.kind === 'rejected' && SIGNED_OUT_CODES.includes(result.error.code);
      if (!isRejected) this.#history.violate('invalid', `${this.code} could write after it signed out`);
      return 'done';
    });
    await this.#untilDone('session after sign-out', async () => {
      const isSignedIn = await former.isSignedIn();
      if (isSignedIn) this.#history.violate('invalid', `${this.code} could read after it signed out`);
      return isSignedIn === undefined ? 'retry' : 'done';
    });
  }

  #signInAgain(addresses: Addresses): Promise<boolean> {
    return this.#untilDone('sign-in', async () => {
      const name = writerName(this.code, ++this.#generation); // a lost answer leaves the name taken
      const takenAfter = this.#history.tick();
      const http = await signIn(addresses, name);
      if (typeof http !== 'object') return http ?? 'retry';
      this.#history.people.signIn({ id: http.userId, name }, takenAfter, this.#history.tick());
      this.#http = http;
      this.#recent = [];
      for (const channel of this.channels) channel.switchUser(http);
      return 'done';
    });
  }

  /** One change of the person at a time. */
  async #change(change: () => Promise<void>): Promise<void> {
    if (this.#isChanging) return;
    this.#isChanging = true;
    this.#busy++;
    await change();
    this.#busy--;
    this.#isChanging = false;
  }

  /** Repeats a request until it is done. Resolves with false when it is refused or the run ends. */
  async #untilDone(what: string, request: () => Promise<ChangeResult>): Promise<boolean> {
    while (!this.#isOver()) {
      const result = await request();
      if (result === 'done') return true;
      if (result !== 'retry') this.#history.violate('wrongly rejected', `${this.code}: ${what}: ${result}`);
      await this.#retryDelay();
    }
    return false;
  }

  /** Waits without a time limit. A run in which this never ends is reported as stuck. */
  async #waitUntil(condition: () => boolean): Promise<void> {
    await waitUntil(() => condition() || this.#isOver(), Number.POSITIVE_INFINITY);
  }

  #isOver(): boolean {
    return this.#ended.signal.aborted || this.#history.violations.length > 0;
  }

  async #retryDelay(): Promise<void> {
    await sleep(randomInt(this.#random, ...DELAY_MS.retry));
  }

  #chance(what: keyof typeof PERCENT): boolean {
    return this.#random() * 100 < PERCENT[what];
  }
}

/** Returns a name that no writer has had: names are not used again, because they may stay reserved. */
export function writerName(code: string, generation: number): string {
  let [suffix, rest] = ['', generation];
  do {
    suffix = `${NAME_LETTERS[rest % NAME_LETTERS.length]}${suffix}`;
    rest = Math.floor(rest / NAME_LETTERS.length);
  } while (rest > 0);
  return `Client-${code}-${suffix}`;
}
