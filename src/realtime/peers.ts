/**
 * The people and typing notices of the other processes of this chat. Each process tells the others who comes into a room and
 * who leaves it. Every 10 s it sends the whole list, so a lost text corrects itself. A process that is silent for 30 s has
 * nobody. A user of another process counts like one more socket of that user (Presence).
 */
import { parseJsonArray } from '../shared/parse.js';
import type { User } from '../shared/protocol.js';
import type { ConnectedUser } from './user.js';

/** What the hub does for its peers. */
interface PeersDeps<U> {
  /** Sends a text to all other processes. */
  readonly publish: (text: string) => void;
  /** The rooms of this process, each with its users. */
  readonly local: () => Iterable<readonly [room: string, users: Iterable<User>]>;
  readonly enter: (room: string, profile: User) => U;
  readonly leave: (room: string, user: U, atOnce: boolean) => void;
  readonly typing: (room: string, profile: User) => void;
}

type Room = readonly [name: string, users: readonly UserFields[]];
type UserFields = readonly [id: string, name: string];

type Notice =
  | readonly ['join' | 'typing', room: string, id: string, name: string]
  | readonly ['left', room: string, id: string, atOnce: boolean]
  | readonly ['list', rooms: readonly Room[]]
  /** asks the others for their lists, which they send within a second */
  | readonly ['hello']
  | readonly ['bye'];

interface Peer<U> {
  /** performance.now() */
  heardAt: number;
  readonly rooms: Map<string, Map<string, U>>;
}

const listIntervalMs = 10_000;
const silenceMs = 30_000;

/** `U`: a user, as this process keeps it. */
export class Peers<U = ConnectedUser> {
  readonly #deps: PeersDeps<U>;
  readonly #peers = new Map<string, Peer<U>>();
  #notices: Notice[] = [];
  #scheduled = false;
  #listedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: PeersDeps<U>) {
    this.#deps = deps;
  }

  joined(room: string, { id, name }: User): void {
    this.#send(['join', room, id, name]);
  }

  left(room: string, { id }: User, atOnce: boolean): void {
    this.#send(['left', room, id, atOnce]);
  }

  typing(room: string, { id, name }: User): void {
    this.#send(['typing', room, id, name]);
  }

  /** The others can be heard now, or again. */
  hello(): void {
    this.#send(['hello']);
    this.#listedAt = Number.NEGATIVE_INFINITY;
  }

  /** This process stops. */
  bye(): void {
    this.#notices.push(['bye']);
    this.#flush();
  }

  /** `now` is performance.now(). */
  everySecond(now: number): void {
    if (now - this.#listedAt >= listIntervalMs) this.#sendList(now);
    for (const [name, peer] of this.#peers) if (now - peer.heardAt >= silenceMs) this.#drop(name, peer, true);
  }

  /** Ignores what it does not know, because a process may be of another version. */
  receive(from: string, text: string): void {
    const peer: Peer<U> = this.#peers.get(from) ?? { heardAt: 0, rooms: new Map() };
    peer.heardAt = performance.now();
    this.#peers.set(from, peer);
    for (const notice of parseJsonArray(text) ?? []) this.#handle(from, peer, notice);
  }

  #handle(from: string, peer: Peer<U>, notice: unknown): void {
    if (!Array.isArray(notice)) return;
    const [kind, room, id, value] = notice as unknown[];
    if (kind === 'list') this.#setRooms(peer, toRooms(room));
    else if (kind === 'hello') this.#listedAt = Number.NEGATIVE_INFINITY;
    else if (kind === 'bye') this.#drop(from, peer, false);
    else if (typeof room !== 'string' || typeof id !== 'string') return;
    else if (kind === 'left') this.#leave(peer, room, id, value === true);
    else if (typeof value !== 'string') return;
    else if (kind === 'join') this.#enter(peer, room, { id, name: value });
    else if (kind === 'typing') this.#deps.typing(room, { id, name: value });
  }

  #enter({ rooms }: Peer<U>, room: string, profile: User): void {
    const users = rooms.get(room) ?? new Map<string, U>();
    if (users.has(profile.id)) return;
    rooms.set(room, users);
    users.set(profile.id, this.#deps.enter(room, profile));
  }

  #leave({ rooms }: Peer<U>, room: string, id: string, atOnce: boolean): void {
    const users = rooms.get(room);
    const user = users?.get(id);
    if (!users || !user) return;
    users.delete(id);
    if (users.size === 0) rooms.delete(room);
    this.#deps.leave(room, user, atOnce);
  }

  #setRooms(peer: Peer<U>, rooms: readonly Room[]): void {
    const listed = new Map(rooms.map(([room, users]) => [room, new Map(users)]));
    for (const [room, users] of peer.rooms)
      for (const id of users.keys()) if (!listed.get(room)?.has(id)) this.#leave(peer, room, id, false);
    for (const [room, users] of listed) for (const [id, name] of users) this.#enter(peer, room, { id, name });
  }

  #drop(name: string, peer: Peer<U>, atOnce: boolean): void {
    this.#peers.delete(name);
    for (const [room, users] of peer.rooms)
      for (const user of users.values()) this.#deps.leave(room, user, atOnce);
  }

  #sendList(now: number): void {
    this.#listedAt = now;
    const rooms = [...this.#deps.local()].map(
      ([room, users]): Room => [room, [...users].map(({ id, name }): UserFields => [id, name])],
    );
    this.#send(['list', rooms]);
  }

  /** Sends all notices of one turn together. */
  #send(notice: Notice): void {
    this.#notices.push(notice);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#notices.length > 0) this.#deps.publish(JSON.stringify(this.#notices));
    this.#notices = [];
  }
}

function toRooms(raw: unknown): Room[] {
  if (!Array.isArray(raw)) return [];
  return (raw as unknown[]).flatMap((entry) => {
    const [name, users] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof name !== 'string' || !Array.isArray(users)) return [];
    return [[name, (users as unknown[]).flatMap(toUser)] as const];
  });
}

function toUser(raw: unknown): UserFields[] {
  const [id, name] = Array.isArray(raw) ? (raw as unknown[]) : [];
  return typeof id === 'string' && typeof name === 'string' ? [[id, name]] : [];
}
