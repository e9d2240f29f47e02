/**
 * The list of rooms with my read marks, kept true: by the server's list, by what the sockets tell, by what was kept from
 * the last time. One log stands behind it all: when that is another one, nothing of it holds.
 */
import { computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import type { ChangeEvent, RoomFrame, RoomSummary } from '../../shared/protocol.js';
import * as api from '../api.js';
import { backoffMs, type Clock } from '../clock.js';
import type { Snapshot } from '../decode.js';
import type { RoomStore } from '../room/store.js';
import type { CachedWindow, OfflineCache } from './cache.js';

export class RoomListStore {
  readonly rooms = new RoomEntries();
  readonly readPositions: ReadPositionSender;
  readonly #cache: OfflineCache;
  #epoch: string | undefined;
  readonly #roomsRetry: RetryLatest;
  readonly #mentionsRetry: RetryLatest;

  constructor(keep: OfflineCache, clock: Clock, random: () => number = Math.random) {
    this.#cache = keep;
    this.#roomsRetry = new RetryLatest(clock, random);
    this.#mentionsRetry = new RetryLatest(clock, random);
    this.readPositions = new ReadPositionSender({ rooms: this.rooms, send: api.markRead, clock });
  }

  /** What was kept, until the server says more. */
  async restore(): Promise<void> {
    const kept = await this.#cache.rooms();
    if (!kept || this.#epoch !== undefined) return;
    this.#epoch = kept.epoch;
    this.rooms.restore(kept.rooms);
  }

  /** What the page was delivered with. Of what was kept the read marks count, which may be further; of another log nothing stays. */
  async openFromSnapshot({ page: { epoch }, rooms }: Snapshot): Promise<void> {
    this.#epoch = epoch;
    this.#applyRooms(rooms);
    const kept = await this.#cache.rooms();
    if (kept && kept.epoch !== epoch) await this.#cache.clear();
    for (const { room, read } of kept?.epoch === epoch ? kept.rooms : [])
      if (read <= (this.rooms.entry(room)?.last ?? 0)) this.readPositions.markRead(room, read);
  }

  /** Keeps what the room in view says of itself, until what is returned is called. */
  follow(name: string, { transcript, people }: RoomStore): () => void {
    const stops = [
      effect(() => this.rooms.setLast(name, transcript.value.last)),
      effect(() => this.rooms.setPeople(name, people.value.count)),
      effect(() => {
        if (transcript.value.seen) this.#cache.saveWindow(name, () => transcript.peek());
      }),
    ];
    this.rooms.join(name);
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Heard of a room that is not in view. */
  readonly onChanges = (room: string, changes: readonly ChangeEvent[]): void => {
    void this.#cache.applyChanges(room, changes);
  };

  /** The room's last window, from the last time. */
  cachedWindow(name: string): Promise<CachedWindow | undefined> {
    return this.#cache.window(name);
  }

  /** A socket was opened on the log of this name. What moved since the last list and before it was told by neither. */
  onHello(epoch: string): void {
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#resetLog();
    this.#epoch = epoch;
    void this.refresh();
  }

  onRoomFrame({ room, last, read }: RoomFrame): void {
    this.rooms.setLast(room, last);
    if (read !== undefined) this.readPositions.onServerPosition(room, read, last);
    this.#saveRooms();
  }

  /** Until both are there, or a greeting asks anew. A room that opens waits for the list, not for the mentions. */
  async refresh(): Promise<void> {
    await Promise.all([
      this.#roomsRetry.run((newest) => this.#refreshRooms(newest)),
      this.#mentionsRetry.run(() => this.#refreshMentions()),
    ]);
  }

  /** A list that was overtaken by a newer question is not heard any more. */
  async #refreshRooms(newest: () => boolean): Promise<boolean> {
    const list = await api.rooms();
    if (!list || !newest()) return false;
    this.#applyRooms(list);
    return true;
  }

  #applyRooms(list: readonly RoomSummary[]): void {
    this.rooms.replaceAll(list);
    for (const { room, read, last } of list) this.readPositions.onServerPosition(room, read, last);
    this.#saveRooms();
  }

  async #refreshMentions(): Promise<boolean> {
    const epoch = this.#epoch;
    const found = await api.mentions({});
    if (!found) return false;
    if (epoch !== this.#epoch) return true;
    for (const { room, id, edited = id } of found.messages) this.rooms.setMentioned(room, edited);
    this.#saveRooms();
    return true;
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

/**
 * The list of rooms with what is unread in each: arithmetic of numbers, last - read. What must stay true: in one log
 * neither of the two ever goes back, whichever way and in whatever order news of them comes.
 */

export interface RoomEntry extends RoomSummary {
  /** how many numbers are past my read mark */
  readonly unread: number;
  /** among them is one that calls me by name, as far as this page has seen */
  readonly mentioned: boolean;
}

interface KnownRoom extends RoomSummary {
  /** the newest number at which I was called by name */
  readonly mentionedAt: number;
}

export class RoomEntries {
  readonly #rooms = signal<readonly KnownRoom[]>([]);
  readonly #list = computed(() => this.#rooms.value.map(toEntry));
  readonly #unread = computed(() =>
    this.#list.value.reduce((sum, entry) => sum + (entry.joined ? entry.unread : 0), 0),
  );
  readonly #loaded = signal(false);

  /** Those I have been in first, then the others by activity. */
  get list(): ReadonlySignal<readonly RoomEntry[]> {
    return this.#list;
  }
  /** In all rooms that I have been in. */
  get unread(): ReadonlySignal<number> {
    return this.#unread;
  }
  /** The server has told it to this page once. */
  get loaded(): ReadonlySignal<boolean> {
    return this.#loaded;
  }

  entry(room: string): RoomEntry | undefined {
    return this.#list.peek().find((entry) => entry.room === room);
  }

  /** What was kept from the last time. */
  restore(rooms: readonly RoomSummary[]): void {
    if (this.#loaded.peek()) return;
    const known = new Map(this.#rooms.peek().map((one) => [one.room, one]));
    this.#rooms.value = rooms.map((room) => mergeEntry(known.get(room.room), room));
  }

  /** The server's list, as it is now. Rooms it does not name yet (nothing was said in them) stay where I am in them. */
  replaceAll(rooms: readonly RoomSummary[]): void {
    const before = new Map(this.#rooms.peek().map((one) => [one.room, one]));
    const now = rooms.map((room) => mergeEntry(before.get(room.room), room));
    const named = new Set(rooms.map(({ room }) => room));
    const mine = [...before.values()].filter(
      ({ room, joined, last }) => joined && last === 0 && !named.has(room),
    );
    const others = now.findIndex(({ joined }) => !joined);
    this.#rooms.value = now.toSpliced(others < 0 ? now.length : others, 0, ...mine);
    this.#loaded.value = true;
  }

  /** I am in it. */
  join(room: string): void {
    this.#change(room, (known) => ({ ...known, joined: true }));
  }
  /** Its newest number. */
  setLast(room: string, last: number): void {
    this.#change(room, (known) => ({ ...known, last: Math.max(known.last, last) }));
  }
  /** I have read up to here, on this device or another. */
  setRead(room: string, id: number): void {
    this.#change(room, (known) => ({ ...known, read: Math.max(known.read, id) }));
  }
  /** The event of this number calls me by name. */
  setMentioned(room: string, id: number): void {
    this.#change(room, (known) => ({ ...known, mentionedAt: Math.max(known.mentionedAt, id) }));
  }
  /** So many people are in it. */
  setPeople(room: string, people: number): void {
    this.#change(room, (known) => ({ ...known, people }));
  }

  /** Another log: no number holds any more. */
  reset(): void {
    this.#rooms.value = this.#rooms.peek().map((one) => ({ ...one, last: 0, read: 0, called: 0 }));
    this.#loaded.value = false;
  }

  #change(room: string, change: (known: KnownRoom) => KnownRoom): void {
    const rooms = this.#rooms.peek();
    const index = rooms.findIndex((one) => one.room === room);
    const before = rooms[index] ?? {
      ...{ room, last: 0, read: 0, unread: 0, mentions: 0, people: 0 },
      ...{ joined: true, mentionedAt: 0 },
    };
    const after = change(before);
    if (index < 0) this.#rooms.value = this.#added(after);
    else if (!isSameEntry(before, after)) this.#rooms.value = rooms.with(index, after);
  }

  /** A room that was not there: the last of mine. */
  #added(known: KnownRoom): readonly KnownRoom[] {
    const rooms = this.#rooms.peek();
    const others = rooms.findIndex(({ joined }) => !joined);
    return rooms.toSpliced(others < 0 ? rooms.length : others, 0, known);
  }
}

function mergeEntry(before: KnownRoom | undefined, now: RoomSummary): KnownRoom {
  const { last = 0, read = 0, mentionedAt: called = 0 } = before ?? {};
  return { ...now, last: Math.max(last, now.last), read: Math.max(read, now.read), mentionedAt: called };
}

function isSameEntry(a: KnownRoom, b: KnownRoom): boolean {
  return (
    a.last === b.last &&
    a.read === b.read &&
    a.mentionedAt === b.mentionedAt &&
    a.people === b.people &&
    a.joined === b.joined
  );
}

function toEntry({ mentionedAt: called, ...summary }: KnownRoom): RoomEntry {
  const { last, read } = summary;
  return { ...summary, unread: Math.max(0, last - read), mentioned: called > read };
}

/**
 * My read marks on their way to the server: the newest of each room, not more often than it must, and again until it
 * has arrived. What must stay true: a mark never goes back.
 */

export interface ReadPositionSenderDeps {
  readonly rooms: RoomEntries;
  /** False when it did not arrive. `leaving`: the page goes away, the request must outlive it. */
  readonly send: (room: string, id: number, leaving: boolean) => Promise<boolean>;
  readonly clock: Clock;
}

const sendIntervalMs = 2_000;
const resendDelayMs = 10_000;

export class ReadPositionSender {
  readonly #deps: ReadPositionSenderDeps;
  readonly #queue = new Map<string, number>();
  #scheduled = false;
  #sentAt = -Infinity;

  constructor(parts: ReadPositionSenderDeps) {
    this.#deps = parts;
  }

  /** I have read a room up to a number. */
  markRead(room: string, id: number): void {
    const { rooms } = this.#deps;
    if (id <= (rooms.entry(room)?.read ?? 0)) return;
    rooms.setRead(room, id);
    this.#enqueue(room, id);
  }

  /** What the server says of it: when it knows less than we, it did not hear us. A log that ends before my mark is another. */
  onServerPosition(room: string, read: number, last: number): void {
    const mine = this.#deps.rooms.entry(room)?.read ?? 0;
    if (read < mine && mine <= last) this.#enqueue(room, mine);
    else this.#deps.rooms.setRead(room, read);
  }

  /** Tells all at once, since the page may not be here any more soon. */
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

  #schedule(every: number): void {
    if (this.#scheduled || this.#queue.size === 0) return;
    this.#scheduled = true;
    const { clock } = this.#deps;
    clock.after(Math.max(0, Math.min(every, this.#sentAt + every - clock.now())), () => {
      this.#scheduled = false;
      void this.#send(false);
    });
  }

  async #send(leaving: boolean): Promise<void> {
    const marks = [...this.#queue];
    this.#queue.clear();
    if (marks.length === 0) return;
    this.#sentAt = this.#deps.clock.now();
    const sent = await Promise.all(
      marks.map(async ([room, id]) => (await this.#deps.send(room, id, leaving)) || this.#requeue(room, id)),
    );
    this.#schedule(sent.every(Boolean) ? sendIntervalMs : resendDelayMs);
  }

  #requeue(room: string, id: number): false {
    this.#queue.set(room, Math.max(id, this.#queue.get(room) ?? 0));
    return false;
  }
}

/**
 * Asks until there is an answer, after a while each time. What must stay true: of two questions only the newer one is
 * asked again.
 */

/** Whoever is asked has trouble enough: never sooner. */
const minRetryMs = 1_000;

export class RetryLatest {
  readonly #clock: Clock;
  readonly #random: () => number;
  #attempt = 0;
  #cancel = () => {};

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** `ask` is told whether it is still the newest, and resolves false when there was no answer. */
  async run(ask: (newest: () => boolean) => Promise<boolean>, tries = 0): Promise<void> {
    const turn = ++this.#attempt;
    const newest = () => turn === this.#attempt;
    this.#cancel();
    if ((await ask(newest)) || !newest()) return;
    const wait = minRetryMs + backoffMs(tries, this.#random);
    this.#cancel = this.#clock.after(wait, () => void this.run(ask, tries + 1));
  }
}

/** The room above or below another in the list, all around; with `unread`, of those only that have something unread. Pure. */

export function neighbourRoom(
  list: readonly RoomEntry[],
  here: string,
  step: 1 | -1,
  unread: boolean,
): string | undefined {
  const rooms = [...list.filter(({ joined }) => joined), ...list.filter(({ joined }) => !joined)];
  const start = rooms.findIndex(({ room }) => room === here);
  for (let n = 1; n <= rooms.length; n++) {
    const from = start < 0 && step < 0 ? 0 : start;
    const entry = rooms.at((from + n * step) % rooms.length);
    if (!entry || entry.room === here) continue;
    if (!unread || (entry.joined && entry.unread > 0)) return entry.room;
  }
  return undefined;
}
