/**
 * Puts the parts of one room together: the connection feeds the room, the room tells the mail what has arrived,
 * the mail sends over the connection. The one place that knows all of them, and the browser.
 */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { User } from '../protocol.js';
import * as api from './api.js';
import { goToSignIn, letIn } from './gate.js';
import { Mail } from './mail.js';
import { browserClock as clock } from './state/clock.js';
import { Connection } from './state/connection.js';
import { type Letter, memoryStore, type OutboxStore } from './state/outbox.js';
import { OutboxDb } from './state/outboxdb.js';
import { Room } from './state/room.js';
import { openWebSocket, socketUrl } from './state/websocket.js';
import { onWake } from './wake.js';

/** Gone from the server's side: we are somebody else now, or nobody. */
const SESSION_OVER: ReadonlySet<number> = new Set([4001, 4002]);
const LOG_CHANGED = 4510;

export class Desk {
  readonly name: string;
  readonly connection: Connection;
  readonly room: Room;
  /** what was said and is not in the log yet */
  readonly letters: ReadonlySignal<readonly Letter[]>;
  readonly #store: OutboxStore = 'indexedDB' in globalThis ? new OutboxDb() : memoryStore();
  readonly #mail = signal<Mail | undefined>(undefined);
  /** said before we knew who we are */
  readonly #early = signal<readonly string[]>([]);
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
  }

  open(): void {
    this.connection.connect();
    onWake(() => this.connection.wake());
    addEventListener('pagehide', () => this.#mail.peek()?.pause());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#mail.peek()?.resume());
  }

  /** Says something, at any time: it is kept until it can be sent. */
  say(data: string): void {
    const mail = this.#mail.peek();
    if (mail) void mail.outbox.post(data);
    else this.#early.value = [...this.#early.peek(), data];
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
    for (const data of this.#early.peek()) void mail.outbox.post(data);
    this.#early.value = [];
    mail.start();
  }

  #closed(code: number): void {
    this.#mail.peek()?.lineLost();
    if (code === LOG_CHANGED) this.room.reset();
    if (SESSION_OVER.has(code)) goToSignIn();
  }
}

function asLetter(data: string, index: number): Letter {
  return { user: '', room: '', cid: `early-${index}`, data, at: Date.now() };
}
