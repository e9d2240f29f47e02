/**
 * One timer for all sockets, twenty times a second: a 300th of them is asked for a sign of life (a fifteenth at once would
 * be 1,200 writes of 18,000), a twentieth is looked at, for sessions that are over and bytes that wait. A peer whose cable
 * was pulled is gone after 30 seconds at most.
 */
import { CLOSE } from '../shared/protocol.js';

/** Seconds between two pings of one socket; proxies must wait longer (nginx.conf). */
export const PING_INTERVAL_SECONDS = 15;

/** Turns in a second, and spokes in all. */
export const TICKS_PER_SECOND = 20;
export const SLOTS = PING_INTERVAL_SECONDS * TICKS_PER_SECOND;

/** Bytes that may wait for all readers together. Each has its own limit; thousands of slow ones have this one. */
const MAX_BUFFERED_BYTES = 512 * 1024 * 1024;

/** What the heartbeat needs of a connection. */
export interface Pingable extends WheelItem {
  /** when its session is over, in milliseconds since 1970 */
  readonly sessionExpiresAt: number;
  /** bytes that its peer has not taken yet */
  readonly bufferedBytes: number;
  ping(): void;
  close(reason: readonly [code: number, reason: string]): void;
  terminate(): void;
}

export class Heartbeat {
  readonly #wheel = new TimingWheel<Pingable>(SLOTS);
  #turn = 0;
  /** of all that were looked at in this second */
  #waiting = 0;
  #looked = 0;

  add(one: Pingable): void {
    this.#wheel.add(one);
  }

  remove(one: Pingable): void {
    this.#wheel.remove(one);
  }

  /** One turn; `now` in milliseconds since 1970. True at the end of each second. */
  tick(now: number): boolean {
    this.#wheel.each(this.#turn, (one) => one.ping());
    for (let spoke = this.#turn % TICKS_PER_SECOND; spoke < SLOTS; spoke += TICKS_PER_SECOND)
      this.#look(spoke, now);
    this.#turn = (this.#turn + 1) % SLOTS;
    if (this.#turn % TICKS_PER_SECOND !== 0) return false;
    if (this.#waiting > MAX_BUFFERED_BYTES) this.#cutSlowest(this.#waiting / this.#looked);
    this.#waiting = 0;
    this.#looked = 0;
    return true;
  }

  #look(spoke: number, now: number): void {
    this.#wheel.each(spoke, (one) => {
      this.#waiting += one.bufferedBytes;
      this.#looked++;
      if (one.sessionExpiresAt <= now) one.close(CLOSE.notSignedIn);
    });
  }

  /** Those for whom more than the average waits: they come back and resume at their number. */
  #cutSlowest(average: number): void {
    for (let spoke = 0; spoke < SLOTS; spoke++)
      this.#wheel.each(spoke, (one) => {
        if (one.bufferedBytes >= average) one.terminate();
      });
  }
}

/** Starts it; the returned function stops it. `now` in milliseconds since 1970, `second` is called once in each. */
export function startHeartbeat(heartbeat: Heartbeat, now: () => number, second: () => void): () => void {
  const timer = setInterval(() => {
    if (heartbeat.tick(now())) second();
  }, 1000 / TICKS_PER_SECOND);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * All sockets on one wheel: each sits on a spoke, and a turn touches only those of a few spokes, so that 18,000 silent
 * ones hold nobody up. (A walk through all of them for each turn took 4 to 13 ms; 60 pings and 900 looks take 2.)
 */

/** What sits on the wheel; the two numbers are the wheel's. */
export interface WheelItem {
  slot: number;
  index: number;
}

export class TimingWheel<T extends WheelItem> {
  readonly #spokes: readonly T[][];
  #next = 0;

  constructor(spokes: number) {
    this.#spokes = Array.from({ length: spokes }, () => []);
  }

  /** In turn, so that all spokes hold as many. */
  add(one: T): void {
    const spoke = this.#spokes[this.#next] ?? [];
    one.slot = this.#next;
    one.index = spoke.length;
    spoke.push(one);
    this.#next = (this.#next + 1) % this.#spokes.length;
  }

  /** The last of the spoke takes its seat. */
  remove(one: T): void {
    const spoke = this.#spokes[one.slot];
    if (spoke?.[one.index] !== one) return;
    const last = spoke.pop();
    if (!last || last === one) return;
    spoke[one.index] = last;
    last.index = one.index;
  }

  /** Visits who sits on a spoke now. Who is being visited may be removed meanwhile, and nobody else. */
  each(spoke: number, visit: (one: T) => void): void {
    const seats = this.#spokes[spoke] ?? [];
    for (let seat = seats.length - 1; seat >= 0; seat--) {
      const one = seats[seat];
      if (one) visit(one);
    }
  }
}
