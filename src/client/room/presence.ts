/** Who is in the room, and who of them is writing. */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { User } from '../../shared/protocol.js';
import type { Clock } from '../clock.js';
import type { Frame, LogEvent } from '../decode.js';

export class Presence {
  readonly #people = signal<RoomPeople>(noPeople);
  readonly #typing: TypingList;

  constructor(clock: Clock) {
    this.#typing = new TypingList(clock);
  }

  get people(): ReadonlySignal<RoomPeople> {
    return this.#people;
  }
  get typing(): ReadonlySignal<readonly User[]> {
    return this.#typing.users;
  }

  receive(frame: Frame): void {
    if (frame.type === 'typing') this.#typing.onTyping(frame.user);
    if (frame.type === 'left') this.#typing.remove(frame.user.id);
    this.#people.value = applyPresence(this.#people.peek(), frame);
  }

  /** Who has said it is not writing it any more. */
  onEvent(event: LogEvent): void {
    if (event.type !== 'other') this.#typing.remove(event.user.id);
  }

  /** Nothing of typing is told to us now, or all of it anew. */
  clearTyping(): void {
    this.#typing.clear();
  }
}

/**
 * Who is here, as far as the server says: up to a hundred by name, more only as a number. A pure reducer.
 */

export interface RoomPeople {
  /** by name; at most those whom a `list` named and who came since */
  readonly users: readonly User[];
  readonly count: number;
}

export const noPeople: RoomPeople = { users: [], count: 0 };

export function applyPresence(before: RoomPeople, frame: Frame): RoomPeople {
  switch (frame.type) {
    case 'list':
      return { users: sortByName(frame.data), count: Math.max(frame.count, frame.data.length) };
    case 'join':
      return addPerson(before, frame.user);
    case 'left':
      return removePerson(before, frame.user);
    case 'count':
      return { ...before, count: frame.data };
    default:
      return before;
  }
}

function addPerson({ users, count }: RoomPeople, user: User): RoomPeople {
  if (users.some(({ id }) => id === user.id)) return { users, count };
  return { users: sortByName([...users, user]), count: count + 1 };
}

function removePerson({ users, count }: RoomPeople, user: User): RoomPeople {
  const rest = users.filter(({ id }) => id !== user.id);
  return { users: rest, count: Math.max(rest.length, count - 1) };
}

/** The same person under the same name. */
export function isSameUser(a: User | undefined, b: User): boolean {
  return a?.id === b.id && a.name === b.name;
}

/** Made when needed, for it takes its time. */
let nameCollator: Intl.Collator | undefined;

function sortByName(users: readonly User[]): readonly User[] {
  if (users.length < 2) return users;
  nameCollator ??= new Intl.Collator();
  const order = nameCollator;
  return users.toSorted((a, b) => order.compare(a.name, b.name) || order.compare(a.id, b.id));
}

/** Who is writing, as others tell it and as we tell others. Nobody stays longer than the last word of them is good for. */

/** So long somebody is taken to write on; so often it is told, before that runs out. */
const typingExpiresMs = 5_000;
const typingIntervalMs = 3_000;

export class TypingList {
  readonly #clock: Clock;
  readonly #users = signal<readonly User[]>([]);
  readonly #timers = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In the order in which they began. */
  get users(): ReadonlySignal<readonly User[]> {
    return this.#users;
  }

  onTyping(user: User): void {
    this.#timers.get(user.id)?.();
    if (!this.#timers.has(user.id)) this.#users.value = [...this.#users.peek(), user];
    this.#timers.set(
      user.id,
      this.#clock.after(typingExpiresMs, () => this.remove(user.id)),
    );
  }

  /** Their message has come, or they left. */
  remove(id: string): void {
    const end = this.#timers.get(id);
    if (!end) return;
    end();
    this.#timers.delete(id);
    this.#users.value = this.#users.peek().filter((user) => user.id !== id);
  }

  clear(): void {
    for (const id of [...this.#timers.keys()]) this.remove(id);
  }
}

/** Tells that I write, at the first stroke and then not more often than it must. */
export class TypingSender {
  readonly #clock: Clock;
  readonly #send: () => boolean;
  #sentAt = -Infinity;

  /** `tell`: false when it could not be told. */
  constructor(clock: Clock, tell: () => boolean) {
    this.#clock = clock;
    this.#send = tell;
  }

  onInput(): void {
    const now = this.#clock.now();
    if (now - this.#sentAt < typingIntervalMs && now >= this.#sentAt) return;
    if (this.#send()) this.#sentAt = now;
  }

  /** The message is out: the next stroke is of another one. */
  reset(): void {
    this.#sentAt = -Infinity;
  }
}
