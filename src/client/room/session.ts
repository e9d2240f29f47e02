/**
 * One room of the page: its socket feeds the room, what is written goes by the outbox. What components of a room see.
 * It has a socket only while it is in view (`enter` … `leave`); left, it keeps what it knows, and goes on by number.
 */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { initialPosition, type RoomFrame, type User } from '../../shared/protocol.js';
import * as api from '../api.js';
import { type Clock, untilSignal, withTimeout } from '../clock.js';
import type { LogEvent, Snapshot } from '../decode.js';
import type { Outbox, OutboxStore, PendingMessage } from '../outbox/outbox.js';
import { OutboxSender } from '../outbox/sender.js';
import type { RoomEntries, RoomListStore } from '../rooms/list.js';
import type { KeyValueStore } from '../settings.js';
import { Draft } from '../storage.js';
import { TypingSender } from './presence.js';
import { Connection, openWebSocket, socketUrl } from './socket.js';
import { RoomStore, type RoomStoreDeps } from './store.js';

export interface RoomSessionDeps extends RoomWiringDeps {
  readonly roomList: RoomListStore;
  readonly storage: KeyValueStore;
  /** The page can be seen. */
  readonly isVisible: () => boolean;
}

/** So long an opening waits. */
const initialLoadTimeoutMs = 1_500;
const typingFrame = JSON.stringify({ type: 'typing' });

export class RoomSession {
  readonly name: string;
  readonly room: RoomStore;
  readonly connection: Connection;
  /** the message to bring into view and to highlight */
  readonly targetMessage: Signal<number | undefined> = signal(undefined);
  readonly draft: Draft;
  /** where I stopped reading */
  readonly unreadDivider: UnreadDivider;
  readonly #deps: RoomSessionDeps;
  readonly #wiring: RoomWiring;
  readonly #typingSender: TypingSender;
  #target: number | undefined;
  #unfollow = () => {};

  constructor(parts: RoomSessionDeps) {
    const { name, user, clock, storage: shelf } = parts;
    this.#deps = parts;
    this.name = name;
    this.draft = new Draft(shelf, user, name);
    this.unreadDivider = new UnreadDivider(parts.roomList.rooms, name);
    this.#wiring = new RoomWiring(parts, {
      start: () => this.#startPosition(),
      opened: () => this.unreadDivider.onOpened(this.room.transcript.peek().last),
    });
    this.room = this.#wiring.room;
    this.connection = this.#wiring.connection;
    this.#typingSender = new TypingSender(clock, () => this.connection.send(typingFrame));
  }

  /** what was asked for and is not in the log yet: chat, edit, delete, react, unreact */
  get pending(): ReadonlySignal<readonly PendingMessage[]> {
    return this.#outbox.messages;
  }

  /** Each at any time: it is kept until it can be sent. */
  post(data: string): void {
    void this.#outbox.add({ type: 'chat', data });
    this.#typingSender.reset();
  }
  edit(target: number, data: string): void {
    void this.#outbox.add({ type: 'edit', target, data });
  }
  remove(target: number): void {
    void this.#outbox.add({ type: 'delete', target });
  }
  react(target: number, data: string): void {
    void this.#outbox.add({ type: 'react', target, data });
  }
  unreact(target: number, data: string): void {
    void this.#outbox.add({ type: 'unreact', target, data });
  }

  /** Sends a refused letter again. */
  retry(cid: string): void {
    void this.#outbox.retry(cid);
  }
  /** Gives a letter up. */
  discard(cid: string): void {
    void this.#outbox.discard(cid);
  }

  /** I am writing. To be called at each stroke: it is told now and then. */
  notifyTyping(): void {
    this.#typingSender.onInput();
  }

  /** Brings a message into the window, wherever it is, and sets `shown`. */
  async goTo(id: number): Promise<void> {
    const message = await this.room.goTo(id);
    if (message === undefined) return;
    this.targetMessage.value = undefined; // the same once more is shown once more
    this.targetMessage.value = message;
  }

  /** I have seen everything up to this number. */
  markRead(id: number): void {
    const { last } = this.room.transcript.peek();
    if (this.#deps.isVisible()) this.#deps.roomList.readPositions.markRead(this.name, Math.min(id, last));
  }

  /** The room comes into view, at a number if given; with what the page was delivered with, when it is this room's. */
  enter(id?: number, snapshot?: Snapshot): void {
    this.#target = id;
    this.#unfollow = this.#deps.roomList.follow(this.name, this.room);
    const begun = snapshot !== undefined && this.#openFromSnapshot(snapshot, id);
    const opening = begun ? undefined : this.#open();
    this.#wiring.start();
    if (id !== undefined) void this.#scrollToTarget(id, opening);
  }

  /** Another room comes into view: nothing is lost, and nothing costs anything. */
  leave(): void {
    this.#unfollow();
    this.#wiring.suspend();
  }

  /** It is forgotten here. */
  close(): void {
    this.#wiring.sender.close();
  }

  /** The page is looked at again: the line stands where one stopped. */
  refreshUnreadDivider(): void {
    this.unreadDivider.onVisible(this.room.transcript.peek().last);
  }

  /** The page may be frozen or closed: another tab sends meanwhile. */
  pause(): void {
    this.#wiring.sender.stop();
  }
  resume(): void {
    this.#wiring.sender.start();
  }

  /** Opens it at once with what was delivered, unless it is to be opened where that does not reach. */
  #openFromSnapshot(snapshot: Snapshot, id: number | undefined): boolean {
    const { last, messages } = snapshot.page;
    const reaches =
      id === undefined ? last === 0 || messages.length > 0 : messages.some((event) => event.id === id);
    if (reaches) this.room.openFromSnapshot(snapshot);
    return reaches;
  }

  #open(): Promise<void> {
    const known = this.room.transcript.peek().epoch !== undefined;
    return known ? this.room.open(this.#startPosition()) : this.#openFromCache();
  }

  get #outbox(): Outbox {
    return this.#wiring.sender.outbox;
  }

  /** Where to open: at a number that was asked for, at the read mark when much is after it, else at the end. */
  async #startPosition(): Promise<number | undefined> {
    const { rooms } = this.#deps.roomList;
    await this.#waitUntil(rooms.loaded, Boolean);
    if (this.#target !== undefined) return this.#target;
    const entry = rooms.entry(this.name);
    return entry && initialPosition(entry);
  }

  /** What was kept is shown until the server answers; that it does not answer is seen beside it. */
  async #openFromCache(): Promise<void> {
    const window = await this.#deps.roomList.cachedWindow(this.name);
    if (!window || this.room.transcript.peek().epoch !== undefined) return;
    this.room.restore(window);
    await this.room.open(this.#startPosition());
  }

  /** Shows the message once the room is open. */
  async #scrollToTarget(id: number, opening: Promise<void> | undefined): Promise<void> {
    await opening;
    if (opening) await this.#waitUntil(this.connection.state, ({ state }) => state === 'live');
    if (this.#target !== id) return;
    this.#target = undefined;
    await this.goTo(id);
  }

  #waitUntil<T>(source: ReadonlySignal<T>, so: (value: T) => boolean): Promise<void> {
    return withTimeout(this.#deps.clock, initialLoadTimeoutMs, untilSignal(source, so, neverAborted));
  }
}

const neverAborted = new AbortController().signal;

/**
 * Puts the parts of one room together: the connection feeds the room, the room tells the mail what has arrived, the
 * mail sends over the connection.
 */

export interface RoomWiringDeps {
  readonly name: string;
  /** id of the person whose page this is */
  readonly user: string;
  readonly clock: Clock;
  readonly outboxStore: OutboxStore;
  /** Calls back when the page is about to draw. */
  readonly schedule: (show: () => void) => void;
  readonly onHello: (user: User, epoch: string) => void;
  /** Another room moved, or I have read on elsewhere. */
  readonly onRoomFrame: (frame: RoomFrame) => void;
  readonly onEvents: (events: readonly LogEvent[]) => void;
  readonly onClosed: (code: number) => void;
}

const logChangedCloseCode = 4510;

export class RoomWiring {
  readonly connection: Connection;
  readonly room: RoomStore;
  readonly sender: OutboxSender;

  constructor(parts: RoomWiringDeps, opening: Pick<RoomStoreDeps, 'start' | 'opened'>) {
    const { name, user, clock, outboxStore: letters } = parts;
    this.connection = this.#createConnection(parts);
    this.room = this.#createRoom(parts, opening);
    this.sender = new OutboxSender({ user, room: name, store: letters, connection: this.connection, clock });
  }

  start(): void {
    this.sender.start();
    this.connection.connect();
  }

  /** What was on its way is sent again, by whoever sends then. */
  suspend(): void {
    this.sender.stop();
    this.connection.stop();
    this.sender.onConnectionLost();
    this.room.suspend();
  }

  #createConnection({
    name,
    clock,
    onHello: hello,
    onRoomFrame: moved,
    onClosed: closed,
  }: RoomWiringDeps): Connection {
    return new Connection({
      open: (events) =>
        openWebSocket(socketUrl(new URL(location.href), name, this.room.resumePosition), events),
      clock,
      random: Math.random,
      onFrame: (frame) => {
        if (frame.type === 'hello') hello(frame.user, frame.epoch);
        if (frame.type === 'room') moved(frame);
        else this.room.receive(frame);
      },
      onClosed: (code) => {
        this.sender.onConnectionLost();
        if (code === logChangedCloseCode) this.room.reset();
        closed(code);
      },
    });
  }

  #createRoom(
    { name, clock, schedule: soon, onEvents: news }: RoomWiringDeps,
    opening: Pick<RoomStoreDeps, 'start' | 'opened'>,
  ): RoomStore {
    return new RoomStore({
      load: (where) => api.messages(name, { ...where }),
      clock,
      random: Math.random,
      schedule: soon,
      onEvents: news,
      ...opening,
      onSettled: (cid) => this.sender.onSettled(cid),
      onRefused: (cid, problem) => this.sender.onRefused(cid, problem),
      reconnect: () => this.connection.connect(),
    });
  }
}

/** Where I stopped reading a room, as it was when I opened it: there stands the line "new since you were here". */

export class UnreadDivider {
  readonly #position = signal<number | undefined>(undefined);
  readonly #rooms: RoomEntries;
  readonly #room: string;

  constructor(rooms: RoomEntries, room: string) {
    this.#rooms = rooms;
    this.#room = room;
  }

  /** The number of my read mark; undefined when nothing was after it. */
  get position(): ReadonlySignal<number | undefined> {
    return this.#position;
  }

  /** My read mark as it is now. Reads signals. */
  get readPosition(): number {
    return this.#rooms.list.value.find(({ room }) => room === this.#room)?.read ?? 0;
  }

  /** The room is opened anew. `last`: its newest number, as far as the room itself knows. */
  onOpened(last: number): void {
    this.#position.value = undefined;
    this.onVisible(last);
  }

  /** The page is looked at again. */
  onVisible(last: number): void {
    const entry = this.#rooms.entry(this.#room);
    if (entry && entry.read > 0 && Math.max(last, entry.last) > entry.read) this.#position.value = entry.read;
  }
}

/** The rooms that were shown last: at hand at once when they are shown again. */

const maxCachedRooms = 5;

export class RoomCache {
  readonly #depsOf: (name: string) => RoomSessionDeps;
  readonly #sessions = new Map<string, RoomSession>();

  constructor(make: (name: string) => RoomSessionDeps) {
    this.#depsOf = make;
  }

  /** What was said in them and is not in the log yet. */
  get pending(): readonly PendingMessage[] {
    return [...this.#sessions.values()].flatMap(({ pending: letters }) => letters.peek());
  }

  /** Made or found; the one that was not shown for the longest time is let go. */
  get(name: string): RoomSession {
    const place = this.#sessions.get(name) ?? new RoomSession(this.#depsOf(name));
    this.#sessions.delete(name);
    this.#sessions.set(name, place);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > maxCachedRooms && oldest !== undefined) {
      this.#sessions.get(oldest)?.close();
      this.#sessions.delete(oldest);
    }
    return place;
  }
}
