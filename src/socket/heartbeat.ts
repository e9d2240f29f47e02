/**
 * One timer for all sockets, twenty times a second: a 300th of them is asked for a sign of life (a fifteenth at once would
 * be 1,200 writes of 18,000), a twentieth is looked at, for sessions that are over and bytes that wait. A peer whose cable
 * was pulled is gone after 30 seconds at most.
 */
import { CLOSE } from '../protocol.js';
import { type Seated, Wheel } from './wheel.js';

/** Seconds between two pings of one socket; proxies must wait longer (nginx.conf). */
export const PING_SECONDS = 15;

/** Turns in a second, and spokes in all. */
export const TURNS = 20;
export const SPOKES = PING_SECONDS * TURNS;

/** Bytes that may wait for all readers together. Each has its own limit; thousands of slow ones have this one. */
const WAITING_MAX = 512 * 1024 * 1024;

/** What the heartbeat needs of a connection. */
export interface Beating extends Seated {
  /** when its session is over, in milliseconds since 1970 */
  readonly ends: number;
  /** bytes that its peer has not taken yet */
  readonly waiting: number;
  ping(): void;
  close(reason: readonly [code: number, reason: string]): void;
  cut(): void;
}

export class Heartbeat {
  readonly #wheel = new Wheel<Beating>(SPOKES);
  #turn = 0;
  /** of all that were looked at in this second */
  #waiting = 0;
  #looked = 0;

  add(one: Beating): void {
    this.#wheel.add(one);
  }

  remove(one: Beating): void {
    this.#wheel.remove(one);
  }

  /** One turn; `now` in milliseconds since 1970. True at the end of each second. */
  turn(now: number): boolean {
    this.#wheel.each(this.#turn, (one) => one.ping());
    for (let spoke = this.#turn % TURNS; spoke < SPOKES; spoke += TURNS) this.#look(spoke, now);
    this.#turn = (this.#turn + 1) % SPOKES;
    if (this.#turn % TURNS !== 0) return false;
    if (this.#waiting > WAITING_MAX) this.#cutSlowest(this.#waiting / this.#looked);
    this.#waiting = 0;
    this.#looked = 0;
    return true;
  }

  #look(spoke: number, now: number): void {
    this.#wheel.each(spoke, (one) => {
      this.#waiting += one.waiting;
      this.#looked++;
      if (one.ends <= now) one.close(CLOSE.notSignedIn);
    });
  }

  /** Those for whom more than the average waits: they come back and resume at their number. */
  #cutSlowest(average: number): void {
    for (let spoke = 0; spoke < SPOKES; spoke++)
      this.#wheel.each(spoke, (one) => {
        if (one.waiting >= average) one.cut();
      });
  }
}

/** Starts it; the returned function stops it. `now` in milliseconds since 1970, `second` is called once in each. */
export function startHeartbeat(heartbeat: Heartbeat, now: () => number, second: () => void): () => void {
  const timer = setInterval(() => {
    if (heartbeat.turn(now())) second();
  }, 1000 / TURNS);
  timer.unref();
  return () => clearInterval(timer);
}
