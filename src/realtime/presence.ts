/**
 * The users in a room. A second socket of a user is no second user. In a small room, everyone is told who joins and
 * leaves. In a large room that would be quadratic, so its users are only counted, at most once a second (`takeUpdate`).
 */
import { LIMITS, type ServerFrame, type User } from '../shared/protocol.js';
import { textFrame } from './connection.js';

/**
 * A room of N thousand users gets its count every N seconds, because one count to 18,000 users is 18,000 writes. The size
 * at that moment decides, so a room that fills up is not told all the while.
 */
const usersPerSecond = 1000;
const maxCountIntervalSeconds = 10;

/** A connected user; the same object for all their sockets. */
export interface Present {
  readonly user: User;
}

export class Presence<P extends Present = Present> {
  readonly #sockets = new Map<P, number>();
  #large = false;
  #changed = false;
  #secondsSinceUpdate = maxCountIntervalSeconds;
  #encodedList: Buffer | undefined;

  get count(): number {
    return this.#sockets.size;
  }

  /** Adds a socket. Returns the frame for the others, if they are to be told. */
  enter(person: P): ServerFrame | undefined {
    const sockets = this.#sockets.get(person) ?? 0;
    this.#sockets.set(person, sockets + 1);
    if (sockets > 0) return undefined;
    if (this.count > LIMITS.listedUsers) this.#large = true;
    return this.#event('join', person.user);
  }

  /** Removes a socket. Returns the frame for the others, if they are to be told. */
  leave(person: P): ServerFrame | undefined {
    const sockets = this.#sockets.get(person) ?? 0;
    if (sockets > 1) {
      this.#sockets.set(person, sockets - 1);
      return undefined;
    }
    this.#sockets.delete(person);
    return this.#event('left', person.user);
  }

  /** Returns the frames for a user who changed their name: they leave and join. */
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

  /** Returns the list as bytes. In a large room it is encoded once a second, not for each of thousands who join at once. */
  encodedList(): Buffer {
    if (!this.#large) return textFrame(this.list());
    this.#encodedList ??= textFrame(this.list());
    return this.#encodedList;
  }

  /** To be called once a second. Returns the new count of a large room; the whole list once it has become small. */
  takeUpdate(): ServerFrame | undefined {
    this.#secondsSinceUpdate++;
    if (!this.#changed) return undefined;
    this.#encodedList = undefined;
    const interval = Math.min(maxCountIntervalSeconds, Math.ceil(this.count / usersPerSecond));
    if (this.#secondsSinceUpdate < interval) return undefined;
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
