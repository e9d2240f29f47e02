/** Where I stopped reading a room, as it was when I opened it: there stands the line "new since you were here". */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Rooms } from './rooms.js';

export class Bookmark {
  readonly #at = signal<number | undefined>(undefined);
  readonly #rooms: Rooms;
  readonly #room: string;

  constructor(rooms: Rooms, room: string) {
    this.#rooms = rooms;
    this.#room = room;
  }

  /** The number of my read mark; undefined when nothing was after it. */
  get at(): ReadonlySignal<number | undefined> {
    return this.#at;
  }

  /** My read mark as it is now. Reads signals. */
  get read(): number {
    return this.#rooms.list.value.find(({ room }) => room === this.#room)?.read ?? 0;
  }

  /** The room is opened anew. `last`: its newest number, as far as the room itself knows. */
  opened(last: number): void {
    this.#at.value = undefined;
    this.lookedAt(last);
  }

  /** The page is looked at again. */
  lookedAt(last: number): void {
    const entry = this.#rooms.entry(this.#room);
    if (entry && entry.read > 0 && Math.max(last, entry.last) > entry.read) this.#at.value = entry.read;
  }
}
