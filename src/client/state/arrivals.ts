/** Events as they come from the socket, however fast, handed on together when the page draws next. */
import type { LogEvent } from './events.js';

/** More than this is not left waiting for the next drawing. */
const MANY = 1_000;

export class Arrivals {
  readonly #soon: (show: () => void) => void;
  readonly #show: () => void;
  #waiting: LogEvent[] = [];
  #scheduled = false;

  /** `soon` calls back when the page is about to draw; `show` takes what is here. */
  constructor(soon: (show: () => void) => void, show: () => void) {
    this.#soon = soon;
    this.#show = show;
  }

  add(event: LogEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length >= MANY) this.#show();
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#soon(() => {
      this.#scheduled = false;
      this.#show();
    });
  }

  take(): readonly LogEvent[] {
    const events = this.#waiting;
    this.#waiting = [];
    return events;
  }
}
