/**
 * Chooses the new messages that a screen reader announces: each once, none of the user's own, none from
 * before. In a busy room only their count is announced.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Clock } from '../../connect/clock.js';
import type { ChatEvent } from '../../shared/protocol.js';

/** `sequence` distinguishes two announcements with the same text. */
export interface Announcement {
  readonly sequence: number;
  /** oldest first; empty when there are too many */
  readonly messages: readonly ChatEvent[];
  readonly count: number;
}

/** More messages at once are only counted. */
const maxSpokenMessages = 3;
/** Messages within this time are announced together; a sentence takes about as long to speak. */
const announcePauseMs = 1_500;

export class LiveAnnouncer {
  readonly #clock: Clock;
  readonly #announcement = signal<Announcement | undefined>(undefined);
  readonly announcement: ReadonlySignal<Announcement | undefined> = this.#announcement;
  #lastKnown: number | undefined;
  #pending: readonly ChatEvent[] = [];
  #count = 0;
  #idle = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * `last` is the newest number; `messages` are those in view, ascending. The first call sets the baseline.
   */
  update(last: number, messages: readonly ChatEvent[], me: string | undefined): void {
    const lastKnown = this.#lastKnown;
    this.#lastKnown = Math.max(lastKnown ?? last, lastKnown === undefined ? 0 : (messages.at(-1)?.id ?? 0));
    if (lastKnown === undefined) return;
    const newMessages = messagesAfter(messages, lastKnown).filter(
      ({ user, deleted }) => user.id !== me && deleted === undefined,
    );
    if (newMessages.length === 0) return;
    this.#count += newMessages.length;
    this.#pending = [...this.#pending, ...newMessages].slice(-maxSpokenMessages);
    if (this.#idle) this.#announce();
  }

  /** The log was replaced. */
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

/** Searches from the end, because the window is long and new messages are few. */
function messagesAfter(messages: readonly ChatEvent[], lastKnown: number): readonly ChatEvent[] {
  const before = messages.findLastIndex(({ id }) => id <= lastKnown);
  return messages.slice(before + 1);
}
