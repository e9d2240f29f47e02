/**
 * The whole page: the room in view and those seen before, the list of rooms, settings, panels. The one place that
 * knows all parts, and the browser.
 */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { field, parseObject } from '../parse.js';
import type { FoundPage, RoomFrame, User } from '../protocol.js';
import { type Address, onAddress, push } from './address.js';
import * as api from './api.js';
import { burnDrafts } from './draft.js';
import { goToSignIn, letIn } from './gate.js';
import { Place } from './place.js';
import { shelf } from './shelf.js';
import { Attention } from './state/attention.js';
import { browserClock as clock } from './state/clock.js';
import { Database } from './state/database.js';
import { Keep } from './state/keep.js';
import { OutboxDb } from './state/outboxdb.js';
import { ReadMarks } from './state/readmarks.js';
import { Rooms } from './state/rooms.js';
import { Settings } from './state/settings.js';
import { Sweep } from './sweep.js';
import { keepTitle } from './title.js';
import { checkVersion, newer } from './version.js';
import { onWake } from './wake.js';
import { forgetPage, startWorker } from './worker.js';

/** Gone from the server's side: we are somebody else now, or nobody. */
const SESSION_OVER: ReadonlySet<number> = new Set([4001, 4002]);
/** Rooms that are at hand at once when they are shown again. */
const AT_HAND = 5;
/** A list of rooms that is not older than this is kept true by what the socket tells. */
const FRESH_MS = 30_000;

/** A panel over the page. */
export type DialogName = 'search' | 'mentions' | 'switch' | 'keys' | 'settings';

export interface SearchWhere {
  readonly room?: string;
  readonly before?: number;
}

export class Desk {
  readonly rooms = new Rooms();
  readonly settings = new Settings(shelf);
  readonly attention = new Attention();
  readonly dialog: Signal<DialogName | undefined> = signal(undefined);
  /** A newer version of the page was deployed: a reason to reload when it suits. */
  readonly newer = newer;
  readonly #user: string;
  readonly #me: Signal<User | undefined>;
  readonly #here: Signal<Place>;
  readonly #places = new Map<string, Place>();
  readonly #database = new Database();
  readonly #letters = new OutboxDb(this.#database);
  readonly #keep: Keep;
  readonly #sweep: Sweep;
  readonly #marks = new ReadMarks({ rooms: this.rooms, put: api.read, clock });
  #epoch: string | undefined;
  #refreshedAt = -Infinity;

  /** `user`: id of the person whose page this is. */
  constructor(user: string, { room }: Address) {
    this.#user = user;
    this.#keep = new Keep(this.#database, clock, user);
    this.#sweep = new Sweep({ user, store: this.#letters, clock });
    this.#me = signal(recalled(user));
    this.#here = signal(this.#placeOf(room));
  }

  /** Who I am; undefined until the server has said it once. */
  get me(): ReadonlySignal<User | undefined> {
    return this.#me;
  }
  /** The room in view; another one after `go`. */
  get here(): ReadonlySignal<Place> {
    return this.#here;
  }

  /** Begins the life of the page, at an address. */
  open({ id }: Address): void {
    void this.#restore();
    this.#here.peek().enter(id);
    onAddress((address, pushed) => this.#show(address, pushed));
    startWorker((address) => this.#show(address, false));
    onWake(() => this.#wake());
    addEventListener('pagehide', () => this.#away());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#here.peek().resume());
    document.addEventListener('visibilitychange', () => this.#turned());
    keepTitle(() => ({ room: this.#here.value.name, unread: this.rooms.unread.value }));
  }

  /** Shows a room, at a message if given; no page is loaded. */
  go(room: string, id?: number): void {
    this.#show(id === undefined ? { room } : { room, id }, false);
  }

  /** Newest first; undefined when the server cannot be asked. */
  search(q: string, where: SearchWhere = {}): Promise<FoundPage | undefined> {
    return api.search({ q, ...where });
  }
  mentions(where: { readonly before?: number } = {}): Promise<FoundPage | undefined> {
    return api.mentions({ ...where });
  }
  /** Whose name begins so, for completion. */
  async people(q: string): Promise<readonly User[]> {
    return (await api.people(q)) ?? [];
  }

  async signOut(): Promise<void> {
    if (!(await api.signOut())) return;
    await this.#burn();
    await this.#sweep.burn();
    location.assign('/signin');
  }

  #show(address: Address, pushed: boolean): void {
    const { room, id } = address;
    if (!pushed) push(address);
    const before = this.#here.peek();
    if (before.name === room) {
      if (id !== undefined) void before.goTo(id);
      return;
    }
    const place = this.#placeOf(room);
    before.leave();
    this.#sweep.stop(room);
    place.enter(id);
    this.#here.value = place;
  }

  /** The room's place, made or found; the one that was not shown for the longest time is let go. */
  #placeOf(name: string): Place {
    const place = this.#places.get(name) ?? this.#newPlace(name);
    this.#places.delete(name);
    this.#places.set(name, place);
    const [oldest] = this.#places.keys();
    if (this.#places.size > AT_HAND && oldest !== undefined) {
      this.#places.get(oldest)?.close();
      this.#places.delete(oldest);
    }
    return place;
  }

  #newPlace(name: string): Place {
    return new Place({
      name,
      user: this.#user,
      clock,
      rooms: this.rooms,
      marks: this.#marks,
      keep: this.#keep,
      letters: this.#letters,
      shelf,
      soon: beforeDrawing,
      seen: isSeen,
      hello: (user, epoch) => this.#welcomed(user, epoch),
      moved: (frame) => this.#moved(frame),
      news: () => {},
      closed: (code) => SESSION_OVER.has(code) && goToSignIn(),
    });
  }

  #welcomed(user: User, epoch: string): void {
    letIn();
    if (user.id !== this.#user) return void this.#leaveTo();
    this.#me.value = user;
    shelf.set(ME, JSON.stringify(user));
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#otherLog();
    this.#epoch = epoch;
    void this.#sweep.run(this.#here.peek().name);
    void checkVersion();
    if (clock.now() - this.#refreshedAt > FRESH_MS) void this.#refresh();
  }

  /** Another person has signed in here: nothing of this one's is sent or shown. */
  async #leaveTo(): Promise<void> {
    this.#here.peek().pause();
    await this.#burn();
    location.reload();
  }

  #otherLog(): void {
    this.rooms.reset();
    this.#marks.clear();
    this.#refreshedAt = -Infinity;
    void this.#keep.clear();
  }

  async #refresh(): Promise<void> {
    this.#refreshedAt = clock.now();
    const list = await api.rooms();
    if (!list) {
      this.#refreshedAt = -Infinity;
      return;
    }
    this.rooms.refreshed(list);
    for (const { room, read } of list) this.#marks.told(room, read);
    this.#keepRooms();
  }

  #moved({ room, last, read }: RoomFrame): void {
    this.rooms.moved(room, last);
    if (read !== undefined) this.#marks.told(room, read);
    this.#keepRooms();
  }

  #keepRooms(): void {
    this.#keep.keepRooms(() => {
      const rooms = this.rooms.list.peek();
      return this.#epoch === undefined ? undefined : { epoch: this.#epoch, rooms };
    });
  }

  async #restore(): Promise<void> {
    const kept = await this.#keep.rooms();
    if (!kept || this.#epoch !== undefined) return;
    this.#epoch = kept.epoch;
    this.rooms.restore(kept.rooms);
  }

  #wake(): void {
    this.#here.peek().connection.wake();
    this.#refreshedAt = Math.min(this.#refreshedAt, clock.now() - FRESH_MS);
    void this.#refresh();
    void checkVersion();
  }

  #turned(): void {
    if (isSeen()) this.#here.peek().remark();
    else this.#marks.leave();
  }

  #away(): void {
    this.#marks.leave();
    void this.#keep.flush();
    this.#here.peek().pause();
  }

  async #burn(): Promise<void> {
    shelf.set(ME, undefined);
    burnDrafts(shelf, this.#user);
    await this.#keep.burn();
    await forgetPage();
  }
}

const ME = 'oneport.me';

/** Who this person was when they were here last. */
function recalled(id: string): User | undefined {
  const kept = parseObject(shelf.get(ME) ?? '') ?? {};
  const name = field(kept, 'name');
  return field(kept, 'id') === id && typeof name === 'string' ? { id, name } : undefined;
}

function isSeen(): boolean {
  return document.visibilityState === 'visible';
}

/** A page that nobody looks at is not drawn: there it is done now and then. */
export function beforeDrawing(show: () => void): void {
  if (isSeen()) requestAnimationFrame(show);
  else setTimeout(show, 250);
}
