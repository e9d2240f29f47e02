/**
 * The whole page: the room in view and those seen before, the list of rooms, settings, panels. The one place that
 * knows all parts, and the browser.
 */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { RoomFrame, SearchPage, User } from '../shared/protocol.js';
import { type Address, onAddress, push } from './address.js';
import * as api from './api.js';
import { burn } from './burn.js';
import { TabCaller } from './caller.js';
import { isSeen, onceDrawn } from './draw.js';
import { goToSignIn, isSessionOver, letIn } from './gate.js';
import { keepMe, recallMe } from './me.js';
import { atEase } from './pace.js';
import type { Place, PlaceParts } from './place.js';
import { Places } from './places.js';
import { Register } from './register.js';
import { shelf } from './shelf.js';
import type { Snapshot } from './state/answers.js';
import { Attention } from './state/attention.js';
import { browserClock as clock } from './state/clock.js';
import { Database } from './state/database.js';
import { Keep } from './state/keep.js';
import { OutboxDb } from './state/outboxdb.js';
import type { Rooms } from './state/rooms.js';
import type { Settings } from './state/settings.js';
import { Sweep } from './sweep.js';
import { keepTitle } from './title.js';
import { checkVersion, newer } from './version.js';
import { onWake } from './wake.js';
import { startWorker } from './worker.js';

/** A panel over the page. */
export type DialogName = 'search' | 'mentions' | 'switch' | 'keys' | 'settings';
export type SearchWhere = { readonly room?: string; readonly before?: number };

export class Desk {
  /** Who I am; undefined until the server has said it once. */
  readonly me: ReadonlySignal<User | undefined>;
  /** The room in view; another one after `go`. */
  readonly here: ReadonlySignal<Place>;
  readonly rooms: Rooms;
  readonly settings: Settings;
  readonly attention: Attention;
  readonly dialog: Signal<DialogName | undefined> = signal(undefined);
  /** A newer version of the page was deployed: a reason to reload when it suits. */
  readonly newer = newer;
  #leaving = false;
  readonly #user: string;
  readonly #me: Signal<User | undefined>;
  readonly #here: Signal<Place>;
  readonly #places = new Places((name) => this.#partsOf(name));
  readonly #database = new Database();
  readonly #letters = new OutboxDb(this.#database);
  readonly #keep: Keep;
  readonly #sweep: Sweep;
  readonly #register: Register;
  readonly #caller: TabCaller;

  /** `user`: id of the person whose page this is; `snapshot`: what it was delivered with, unless it was kept. */
  constructor(user: string, { room }: Address, settings: Settings, snapshot?: Snapshot) {
    this.#user = user;
    this.settings = settings;
    this.#keep = new Keep(this.#database, clock, user);
    this.#sweep = new Sweep({ user, store: this.#letters, clock });
    this.#register = new Register(this.#keep, clock);
    this.rooms = this.#register.rooms;
    this.#caller = new TabCaller(user, {
      go: (to, id) => this.go(to, id),
      called: (called, id) => this.rooms.called(called, id),
    });
    const { rooms, changed } = this.#register;
    const caller = this.#caller;
    this.attention = new Attention({ me: user, rooms, settings, caller, load: api.messages, changed, clock });
    this.me = this.#me = signal(snapshot?.user ?? recallMe(user));
    this.here = this.#here = signal(this.#places.of(room));
  }

  /** Begins the life of the page, at an address. */
  open({ id }: Address, snapshot?: Snapshot): void {
    void (snapshot ? this.#register.begin(snapshot) : this.#register.restore());
    this.#here.peek().enter(id, snapshot);
    onAddress((address, pushed) => this.#show(address, pushed));
    onWake(() => this.#wake());
    addEventListener('pagehide', () => this.#away());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#here.peek().resume());
    document.addEventListener('visibilitychange', () => this.#turned());
    keepTitle(() => ({ room: this.#here.value.name, unread: this.rooms.unread.value }));
    onceDrawn(() => this.#settle());
  }

  /** What need not be there before something is drawn. */
  #settle(): void {
    this.#caller.start();
    this.#caller.look(this.#here.peek().name);
    startWorker((address) => this.#show(address, false));
  }

  /** Shows a room, at a message if given; no page is loaded. */
  go(room: string, id?: number): void {
    this.#show(id === undefined ? { room } : { room, id }, false);
  }

  /** Newest first; undefined when the server cannot be asked. */
  search(q: string, where: SearchWhere = {}): Promise<SearchPage | undefined> {
    return api.search({ q, ...where });
  }
  mentions(where: Pick<SearchWhere, 'before'> = {}): Promise<SearchPage | undefined> {
    return api.mentions(where);
  }
  /** Whose name begins so, for completion. */
  async people(q: string): Promise<readonly User[]> {
    return (await api.people(q)) ?? [];
  }

  /** How many letters, of whatever room, would be dropped with it. */
  unsent(): Promise<number> {
    return this.#sweep.unsent(this.#places.letters);
  }
  async signOut(): Promise<void> {
    this.#leaving = true; // the socket is closed at once, and must not lead away before all is burned
    this.#leaving = await api.signOut();
    if (!this.#leaving) return;
    await Promise.all([burn(this.#user, this.#keep), this.#sweep.burn()]);
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
    const place = this.#places.of(room);
    before.leave();
    this.#sweep.stop(room);
    place.enter(id);
    this.#caller.look(room);
    this.#here.value = place;
  }

  #partsOf(name: string): PlaceParts {
    return {
      name,
      user: this.#user,
      clock,
      register: this.#register,
      letters: this.#letters,
      shelf,
      soon: atEase,
      seen: isSeen,
      hello: (user, epoch) => this.#welcomed(user, epoch),
      moved: (frame) => this.#moved(frame),
      news: (events) => void this.attention.heard(name, events),
      closed: (code) => isSessionOver(code) && !this.#leaving && goToSignIn(),
    };
  }

  #welcomed(user: User, epoch: string): void {
    letIn();
    if (user.id !== this.#user) return void this.#leaveTo();
    this.#me.value = user;
    keepMe(user);
    this.#register.greeted(epoch);
    void this.#sweep.run(this.#here.peek().name);
    void checkVersion();
  }

  /** Another person has signed in here: nothing of this one's is sent or shown. */
  async #leaveTo(): Promise<void> {
    this.#here.peek().pause();
    await burn(this.#user, this.#keep);
    location.reload();
  }

  #moved(frame: RoomFrame): void {
    const before = this.rooms.entry(frame.room)?.last ?? 0;
    this.#register.moved(frame);
    if (frame.room !== this.#here.peek().name) void this.attention.moved(frame.room, before);
  }

  #wake(): void {
    this.#here.peek().connection.wake();
    void this.#register.refresh();
    void checkVersion();
  }

  #turned(): void {
    if (isSeen()) this.#here.peek().remark();
    else this.#register.marks.leave();
  }

  #away(): void {
    this.#register.marks.leave();
    void this.#keep.flush();
    this.#here.peek().pause();
  }
}
