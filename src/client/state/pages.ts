/**
 * Loads pages of a room's log into its transcript: to close holes, on the way up and down, around a number. One that
 * was read before changes which are not remembered is asked for again; one of another log is not mixed in.
 */
import type { Signal } from '@preact/signals';
import { pageAround } from '../../shared/protocol.js';
import type { Page } from './answers.js';
import { backoff } from './backoff.js';
import type { Clock } from './clock.js';
import type { LogEvent } from './events.js';
import * as log from './transcript.js';
import * as turn from './turns.js';

export interface Where {
  readonly after?: number;
  readonly before?: number;
  readonly limit?: number;
}
/** undefined when the server cannot be reached */
export type Load = (where: Where) => Promise<Page | undefined>;

type Add = (t: log.Transcript, page: turn.Read) => log.Transcript;

export interface PagesParts {
  readonly transcript: Signal<log.Transcript>;
  readonly load: Load;
  readonly clock: Clock;
  readonly random: () => number;
  readonly read: (events: readonly LogEvent[]) => void;
  readonly startOver: () => void;
}

const PAGE = 100;
const HOLE_PAGE = 500;
const TRIES = 3;

export class Pages {
  readonly #parts: PagesParts;
  #filling = false;
  #turning = false;
  /** Places asked for: only the newest wish is fulfilled. */
  #wish = 0;
  #life = 0;

  constructor(parts: PagesParts) {
    this.#parts = parts;
  }

  async older(): Promise<void> {
    const t = this.#now;
    if (log.hasOlder(t)) await this.#turn({ before: log.top(t), limit: PAGE }, turn.older);
  }

  async newer(): Promise<void> {
    const t = this.#now;
    if (!log.isAttached(t)) await this.#turn({ after: log.bottom(t), limit: PAGE }, turn.newer);
  }

  async latest(): Promise<void> {
    this.#wish++;
    await this.#page({ limit: PAGE }, turn.jumped);
  }

  /** Resolves with the message that the number leads to, once it is in the window. */
  async goTo(id: number): Promise<number | undefined> {
    const asked = Math.max(1, Math.min(id, this.#now.last));
    if (!(await this.show(asked))) return undefined;
    const message = log.messageAt(this.#now, asked);
    if (message === undefined || message >= asked) return message;
    return (await this.show(message)) ? message : undefined; // asked was a change of one further up
  }

  /** True when the number is in the window now; false also when another place was asked for meanwhile. */
  async show(id: number): Promise<boolean> {
    const wish = ++this.#wish;
    if (!log.holds(this.#now, id)) {
      await this.#page(pageAround(id), (t, page) => (wish === this.#wish ? turn.placed(t, page) : t));
    }
    if (wish !== this.#wish || !log.holds(this.#now, id)) return false;
    this.#parts.transcript.value = log.pin(this.#now, false);
    return true;
  }

  /** While there is a hole: loads what is missing, again and again until it is closed or the log is another one. */
  async fill(): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    const life = this.#life;
    let failures = 0;
    for (let after = this.#hole(); after !== undefined && life === this.#life; after = this.#hole()) {
      await this.#page({ after, limit: HOLE_PAGE }, turn.filled);
      failures = this.#hole() === after ? failures + 1 : 0;
      if (failures > 0) await this.#wait(backoff(failures, this.#parts.random));
    }
    this.#filling = false;
  }

  /** The socket will tell again what is missing. */
  stop(): void {
    this.#life++;
  }

  /** One page at a time: scrolling asks for the same again and again. */
  async #turn(where: Where, add: Add): Promise<void> {
    if (this.#turning) return;
    this.#turning = true;
    await this.#page(where, add);
    this.#turning = false;
  }

  async #page(where: Where, add: Add): Promise<void> {
    const { epoch } = this.#now;
    for (let tries = 0; tries < TRIES; tries++) {
      const page = await this.#parts.load(where);
      const now = this.#now;
      if (!page || now.epoch !== epoch) return;
      if (page.epoch !== epoch) return this.#parts.startOver();
      if (turn.isTooOld(now, page)) continue;
      this.#parts.transcript.value = add(now, page);
      return this.#parts.read(page.messages);
    }
  }

  get #now(): log.Transcript {
    return this.#parts.transcript.peek();
  }

  #hole(): number | undefined {
    return log.holeAfter(this.#now);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.clock.after(ms, resolve);
    });
  }
}
