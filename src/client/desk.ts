/**
 * Puts the parts of one room together: the connection feeds the room, the room tells the mail what has arrived,
 * the mail sends over the connection. The one place that knows all of them, and the browser.
 */
import type { ReadonlySignal } from '@preact/signals';
import type { User } from '../protocol.js';
import * as api from './api.js';
import { goToSignIn, letIn } from './gate.js';
import { Mail } from './mail.js';
import { browserClock as clock } from './state/clock.js';
import { Connection } from './state/connection.js';
import type { Letter } from './state/letter.js';
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
  /** whose page it is; known before the first hello, so that nothing that is said is kept by nobody */
  readonly #user: string;
  readonly #mail: Mail;

  constructor(name: string, user: string) {
    this.name = name;
    this.#user = user;
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
      settled: (cid) => this.#mail.settled(cid),
      refused: (cid, problem) => this.#mail.refused(cid, problem),
      startOver: () => this.connection.connect(),
    });
    this.#mail = new Mail({ user, room: name, store: new OutboxDb(), connection: this.connection, clock });
    this.letters = this.#mail.outbox.letters;
  }

  open(): void {
    this.#mail.start();
    this.connection.connect();
    onWake(() => this.connection.wake());
    addEventListener('pagehide', () => this.#mail.pause());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#mail.resume());
  }

  /** Says something, at any time: it is kept until it can be sent. */
  say(data: string): void {
    void this.#mail.outbox.post(data);
  }

  again(cid: string): void {
    void this.#mail.outbox.again(cid);
  }

  drop(cid: string): void {
    void this.#mail.outbox.drop(cid);
  }

  async signOut(): Promise<void> {
    if (!(await api.signOut())) return;
    await this.#mail.burn();
    location.assign('/signin');
  }

  #welcomed(user: User): void {
    letIn();
    if (user.id === this.#user) return void this.#mail.sweep();
    this.#mail.pause(); // another person has signed in here: they send nothing of this one's
    location.reload();
  }

  #closed(code: number): void {
    this.#mail.lineLost();
    if (code === LOG_CHANGED) this.room.reset();
    if (SESSION_OVER.has(code)) goToSignIn();
  }
}
