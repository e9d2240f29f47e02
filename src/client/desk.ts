/**
 * The whole page: the room in view and those seen before, the list of rooms, settings, panels. Puts the parts together:
 * the connection feeds the room, the room tells the mail what has arrived, the mail sends over the connection. The one
 * place that knows all of them, and the browser.
 */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { FoundPage, User } from '../protocol.js';
import * as api from './api.js';
import { goToSignIn, letIn } from './gate.js';
import { Mail } from './mail.js';
import { Place } from './place.js';
import { Attention } from './state/attention.js';
import { browserClock as clock } from './state/clock.js';
import { Connection } from './state/connection.js';
import { type Letter, memoryStore, type OutboxStore, type Wish } from './state/outbox.js';
import { OutboxDb } from './state/outboxdb.js';
import { Room } from './state/room.js';
import { Rooms } from './state/rooms.js';
import { Settings } from './state/settings.js';
import { openWebSocket, socketUrl } from './state/websocket.js';
import { onWake } from './wake.js';

/** Gone from the server's side: we are somebody else now, or nobody. */
const SESSION_OVER: ReadonlySet<number> = new Set([4001, 4002]);
const LOG_CHANGED = 4510;

/** A panel over the page. */
export type DialogName = 'search' | 'mentions' | 'switch' | 'keys' | 'settings';

export interface SearchWhere {
  readonly room?: string;
  readonly before?: number;
}

export class Desk {
  readonly rooms = new Rooms();
  readonly settings = new Settings({ get: () => undefined, set: () => {}, follow: () => {} });
  readonly attention = new Attention();
  readonly dialog: Signal<DialogName | undefined> = signal(undefined);
  readonly #here: Signal<Place>;
  readonly #newer = signal(false);
  readonly name: string;
  readonly connection: Connection;
  readonly room: Room;
  readonly letters: ReadonlySignal<readonly Letter[]>;
  readonly #store: OutboxStore = 'indexedDB' in globalThis ? new OutboxDb() : memoryStore();
  readonly #mail = signal<Mail | undefined>(undefined);
  /** asked for before we knew who we are */
  readonly #early = signal<readonly Wish[]>([]);
  #user: string | undefined;

  constructor(name: string) {
    this.name = name;
    this.connection = new Connection({
      open: (events) => openWebSocket(socketUrl(new URL(location.href), name, this.room.place), events),
      clock,
      random: Math.random,
      frame: (frame) => {
        this.room.take(frame);
        if (frame.type === 'hello') this.#welcomed(frame.user);
      },
      closed: (code) => this.#closed(code),
    });
    this.room = new Room({
      load: (where) => api.messages(name, where),
      clock,
      random: Math.random,
      settled: (cid) => this.#mail.peek()?.settled(cid),
      refused: (cid, problem) => this.#mail.peek()?.refused(cid, problem),
      startOver: () => this.connection.connect(),
    });
    this.letters = computed(() => [
      ...(this.#mail.value?.outbox.letters.value ?? []),
      ...this.#early.value.map(asLetter),
    ]);
    this.#here = signal(
      new Place({
        name,
        room: this.room,
        connection: this.connection,
        letters: this.letters,
        post: (posting) => this.post(posting),
        again: (cid) => this.again(cid),
        drop: (cid) => this.drop(cid),
      }),
    );
  }

  /** Who I am; undefined until the server has said it. */
  get me(): ReadonlySignal<User | undefined> {
    return this.room.me;
  }
  /** The room in view; another one after `go`. */
  get here(): ReadonlySignal<Place> {
    return this.#here;
  }
  /** A newer version of the page was deployed: a reason to reload when it suits. */
  get newer(): ReadonlySignal<boolean> {
    return this.#newer;
  }

  /** Shows a room, at a message if given; no page is loaded. */
  go(room: string, id?: number): void {
    location.assign(`/r/${encodeURIComponent(room)}${id === undefined ? '' : `#${id}`}`);
  }

  /** Newest first; undefined when the server cannot be asked. */
  async search(_q: string, _where: SearchWhere = {}): Promise<FoundPage | undefined> {
    return undefined;
  }
  async mentions(_where: { readonly before?: number } = {}): Promise<FoundPage | undefined> {
    return undefined;
  }
  /** Whose name begins so, for completion. */
  async people(_q: string): Promise<readonly User[]> {
    return [];
  }

  open(): void {
    this.connection.connect();
    onWake(() => this.connection.wake());
    addEventListener('pagehide', () => this.#mail.peek()?.pause());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#mail.peek()?.resume());
  }

  post(posting: Wish): void {
    const mail = this.#mail.peek();
    if (mail) void mail.outbox.post(posting);
    else this.#early.value = [...this.#early.peek(), posting];
  }

  again(cid: string): void {
    void this.#mail.peek()?.outbox.again(cid);
  }

  drop(cid: string): void {
    void this.#mail.peek()?.outbox.drop(cid);
  }

  async signOut(): Promise<void> {
    if (!(await api.signOut())) return;
    await this.#mail.peek()?.burn();
    location.assign('/signin');
  }

  #welcomed(user: User): void {
    letIn();
    const before = this.#user;
    if (before === undefined) this.#openMail(user);
    else if (before !== user.id) location.reload(); // another person has signed in here
    void this.#mail.peek()?.sweep();
  }

  #openMail(user: User): void {
    this.#user = user.id;
    const mail = new Mail({
      user: user.id,
      room: this.name,
      store: this.#store,
      connection: this.connection,
      clock,
    });
    this.#mail.value = mail;
    for (const posting of this.#early.peek()) void mail.outbox.post(posting);
    this.#early.value = [];
    mail.start();
  }

  #closed(code: number): void {
    this.#mail.peek()?.lineLost();
    if (code === LOG_CHANGED) this.room.reset();
    if (SESSION_OVER.has(code)) goToSignIn();
  }
}

function asLetter(posting: Wish, index: number): Letter {
  return { user: '', room: '', cid: `early-${index}`, posting, at: Date.now() };
}
