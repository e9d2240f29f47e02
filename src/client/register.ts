/**
 * The list of rooms with my read marks, kept true: by the server's list, by what the sockets tell, by what was kept from
 * the last time. One log stands behind it all: when that is another one, nothing of it holds.
 */
import { effect } from '@preact/signals';
import type { ChangeEvent, RoomFrame } from '../protocol.js';
import * as api from './api.js';
import type { Clock } from './state/clock.js';
import type { Keep, KeptWindow } from './state/keep.js';
import { ReadMarks } from './state/readmarks.js';
import type { Room } from './state/room.js';
import { Rooms } from './state/rooms.js';

/** What moved between the last list and a new socket was told by neither: so long after it the list is read again. */
const AGAIN_MS = 1_000;

export class Register {
  readonly rooms = new Rooms();
  readonly marks: ReadMarks;
  readonly #keep: Keep;
  readonly #clock: Clock;
  #epoch: string | undefined;
  #asking = false;
  #callOff = () => {};

  constructor(keep: Keep, clock: Clock) {
    this.#keep = keep;
    this.#clock = clock;
    this.marks = new ReadMarks({ rooms: this.rooms, put: api.read, clock });
  }

  /** What was kept, until the server says more; which it is asked at once, not when there is a socket. */
  open(): void {
    void this.#restore();
    void this.refresh();
  }

  async #restore(): Promise<void> {
    const kept = await this.#keep.rooms();
    if (!kept || this.#epoch !== undefined) return;
    this.#epoch = kept.epoch;
    this.rooms.restore(kept.rooms);
  }

  /** Keeps what the room in view says of itself, until what is returned is called. */
  follow(name: string, { transcript, people }: Room): () => void {
    const stops = [
      effect(() => this.rooms.moved(name, transcript.value.last)),
      effect(() => this.rooms.peopled(name, people.value.count)),
      effect(() => {
        if (transcript.value.seen) this.#keep.keepWindow(name, () => transcript.peek());
      }),
    ];
    this.rooms.entered(name);
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Heard of a room that is not in view. */
  readonly changed = (room: string, changes: readonly ChangeEvent[]): void => {
    void this.#keep.change(room, changes);
  };

  /** The room's last window, from the last time. */
  window(name: string): Promise<KeptWindow | undefined> {
    return this.#keep.window(name);
  }

  /** A socket was opened on the log of this name. */
  greeted(epoch: string): void {
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#otherLog();
    this.#epoch = epoch;
    this.#callOff();
    const soon = this.rooms.loaded.peek() || this.#asking ? AGAIN_MS : 0;
    this.#callOff = this.#clock.after(soon, () => void this.refresh());
  }

  moved({ room, last, read }: RoomFrame): void {
    this.rooms.moved(room, last);
    if (read !== undefined) this.marks.told(room, read);
    this.#keepRooms();
  }

  async refresh(): Promise<void> {
    const mentions = api.mentions({});
    this.#asking = true;
    const list = await api.rooms(); // a room that opens waits for it, and for nothing else
    this.#asking = false;
    if (!list) return; // the next hello asks again
    this.rooms.refreshed(list);
    for (const { room, read } of list) this.marks.told(room, read);
    for (const { room, id, edited = id } of (await mentions)?.messages ?? []) this.rooms.called(room, edited);
    this.#keepRooms();
  }

  #otherLog(): void {
    this.rooms.reset();
    this.marks.clear();
    void this.#keep.clear();
  }

  #keepRooms(): void {
    this.#keep.keepRooms(() => {
      const rooms = this.rooms.list.peek();
      return this.#epoch === undefined ? undefined : { epoch: this.#epoch, rooms };
    });
  }
}
