/**
 * Who is here, by person: a second tab is no second person. In a small room everyone hears who joins and leaves. In a
 * large one that would be quadratic, so people are only counted, at most once a second (`changed`, asked by the wheel).
 */
import { LIMITS, type ServerFrame, type User } from '../shared/protocol.js';
import { textFrame } from './connection.js';

/**
 * A room of more people hears of its count every 2nd, 3rd … second: one count to 18,000 is 18,000 writes. How many they are
 * by then decides, so a room that fills up is not told all the while.
 */
const PEOPLE_PER_SECOND = 1000;
const MAX_COUNT_INTERVAL_SECONDS = 10;

/** Someone with sockets; the same object for all of them. */
export interface Present {
  readonly user: User;
}

export class Presence<P extends Present = Present> {
  readonly #sockets = new Map<P, number>();
  #large = false;
  #changed = false;
  /** seconds since a change was told */
  #secondsSinceUpdate = MAX_COUNT_INTERVAL_SECONDS;
  #encodedList: Buffer | undefined;

  get count(): number {
    return this.#sockets.size;
  }

  /** What the others are to hear of it, if anything. */
  enter(person: P): ServerFrame | undefined {
    const sockets = this.#sockets.get(person) ?? 0;
    this.#sockets.set(person, sockets + 1);
    if (sockets > 0) return undefined;
    if (this.count > LIMITS.listedUsers) this.#large = true;
    return this.#event('join', person.user);
  }

  leave(person: P): ServerFrame | undefined {
    const sockets = this.#sockets.get(person) ?? 0;
    if (sockets > 1) {
      this.#sockets.set(person, sockets - 1);
      return undefined;
    }
    this.#sockets.delete(person);
    return this.#event('left', person.user);
  }

  /** The same person under a new name: they go and come. */
  renamed(before: User, after: User): readonly ServerFrame[] {
    this.#encodedList = undefined;
    return [this.#event('left', before), this.#event('join', after)].filter((frame) => frame !== undefined);
  }

  people(): Iterable<P> {
    return this.#sockets.keys();
  }

  list(): ServerFrame {
    const data: User[] = [];
    for (const { user } of this.#sockets.keys()) {
      if (data.push(user) === LIMITS.listedUsers) break;
    }
    return { type: 'list', data, count: this.count };
  }

  /** The list as bytes; a large room's is built once a second, not for each of thousands who come at once. */
  encodedList(): Buffer {
    if (!this.#large) return textFrame(this.list());
    this.#encodedList ??= textFrame(this.list());
    return this.#encodedList;
  }

  /** In a large room: the new count, if it changed since asked last. Grown small again: the whole list, once. */
  takeUpdate(): ServerFrame | undefined {
    this.#secondsSinceUpdate++;
    if (!this.#changed) return undefined;
    this.#encodedList = undefined;
    if (
      this.#secondsSinceUpdate <
      Math.min(MAX_COUNT_INTERVAL_SECONDS, Math.ceil(this.count / PEOPLE_PER_SECOND))
    )
      return undefined;
    this.#secondsSinceUpdate = 0;
    this.#changed = false;
    this.#large = this.count > LIMITS.listedUsers;
    return this.#large ? { type: 'count', data: this.count } : this.list();
  }

  #event(type: 'join' | 'left', user: User): ServerFrame | undefined {
    if (this.#large) {
      this.#changed = true;
      return undefined;
    }
    return { type, user, data: type === 'join' ? `${user.name} joined.` : `${user.name} left.` };
  }
}
