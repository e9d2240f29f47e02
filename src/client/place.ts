/**
 * One room of the page: its socket feeds the room, what is written goes by the outbox. What components of a room see.
 * It has a socket only while it is in view (`enter` … `leave`); left, it keeps what it knows, and goes on by number.
 */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { initialPosition } from '../shared/protocol.js';
import { Draft } from './draft.js';
import { Line, type LineParts } from './line.js';
import type { Register } from './register.js';
import type { Snapshot } from './state/answers.js';
import { Bookmark } from './state/bookmark.js';
import { within } from './state/clock.js';
import type { Connection } from './state/connection.js';
import type { Letter } from './state/letter.js';
import type { Outbox } from './state/outbox.js';
import type { Room } from './state/room.js';
import type { Shelf } from './state/settings.js';
import { Teller } from './state/typing.js';
import { when } from './state/when.js';

export interface PlaceParts extends LineParts {
  readonly register: Register;
  readonly shelf: Shelf;
  /** The page can be seen. */
  readonly seen: () => boolean;
}

/** So long an opening waits. */
const PATIENCE_MS = 1_500;
const TYPING = JSON.stringify({ type: 'typing' });

export class Place {
  readonly name: string;
  readonly room: Room;
  readonly connection: Connection;
  /** the message to bring into view and to highlight */
  readonly shown: Signal<number | undefined> = signal(undefined);
  readonly draft: Draft;
  /** where I stopped reading */
  readonly bookmark: Bookmark;
  readonly #parts: PlaceParts;
  readonly #line: Line;
  readonly #teller: Teller;
  #target: number | undefined;
  #unwatch = () => {};

  constructor(parts: PlaceParts) {
    const { name, user, clock, shelf } = parts;
    this.#parts = parts;
    this.name = name;
    this.draft = new Draft(shelf, user, name);
    this.bookmark = new Bookmark(parts.register.rooms, name);
    this.#line = new Line(parts, {
      start: () => this.#start(),
      opened: () => this.bookmark.opened(this.room.transcript.peek().last),
    });
    this.room = this.#line.room;
    this.connection = this.#line.connection;
    this.#teller = new Teller(clock, () => this.connection.send(TYPING));
  }

  /** what was asked for and is not in the log yet: chat, edit, delete, react, unreact */
  get letters(): ReadonlySignal<readonly Letter[]> {
    return this.#outbox.letters;
  }

  /** Each at any time: it is kept until it can be sent. */
  say(data: string): void {
    void this.#outbox.post({ type: 'chat', data });
    this.#teller.sent();
  }
  edit(target: number, data: string): void {
    void this.#outbox.post({ type: 'edit', target, data });
  }
  remove(target: number): void {
    void this.#outbox.post({ type: 'delete', target });
  }
  react(target: number, data: string): void {
    void this.#outbox.post({ type: 'react', target, data });
  }
  unreact(target: number, data: string): void {
    void this.#outbox.post({ type: 'unreact', target, data });
  }

  /** Sends a refused letter again. */
  again(cid: string): void {
    void this.#outbox.again(cid);
  }
  /** Gives a letter up. */
  drop(cid: string): void {
    void this.#outbox.drop(cid);
  }

  /** I am writing. To be called at each stroke: it is told now and then. */
  typing(): void {
    this.#teller.stroke();
  }

  /** Brings a message into the window, wherever it is, and sets `shown`. */
  async goTo(id: number): Promise<void> {
    const message = await this.room.goTo(id);
    if (message === undefined) return;
    this.shown.value = undefined; // the same once more is shown once more
    this.shown.value = message;
  }

  /** I have seen everything up to this number. */
  read(id: number): void {
    const { last } = this.room.transcript.peek();
    if (this.#parts.seen()) this.#parts.register.marks.read(this.name, Math.min(id, last));
  }

  /** The room comes into view, at a number if given; with what the page was delivered with, when it is this room's. */
  enter(id?: number, snapshot?: Snapshot): void {
    this.#target = id;
    this.#unwatch = this.#parts.register.follow(this.name, this.room);
    const begun = snapshot !== undefined && this.#begin(snapshot, id);
    const opening = begun ? undefined : this.#open();
    this.#line.open();
    if (id !== undefined) void this.#arrive(id, opening);
  }

  /** Another room comes into view: nothing is lost, and nothing costs anything. */
  leave(): void {
    this.#unwatch();
    this.#line.rest();
  }

  /** It is forgotten here. */
  close(): void {
    this.#line.mail.close();
  }

  /** The page is looked at again: the line stands where one stopped. */
  remark(): void {
    this.bookmark.lookedAt(this.room.transcript.peek().last);
  }

  /** The page may be frozen or closed: another tab sends meanwhile. */
  pause(): void {
    this.#line.mail.stop();
  }
  resume(): void {
    this.#line.mail.start();
  }

  /** Opens it at once with what was delivered, unless it is to be opened where that does not reach. */
  #begin(snapshot: Snapshot, id: number | undefined): boolean {
    const { last, messages } = snapshot.page;
    const reaches =
      id === undefined ? last === 0 || messages.length > 0 : messages.some((event) => event.id === id);
    if (reaches) this.room.begin(snapshot);
    return reaches;
  }

  #open(): Promise<void> {
    const known = this.room.transcript.peek().epoch !== undefined;
    return known ? this.room.open(this.#start()) : this.#restore();
  }

  get #outbox(): Outbox {
    return this.#line.mail.outbox;
  }

  /** Where to open: at a number that was asked for, at the read mark when much is after it, else at the end. */
  async #start(): Promise<number | undefined> {
    const { rooms } = this.#parts.register;
    await this.#soon(rooms.loaded, Boolean);
    if (this.#target !== undefined) return this.#target;
    const entry = rooms.entry(this.name);
    return entry && initialPosition(entry);
  }

  /** What was kept is shown until the server answers; that it does not answer is seen beside it. */
  async #restore(): Promise<void> {
    const window = await this.#parts.register.window(this.name);
    if (!window || this.room.transcript.peek().epoch !== undefined) return;
    this.room.restore(window);
    await this.room.open(this.#start());
  }

  /** Shows the message once the room is open. */
  async #arrive(id: number, opening: Promise<void> | undefined): Promise<void> {
    await opening;
    if (opening) await this.#soon(this.connection.link, ({ state }) => state === 'live');
    if (this.#target !== id) return;
    this.#target = undefined;
    await this.goTo(id);
  }

  #soon<T>(source: ReadonlySignal<T>, so: (value: T) => boolean): Promise<void> {
    return within(this.#parts.clock, PATIENCE_MS, when(source, so, NEVER));
  }
}

const NEVER = new AbortController().signal;
