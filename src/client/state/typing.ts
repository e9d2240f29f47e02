/** Who is writing, as others tell it and as we tell others. Nobody stays longer than the last word of them is good for. */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { User } from '../../shared/protocol.js';
import type { Clock } from './clock.js';

/** So long somebody is taken to write on; so often it is told, before that runs out. */
const FRESH_MS = 5_000;
const TELL_MS = 3_000;

export class Typing {
  readonly #clock: Clock;
  readonly #users = signal<readonly User[]>([]);
  readonly #ends = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In the order in which they began. */
  get users(): ReadonlySignal<readonly User[]> {
    return this.#users;
  }

  heard(user: User): void {
    this.#ends.get(user.id)?.();
    if (!this.#ends.has(user.id)) this.#users.value = [...this.#users.peek(), user];
    this.#ends.set(
      user.id,
      this.#clock.after(FRESH_MS, () => this.stopped(user.id)),
    );
  }

  /** Their message has come, or they left. */
  stopped(id: string): void {
    const end = this.#ends.get(id);
    if (!end) return;
    end();
    this.#ends.delete(id);
    this.#users.value = this.#users.peek().filter((user) => user.id !== id);
  }

  clear(): void {
    for (const id of [...this.#ends.keys()]) this.stopped(id);
  }
}

/** Tells that I write, at the first stroke and then not more often than it must. */
export class Teller {
  readonly #clock: Clock;
  readonly #tell: () => boolean;
  #toldAt = -Infinity;

  /** `tell`: false when it could not be told. */
  constructor(clock: Clock, tell: () => boolean) {
    this.#clock = clock;
    this.#tell = tell;
  }

  stroke(): void {
    const now = this.#clock.now();
    if (now - this.#toldAt < TELL_MS && now >= this.#toldAt) return;
    if (this.#tell()) this.#toldAt = now;
  }

  /** The message is out: the next stroke is of another one. */
  sent(): void {
    this.#toldAt = -Infinity;
  }
}
