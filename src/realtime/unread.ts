/**
 * Sends unread counts for rooms that a user is not in, as `room` frames. Sends at most one a second for each room. A mention
 * or a reply is sent at once.
 *
 * A room notifies its followers: members with a socket in another room. So a room of 18,000 users who are in no other room
 * notifies nobody, and its messages cost nothing here.
 */
import type { Command, UnreadCounts } from '../chat/types.js';
import type { Reply } from '../sequencer/sequencer.js';
import type { RoomEvent, User } from '../shared/protocol.js';
import { Frames } from './frames.js';
import type { Scheduler } from './scheduler.js';
import type { ConnectedUser } from './user.js';

export interface UnreadDeps {
  readonly submit: (command: Command, reply?: Reply) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Returns the committed counts; undefined when the room has no messages. */
  readonly countUnread: (user: User, room: string) => StoredCounts | undefined;
  readonly scheduler: Scheduler;
}

interface StoredCounts extends UnreadCounts {
  readonly last: number;
  /** Chat messages in the room. */
  readonly messageCount: number;
}

const maxRetriesPerSecond = 500;

/** Keeps the memberships of connected users in memory. */
export class MembershipTracker {
  readonly notifier: UnreadNotifier;
  readonly #deps: UnreadDeps;
  /** Commands of a user that are not committed yet. */
  readonly #pending = new Map<ConnectedUser, number>();
  /** Rooms of which the command of `onEnter` was refused, because nothing could be stored. */
  readonly #refused = new Map<ConnectedUser, Set<string>>();

  constructor(deps: UnreadDeps) {
    this.#deps = deps;
    this.notifier = new UnreadNotifier(deps);
  }

  /** The user has opened a socket in this room, or was in it when it got its first message. */
  onEnter(user: ConnectedUser, room: string): void {
    this.#updateFollowedRooms(user);
    if (user.rooms?.includes(room)) return;
    this.#pending.set(user, (this.#pending.get(user) ?? 0) + 1);
    this.#deps.submit({ kind: 'enter', room, user: user.profile, at: this.#deps.now() }, (result) => {
      this.#settle(user);
      if (result.kind === 'rejected' && result.problem.code === 'storage')
        this.#refused.set(user, (this.#refused.get(user) ?? new Set()).add(room));
    });
  }

  /** Tries again what was refused, for some users. Call it once a second. */
  everySecond(): void {
    if (this.#refused.size === 0) return;
    for (const [user, rooms] of [...this.#refused].slice(0, maxRetriesPerSecond)) {
      this.#refused.delete(user);
      for (const { room } of user.connections) if (rooms.delete(room.name)) this.onEnter(user, room.name);
    }
  }

  /** The command of `onEnter` is committed, and these are the rooms of the user. */
  onEntered(user: ConnectedUser | undefined, rooms: readonly string[]): void {
    if (!user || user.connectionCount === 0) return;
    const isFirst = user.rooms === undefined;
    const before = new Set(user.rooms);
    user.rooms = rooms;
    user.onlyRoom = onlyRoomOf(user);
    for (const room of rooms) {
      if (before.delete(room)) continue;
      if (room !== user.onlyRoom) this.notifier.add(room, user);
      if (!isFirst) this.notifier.addUrgent(room, user); // now all messages count, not only mentions
    }
    for (const room of before) this.notifier.remove(room, user);
  }

  /** A message or a read mark of this user is committed; the rules have made them a member. */
  onMember(user: ConnectedUser, room: string): void {
    if (!user.rooms || user.rooms.includes(room)) return;
    user.rooms = [...user.rooms, room];
    if (room !== user.onlyRoom) this.notifier.add(room, user);
  }

  /** The user has closed a socket. */
  onLeave(user: ConnectedUser): void {
    this.#updateFollowedRooms(user);
    if (user.connectionCount > 0) return;
    for (const room of user.rooms ?? []) this.notifier.remove(room, user);
    user.rooms = undefined;
  }

  hasPending(user: ConnectedUser): boolean {
    return this.#pending.has(user);
  }

  /** Calls back when the memberships of this user so far are committed. */
  flush(user: ConnectedUser, done: () => void): void {
    if (!this.hasPending(user)) done();
    // both kinds are visits, which are applied in order, so this one is applied after all of them
    else this.#deps.submit({ kind: 'seen', user: user.profile, at: this.#deps.now() }, done);
  }

  stop(): void {
    this.notifier.stop();
  }

  #settle(user: ConnectedUser): void {
    const left = (this.#pending.get(user) ?? 0) - 1;
    if (left > 0) this.#pending.set(user, left);
    else this.#pending.delete(user);
  }

  /** Invariant: a user follows each of their rooms but the one that all their sockets are in. */
  #updateFollowedRooms(user: ConnectedUser): void {
    const [before, now] = [user.onlyRoom, onlyRoomOf(user)];
    user.onlyRoom = now;
    if (!user.rooms || before === now) return;
    if (before !== undefined && user.rooms.includes(before)) this.notifier.add(before, user);
    if (now !== undefined) this.notifier.remove(now, user);
  }
}

/** The room of all sockets of a user; undefined when they are in several, or there is none. */
function onlyRoomOf({ connections }: ConnectedUser): string | undefined {
  let only: string | undefined;
  for (const { room } of connections) {
    if (only !== undefined && room.name !== only) return undefined;
    only = room.name;
  }
  return only;
}

/** An event of a room, and the connected users that it concerns. */
interface RoomUpdate {
  readonly room: string;
  readonly event: RoomEvent;
  /** Chat messages in the room so far. */
  readonly messageCount: number;
  readonly author: ConnectedUser | undefined;
  /** Users whose mentions in the room changed. */
  readonly mentioned: readonly ConnectedUser[];
}

interface FollowedRoom {
  /** Followers with their last counts; undefined when they must be counted again. */
  readonly users: Map<ConnectedUser, CachedCounts | undefined>;
  last: number;
  messageCount: number;
  /** Deletions in this room since it has followers. */
  deletions: number;
  /** When its followers were last notified, as performance.now(). */
  notifiedAt: number;
}

/** Counts of one follower, kept so that a message needs no query for each of them. */
interface CachedCounts extends StoredCounts {
  readonly deletions: number;
  /** Their own messages since. */
  own: number;
}

interface Notification {
  readonly room: string;
  readonly users: IterableIterator<ConnectedUser>;
}

/** Milliseconds between two notifications of one room, and between two checks for those that are due. */
const notifyIntervalMs = 1000;
const dueCheckMs = 100;
/** Milliseconds of each turn for sending notifications. */
const notifyBudgetMs = 2;

class UnreadNotifier {
  readonly #deps: Pick<UnreadDeps, 'countUnread' | 'scheduler'>;
  readonly #rooms = new Map<string, FollowedRoom>();
  /** Rooms with events of which their followers have not been notified. */
  readonly #changed = new Set<string>();
  /** Users to notify at once, and the rooms. */
  readonly #urgent = new Map<ConnectedUser, Set<string>>();
  readonly #notifications: Notification[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: Pick<UnreadDeps, 'countUnread' | 'scheduler'>) {
    this.#deps = deps;
  }

  add(room: string, user: ConnectedUser): void {
    const followed = this.#rooms.get(room);
    if (followed) followed.users.set(user, undefined);
    else {
      const notifiedAt = Number.NEGATIVE_INFINITY;
      this.#rooms.set(room, {
        users: new Map([[user, undefined]]),
        last: 0,
        messageCount: 0,
        deletions: 0,
        notifiedAt,
      });
    }
  }

  remove(room: string, user: ConnectedUser): void {
    const users = this.#rooms.get(room)?.users;
    users?.delete(user);
    if (users?.size === 0) this.#rooms.delete(room);
  }

  /** Call it for each committed event; `run` sends the resulting updates. */
  onEvent({ room, event, messageCount, author, mentioned }: RoomUpdate): void {
    for (const user of mentioned) this.addUrgent(room, user);
    const followed = this.#rooms.get(room);
    if (!followed) return;
    followed.last = event.id;
    followed.messageCount = messageCount;
    if (event.type === 'delete') followed.deletions++;
    const own = author && followed.users.get(author);
    if (own && event.type === 'chat' && messageCount > own.messageCount) own.own++;
    this.#changed.add(room);
  }

  /** Call it when the counts of this user in this room changed: they read the room, or were mentioned. */
  invalidate(room: string, user: ConnectedUser): void {
    const users = this.#rooms.get(room)?.users;
    if (users?.has(user)) users.set(user, undefined);
  }

  /** Makes `run` notify this user at once. */
  addUrgent(room: string, user: ConnectedUser): void {
    this.invalidate(room, user);
    const rooms = this.#urgent.get(user);
    if (rooms) rooms.add(room);
    else this.#urgent.set(user, new Set([room]));
  }

  /** Starts the notifications that are due. */
  run(): void {
    if (this.#urgent.size > 0) this.#deps.scheduler.runSliced(this.#notifyUrgent, notifyBudgetMs);
    const now = performance.now();
    for (const room of this.#changed) {
      const followed = this.#rooms.get(room);
      if (followed && now - followed.notifiedAt < notifyIntervalMs) continue;
      this.#changed.delete(room);
      if (!followed) continue;
      followed.notifiedAt = now;
      this.#notifications.push({ room, users: followed.users.keys() });
    }
    if (this.#notifications.length > 0) this.#deps.scheduler.runSliced(this.#notifyFollowers, notifyBudgetMs);
    if (this.#changed.size > 0) this.#timer ??= setTimeout(this.#retry, dueCheckMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #retry = (): void => {
    this.#timer = undefined;
    this.run();
  };

  readonly #notifyUrgent = (): boolean => {
    const [next] = this.#urgent;
    if (!next) return false;
    const [user, rooms] = next;
    this.#urgent.delete(user);
    for (const room of rooms) this.#notify(user, room);
    return this.#urgent.size > 0;
  };

  /** Notifies one follower of a room; the rooms take turns. */
  readonly #notifyFollowers = (): boolean => {
    const notification = this.#notifications.shift();
    const next = notification?.users.next();
    if (notification && next && !next.done) {
      this.#notify(next.value, notification.room);
      this.#notifications.push(notification);
    }
    return this.#notifications.length > 0;
  };

  /** Writes to the sockets that are not in the room; those in it see the messages. */
  #notify(user: ConnectedUser, room: string): void {
    if (user.connectionCount === 0 || onlyRoomOf(user) === room) return;
    const counts = this.#countsOf(user, room);
    if (!counts) return;
    const frames = Frames.encode({ type: 'room', room, ...counts });
    for (const connection of user.connections) if (connection.room.name !== room) connection.write(frames);
  }

  #countsOf(user: ConnectedUser, room: string): (UnreadCounts & { readonly last: number }) | undefined {
    const followed = this.#rooms.get(room);
    const known = followed?.users.get(user);
    if (followed && known?.deletions === followed.deletions) return currentCounts(known, followed);
    const stored = this.#count(user.profile, room);
    if (stored && followed?.users.has(user))
      followed.users.set(user, { ...stored, deletions: followed.deletions, own: 0 });
    return stored && { last: stored.last, unread: stored.unread, mentions: stored.mentions };
  }

  /** Ignores read errors, because the next update counts again. */
  #count(user: User, room: string): StoredCounts | undefined {
    try {
      return this.#deps.countUnread(user, room);
    } catch {
      return undefined;
    }
  }
}

/** The stored counts may include events that the room has not delivered yet, if they were read while a batch was delivered. */
function currentCounts(
  known: CachedCounts,
  { last, messageCount }: FollowedRoom,
): UnreadCounts & { readonly last: number } {
  const since = Math.max(0, messageCount - known.messageCount);
  return {
    last: Math.max(last, known.last),
    unread: known.unread + since - known.own,
    mentions: known.mentions,
  };
}
