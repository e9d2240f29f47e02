/**
 * The list of rooms with my read marks, kept true: by the server's list, by what the sockets tell, by what was kept from
 * the last time. One log stands behind it all: when that is another one, nothing of it holds.
 */
import { effect } from '@preact/signals';
import type { ChangeEvent, RoomFrame, RoomSummary } from '../shared/protocol.js';
import * as api from './api.js';
import type { Snapshot } from './state/answers.js';
import { Asking } from './state/asking.js';
import type { Clock } from './state/clock.js';
import type { Keep, KeptWindow } from './state/keep.js';
import { ReadMarks } from './state/readmarks.js';
import type { Room } from './state/room.js';
import { Rooms } from './state/rooms.js';

export class Register {
  readonly rooms = new Rooms();
  readonly marks: ReadMarks;
  readonly #keep: Keep;
  #epoch: string | undefined;
  readonly #lists: Asking;
  readonly #calls: Asking;

  constructor(keep: Keep, clock: Clock, random: () => number = Math.random) {
    this.#keep = keep;
    this.#lists = new Asking(clock, random);
    this.#calls = new Asking(clock, random);
    this.marks = new ReadMarks({ rooms: this.rooms, put: api.read, clock });
  }

  /** What was kept, until the server says more. */
  async restore(): Promise<void> {
    const kept = await this.#keep.rooms();
    if (!kept || this.#epoch !== undefined) return;
    this.#epoch = kept.epoch;
    this.rooms.restore(kept.rooms);
  }

  /** What the page was delivered with. Of what was kept the read marks count, which may be further; of another log nothing stays. */
  async begin({ page: { epoch }, rooms }: Snapshot): Promise<void> {
    this.#epoch = epoch;
    this.#heard(rooms);
    const kept = await this.#keep.rooms();
    if (kept && kept.epoch !== epoch) await this.#keep.clear();
    for (const { room, read } of kept?.epoch === epoch ? kept.rooms : [])
      if (read <= (this.rooms.entry(room)?.last ?? 0)) this.marks.read(room, read);
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

  /** A socket was opened on the log of this name. What moved since the last list and before it was told by neither. */
  greeted(epoch: string): void {
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#otherLog();
    this.#epoch = epoch;
    void this.refresh();
  }

  moved({ room, last, read }: RoomFrame): void {
    this.rooms.moved(room, last);
    if (read !== undefined) this.marks.told(room, read, last);
    this.#keepRooms();
  }

  /** Until both are there, or a greeting asks anew. A room that opens waits for the list, not for the mentions. */
  async refresh(): Promise<void> {
    await Promise.all([
      this.#lists.start((newest) => this.#refreshRooms(newest)),
      this.#calls.start(() => this.#refreshMentions()),
    ]);
  }

  /** A list that was overtaken by a newer question is not heard any more. */
  async #refreshRooms(newest: () => boolean): Promise<boolean> {
    const list = await api.rooms();
    if (!list || !newest()) return false;
    this.#heard(list);
    return true;
  }

  #heard(list: readonly RoomSummary[]): void {
    this.rooms.refreshed(list);
    for (const { room, read, last } of list) this.marks.told(room, read, last);
    this.#keepRooms();
  }

  async #refreshMentions(): Promise<boolean> {
    const epoch = this.#epoch;
    const found = await api.mentions({});
    if (!found) return false;
    if (epoch !== this.#epoch) return true;
    for (const { room, id, edited = id } of found.messages) this.rooms.called(room, edited);
    this.#keepRooms();
    return true;
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
