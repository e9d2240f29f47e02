/**
 * People in rooms, as a worker and the primary tell each other. The primary counts the people of all workers
 * (workers/directory.ts). It tells a worker about the rooms in which the worker has people: of a small room who else is in it,
 * of a large one only how many there are. So no process but the primary has a list of everybody.
 */
import { parseJsonArray } from '../shared/parse.js';
import type { ServerFrame, User } from '../shared/protocol.js';
import type { ConnectedUser } from './user.js';

export type ListFrame = Extract<ServerFrame, { type: 'list' }>;

/** What a worker tells the primary: a user has their first connection in a room, or closed the last one. */
export type PresenceReport =
  | readonly ['join' | 'typing', room: string, id: string, name: string]
  | readonly ['left', room: string, id: string, atOnce: boolean];

/** What the primary tells a worker. "Others" are in other processes. */
export type PresenceUpdate =
  | PresenceReport
  /** The room is small, and these others are in it. */
  | readonly ['others', room: string, users: readonly User[]]
  /** The room is large. */
  | readonly ['large', room: string, list: ListFrame]
  /** How many people are in these rooms, in all processes. */
  | readonly ['counts', counts: readonly (readonly [room: string, count: number])[]];

/** What the hub does for its presence in other processes. */
export interface WorkerPresenceDeps {
  readonly publish: (text: string) => void;
  readonly enter: (room: string, profile: User) => ConnectedUser;
  readonly leave: (room: string, user: ConnectedUser, atOnce: boolean) => void;
  readonly typing: (room: string, profile: User) => void;
  /** The people of a room are known: `list` for a large room, undefined for a small one. */
  readonly settle: (room: string, list: ListFrame | undefined) => void;
}

export class WorkerPresence {
  readonly #deps: WorkerPresenceDeps;
  /** How many users of this worker are in each room. */
  readonly #local = new Map<string, number>();
  /** The others in small rooms, by id. */
  readonly #others = new Map<string, Map<string, ConnectedUser>>();
  readonly #counts = new Map<string, number>();
  #reports: PresenceReport[] = [];

  constructor(deps: WorkerPresenceDeps) {
    this.#deps = deps;
  }

  joined(room: string, { id, name }: User): void {
    this.#local.set(room, (this.#local.get(room) ?? 0) + 1);
    this.#report(['join', room, id, name]);
  }

  left(room: string, { id }: User, atOnce: boolean): void {
    const local = (this.#local.get(room) ?? 0) - 1;
    if (local > 0) this.#local.set(room, local);
    else {
      this.#local.delete(room);
      this.#dropOthers(room); // the primary tells no more about this room
    }
    this.#report(['left', room, id, atOnce]);
  }

  typing(room: string, { id, name }: User): void {
    this.#report(['typing', room, id, name]);
  }

  /** Returns how many people are in a room, in all processes. */
  count(room: string): number | undefined {
    return this.#counts.get(room);
  }

  /** Does nothing: the primary notices by itself when a worker comes or goes. */
  hello(): void {}
  bye(): void {}
  everySecond(): void {}

  receive(_from: string, text: string): void {
    for (const update of (parseJsonArray(text) ?? []) as PresenceUpdate[]) this.#handle(update); // the primary wrote it
  }

  #handle(update: PresenceUpdate): void {
    if (update[0] === 'counts') this.#setCounts(update[1]);
    else if (this.#local.has(update[1])) this.#handleRoom(update);
  }

  #handleRoom(update: Exclude<PresenceUpdate, readonly ['counts', ...unknown[]]>): void {
    const [, room] = update;
    switch (update[0]) {
      case 'join':
        this.#enter(room, { id: update[2], name: update[3] });
        return;
      case 'left':
        this.#leave(room, update[2], update[3]);
        return;
      case 'typing':
        this.#deps.typing(room, { id: update[2], name: update[3] });
        return;
      case 'others':
        this.#setOthers(room, update[2]);
        return;
      case 'large':
        this.#deps.settle(room, update[2]);
        this.#dropOthers(room);
    }
  }

  #setCounts(counts: readonly (readonly [room: string, count: number])[]): void {
    for (const [room, count] of counts)
      if (count > 0) this.#counts.set(room, count);
      else this.#counts.delete(room);
  }

  #setOthers(room: string, users: readonly User[]): void {
    const listed = new Set(users.map(({ id }) => id));
    for (const id of this.#others.get(room)?.keys() ?? []) if (!listed.has(id)) this.#leave(room, id, false);
    for (const user of users) this.#enter(room, user);
    this.#deps.settle(room, undefined);
  }

  #enter(room: string, profile: User): void {
    const others = this.#others.get(room) ?? new Map<string, ConnectedUser>();
    if (others.has(profile.id)) return;
    this.#others.set(room, others);
    others.set(profile.id, this.#deps.enter(room, profile));
  }

  #leave(room: string, id: string, atOnce: boolean): void {
    const others = this.#others.get(room);
    const user = others?.get(id);
    if (!others || !user) return;
    others.delete(id);
    if (others.size === 0) this.#others.delete(room);
    this.#deps.leave(room, user, atOnce);
  }

  #dropOthers(room: string): void {
    const others = this.#others.get(room);
    this.#others.delete(room);
    for (const user of others?.values() ?? []) this.#deps.leave(room, user, true);
  }

  /** Sends all reports of one turn together. */
  #report(report: PresenceReport): void {
    if (this.#reports.push(report) > 1) return;
    queueMicrotask(() => {
      const reports = this.#reports;
      this.#reports = [];
      this.#deps.publish(JSON.stringify(reports));
    });
  }
}
