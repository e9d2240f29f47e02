/**
 * One room: its connection, log, outbox and composer. The interface that the components use. A session is connected
 * only while its room is shown. Later it resumes by number.
 */
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type Clock, type Observable, untilValue, withTimeout } from '../../connect/clock.js';
import { Connection, type TransportMemory } from '../../connect/connection.js';
import type { OutboxStore } from '../../connect/outbox.js';
import { type Endpoint, openLink, transportsOf } from '../../connect/transport.js';
import { initialPosition, type RoomFrame, type User } from '../../shared/protocol.js';
import * as api from '../api.js';
import { type Fields, type LogEvent, parseFrame, type Snapshot } from '../decode.js';
import { type PendingMessage, retry } from '../outbox/outbox.js';
import { OutboxSender } from '../outbox/sender.js';
import type { RoomListStore } from '../rooms/list.js';
import type { Draft } from '../storage.js';
import { ComposerState } from './composer.js';
import { TypingSender } from './presence.js';
import { RoomStore } from './store.js';
import { isAttached } from './timeline.js';

export interface RoomSessionDeps {
  readonly name: string;
  /** id of the signed-in user */
  readonly user: string;
  readonly clock: Clock;
  readonly endpoint: Omit<Endpoint, 'room'>;
  readonly transportMemory: TransportMemory;
  readonly roomList: RoomListStore;
  readonly outboxStore: OutboxStore;
  readonly draft: Draft;
  /** Calls back before the next rendering. */
  readonly schedule: (render: () => void) => void;
  readonly isVisible: () => boolean;
  /** the signed-in user as cached, until the server has named them */
  readonly me: User | undefined;
  readonly onHello: (user: User, epoch: string) => void;
  /** Another room has new events, or was read on another device. */
  readonly onRoomFrame: (frame: RoomFrame) => void;
  readonly onEvents: (events: readonly LogEvent[]) => void;
  readonly onClosed: (code: number) => void;
}

/** Limit for the list of rooms to arrive before the room opens without it. */
const initialLoadTimeoutMs = 1_500;
const logChangedCloseCode = 4510;
/** How long a deletion can be undone. */
const undoDeleteMs = 6_000;
const noticeMs = 8_000;
const neverAborted = new AbortController().signal;

/** A number that does not exist yet, or that is a change `of` a message. */
interface TargetNotice {
  readonly id: number;
  readonly of?: number;
}

export class RoomSession {
  readonly name: string;
  readonly connection: Connection;
  readonly room: RoomStore;
  readonly composer: ComposerState;
  readonly unreadDivider: UnreadDivider;
  /** messages and changes that the log does not contain yet */
  readonly pending: ReadonlySignal<readonly PendingMessage[]>;
  /** the message to reveal and highlight */
  readonly targetMessage: Signal<number | undefined> = signal(undefined);
  readonly #deps: RoomSessionDeps;
  readonly #sender: OutboxSender;
  readonly #typingSender: TypingSender;
  /** why a number did not lead to a message of its own */
  readonly targetNotice: Signal<TargetNotice | undefined> = signal(undefined);
  #target: number | undefined;
  #hasSkipped = false;
  #unfollow = () => {};

  constructor(deps: RoomSessionDeps) {
    const { name, user, clock, roomList, outboxStore, draft } = deps;
    this.#deps = deps;
    this.name = name;
    this.unreadDivider = new UnreadDivider(roomList, name);
    this.connection = this.#createConnection();
    this.room = this.#createStore();
    this.#sender = new OutboxSender({
      user,
      room: name,
      store: outboxStore,
      connection: this.connection,
      clock,
    });
    this.pending = this.#sender.outbox.messages;
    this.#typingSender = new TypingSender(clock, () => this.connection.send({ type: 'typing' }));
    this.composer = new ComposerState({
      post: (text, reply) => this.post(text, reply),
      edit: (id, text) => this.edit(id, text),
      draft,
      timeline: this.room.timeline,
    });
  }

  /** Commands are queued in the outbox until the server has stored them. */
  post(data: string, reply?: number): void {
    void this.#sender.outbox.add({ type: 'chat', data, ...(reply !== undefined && { reply }) });
    this.#typingSender.reset();
  }
  edit(target: number, data: string): void {
    void this.#sender.outbox.add({ type: 'edit', target, data });
  }
  /** Can be undone for a while by `discard`. */
  remove(target: number): void {
    void this.#sender.outbox.add({ type: 'delete', target }, { holdMs: undoDeleteMs });
  }
  react(target: number, data: string): void {
    void this.#sender.outbox.add({ type: 'react', target, data });
  }
  unreact(target: number, data: string): void {
    void this.#sender.outbox.add({ type: 'unreact', target, data });
  }

  /** The last message was sent a moment ago, or waits, and has no number yet. */
  get isPosting(): boolean {
    return this.#sender.outbox.hasUnnumbered;
  }

  /** Sends a rejected message again. */
  retry(cid: string): void {
    void retry(this.#sender.outbox, cid);
  }
  discard(cid: string): void {
    void this.#sender.outbox.discard(cid);
  }

  /** Call at every keystroke. */
  notifyTyping(): void {
    this.#typingSender.onInput();
  }

  /** Loads a message into the window, wherever it is, and sets `targetMessage`. */
  async goTo(id: number): Promise<void> {
    const message = await this.room.goTo(id);
    const { seen, last } = this.room.timeline.peek();
    if (seen !== undefined && id > last) this.#showTargetNotice({ id });
    if (message === undefined) return;
    if (message !== id) this.#showTargetNotice({ id, of: message });
    this.#hasSkipped = true;
    this.targetMessage.value = undefined; // so that the same number triggers again
    this.targetMessage.value = message;
  }

  /**
   * The messages of these numbers are visible, from first to last. After a jump nothing is marked as read until
   * the user is back at the read position or at the end. They have not seen the messages in between.
   */
  markRead(first: number, last: number): void {
    const t = this.room.timeline.peek();
    const isAtEnd = t.pinned && isAttached(t);
    if (isAtEnd || first <= this.unreadDivider.readPosition + 1) this.#hasSkipped = false;
    if (this.#hasSkipped || !this.#deps.isVisible()) return;
    this.#deps.roomList.readPositions.markRead(this.name, Math.min(last, t.last));
  }

  /** Shows the room, at message `id` if given. `snapshot` is the page's, if it is of this room. */
  enter(id?: number, snapshot?: Snapshot): void {
    this.#target = id;
    const stops = [this.#deps.roomList.follow(this.name, this.room), this.#countPeopleWhilePolling()];
    this.#unfollow = () => {
      for (const stop of stops) stop();
    };
    const isOpen = snapshot !== undefined && this.#openFromSnapshot(snapshot, id);
    const initialLoad = isOpen ? undefined : this.#open();
    this.#sender.start();
    this.connection.connect();
    if (id !== undefined) void this.#scrollToTarget(id, initialLoad);
  }

  /** Another room is shown. Keeps the state; another sender repeats the messages in flight. */
  leave(): void {
    this.#unfollow();
    this.#sender.stop();
    this.connection.stop();
    this.#sender.onConnectionLost();
    this.room.suspend();
  }

  /** The session leaves the cache. */
  close(): void {
    this.#sender.close();
  }

  refreshUnreadDivider(): void {
    this.unreadDivider.onVisible(this.room.timeline.peek().last);
  }

  /** The page may be frozen or closed: another tab takes over sending. What is held back goes out now. */
  pause(): void {
    for (const message of this.pending.peek()) if (message.isHeld) void api.sendMessage(message, null, true);
    this.#sender.stop();
  }
  resume(): void {
    this.#sender.start();
  }

  /** Polls tell nobody's coming and going, so the count is that of the room list. */
  #countPeopleWhilePolling(): () => void {
    const { rooms } = this.#deps.roomList;
    return effect(() => {
      const state = this.connection.state.value;
      const entry = rooms.list.value.find(({ room }) => room === this.name);
      if (state.state === 'live' && state.transport === 'poll')
        this.room.showPeopleCount(Math.max(1, entry?.people ?? 0));
    });
  }

  #createConnection(): Connection {
    const { name, clock, endpoint, transportMemory, onHello, onRoomFrame, onClosed } = this.#deps;
    const onFrame = (fields: Fields) => {
      const frame = parseFrame(fields);
      if (frame?.type === 'hello') onHello(frame.user, frame.epoch);
      if (frame?.type === 'room') onRoomFrame(frame);
      else if (frame) this.room.receive(frame);
    };
    return new Connection({
      transports: transportsOf(endpoint),
      open: (transport, events) => openLink(transport, { ...endpoint, room: name }, events),
      memory: transportMemory,
      clock,
      random: Math.random,
      observable: signal,
      position: () => this.room.resumePosition,
      onFrame,
      onClosed: (code) => {
        this.#sender.onConnectionLost();
        if (code === logChangedCloseCode) this.room.reset();
        onClosed(code);
      },
    });
  }

  #createStore(): RoomStore {
    const { name, clock, me, schedule, onEvents } = this.#deps;
    return new RoomStore({
      me,
      load: (range) => api.messages(name, { ...range }),
      clock,
      random: Math.random,
      schedule,
      onEvents,
      start: () => this.#startPosition(),
      onOpened: () => this.unreadDivider.onOpened(this.room.timeline.peek().last),
      onSettled: (cid) => this.#sender.onSettled(cid),
      onRefused: (cid, problem) => this.#sender.onRefused(cid, problem),
      reconnect: () => this.connection.connect(),
    });
  }

  /** Opens the room from the snapshot, unless it lacks the message to show. */
  #openFromSnapshot(snapshot: Snapshot, id: number | undefined): boolean {
    const { last, messages } = snapshot.page;
    const isLoaded =
      id === undefined ? last === 0 || messages.length > 0 : messages.some((event) => event.id === id);
    if (isLoaded) this.room.openFromSnapshot(snapshot);
    return isLoaded;
  }

  #open(): Promise<void> {
    const isKnown = this.room.timeline.peek().epoch !== undefined;
    return isKnown ? this.room.open(this.#startPosition()) : this.#openFromCache();
  }

  /** The requested message, else the read position if much is unread, else the end. */
  async #startPosition(): Promise<number | undefined> {
    const { rooms } = this.#deps.roomList;
    await this.#waitUntil(rooms.loaded, Boolean);
    if (this.#target !== undefined) return this.#target;
    const entry = rooms.entry(this.name);
    return entry && initialPosition(entry);
  }

  /** Shows the cached window until the server answers. */
  async #openFromCache(): Promise<void> {
    const window = await this.#deps.roomList.cachedWindow(this.name);
    if (!window || this.room.timeline.peek().epoch !== undefined) return;
    this.room.restore(window);
    await this.room.open(this.#startPosition());
  }

  async #scrollToTarget(id: number, initialLoad: Promise<void> | undefined): Promise<void> {
    await initialLoad;
    if (initialLoad) await this.#waitUntil(this.connection.state, ({ state }) => state === 'live');
    if (this.#target !== id) return;
    this.#target = undefined;
    await this.goTo(id);
  }

  #showTargetNotice(notice: TargetNotice): void {
    this.targetNotice.value = notice;
    this.#deps.clock.after(noticeMs, () => {
      if (this.targetNotice.peek() === notice) this.targetNotice.value = undefined;
    });
  }

  #waitUntil<T>(source: Observable<T>, predicate: (value: T) => boolean): Promise<void> {
    return withTimeout(this.#deps.clock, initialLoadTimeoutMs, untilValue(source, predicate, neverAborted));
  }
}

/** The "new messages" divider: the read position as it was when the room was opened. */
class UnreadDivider {
  readonly #position = signal<number | undefined>(undefined);
  /** Undefined when everything was read. */
  readonly position: ReadonlySignal<number | undefined> = this.#position;
  readonly #roomList: RoomListStore;
  readonly #room: string;

  constructor(roomList: RoomListStore, room: string) {
    this.#roomList = roomList;
    this.#room = room;
  }

  /** The current read position. Reads signals. */
  get readPosition(): number {
    return this.#roomList.rooms.list.value.find(({ room }) => room === this.#room)?.read ?? 0;
  }

  /** `last` is the newest number that the room itself knows. */
  onOpened(last: number): void {
    this.#position.value = undefined;
    this.onVisible(last);
  }

  /** The page became visible again. */
  onVisible(last: number): void {
    const entry = this.#roomList.rooms.entry(this.#room);
    if (entry && entry.read > 0 && Math.max(last, entry.last) > entry.read) this.#position.value = entry.read;
  }
}

const maxCachedRooms = 5;

/** The sessions of the last rooms, which open at once. */
export class RoomCache {
  readonly #depsOf: (name: string) => RoomSessionDeps;
  readonly #sessions = new Map<string, RoomSession>();

  constructor(depsOf: (name: string) => RoomSessionDeps) {
    this.#depsOf = depsOf;
  }

  /** Messages of all cached sessions that are not in the log yet. */
  get pending(): readonly PendingMessage[] {
    return [...this.#sessions.values()].flatMap(({ pending }) => pending.peek());
  }

  /** Creates or reuses a session, and closes the least recently used one beyond the limit. */
  get(name: string): RoomSession {
    const session = this.#sessions.get(name) ?? new RoomSession(this.#depsOf(name));
    this.#sessions.delete(name);
    this.#sessions.set(name, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > maxCachedRooms && oldest !== undefined) {
      this.#sessions.get(oldest)?.close();
      this.#sessions.delete(oldest);
    }
    return session;
  }
}
