/**
 * Someone who is connected, or was a moment ago: one object for all their sockets, with one budget and one queue of
 * what they said too fast.
 */
import type { Limits } from '../config.js';
import type { User } from '../protocol.js';
import { Budget } from './budget.js';
import type { Connection } from './connection.js';

/** Something said that waits for its turn. It is sent on even when its socket has closed meanwhile. */
export interface Waiting {
  readonly bytes: number;
  post(): void;
}

export const QUEUE = {
  /** reading is paused from so many bytes or messages on, and goes on below half of it */
  pauseBytes: 64 * 1024,
  pauseCount: 1000,
  /** who keeps so many waiting is cut off (4429) */
  cut: 2000,
} as const;

export class Person {
  user: User;
  readonly connections = new Set<Connection>();
  readonly budget: Budget;
  /** the rooms they have been in, once they were looked up (following.ts) */
  rooms: Set<string> | undefined;
  /** the one room that all their sockets are in */
  home: string | undefined;
  /** hears of other rooms */
  follows = false;
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(user: User, limits: Limits) {
    this.user = user;
    this.budget = new Budget(limits);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get shouldPause(): boolean {
    return this.#bytes >= QUEUE.pauseBytes || this.waiting >= QUEUE.pauseCount;
  }

  get mayResume(): boolean {
    return this.#bytes < QUEUE.pauseBytes / 2 && this.waiting < QUEUE.pauseCount / 2;
  }

  wait(said: Waiting): void {
    this.#waiting.push(said);
    this.#bytes += said.bytes;
  }

  /** Posts what the budget allows by now; true when nothing is left waiting. */
  postWaiting(now: number): boolean {
    while (this.waiting > 0 && this.budget.take(now)) {
      const said = this.#waiting.shift();
      this.#bytes -= said?.bytes ?? 0;
      said?.post();
    }
    if (this.mayResume) for (const connection of this.connections) connection.resume();
    return this.waiting === 0;
  }

  /** Forgets what waits: they were thrown out, or signed out. */
  forgetWaiting(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }
}
