/**
 * Which new messages a screen reader is told. What must stay true: each at most once, none of what was there before,
 * none of one's own; and in a busy room how many there are instead of all of them. No DOM.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { ChatEvent } from '../../shared/protocol.js';
import type { Clock } from '../clock.js';

/** What to say next. `turn` counts up, for the same words may have to be said twice. */
export interface Announcement {
  readonly sequence: number;
  /** the messages, oldest first, when they are few */
  readonly messages: readonly ChatEvent[];
  /** how many came */
  readonly count: number;
}

/** More than these at once are counted. */
const maxSpokenMessages = 3;
/** What comes within this time is said together; a sentence takes about as long to speak. */
const announcePauseMs = 1_500;

export class LiveAnnouncer {
  readonly #clock: Clock;
  readonly #announcement = signal<Announcement | undefined>(undefined);
  #lastKnown: number | undefined;
  #pending: readonly ChatEvent[] = [];
  #count = 0;
  #idle = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get announcement(): ReadonlySignal<Announcement | undefined> {
    return this.#announcement;
  }

  /**
   * The room as it is now: the newest number that there is, and what is in view, ascending. What was said up to the
   * number of the first call is no news.
   */
  update(last: number, messages: readonly ChatEvent[], me: string | undefined): void {
    const known = this.#lastKnown;
    this.#lastKnown = Math.max(known ?? last, known === undefined ? 0 : (messages.at(-1)?.id ?? 0));
    if (known === undefined) return;
    const fresh = messagesAfter(messages, known).filter(
      ({ user, deleted }) => user.id !== me && deleted === undefined,
    );
    if (fresh.length === 0) return;
    this.#count += fresh.length;
    this.#pending = [...this.#pending, ...fresh].slice(-maxSpokenMessages);
    if (this.#idle) this.#announce();
  }

  /** The log is another one now. */
  reset(): void {
    this.#lastKnown = undefined;
    this.#pending = [];
    this.#count = 0;
  }

  #announce(): void {
    if (this.#count === 0) {
      this.#idle = true;
      return;
    }
    const messages = this.#count > maxSpokenMessages ? [] : this.#pending;
    this.#announcement.value = {
      sequence: (this.#announcement.peek()?.sequence ?? 0) + 1,
      messages,
      count: this.#count,
    };
    this.#pending = [];
    this.#count = 0;
    this.#idle = false;
    this.#clock.after(announcePauseMs, () => this.#announce());
  }
}

/** From the end, for the window is long and the news are short. */
function messagesAfter(messages: readonly ChatEvent[], known: number): readonly ChatEvent[] {
  const before = messages.findLastIndex(({ id }) => id <= known);
  return messages.slice(before + 1);
}
