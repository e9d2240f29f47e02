/** Who is in the room and who is typing. */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Clock } from '../../connect/clock.js';
import type { User } from '../../shared/protocol.js';
import type { Frame, LogEvent } from '../decode.js';

export class Presence {
  readonly #people = signal<RoomPeople>(noPeople);
  readonly #typing: TypingList;
  readonly people: ReadonlySignal<RoomPeople> = this.#people;
  readonly typing: ReadonlySignal<readonly User[]>;

  constructor(clock: Clock) {
    this.#typing = new TypingList(clock);
    this.typing = this.#typing.users;
  }

  receive(frame: Frame): void {
    if (frame.type === 'typing') this.#typing.onTyping(frame.user);
    if (frame.type === 'left') this.#typing.remove(frame.user.id);
    this.#people.value = applyPresence(this.#people.peek(), frame);
  }

  /** Does nothing when this is shown already. */
  showCount(known: readonly User[], count: number): void {
    const { users, count: before } = this.#people.peek();
    if (before !== count || users.length > known.length) this.#people.value = { users: known, count };
  }

  /** A user who has sent something is not typing any more. */
  onEvent(event: LogEvent): void {
    if (event.type !== 'other') this.#typing.remove(event.user.id);
  }

  clearTyping(): void {
    this.#typing.clear();
  }
}

/** Up to 100 people by name; in larger rooms only the count. */

export interface RoomPeople {
  /** sorted by name; incomplete in large rooms */
  readonly users: readonly User[];
  /** undefined until the server has said it */
  readonly count: number | undefined;
}

export const noPeople: RoomPeople = { users: [], count: undefined };

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
  return { users: sortByName([...users, user]), count: (count ?? users.length) + 1 };
}

function removePerson({ users, count }: RoomPeople, user: User): RoomPeople {
  const rest = users.filter(({ id }) => id !== user.id);
  return { users: rest, count: Math.max(rest.length, (count ?? users.length) - 1) };
}

export function isSameUser(a: User | undefined, b: User): boolean {
  return a?.id === b.id && a.name === b.name;
}

/** Created on demand, because construction is slow. */
let nameCollator: Intl.Collator | undefined;

function sortByName(users: readonly User[]): readonly User[] {
  if (users.length < 2) return users;
  nameCollator ??= new Intl.Collator();
  const order = nameCollator;
  return users.toSorted((a, b) => order.compare(a.name, b.name) || order.compare(a.id, b.id));
}

/** A typing user expires after 5 s, so the client repeats the notification every 3 s. */
const typingExpiresMs = 5_000;
const typingIntervalMs = 3_000;

export class TypingList {
  readonly #clock: Clock;
  readonly #users = signal<readonly User[]>([]);
  /** In the order in which they started. */
  readonly users: ReadonlySignal<readonly User[]> = this.#users;
  readonly #timers = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onTyping(user: User): void {
    this.#timers.get(user.id)?.();
    if (!this.#timers.has(user.id)) this.#users.value = [...this.#users.peek(), user];
    this.#timers.set(
      user.id,
      this.#clock.after(typingExpiresMs, () => this.remove(user.id)),
    );
  }

  remove(id: string): void {
    const cancelTimer = this.#timers.get(id);
    if (!cancelTimer) return;
    cancelTimer();
    this.#timers.delete(id);
    this.#users.value = this.#users.peek().filter((user) => user.id !== id);
  }

  clear(): void {
    for (const id of [...this.#timers.keys()]) this.remove(id);
  }
}

/** Sends typing notifications: at the first keystroke, then at most every `typingIntervalMs`. */
export class TypingSender {
  readonly #clock: Clock;
  readonly #send: () => boolean;
  #sentAt = -Infinity;

  /** `send` returns false when nothing was sent. */
  constructor(clock: Clock, send: () => boolean) {
    this.#clock = clock;
    this.#send = send;
  }

  onInput(): void {
    const now = this.#clock.now();
    if (now - this.#sentAt < typingIntervalMs && now >= this.#sentAt) return;
    if (this.#send()) this.#sentAt = now;
  }

  /** The next keystroke belongs to a new message. */
  reset(): void {
    this.#sentAt = -Infinity;
  }
}
