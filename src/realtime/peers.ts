/**
 * The people and typing notices of the other processes of this chat. Each process announces joins and departures. Every 10 s
 * it sends a digest of its people. A text may be lost, late or repeated. A process that computes another digest asks for the
 * whole list. The list of 18,000 people takes 30 ms to read, so it is sent only when it is needed.
 *
 * A process that is silent for 30 s has nobody. A user of another process counts like one more socket of that user (Presence).
 */
import { randomUUID } from 'node:crypto';
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
  /** what the people of the process with this name are, told of so far; see Digest */
  | readonly ['digest', name: string, count: number, sum: number]
  /** asks the process with this name for its list, or all of them. It comes within a second */
  | readonly ['ask', name: string]
  | readonly ['hello']
  | readonly ['bye'];

interface Peer<U> {
  /** Seconds of this process since it was heard. A clock would also count those in which this process stood still. */
  silentSeconds: number;
  readonly rooms: Map<string, Map<string, U>>;
  readonly digest: Digest;
}

const digestIntervalMs = 10_000;
const maxSilentSeconds = 30;

/** `U`: a user, as this process keeps it. */
export class Peers<U = ConnectedUser> {
  readonly #deps: PeersDeps<U>;
  readonly #peers = new Map<string, Peer<U>>();
  #notices: Notice[] = [];
  #scheduled = false;
  /** Our name in digests. */
  readonly #name = randomUUID();
  /** Of the people of this process. */
  #digest = new Digest();
  #digestedAt = Number.NEGATIVE_INFINITY;
  /** Another process needs the list. */
  #isAsked = false;
  #hasSaidBye = false;

  constructor(deps: PeersDeps<U>) {
    this.#deps = deps;
  }

  joined(room: string, { id, name }: User): void {
    this.#digest.add(room, id);
    this.#send(['join', room, id, name]);
  }

  left(room: string, { id }: User, atOnce: boolean): void {
    this.#digest.remove(room, id);
    this.#send(['left', room, id, atOnce]);
  }

  typing(room: string, { id, name }: User): void {
    this.#send(['typing', room, id, name]);
  }

  /** The others can be heard now, or again. */
  hello(): void {
    this.#send(['hello']);
    this.#isAsked = true;
  }

  /** This process stops. It sends nothing more, because the others would count its people again until it is silent for 30 s. */
  bye(): void {
    this.#send(['bye']);
    this.#flush();
    this.#hasSaidBye = true;
  }

  /** `now` is performance.now(). */
  everySecond(now: number): void {
    if (this.#isAsked) this.#sendList();
    if (now - this.#digestedAt >= digestIntervalMs) {
      this.#digestedAt = now;
      this.#send(['digest', this.#name, this.#digest.count, this.#digest.sum]);
    }
    for (const [name, peer] of this.#peers)
      if (++peer.silentSeconds > maxSilentSeconds) this.#drop(name, peer, true);
  }

  /** Ignores what it does not know, because a process may be of another version. */
  receive(from: string, text: string): void {
    const peer: Peer<U> = this.#peers.get(from) ?? newPeer();
    peer.silentSeconds = 0;
    this.#peers.set(from, peer);
    for (const notice of parseJsonArray(text) ?? []) this.#handle(from, peer, notice);
  }

  #handle(from: string, peer: Peer<U>, notice: unknown): void {
    if (!Array.isArray(notice)) return;
    const [kind, room, id, value] = notice as unknown[];
    if (kind === 'list') this.#setRooms(peer, toRooms(room));
    else if (kind === 'digest') this.#compare(peer, room, id, value);
    else if (kind === 'hello' || (kind === 'ask' && room === this.#name)) this.#isAsked = true;
    else if (kind === 'bye') this.#drop(from, peer, false);
    else if (typeof room !== 'string' || typeof id !== 'string') return;
    else if (kind === 'left') this.#leave(peer, room, id, value === true);
    else if (typeof value !== 'string') return;
    else if (kind === 'join') this.#enter(peer, room, { id, name: value });
    else if (kind === 'typing') this.#deps.typing(room, { id, name: value });
  }

  #compare({ digest }: Peer<U>, name: unknown, count: unknown, sum: unknown): void {
    if (typeof name === 'string' && (digest.count !== count || digest.sum !== sum)) this.#send(['ask', name]);
  }

  #enter({ rooms, digest }: Peer<U>, room: string, profile: User): void {
    const users = rooms.get(room) ?? new Map<string, U>();
    if (users.has(profile.id)) return;
    rooms.set(room, users);
    digest.add(room, profile.id);
    users.set(profile.id, this.#deps.enter(room, profile));
  }

  #leave({ rooms, digest }: Peer<U>, room: string, id: string, atOnce: boolean): void {
    const users = rooms.get(room);
    const user = users?.get(id);
    if (!users || !user) return;
    users.delete(id);
    if (users.size === 0) rooms.delete(room);
    digest.remove(room, id);
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

  #sendList(): void {
    this.#isAsked = false;
    this.#digest = new Digest();
    const rooms = [...this.#deps.local()].map(([room, users]): Room => {
      const list = [...users].map(({ id, name }): UserFields => [id, name]);
      for (const [id] of list) this.#digest.add(room, id);
      return [room, list];
    });
    this.#send(['list', rooms]);
  }

  /** Sends all notices of one turn together. */
  #send(notice: Notice): void {
    if (this.#hasSaidBye) return;
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

function newPeer<U>(): Peer<U> {
  return { silentSeconds: 0, rooms: new Map(), digest: new Digest() };
}

/** Users in rooms, in any order: their number, and the sum of their hashes modulo 2^32. */
class Digest {
  count = 0;
  sum = 0;

  add(room: string, id: string): void {
    this.count++;
    this.sum = (this.sum + hashOf(`${room}\n${id}`)) >>> 0;
  }

  remove(room: string, id: string): void {
    this.count--;
    this.sum = (this.sum - hashOf(`${room}\n${id}`)) >>> 0;
  }
}

/** FNV-1a, and the end of MurmurHash3: with FNV alone, the sums of similar texts would often be the same. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
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
