/**
 * The slow lane: people who said something too fast, whose words wait for their turn. One timer for all, and only while
 * somebody is in it.
 */
import type { Person } from './person.js';

/** Bytes that may wait of all people together. Each has their own limit; hundreds who flood have this one. */
const WAITING_MAX = 64 * 1024 * 1024;

/** What the lane needs of a person. */
export type Slowed = Pick<Person, 'bytes' | 'postWaiting' | 'throwOut'>;

export class Lane {
  readonly #slowed = new Set<Slowed>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  add(person: Slowed): void {
    this.#slowed.add(person);
    if (!this.#stopped) this.#timer ??= setInterval(() => this.turn(performance.now()), 50);
  }

  /** Each says what their budget allows; who has nothing left leaves the lane. */
  turn(now: number): void {
    let bytes = 0;
    for (const person of this.#slowed) {
      if (person.postWaiting(now)) this.#slowed.delete(person);
      bytes += person.bytes;
    }
    if (bytes > WAITING_MAX) this.#throwOut(bytes / this.#slowed.size);
    if (this.#slowed.size === 0) this.#rest();
  }

  stop(): void {
    this.#stopped = true;
    this.#rest();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Those who keep more than the average. */
  #throwOut(average: number): void {
    for (const person of this.#slowed) if (person.bytes >= average) person.throwOut();
  }
}
