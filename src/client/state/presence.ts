/** Who is in the room, and who of them is writing. */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { User } from '../../shared/protocol.js';
import type { Clock } from './clock.js';
import type { LogEvent } from './events.js';
import type { Frame } from './frames.js';
import { NOBODY, type People, people } from './people.js';
import { Typing } from './typing.js';

export class Presence {
  readonly #people = signal<People>(NOBODY);
  readonly #typing: Typing;

  constructor(clock: Clock) {
    this.#typing = new Typing(clock);
  }

  get people(): ReadonlySignal<People> {
    return this.#people;
  }
  get typing(): ReadonlySignal<readonly User[]> {
    return this.#typing.users;
  }

  take(frame: Frame): void {
    if (frame.type === 'typing') this.#typing.heard(frame.user);
    if (frame.type === 'left') this.#typing.stopped(frame.user.id);
    this.#people.value = people(this.#people.peek(), frame);
  }

  /** Who has said it is not writing it any more. */
  spoke(event: LogEvent): void {
    if (event.type !== 'other') this.#typing.stopped(event.user.id);
  }

  /** Nothing of typing is told to us now, or all of it anew. */
  clear(): void {
    this.#typing.clear();
  }
}
