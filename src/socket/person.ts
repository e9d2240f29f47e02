/**
 * Someone who is connected, or was a moment ago: one object for all their sockets, with one budget and one queue of
 * what they said too fast. Most have one socket and are silent: what only others need is made when they need it.
 */
import type { Limits } from '../config.js';
import { CLOSE, type User } from '../protocol.js';
import { Budget } from './budget.js';
import type { Connection } from './connection.js';

/** Something said that waits for its turn. It is sent on even when its socket has closed meanwhile. */
export interface Waiting {
  readonly bytes: number;
  post(): void;
}

export const QUEUE = {
  /** reading is paused when so many bytes or messages wait, and goes on below half of it */
  pauseBytes: 64 * 1024,
  pauseCount: 1000,
  /** but only after so many milliseconds: thousands sent in one go would stay unseen behind the pause */
  lookOn: 2000,
  /** who keeps so much waiting is cut off (4429) */
  cutBytes: 2 * 1024 * 1024,
  cutCount: 2000,
} as const;

export class Person {
  user: User;
  /** the rooms they have been in, once they were looked up (following.ts) */
  rooms: readonly string[] | undefined;
  /** the one room that all their sockets are in */
  home: string | undefined;
  /** hears of other rooms */
  follows = false;
  readonly #limits: Limits;
  /** their only socket, or all when they are several: a Set takes 180 bytes */
  #only: Connection | undefined;
  #several: Set<Connection> | undefined;
  #budget: Budget | undefined;
  #waiting: Waiting[] | undefined;
  #bytes = 0;
  /** since when so much waits that reading is to be paused, as performance.now() */
  #fullSince: number | undefined;

  constructor(user: User, limits: Limits) {
    this.user = user;
    this.#limits = limits;
  }

  get connections(): Iterable<Connection> {
    return this.#several ?? (this.#only ? [this.#only] : []);
  }

  /** how many sockets they have */
  get sockets(): number {
    return this.#several?.size ?? (this.#only ? 1 : 0);
  }

  connected(connection: Connection): void {
    if (this.#several) this.#several.add(connection);
    else if (this.#only) this.#several = new Set([this.#only, connection]);
    else this.#only = connection;
  }

  disconnected(connection: Connection): void {
    this.#several?.delete(connection);
    if (this.#only === connection) this.#only = undefined;
    if (this.#several?.size === 0) this.#several = undefined;
  }

  get budget(): Budget {
    this.#budget ??= new Budget(this.#limits);
    return this.#budget;
  }

  /** Nothing of the budget is used: they may be forgotten. `now` as performance.now(). */
  rested(now: number): boolean {
    return this.#budget?.full(now) ?? true;
  }

  get waiting(): number {
    return this.#waiting?.length ?? 0;
  }

  /** Takes one message from the budget; none overtakes those that wait. */
  mayPost(now: number): boolean {
    return this.waiting === 0 && this.budget.take(now);
  }

  /** bytes that wait */
  get bytes(): number {
    return this.#bytes;
  }

  get keepsTooMuch(): boolean {
    return this.#bytes >= QUEUE.cutBytes || this.waiting >= QUEUE.cutCount;
  }

  /** To be asked whenever something waits. `now` as performance.now(). */
  shouldPause(now: number): boolean {
    if (this.#bytes < QUEUE.pauseBytes && this.waiting < QUEUE.pauseCount) return false;
    this.#fullSince ??= now;
    return now - this.#fullSince >= QUEUE.lookOn;
  }

  wait(said: Waiting): void {
    this.#waiting ??= [];
    this.#waiting.push(said);
    this.#bytes += said.bytes;
  }

  /** Posts what the budget allows by now; true when nothing is left waiting. */
  postWaiting(now: number): boolean {
    while (this.waiting > 0 && this.budget.take(now)) {
      const said = this.#waiting?.shift();
      this.#bytes -= said?.bytes ?? 0;
      said?.post();
    }
    this.#readOn();
    return this.waiting === 0;
  }

  #readOn(): void {
    if (this.#bytes >= QUEUE.pauseBytes / 2 || this.waiting >= QUEUE.pauseCount / 2) return;
    this.#fullSince = undefined;
    for (const connection of this.connections) connection.resume();
  }

  throwOut(): void {
    this.forgetWaiting();
    for (const connection of this.connections) connection.close(CLOSE.tooFast);
  }

  /** Forgets what waits: they were thrown out, or signed out. */
  forgetWaiting(): void {
    this.#waiting = undefined;
    this.#bytes = 0;
  }
}
