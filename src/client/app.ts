/**
 * The whole page: the room in view and those seen before, the list of rooms, settings, panels. The one place that
 * knows all parts, and the browser.
 */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { RoomFrame, SearchPage, User } from '../shared/protocol.js';
import { type Address, onNavigate, pushAddress } from './address.js';
import * as api from './api.js';
import { browserClock as clock } from './clock.js';
import type { Snapshot } from './decode.js';
import { clearSigninRedirect, isSessionOver, onWake, redirectToSignin } from './lifecycle.js';
import { BackgroundSender } from './outbox/background.js';
import { Database, IndexedDbOutbox } from './outbox/db.js';
import { afterFirstPaint, isPageVisible, schedule } from './render/scheduler.js';
import { RoomCache, type RoomSession, type RoomSessionDeps } from './room/session.js';
import { OfflineCache } from './rooms/cache.js';
import { type RoomEntries, RoomListStore } from './rooms/list.js';
import { bindUnreadBadge, NotificationPolicy, TabNotifier } from './rooms/notifications.js';
import type { Settings } from './settings.js';
import { cacheUser, clearDrafts, loadCachedUser, localStore } from './storage.js';
import { checkVersion, deleteCachedPage, startServiceWorker, updateAvailable } from './updates.js';

/** A panel over the page. */
export type DialogName = 'search' | 'mentions' | 'switch' | 'keys' | 'settings';
export type SearchScope = { readonly room?: string; readonly before?: number };

export class App {
  /** Who I am; undefined until the server has said it once. */
  readonly me: ReadonlySignal<User | undefined>;
  /** The room in view; another one after `go`. */
  readonly session: ReadonlySignal<RoomSession>;
  readonly rooms: RoomEntries;
  readonly settings: Settings;
  readonly notifications: NotificationPolicy;
  readonly dialog: Signal<DialogName | undefined> = signal(undefined);
  /** A newer version of the page was deployed: a reason to reload when it suits. */
  readonly updateAvailable = updateAvailable;
  #signingOut = false;
  readonly #user: string;
  readonly #me: Signal<User | undefined>;
  readonly #session: Signal<RoomSession>;
  readonly #sessions = new RoomCache((name) => this.#sessionDeps(name));
  readonly #database = new Database();
  readonly #outboxStore = new IndexedDbOutbox(this.#database);
  readonly #cache: OfflineCache;
  readonly #backgroundSender: BackgroundSender;
  readonly #roomList: RoomListStore;
  readonly #notifier: TabNotifier;

  /** `user`: id of the person whose page this is; `snapshot`: what it was delivered with, unless it was kept. */
  constructor(user: string, { room }: Address, settings: Settings, snapshot?: Snapshot) {
    this.#user = user;
    this.settings = settings;
    this.#cache = new OfflineCache(this.#database, clock, user);
    this.#backgroundSender = new BackgroundSender({ user, store: this.#outboxStore, clock });
    this.#roomList = new RoomListStore(this.#cache, clock);
    this.rooms = this.#roomList.rooms;
    this.#notifier = new TabNotifier(user, {
      openRoom: (to, id) => this.openRoom(to, id),
      onMention: (called, id) => this.rooms.setMentioned(called, id),
    });
    const { rooms, onChanges: changed } = this.#roomList;
    const caller = this.#notifier;
    this.notifications = new NotificationPolicy({
      me: user,
      rooms,
      settings,
      notifier: caller,
      load: api.messages,
      onChanges: changed,
      clock,
    });
    this.me = this.#me = signal(snapshot?.user ?? loadCachedUser(user));
    this.session = this.#session = signal(this.#sessions.get(room));
  }

  /** Begins the life of the page, at an address. */
  start({ id }: Address, snapshot?: Snapshot): void {
    void (snapshot ? this.#roomList.openFromSnapshot(snapshot) : this.#roomList.restore());
    this.#session.peek().enter(id, snapshot);
    onNavigate((address, pushed) => this.#navigate(address, pushed));
    onWake(() => this.#onWake());
    addEventListener('pagehide', () => this.#onPageHide());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#session.peek().resume());
    document.addEventListener('visibilitychange', () => this.#onVisibilityChange());
    bindUnreadBadge(() => ({ room: this.#session.value.name, unread: this.rooms.unread.value }));
    afterFirstPaint(() => this.#afterFirstPaint());
  }

  /** What need not be there before something is drawn. */
  #afterFirstPaint(): void {
    this.#notifier.start();
    this.#notifier.setVisibleRoom(this.#session.peek().name);
    startServiceWorker((address) => this.#navigate(address, false));
  }

  /** Shows a room, at a message if given; no page is loaded. */
  openRoom(room: string, id?: number): void {
    this.#navigate(id === undefined ? { room } : { room, id }, false);
  }

  /** Newest first; undefined when the server cannot be asked. */
  search(q: string, where: SearchScope = {}): Promise<SearchPage | undefined> {
    return api.search({ q, ...where });
  }
  mentions(where: Pick<SearchScope, 'before'> = {}): Promise<SearchPage | undefined> {
    return api.mentions(where);
  }
  /** Whose name begins so, for completion. */
  async people(q: string): Promise<readonly User[]> {
    return (await api.searchPeople(q)) ?? [];
  }

  /** How many letters, of whatever room, would be dropped with it. */
  countUnsent(): Promise<number> {
    return this.#backgroundSender.countUnsent(this.#sessions.pending);
  }
  async signOut(): Promise<void> {
    this.#signingOut = true; // the socket is closed at once, and must not lead away before all is burned
    this.#signingOut = await api.signOut();
    if (!this.#signingOut) return;
    await Promise.all([clearLocalData(this.#user, this.#cache), this.#backgroundSender.clear()]);
    location.assign('/signin');
  }

  #navigate(address: Address, pushed: boolean): void {
    const { room, id } = address;
    if (!pushed) pushAddress(address);
    const before = this.#session.peek();
    if (before.name === room) {
      if (id !== undefined) void before.goTo(id);
      return;
    }
    const place = this.#sessions.get(room);
    before.leave();
    this.#backgroundSender.stop(room);
    place.enter(id);
    this.#notifier.setVisibleRoom(room);
    this.#session.value = place;
  }

  #sessionDeps(name: string): RoomSessionDeps {
    return {
      name,
      user: this.#user,
      clock,
      roomList: this.#roomList,
      outboxStore: this.#outboxStore,
      storage: localStore,
      schedule: schedule,
      isVisible: isPageVisible,
      onHello: (user, epoch) => this.#onHello(user, epoch),
      onRoomFrame: (frame) => this.#onRoomFrame(frame),
      onEvents: (events) => void this.notifications.onEvents(name, events),
      onClosed: (code) => isSessionOver(code) && !this.#signingOut && redirectToSignin(),
    };
  }

  #onHello(user: User, epoch: string): void {
    clearSigninRedirect();
    if (user.id !== this.#user) return void this.#switchUser();
    this.#me.value = user;
    cacheUser(user);
    this.#roomList.onHello(epoch);
    void this.#backgroundSender.sendAll(this.#session.peek().name);
    void checkVersion();
  }

  /** Another person has signed in here: nothing of this one's is sent or shown. */
  async #switchUser(): Promise<void> {
    this.#session.peek().pause();
    await clearLocalData(this.#user, this.#cache);
    location.reload();
  }

  #onRoomFrame(frame: RoomFrame): void {
    const before = this.rooms.entry(frame.room)?.last ?? 0;
    this.#roomList.onRoomFrame(frame);
    if (frame.room !== this.#session.peek().name) void this.notifications.onRoomMoved(frame.room, before);
  }

  #onWake(): void {
    this.#session.peek().connection.checkAlive();
    void this.#roomList.refresh();
    void checkVersion();
  }

  #onVisibilityChange(): void {
    if (isPageVisible()) this.#session.peek().refreshUnreadDivider();
    else this.#roomList.readPositions.flush();
  }

  #onPageHide(): void {
    this.#roomList.readPositions.flush();
    void this.#cache.flush();
    this.#session.peek().pause();
  }
}

/** Nothing of this person stays in this browser: they leave it, or somebody else has come. */

/** All but letters: those are for a sweep to burn. */
export async function clearLocalData(user: string, keep: OfflineCache): Promise<void> {
  cacheUser(undefined);
  clearDrafts(localStore, user);
  await Promise.all([keep.destroy(), deleteCachedPage()]);
}
