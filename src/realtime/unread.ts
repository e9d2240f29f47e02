/**
 * Tells users what is unread in rooms that they are not looking at, by `room` frames: at most once a second for each room,
 * and at once when they are mentioned or replied to.
 *
 * A room tells its followers: members with a socket in another room. So a room of 18,000 users who are in no other room
 * tells nobody, and its messages cost nothing here.
 */
import type { Command, UnreadCounts } from '../chat/types.js';
import type { Reply } from '../sequencer/sequencer.js';
import type { RoomEvent, User } from '../shared/protocol.js';
import { textFrame } from './connection.js';
import type { Scheduler } from './scheduler.js';
import type { ConnectedUser } from './user.js';

export interface UnreadDeps {
  readonly submit: (command: Command, reply?: Reply) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Counts what is committed; undefined when the room has no messages. */
  readonly unread: (user: User, room: string) => StoredCounts | undefined;
  readonly scheduler: Scheduler;
}

interface StoredCounts extends UnreadCounts {
  readonly last: number;
  /** Chat messages in the room. */
  readonly messages: number;
}

/** Keeps who is a member of which room, for the users who are connected. */
export class MembershipTracker {
  readonly notifier: UnreadNotifier;
  readonly #deps: UnreadDeps;
  /** Commands of a user that are not committed yet. */
  readonly #pending = new Map<ConnectedUser, number>();

  constructor(deps: UnreadDeps) {
    this.#deps = deps;
    this.notifier = new UnreadNotifier(deps);
  }

  /** The user has opened a socket in this room, or was in it when it got its first message. */
  onEnter(user: ConnectedUser, room: string): void {
    this.#updateHome(user);
    if (user.rooms?.includes(room)) return;
    this.#pending.set(user, (this.#pending.get(user) ?? 0) + 1);
    this.#deps.submit({ kind: 'enter', room, user: user.profile, at: this.#deps.now() }, () =>
      this.#settle(user),
    );
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
    this.#updateHome(user);
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
    // commands are applied in order, so this one is applied after all of them
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
  #updateHome(user: ConnectedUser): void {
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
export interface RoomNews {
  readonly room: string;
  readonly event: RoomEvent;
  /** Chat messages in the room so far. */
  readonly messages: number;
  readonly author: ConnectedUser | undefined;
  /** Users whose mentions in the room changed. */
  readonly mentioned: readonly ConnectedUser[];
}

interface FollowedRoom {
  /** Followers with what was counted for them last; undefined when that must be counted again. */
  readonly users: Map<ConnectedUser, Standing | undefined>;
  last: number;
  messages: number;
  /** How many deletions this room had since it is followed. */
  deletions: number;
  /** When its followers were told last, as performance.now(). */
  toldAt: number;
}

/** Counts of one follower, kept so that a message needs no query for each of them. */
interface Standing extends StoredCounts {
  readonly deletions: number;
  /** Their own messages since. */
  own: number;
}

interface Notice {
  readonly room: string;
  readonly users: IterableIterator<ConnectedUser>;
}

/** Milliseconds between two notices of one room, and between two checks for those that are due. */
const noticeIntervalMs = 1000;
const dueCheckMs = 100;
/** Users who are told in one step: about 1 ms when each must be counted. */
const usersPerStep = 50;
/** Share of the event loop. */
const noticeBudgetMs = 2;

export class UnreadNotifier {
  readonly #deps: Pick<UnreadDeps, 'unread' | 'scheduler'>;
  readonly #rooms = new Map<string, FollowedRoom>();
  /** Rooms with news that their followers were not told of. */
  readonly #changed = new Set<string>();
  /** Users to be told at once, and of which rooms. */
  readonly #urgent = new Map<ConnectedUser, Set<string>>();
  readonly #notices: Notice[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: Pick<UnreadDeps, 'unread' | 'scheduler'>) {
    this.#deps = deps;
  }

  add(room: string, user: ConnectedUser): void {
    const followed = this.#rooms.get(room);
    if (followed) followed.users.set(user, undefined);
    else {
      const toldAt = Number.NEGATIVE_INFINITY;
      this.#rooms.set(room, {
        users: new Map([[user, undefined]]),
        last: 0,
        messages: 0,
        deletions: 0,
        toldAt,
      });
    }
  }

  remove(room: string, user: ConnectedUser): void {
    const users = this.#rooms.get(room)?.users;
    users?.delete(user);
    if (users?.size === 0) this.#rooms.delete(room);
  }

  /** To be called for each committed event; `run` sends what came of them. */
  onEvent({ room, event, messages, author, mentioned }: RoomNews): void {
    for (const user of mentioned) this.addUrgent(room, user);
    const followed = this.#rooms.get(room);
    if (!followed) return;
    followed.last = event.id;
    followed.messages = messages;
    if (event.type === 'delete') followed.deletions++;
    const own = author && followed.users.get(author);
    if (own && event.type === 'chat' && messages > own.messages) own.own++;
    this.#changed.add(room);
  }

  /** The counts of this user in this room changed: they have read on, or were mentioned. */
  invalidate(room: string, user: ConnectedUser): void {
    const users = this.#rooms.get(room)?.users;
    if (users?.has(user)) users.set(user, undefined);
  }

  /** Makes `run` tell this user at once. */
  addUrgent(room: string, user: ConnectedUser): void {
    this.invalidate(room, user);
    const rooms = this.#urgent.get(user);
    if (rooms) rooms.add(room);
    else this.#urgent.set(user, new Set([room]));
  }

  /** Starts the notices that are due. */
  run(): void {
    if (this.#urgent.size > 0) this.#deps.scheduler.runSliced(this.#tellUrgent, noticeBudgetMs);
    const now = performance.now();
    for (const room of this.#changed) {
      const followed = this.#rooms.get(room);
      if (followed && now - followed.toldAt < noticeIntervalMs) continue;
      this.#changed.delete(room);
      if (!followed) continue;
      followed.toldAt = now;
      this.#notices.push({ room, users: followed.users.keys() });
    }
    if (this.#notices.length > 0) this.#deps.scheduler.runSliced(this.#tellFollowers, noticeBudgetMs);
    if (this.#changed.size > 0) this.#timer ??= setTimeout(this.#retry, dueCheckMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #retry = (): void => {
    this.#timer = undefined;
    this.run();
  };

  readonly #tellUrgent = (): boolean => {
    const [next] = this.#urgent;
    if (!next) return false;
    const [user, rooms] = next;
    this.#urgent.delete(user);
    for (const room of rooms) this.#tell(user, room);
    return this.#urgent.size > 0;
  };

  /** Tells some followers of one room; the rooms take turns. */
  readonly #tellFollowers = (): boolean => {
    const notice = this.#notices.shift();
    if (!notice) return false;
    for (let n = 0; n < usersPerStep; n++) {
      const { done, value: user } = notice.users.next();
      if (done) return this.#notices.length > 0;
      this.#tell(user, notice.room);
    }
    this.#notices.push(notice);
    return true;
  };

  /** Writes to the sockets that are not in the room; those in it see the messages. */
  #tell(user: ConnectedUser, room: string): void {
    if (user.connectionCount === 0 || onlyRoomOf(user) === room) return;
    const counts = this.#countsOf(user, room);
    if (!counts) return;
    const bytes = textFrame({ type: 'room', room, ...counts });
    for (const connection of user.connections) if (connection.room.name !== room) connection.write(bytes);
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

  /** A notice is not worth an exception, for instance when the disk fails. */
  #count(user: User, room: string): StoredCounts | undefined {
    try {
      return this.#deps.unread(user, room);
    } catch {
      return undefined;
    }
  }
}

/** The store may have been ahead of the room, when the counts were taken while a batch was being delivered. */
function currentCounts(
  known: Standing,
  { last, messages }: FollowedRoom,
): UnreadCounts & { readonly last: number } {
  const since = Math.max(0, messages - known.messages);
  return {
    last: Math.max(last, known.last),
    unread: known.unread + since - known.own,
    mentions: known.mentions,
  };
}
