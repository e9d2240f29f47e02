/**
 * Which new messages a screen reader is told. What must stay true: each at most once, none of what was there before,
 * none of one's own; and in a busy room how many there are instead of all of them. No DOM.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { ChatEvent } from '../../shared/protocol.js';
import type { Clock } from './clock.js';

/** What to say next. `turn` counts up, for the same words may have to be said twice. */
export interface Announcement {
  readonly turn: number;
  /** the messages, oldest first, when they are few */
  readonly messages: readonly ChatEvent[];
  /** how many came */
  readonly count: number;
}

/** More than these at once are counted. */
const FEW = 3;
/** What comes within this time is said together; a sentence takes about as long to speak. */
const PAUSE_MS = 1_500;

export class Herald {
  readonly #clock: Clock;
  readonly #news = signal<Announcement | undefined>(undefined);
  #known: number | undefined;
  #waiting: readonly ChatEvent[] = [];
  #count = 0;
  #quiet = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get news(): ReadonlySignal<Announcement | undefined> {
    return this.#news;
  }

  /**
   * The room as it is now: the newest number that there is, and what is in view, ascending. What was said up to the
   * number of the first call is no news.
   */
  sees(last: number, messages: readonly ChatEvent[], me: string | undefined): void {
    const known = this.#known;
    this.#known = Math.max(known ?? last, known === undefined ? 0 : (messages.at(-1)?.id ?? 0));
    if (known === undefined) return;
    const fresh = newer(messages, known).filter(
      ({ user, deleted }) => user.id !== me && deleted === undefined,
    );
    if (fresh.length === 0) return;
    this.#count += fresh.length;
    this.#waiting = [...this.#waiting, ...fresh].slice(-FEW);
    if (this.#quiet) this.#say();
  }

  /** The log is another one now. */
  reset(): void {
    this.#known = undefined;
    this.#waiting = [];
    this.#count = 0;
  }

  #say(): void {
    if (this.#count === 0) {
      this.#quiet = true;
      return;
    }
    const messages = this.#count > FEW ? [] : this.#waiting;
    this.#news.value = { turn: (this.#news.peek()?.turn ?? 0) + 1, messages, count: this.#count };
    this.#waiting = [];
    this.#count = 0;
    this.#quiet = false;
    this.#clock.after(PAUSE_MS, () => this.#say());
  }
}

/** From the end, for the window is long and the news are short. */
function newer(messages: readonly ChatEvent[], known: number): readonly ChatEvent[] {
  const before = messages.findLastIndex(({ id }) => id <= known);
  return messages.slice(before + 1);
}
