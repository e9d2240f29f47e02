/**
 * Who is in which room, over all workers and the other nodes. It lives in the primary, which tells each worker about the rooms
 * that the worker has people in (realtime/worker-presence.ts). A user counts once, however many workers they are connected to.
 */
import type { Peers } from '../realtime/peers.js';
import { Presence } from '../realtime/presence.js';
import type { PresenceReport, PresenceUpdate } from '../realtime/worker-presence.js';
import type { User } from '../shared/protocol.js';

/** A user, with in how many rooms of how many processes they are; `workers`: of these, of workers. */
export interface ListedUser {
  profile: User;
  places: number;
  workers: number;
  /** When they left the last one, as performance.now(). */
  leftAt: number;
}

interface ListedRoom {
  readonly name: string;
  readonly presence: Presence<ListedUser>;
  /** The users of each worker that has any here. */
  readonly workers: Map<WorkerPeople, Set<ListedUser>>;
}

/** A worker, as the directory sees it. */
export interface WorkerPeople {
  tell(update: PresenceUpdate): void;
}

/** The other nodes of this chat (realtime/peers.ts). */
type Nodes = Pick<Peers<ListedUser>, 'joined' | 'left' | 'typing'>;

function isHere({ workers }: ListedRoom, user: ListedUser): boolean {
  for (const users of workers.values()) if (users.has(user)) return true;
  return false;
}

/** How long a user is remembered. Invariant: longer than the leave delay of Presence. */
const forgetAfterMs = 10_000;
/** Milliseconds between two messages with the counts of rooms. */
const countsIntervalMs = 50;

export class Directory {
  readonly #rooms = new Map<string, ListedRoom>();
  readonly #users = new Map<string, ListedUser>();
  readonly #gone = new Set<ListedUser>();
  readonly #workers: ReadonlySet<WorkerPeople>;
  readonly #nameOf: (id: string) => string | undefined;
  /** Rooms whose count has changed. */
  readonly #changed = new Set<ListedRoom>();
  #timer: NodeJS.Timeout | undefined;
  #nodes: Nodes | undefined;

  /** `nameOf` gives the committed name of a user: a process may tell an older one. */
  constructor(workers: ReadonlySet<WorkerPeople>, nameOf: (id: string) => string | undefined) {
    this.#workers = workers;
    this.#nameOf = nameOf;
  }

  get userCount(): number {
    return this.#users.size;
  }

  get roomCount(): number {
    return this.#rooms.size;
  }

  /** In how many rooms of how many workers a user is. */
  placesOf(id: string): number {
    return this.#users.get(id)?.workers ?? 0;
  }

  /** Tells the other nodes who comes to this machine and who leaves it. */
  tellNodes(nodes: Nodes): void {
    this.#nodes = nodes;
  }

  /** Tells a new worker how many people are in each room. */
  greet(worker: WorkerPeople): void {
    const counts = [...this.#rooms.values()].map(({ name, presence }) => [name, presence.count] as const);
    worker.tell(['counts', counts]);
  }

  /** A worker reports somebody who comes, goes or types. */
  onReport(worker: WorkerPeople, [kind, name, id, value]: PresenceReport): void {
    if (kind === 'left') this.#workerLeaves(worker, name, id, value);
    else if (kind === 'typing') {
      this.typing(name, { id, name: value }, worker);
      this.#nodes?.typing(name, { id, name: value });
    } else this.#workerEnters(worker, name, { id, name: value });
  }

  #workerEnters(worker: WorkerPeople, name: string, profile: User): void {
    const [room, user] = [this.#room(name), this.#user(profile)];
    const users = room.workers.get(worker);
    if (users?.has(user)) return;
    if (this.#nodes && !isHere(room, user)) this.#nodes.joined(name, profile);
    if (users) users.add(user);
    user.workers++;
    this.#enter(room, user, worker);
    if (users) return;
    room.workers.set(worker, new Set([user]));
    this.#describe(room, worker);
  }

  #workerLeaves(worker: WorkerPeople, name: string, id: string, atOnce: boolean): void {
    const [room, user] = [this.#rooms.get(name), this.#users.get(id)];
    const users = room?.workers.get(worker);
    if (!room || !user || !users?.delete(user)) return;
    if (users.size === 0) room.workers.delete(worker);
    user.workers--;
    if (this.#nodes && !isHere(room, user)) this.#nodes.left(name, user.profile, atOnce);
    this.#leave(room, user, atOnce);
  }

  /** A user came into a room of another node. */
  enterFromNode(name: string, profile: User): ListedUser {
    const [room, user] = [this.#room(name), this.#user(profile)];
    this.#enter(room, user, undefined);
    return user;
  }

  leaveFromNode(name: string, user: ListedUser, atOnce: boolean): void {
    const room = this.#rooms.get(name);
    if (room) this.#leave(room, user, atOnce);
  }

  /** Passes a typing notice on to the workers but `from`. */
  typing(name: string, { id, name: userName }: User, from?: WorkerPeople): void {
    const room = this.#rooms.get(name);
    if (!room || room.presence.isLarge) return;
    for (const worker of room.workers.keys())
      if (worker !== from) worker.tell(['typing', name, id, userName]);
  }

  /** The people of a worker are gone. They count for a while, because they come back to another worker. */
  drop(worker: WorkerPeople): void {
    for (const room of this.#rooms.values()) {
      const users = room.workers.get(worker);
      room.workers.delete(worker);
      for (const user of users ?? []) {
        user.workers--;
        if (this.#nodes && !isHere(room, user)) this.#nodes.left(room.name, user.profile, false);
        this.#leave(room, user, false);
      }
    }
  }

  rename({ id, name }: User): void {
    const user = this.#users.get(id);
    if (user) user.profile = { id, name };
  }

  /** The rooms of this machine, with their users. */
  *local(): Generator<readonly [room: string, users: Iterable<User>]> {
    for (const { name, workers } of this.#rooms.values())
      yield [
        name,
        new Set([...workers.values()].flatMap((users) => [...users]).map(({ profile }) => profile)),
      ];
  }

  /** `now` is performance.now(). */
  everySecond(now: number): void {
    for (const room of this.#rooms.values()) {
      const updates = room.presence.takeUpdates(now);
      if (updates.length > 0) this.#noteChange(room);
      if (updates.some(({ type }) => type === 'count' || type === 'list'))
        for (const worker of room.workers.keys()) this.#describe(room, worker);
      if (room.presence.count === 0) this.#rooms.delete(room.name);
    }
    for (const user of this.#gone) {
      if (user.leftAt + forgetAfterMs > now) continue;
      this.#gone.delete(user);
      this.#users.delete(user.profile.id);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #room(name: string): ListedRoom {
    const known = this.#rooms.get(name);
    if (known) return known;
    const room = { name, presence: new Presence<ListedUser>(), workers: new Map() };
    this.#rooms.set(name, room);
    return room;
  }

  #user({ id, name }: User): ListedUser {
    const known = this.#users.get(id);
    if (known) return known;
    const profile = { id, name: this.#nameOf(id) ?? name };
    const user = { profile, places: 0, workers: 0, leftAt: 0 };
    this.#users.set(id, user);
    return user;
  }

  #enter(room: ListedRoom, user: ListedUser, from: WorkerPeople | undefined): void {
    user.places++;
    this.#gone.delete(user);
    const { id, name } = user.profile;
    this.#tellOthers(room, user, ['join', room.name, id, name], from);
    if (room.presence.enter(user) || room.presence.isLarge) this.#noteChange(room);
  }

  #leave(room: ListedRoom, user: ListedUser, atOnce: boolean): void {
    const now = performance.now();
    room.presence.leave(user, now, atOnce);
    this.#tellOthers(room, user, ['left', room.name, user.profile.id, atOnce]);
    if (atOnce) this.#noteChange(room);
    if (--user.places > 0) return;
    user.leftAt = now;
    this.#gone.add(user);
  }

  /** Tells each worker for which this user is in no other process. Call it before they enter, or after they have left. */
  #tellOthers(room: ListedRoom, user: ListedUser, update: PresenceUpdate, from?: WorkerPeople): void {
    if (room.presence.isLarge) return;
    const places = room.presence.socketCount(user);
    for (const [worker, users] of room.workers)
      if (worker !== from && places === (users.has(user) ? 1 : 0)) worker.tell(update);
  }

  /** Tells a worker who else is in a room, or how many. */
  #describe({ name, presence, workers }: ListedRoom, worker: WorkerPeople): void {
    if (presence.isLarge) {
      worker.tell(['large', name, presence.list()]);
      return;
    }
    const own = workers.get(worker);
    const others: User[] = [];
    for (const user of presence.people()) {
      const places = presence.socketCount(user) - (own?.has(user) ? 1 : 0);
      if (places > 0) others.push(user.profile);
    }
    worker.tell(['others', name, others]);
  }

  #noteChange(room: ListedRoom): void {
    this.#changed.add(room);
    this.#timer ??= setTimeout(this.#tellCounts, countsIntervalMs);
  }

  readonly #tellCounts = (): void => {
    this.#timer = undefined;
    const counts = [...this.#changed].map(({ name, presence }) => [name, presence.count] as const);
    this.#changed.clear();
    for (const worker of this.#workers) worker.tell(['counts', counts]);
  };
}
