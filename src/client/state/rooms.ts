/**
 * The list of rooms with what is unread in each: arithmetic of numbers, last - read. What must stay true: in one log
 * neither of the two ever goes back, whichever way and in whatever order news of them comes.
 */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { RoomSummary } from '../../shared/protocol.js';

export interface RoomEntry extends RoomSummary {
  /** how many numbers are past my read mark */
  readonly unread: number;
  /** among them is one that calls me by name, as far as this page has seen */
  readonly mentioned: boolean;
}

interface Known extends RoomSummary {
  /** the newest number at which I was called by name */
  readonly called: number;
}

export class Rooms {
  readonly #rooms = signal<readonly Known[]>([]);
  readonly #list = computed(() => this.#rooms.value.map(entryOf));
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
    this.#rooms.value = rooms.map((room) => merged(known.get(room.room), room));
  }

  /** The server's list, as it is now. Rooms it does not name yet (nothing was said in them) stay where I am in them. */
  refreshed(rooms: readonly RoomSummary[]): void {
    const before = new Map(this.#rooms.peek().map((one) => [one.room, one]));
    const now = rooms.map((room) => merged(before.get(room.room), room));
    const named = new Set(rooms.map(({ room }) => room));
    const mine = [...before.values()].filter(
      ({ room, joined, last }) => joined && last === 0 && !named.has(room),
    );
    const others = now.findIndex(({ joined }) => !joined);
    this.#rooms.value = now.toSpliced(others < 0 ? now.length : others, 0, ...mine);
    this.#loaded.value = true;
  }

  /** I am in it. */
  entered(room: string): void {
    this.#change(room, (known) => ({ ...known, joined: true }));
  }
  /** Its newest number. */
  moved(room: string, last: number): void {
    this.#change(room, (known) => ({ ...known, last: Math.max(known.last, last) }));
  }
  /** I have read up to here, on this device or another. */
  readTo(room: string, id: number): void {
    this.#change(room, (known) => ({ ...known, read: Math.max(known.read, id) }));
  }
  /** The event of this number calls me by name. */
  called(room: string, id: number): void {
    this.#change(room, (known) => ({ ...known, called: Math.max(known.called, id) }));
  }
  /** So many people are in it. */
  peopled(room: string, people: number): void {
    this.#change(room, (known) => ({ ...known, people }));
  }

  /** Another log: no number holds any more. */
  reset(): void {
    this.#rooms.value = this.#rooms.peek().map((one) => ({ ...one, last: 0, read: 0, called: 0 }));
    this.#loaded.value = false;
  }

  #change(room: string, change: (known: Known) => Known): void {
    const rooms = this.#rooms.peek();
    const index = rooms.findIndex((one) => one.room === room);
    const before = rooms[index] ?? { room, last: 0, read: 0, people: 0, joined: true, called: 0 };
    const after = change(before);
    if (index < 0) this.#rooms.value = this.#added(after);
    else if (!same(before, after)) this.#rooms.value = rooms.with(index, after);
  }

  /** A room that was not there: the last of mine. */
  #added(known: Known): readonly Known[] {
    const rooms = this.#rooms.peek();
    const others = rooms.findIndex(({ joined }) => !joined);
    return rooms.toSpliced(others < 0 ? rooms.length : others, 0, known);
  }
}

function merged(before: Known | undefined, now: RoomSummary): Known {
  const { last = 0, read = 0, called = 0 } = before ?? {};
  return { ...now, last: Math.max(last, now.last), read: Math.max(read, now.read), called };
}

function same(a: Known, b: Known): boolean {
  return (
    a.last === b.last &&
    a.read === b.read &&
    a.called === b.called &&
    a.people === b.people &&
    a.joined === b.joined
  );
}

function entryOf({ called, ...summary }: Known): RoomEntry {
  const { last, read } = summary;
  return { ...summary, unread: Math.max(0, last - read), mentioned: called > read };
}
