/**
 * The users in a room. A second socket of a user is no second user. In a small room, everyone is told who joins and
 * leaves. In a large room that would be quadratic, so its users are only counted, at most once a second.
 *
 * A user who closes their last socket stays listed for some seconds. If they return in time, no frame is sent. So reconnects
 * and reloads are silent, and so is a client that opens and closes sockets all the time.
 */
import { LIMITS, type ServerFrame, type User } from '../shared/protocol.js';
import { Frames } from './frames.js';

/**
 * A room of N thousand users gets its count every N seconds, because one count to 18,000 users is 18,000 writes. From 10,000
 * users on it comes every 10 seconds, and more rarely when that would be more than `countsPerSecond` writes. The size at that
 * moment decides, so a room that is filling up does not get an update every second.
 */
const usersPerSecond = 1000;
const usualIntervalSeconds = 10;
const countsPerSecond = 10_000;
/** Milliseconds from the last socket's close to `left`. */
const leaveDelayMs = 5000;

type ListFrame = Extract<ServerFrame, { type: 'list' }>;

/** A connected user; the same object for all their sockets. */
export interface Present {
  readonly profile: User;
}

export class Presence<P extends Present = Present> {
  /** The number of sockets of each user; 0 for those in `#leaving`. */
  readonly #sockets = new Map<P, number>();
  /** Users without a socket, with the time at which they leave, as performance.now(). The first leaves first. */
  readonly #leaving = new Map<P, number>();
  #large = false;
  #changed = false;
  #secondsSinceUpdate = Number.POSITIVE_INFINITY;
  #encodedList: Frames | undefined;
  /** The list of people is complete: at once, or when the process that counts them has sent it. */
  #isKnown: boolean;
  /** The people of a large room, as the process that counts them tells. */
  #total: ListFrame | undefined;

  /** `isCountedElsewhere`: another process counts the people, and calls `settle`. */
  constructor({ isCountedElsewhere = false } = {}) {
    this.#isKnown = !isCountedElsewhere;
  }

  get count(): number {
    return this.#total?.count ?? this.#sockets.size;
  }

  get isLarge(): boolean {
    return this.#large;
  }

  /** Whether no user has a socket. */
  get isEmpty(): boolean {
    return this.#sockets.size === this.#leaving.size;
  }

  /** Whether the user is listed, with a socket or about to leave. */
  has(user: P): boolean {
    return this.#sockets.has(user);
  }

  socketCount(user: P): number {
    return this.#sockets.get(user) ?? 0;
  }

  /**
   * The process that counts the people has told who is here: `list` for a large room, undefined for a small one, whose people
   * have all entered. Returns the frame for everyone in the room.
   */
  settle(list: ListFrame | undefined): ServerFrame | undefined {
    const isNews = !this.#isKnown || this.#large !== (list !== undefined);
    this.#isKnown = true;
    this.#large = list !== undefined;
    this.#changed = false;
    this.#total = list;
    this.#encodedList = undefined;
    if (list && !isNews) return { type: 'count', data: list.count };
    return isNews ? this.list() : undefined;
  }

  /** Adds a socket. Returns the frame for the others, if they are to be told. */
  enter(user: P): ServerFrame | undefined {
    const sockets = this.#sockets.get(user);
    this.#sockets.set(user, (sockets ?? 0) + 1);
    if (sockets === 0) this.#leaving.delete(user);
    if (sockets !== undefined) return undefined;
    if (this.count > LIMITS.listedUsers) this.#large = true;
    return this.#event('join', user.profile);
  }

  /**
   * Removes a socket. Returns the frame for the others, if they are to be told now: `atOnce` leaves out the delay of the
   * last socket. `now` is performance.now().
   */
  leave(user: P, now: number, atOnce = false): ServerFrame | undefined {
    const sockets = this.#sockets.get(user) ?? 0;
    if (sockets <= 1 && atOnce) return this.#remove(user);
    this.#sockets.set(user, Math.max(0, sockets - 1));
    if (sockets <= 1) this.#leaving.set(user, now + leaveDelayMs);
    return undefined;
  }

  #remove(user: P): ServerFrame | undefined {
    this.#sockets.delete(user);
    this.#leaving.delete(user);
    return this.#event('left', user.profile);
  }

  /** Returns the frames for a user who changed their name: they leave and join. */
  renamed(before: User, after: User): readonly ServerFrame[] {
    this.#encodedList = undefined;
    return [this.#event('left', before), this.#event('join', after)].filter((frame) => frame !== undefined);
  }

  people(): Iterable<P> {
    return this.#sockets.keys();
  }

  list(): ListFrame {
    if (this.#total) return this.#total;
    const data: User[] = [];
    for (const { profile } of this.#sockets.keys()) {
      if (data.push(profile) === LIMITS.listedUsers) break;
    }
    return { type: 'list', data, count: this.count };
  }

  /**
   * Returns the list; undefined when it is not known yet, and everyone gets it as soon as it is. In a large room it is encoded
   * once a second, not for each of thousands who join at once.
   */
  encodedList(): Frames | undefined {
    if (!this.#isKnown) return undefined;
    if (!this.#large) return Frames.encode(this.list());
    this.#encodedList ??= Frames.encode(this.list());
    return this.#encodedList;
  }

  /** Call it once a second. Returns the frames for the others. `now` is performance.now(). */
  takeUpdates(now: number): readonly ServerFrame[] {
    const frames: (ServerFrame | undefined)[] = [];
    for (const [user, leavesAt] of this.#leaving) {
      if (leavesAt > now) break;
      frames.push(this.#remove(user));
    }
    frames.push(this.#takeCount());
    return frames.filter((frame) => frame !== undefined);
  }

  /**
   * Returns the new count of a large room; the whole list once it has become small. Does nothing when another process tells
   * the count. Such a process may find the room small that has one user too many here, so the room must become small again.
   */
  #takeCount(): ServerFrame | undefined {
    this.#secondsSinceUpdate++;
    if (!this.#changed || this.#total) return undefined;
    this.#encodedList = undefined;
    if (this.#secondsSinceUpdate < countIntervalSeconds(this.count)) return undefined;
    this.#secondsSinceUpdate = 0;
    this.#changed = false;
    this.#large = this.count > LIMITS.listedUsers;
    return this.#large ? { type: 'count', data: this.count } : this.list();
  }

  #event(type: 'join' | 'left', user: User): ServerFrame | undefined {
    if (!this.#isKnown) return undefined;
    if (this.#large) {
      this.#changed = true;
      return undefined;
    }
    return { type, user, data: type === 'join' ? `${user.name} joined.` : `${user.name} left.` };
  }
}

function countIntervalSeconds(users: number): number {
  return Math.max(Math.min(users / usersPerSecond, usualIntervalSeconds), users / countsPerSecond);
}
