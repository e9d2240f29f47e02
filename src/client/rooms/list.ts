/**
 * The list of rooms with read positions, merged from the server's list, live frames and the cache. Everything
 * belongs to one epoch and is dropped when the epoch changes.
 */
import { computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import { backoffMs, type Clock } from '../../connect/clock.js';
import type { ChangeEvent, RoomFrame, RoomSummary, User } from '../../shared/protocol.js';
import * as api from '../api.js';
import type { LogEvent, Snapshot } from '../decode.js';
import { unreadAfter } from '../render/rows.js';
import type { RoomStore } from '../room/store.js';
import type { CachedWindow, OfflineCache } from './cache.js';

export interface RoomListDeps {
  readonly cache: OfflineCache;
  readonly clock: Clock;
  /** rooms that the user has left */
  readonly left: ReadonlySignal<ReadonlySet<string>>;
  /** A room that is not shown got events after `before` while the page was disconnected. */
  readonly onMissed?: (room: string, before: number) => void;
  readonly random?: () => number;
}

export class RoomListStore {
  readonly rooms: RoomEntries;
  readonly readPositions: ReadPositionSender;
  readonly #cache: OfflineCache;
  readonly #retry: RetryLatest;
  readonly #onMissed: (room: string, before: number) => void;
  #epoch: string | undefined;

  constructor({ cache, clock, left, onMissed = () => {}, random = Math.random }: RoomListDeps) {
    this.#cache = cache;
    this.#onMissed = onMissed;
    this.rooms = new RoomEntries(left);
    this.#retry = new RetryLatest(clock, random);
    this.readPositions = new ReadPositionSender({ rooms: this.rooms, send: api.markRead, clock });
  }

  /** Shows the cached list until the server answers. */
  async restore(): Promise<void> {
    const cached = await this.#cache.rooms();
    if (!cached || this.#epoch !== undefined) return;
    this.#epoch = cached.epoch;
    this.rooms.restore(cached.rooms);
  }

  /**
   * Of the cached list only read positions count, since they may be ahead. A cache of another epoch is
   * cleared.
   */
  async openFromSnapshot({ page: { epoch }, rooms }: Snapshot): Promise<void> {
    this.#epoch = epoch;
    this.#applyRooms(rooms);
    const cached = await this.#cache.rooms();
    if (cached && cached.epoch !== epoch) await this.#cache.clear();
    for (const { room, read } of cached?.epoch === epoch ? cached.rooms : [])
      if (read <= (this.rooms.entry(room)?.last ?? 0)) this.readPositions.markRead(room, read);
  }

  /** Follows the shown room until the returned function is called. */
  follow(name: string, { timeline, people, me }: RoomStore): () => void {
    this.rooms.follow(name);
    const stops = [
      effect(() => this.rooms.setLast(name, timeline.value.last)),
      effect(() => {
        const { count } = people.value;
        if (count !== undefined) this.rooms.setPeople(name, count);
      }),
      effect(() => {
        const unread = unreadAfter(this.rooms.readIn(name), timeline.value.events, me.value);
        this.rooms.setUnread(name, unread.length, unread.filter((event) => concerns(event, me.value)).length);
      }),
      effect(() => {
        if (timeline.value.seen) this.#cache.saveWindow(name, () => timeline.peek());
      }),
    ];
    return () => {
      this.rooms.follow(undefined);
      for (const stop of stops) stop();
    };
  }

  readonly onChanges = (room: string, changes: readonly ChangeEvent[]): void => {
    void this.#cache.applyChanges(room, changes);
  };

  cachedWindow(name: string): Promise<CachedWindow | undefined> {
    return this.#cache.window(name);
  }

  /** Events between the last list and the connection are in neither, so the list is loaded again. */
  onHello(epoch: string): void {
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#resetLog();
    this.#epoch = epoch;
    void this.refresh();
  }

  onRoomFrame(frame: RoomFrame): void {
    const { room, last, read } = frame;
    this.rooms.applyFrame(frame);
    if (read !== undefined) this.readPositions.onServerPosition(room, read, last);
    this.#saveRooms();
  }

  /** Retries until the list has arrived. */
  refresh(): Promise<void> {
    return this.#retry.run((isNewest) => this.#refreshRooms(isNewest));
  }

  /** A list is dropped when a later request has started. */
  async #refreshRooms(isNewest: () => boolean): Promise<boolean> {
    const rooms = await api.rooms();
    if (!rooms || !isNewest()) return false;
    const before = this.rooms.loaded.peek() ? this.rooms.list.peek() : rooms;
    this.#applyRooms(rooms);
    for (const { room, last } of this.rooms.missedSince(before)) this.#onMissed(room, last);
    return true;
  }

  #applyRooms(rooms: readonly RoomSummary[]): void {
    this.rooms.replaceAll(rooms);
    for (const { room, read, last } of rooms) this.readPositions.onServerPosition(room, read, last);
    this.#saveRooms();
  }

  #resetLog(): void {
    this.rooms.reset();
    this.readPositions.clear();
    void this.#cache.clear();
  }

  #saveRooms(): void {
    this.#cache.saveRooms(() => {
      const rooms = this.rooms.list.peek();
      return this.#epoch === undefined ? undefined : { epoch: this.#epoch, rooms };
    });
  }
}

/** A message of someone else that mentions the user or replies to them. */
export function concerns(event: LogEvent, me: User | undefined): boolean {
  if ((event.type !== 'chat' && event.type !== 'edit') || !me || event.user.id === me.id) return false;
  const isReply = event.type === 'chat' && event.reply?.user.id === me.id;
  return isReply || (event.mentions?.some(({ id }) => id === me.id) ?? false);
}

/** Invariant: within an epoch, `last` and `read` never decrease, whatever the order of updates. */
export class RoomEntries {
  readonly #rooms = signal<readonly RoomSummary[]>([]);
  readonly #loaded = signal(false);
  /** the room in view, whose unread messages are counted here and not by the server */
  #followed: string | undefined;
  /** Joined rooms first, then the others by activity. In rooms that the user has left only mentions are unread. */
  readonly list: ReadonlySignal<readonly RoomSummary[]>;
  /** The server's list has arrived. */
  readonly loaded: ReadonlySignal<boolean> = this.#loaded;

  constructor(left: ReadonlySignal<ReadonlySet<string>> = signal(new Set())) {
    this.list = computed(() => {
      const rooms = left.value;
      return rooms.size === 0 ? this.#rooms.value : this.#rooms.value.map((entry) => asLeft(entry, rooms));
    });
  }

  entry(room: string): RoomSummary | undefined {
    return this.list.peek().find((entry) => entry.room === room);
  }

  /** Reads signals. */
  readIn(room: string): number {
    return this.#rooms.value.find((entry) => entry.room === room)?.read ?? 0;
  }

  /** Shows the cached list. */
  restore(rooms: readonly RoomSummary[]): void {
    if (!this.#loaded.peek()) this.#rooms.value = this.#merge(rooms, true);
  }

  /** Joined rooms that the server does not list, because they are empty, are kept. */
  replaceAll(rooms: readonly RoomSummary[]): void {
    const names = new Set(rooms.map(({ room }) => room));
    const empty = this.#rooms
      .peek()
      .filter(({ room, joined, last }) => joined && last === 0 && !names.has(room));
    this.#rooms.value = insertJoined(this.#merge(rooms), empty);
    this.#loaded.value = true;
  }

  /** Rooms that concern the user, are not in view, and had fewer events then. Returns them as they were. */
  missedSince(before: readonly RoomSummary[]): readonly RoomSummary[] {
    const known = new Map(before.map((entry) => [entry.room, entry]));
    return this.list.peek().flatMap(({ room, last, joined, mentions }) => {
      const previous = known.get(room) ?? newEntry(room);
      const concernsUser = joined || mentions > previous.mentions;
      return room !== this.#followed && concernsUser && last > previous.last ? [previous] : [];
    });
  }

  /** The room comes into view, and the user is in it; or no room is in view. */
  follow(room: string | undefined): void {
    this.#followed = room;
    if (room !== undefined) this.#change(room, (entry) => ({ ...entry, joined: true }));
  }
  setLast(room: string, last: number): void {
    this.#change(room, (entry) => ({ ...entry, last: Math.max(entry.last, last) }));
  }
  /** On this or another device. */
  setRead(room: string, id: number): void {
    this.#change(room, (entry) => withoutRead({ ...entry, read: Math.max(entry.read, id) }));
  }
  setUnread(room: string, unread: number, mentions: number): void {
    this.#change(room, (entry) => ({ ...entry, unread, mentions }));
  }
  setPeople(room: string, people: number): void {
    this.#change(room, (entry) => ({ ...entry, people }));
  }

  /** A room that is not listed yet, and has no read position, is one that the user was never in. */
  applyFrame({ room, last, read, unread, mentions }: RoomFrame): void {
    const counts = room === this.#followed ? {} : { unread, mentions };
    const joined = read !== undefined || (this.entry(room)?.joined ?? false);
    this.#change(room, (entry) =>
      withoutRead({ ...entry, joined, ...counts, last: Math.max(entry.last, last) }),
    );
  }

  /** Another epoch: no number holds any more. */
  reset(): void {
    const numbers = { last: 0, read: 0, unread: 0, mentions: 0 };
    this.#rooms.value = this.#rooms.peek().map((entry) => ({ ...entry, ...numbers }));
    this.#loaded.value = false;
  }

  #change(room: string, change: (entry: RoomSummary) => RoomSummary): void {
    const rooms = this.#rooms.peek();
    const index = rooms.findIndex((entry) => entry.room === room);
    const previous = rooms[index] ?? newEntry(room);
    const changed = change(previous);
    if (index < 0) this.#rooms.value = changed.joined ? insertJoined(rooms, [changed]) : [...rooms, changed];
    else if (!isSameEntry(previous, changed)) this.#rooms.value = rooms.with(index, changed);
  }

  /**
   * A server's list that is older than the last live frame says nothing about counts. A server that has missed a read
   * position counts too much: nothing of what was read counts here, and of later events at most all.
   */
  #merge(rooms: readonly RoomSummary[], isCached = false): readonly RoomSummary[] {
    const known = new Map(this.#rooms.peek().map((entry) => [entry.room, entry]));
    return rooms.map((summary) => {
      const { last = 0, read = 0, unread = 0, mentions = 0 } = known.get(summary.room) ?? {};
      const isKnown = summary.room === this.#followed || (!isCached && summary.last < last);
      const later = Math.max(0, summary.last - last);
      return {
        ...summary,
        last: Math.max(last, summary.last),
        read: Math.max(read, summary.read),
        ...(read > summary.read && {
          unread: Math.min(summary.unread, unread + later),
          mentions: Math.min(summary.mentions, mentions + later),
        }),
        ...(isKnown && { unread, mentions }),
      };
    });
  }
}

function asLeft(entry: RoomSummary, left: ReadonlySet<string>): RoomSummary {
  return left.has(entry.room) ? { ...entry, joined: false, unread: entry.mentions } : entry;
}

export function newEntry(room: string): RoomSummary {
  return { room, last: 0, read: 0, unread: 0, mentions: 0, people: 0, joined: true };
}

/** Nothing is unread in a room that was read to its end. */
function withoutRead(entry: RoomSummary): RoomSummary {
  return entry.read < entry.last ? entry : { ...entry, unread: 0, mentions: 0 };
}

/** Inserts rooms after the joined ones. */
function insertJoined(rooms: readonly RoomSummary[], more: readonly RoomSummary[]): readonly RoomSummary[] {
  const firstOther = rooms.findIndex(({ joined }) => !joined);
  return rooms.toSpliced(firstOther < 0 ? rooms.length : firstOther, 0, ...more);
}

function isSameEntry(a: RoomSummary, b: RoomSummary): boolean {
  const fields = ['last', 'read', 'unread', 'mentions', 'people', 'joined'] as const;
  return fields.every((name) => a[name] === b[name]);
}

/**
 * Sends read positions to the server: only the newest of each room, throttled, and repeated until they
 * arrive.
 */

interface ReadPositionSenderDeps {
  readonly rooms: RoomEntries;
  /** Resolves with false when it has to be repeated. A request of a leaving page must outlive it. */
  readonly send: (room: string, id: number, isLeaving: boolean) => Promise<boolean>;
  readonly clock: Clock;
}

const sendIntervalMs = 2_000;
const resendDelayMs = 10_000;

export class ReadPositionSender {
  readonly #deps: ReadPositionSenderDeps;
  readonly #queue = new Map<string, number>();
  #scheduled = false;
  #sentAt = -Infinity;

  constructor(deps: ReadPositionSenderDeps) {
    this.#deps = deps;
  }

  markRead(room: string, id: number): void {
    const { rooms } = this.#deps;
    if (id <= (rooms.entry(room)?.read ?? 0)) return;
    rooms.setRead(room, id);
    this.#enqueue(room, id);
  }

  /** A server that knows less has missed an update. A log that ends before the position is another one. */
  onServerPosition(room: string, read: number, last: number): void {
    const ownRooms = this.#deps.rooms.entry(room)?.read ?? 0;
    if (read < ownRooms && ownRooms <= last) this.#enqueue(room, ownRooms);
    else this.#deps.rooms.setRead(room, read);
  }

  /** The page may close soon. */
  flush(): void {
    void this.#send(true);
  }

  clear(): void {
    this.#queue.clear();
  }

  #enqueue(room: string, id: number): void {
    this.#queue.set(room, Math.max(id, this.#queue.get(room) ?? 0));
    this.#schedule(sendIntervalMs);
  }

  #schedule(intervalMs: number): void {
    if (this.#scheduled || this.#queue.size === 0) return;
    this.#scheduled = true;
    const { clock } = this.#deps;
    clock.after(Math.max(0, Math.min(intervalMs, this.#sentAt + intervalMs - clock.now())), () => {
      this.#scheduled = false;
      void this.#send(false);
    });
  }

  async #send(isLeaving: boolean): Promise<void> {
    const positions = [...this.#queue];
    this.#queue.clear();
    if (positions.length === 0) return;
    this.#sentAt = this.#deps.clock.now();
    const results = await Promise.all(
      positions.map(
        async ([room, id]) => (await this.#deps.send(room, id, isLeaving)) || this.#requeue(room, id),
      ),
    );
    this.#schedule(results.every(Boolean) ? sendIntervalMs : resendDelayMs);
  }

  #requeue(room: string, id: number): false {
    this.#queue.set(room, Math.max(id, this.#queue.get(room) ?? 0));
    return false;
  }
}

/** Repeats a request until it succeeds. A newer request replaces an older one. */

/** Minimum delay. */
const minRetryMs = 1_000;

class RetryLatest {
  readonly #clock: Clock;
  readonly #random: () => number;
  #attempt = 0;
  #cancel = () => {};

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** `ask` resolves with false to be repeated. `isNewest` tells whether a later request has started. */
  async run(ask: (isNewest: () => boolean) => Promise<boolean>, attempt = 0): Promise<void> {
    const request = ++this.#attempt;
    const isNewest = () => request === this.#attempt;
    this.#cancel();
    if ((await ask(isNewest)) || !isNewest()) return;
    const delayMs = minRetryMs + backoffMs(attempt, this.#random);
    this.#cancel = this.#clock.after(delayMs, () => void this.run(ask, attempt + 1));
  }
}

/** The room above or below, wrapping around; with `unread`, only rooms with unread messages. */

export function neighbourRoom(
  entries: readonly RoomSummary[],
  current: string,
  step: 1 | -1,
  unread: boolean,
): string | undefined {
  const rooms = [...entries.filter(({ joined }) => joined), ...entries.filter(({ joined }) => !joined)];
  const start = rooms.findIndex(({ room }) => room === current);
  for (let n = 1; n <= rooms.length; n++) {
    const from = start < 0 && step < 0 ? 0 : start;
    const entry = rooms.at((from + n * step) % rooms.length);
    if (!entry || entry.room === current) continue;
    if (!unread || entry.unread > 0) return entry.room;
  }
  return undefined;
}
