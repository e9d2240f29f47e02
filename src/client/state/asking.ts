/**
 * Asks until there is an answer, after a while each time. What must stay true: of two questions only the newer one is
 * asked again.
 */
import { backoff } from './backoff.js';
import type { Clock } from './clock.js';

/** Whoever is asked has trouble enough: never sooner. */
const LEAST_MS = 1_000;

export class Asking {
  readonly #clock: Clock;
  readonly #random: () => number;
  #turn = 0;
  #cancel = () => {};

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** `ask` is told whether it is still the newest, and resolves false when there was no answer. */
  async start(ask: (newest: () => boolean) => Promise<boolean>, tries = 0): Promise<void> {
    const turn = ++this.#turn;
    const newest = () => turn === this.#turn;
    this.#cancel();
    if ((await ask(newest)) || !newest()) return;
    const wait = LEAST_MS + backoff(tries, this.#random);
    this.#cancel = this.#clock.after(wait, () => void this.start(ask, tries + 1));
  }
}
