/**
 * Application state: the current room, recent rooms, the room list, settings and dialogs. Wires all deps and
 * the browser together.
 */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { systemClock as clock } from '../connect/clock.js';
import type { Endpoint, Reader, Readers } from '../connect/transport.js';
import type { RoomFrame, RoomSummary, SearchPage, User } from '../shared/protocol.js';
import { type Address, onNavigate, pushAddress } from './address.js';
import * as api from './api.js';
import type { Snapshot } from './decode.js';
import { clearSigninRedirect, isSessionOver, onWake, redirectToSignin } from './lifecycle.js';
import { Database, IndexedDbOutbox } from './outbox/db.js';
import { BackgroundSender } from './outbox/sender.js';
import { afterFirstPaint, isPageVisible, renderNow, schedule } from './render/scheduler.js';
import { RoomCache, type RoomSession, type RoomSessionDeps } from './room/session.js';
import { OfflineCache } from './rooms/cache.js';
import { type RoomEntries, RoomListStore } from './rooms/list.js';
import { bindUnreadBadge, NotificationPolicy, TabNotifier } from './rooms/notifications.js';
import { type Settings, setMember } from './settings.js';
import { basePath, defaultRoom, publicPath } from './site.js';
import {
  cacheUser,
  Drafts,
  loadCachedUser,
  localStore,
  onUserRemoved,
  TransportCache,
  tabStore,
} from './storage.js';
import { checkVersion, deleteCachedPage, startServiceWorker, updateAvailable } from './updates.js';

export type DialogName =
  | 'search'
  | 'mentions'
  | 'switch'
  | 'create'
  | 'invite'
  | 'keys'
  | 'settings'
  | 'signOut';
type SearchScope = { readonly room?: string; readonly before?: number };

const pollRefreshMs = 30_000;

/** Each room of this server is reached through it. */
const endpoint: Omit<Endpoint, 'room'> = {
  base: new URL(basePath, location.href),
  fetch: api.fetchBelow,
  readers: { stream: lazyReader('stream'), poll: lazyReader('poll') },
  openSocket: (url, subprotocol) => new WebSocket(url, subprotocol),
};

/** Most browsers never need it. */
function lazyReader(name: keyof Readers): Reader {
  return async (...args) => (await import('../connect/readers.js')).httpReaders[name](...args);
}

export class App {
  /** Undefined until the server has named the user once. */
  readonly me: ReadonlySignal<User | undefined>;
  readonly session: ReadonlySignal<RoomSession>;
  readonly rooms: RoomEntries;
  readonly settings: Settings;
  readonly notifications: NotificationPolicy;
  readonly dialog: Signal<DialogName | undefined> = signal(undefined);
  readonly updateAvailable = updateAvailable;
  readonly drafts: Drafts;
  /** Unread messages of all rooms that are not muted; of rooms that the user was never in only mentions. */
  readonly unreadCount = computed(() => this.#sum(({ unread }) => unread));
  readonly mentionCount = computed(() => this.#sum(({ mentions }) => mentions));
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

  /** `user` is the id of the signed-in user. A page from the service worker's cache has no snapshot. */
  constructor(user: string, { room }: Address, settings: Settings, snapshot?: Snapshot) {
    this.#user = user;
    this.settings = settings;
    this.#cache = new OfflineCache(this.#database, clock, user);
    this.#backgroundSender = new BackgroundSender({ user, store: this.#outboxStore, clock });
    this.drafts = new Drafts(user, { tab: tabStore, all: localStore });
    this.#roomList = new RoomListStore({
      cache: this.#cache,
      clock,
      left: settings.left,
      onMissed: (missedRoom, before) => void this.notifications.onRoomMoved(missedRoom, before),
    });
    this.rooms = this.#roomList.rooms;
    this.#notifier = new TabNotifier(user, { openRoom: (target, id) => this.openRoom(target, id) });
    const { rooms, onChanges } = this.#roomList;
    const notifier = this.#notifier;
    const load = api.messages;
    this.notifications = new NotificationPolicy({
      me: user,
      rooms,
      settings,
      notifier,
      load,
      onChanges,
      clock,
    });
    this.me = this.#me = signal(snapshot?.user ?? loadCachedUser(user));
    this.session = this.#session = signal(this.#sessions.get(room));
  }

  start({ room, id }: Address, snapshot?: Snapshot): void {
    setMember(this.settings.left, room, false);
    void (snapshot ? this.#roomList.openFromSnapshot(snapshot) : this.#roomList.restore());
    this.#session.peek().enter(id, snapshot);
    onNavigate((address, pushed) => this.#navigate(address, pushed));
    onWake(() => this.#onWake());
    onUserRemoved(this.#user, () => this.drafts.clear());
    addEventListener('pagehide', () => this.#onPageHide());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#session.peek().resume());
    document.addEventListener('visibilitychange', () => this.#onVisibilityChange());
    bindUnreadBadge(() => ({ room: this.#session.value.name, unread: this.unreadCount.value }));
    afterFirstPaint(() => this.#afterFirstPaint());
  }

  /** Starts what the first paint does not need. */
  #afterFirstPaint(): void {
    this.#notifier.start();
    this.notifications.start();
    this.#notifier.setVisibleRoom(this.#session.peek().name);
    startServiceWorker((address) => this.#navigate(address, false));
    this.#refreshWhilePolling();
  }

  /** Long polling does not tell of other rooms. */
  #refreshWhilePolling(): void {
    clock.after(pollRefreshMs, () => {
      const state = this.#session.peek().connection.state.peek();
      if (state.state === 'live' && state.transport === 'poll') void this.#roomList.refresh();
      this.#refreshWhilePolling();
    });
  }

  /** Shows a room, or one message of it, without loading a page. */
  openRoom(room: string, id?: number): void {
    this.#navigate(id === undefined ? { room } : { room, id }, false);
  }

  /** Stops following a room, and opens another one if it was shown. */
  leaveRoom(room: string): void {
    const next = this.rooms.list.peek().find((entry) => entry.joined && entry.room !== room);
    if (room === this.#session.peek().name) this.openRoom(next?.room ?? defaultRoom);
    if (room !== this.#session.peek().name) setMember(this.settings.left, room, true);
  }

  /** Renders at once, so that the next keystroke reaches the dialog's field. */
  showDialog(name: DialogName | undefined): void {
    renderNow(() => {
      this.dialog.value = name;
    });
  }

  /** Newest first; undefined when the request failed. */
  search(q: string, where: SearchScope = {}): Promise<SearchPage | undefined> {
    return api.search({ q, ...where });
  }
  mentions(where: Pick<SearchScope, 'before'> = {}): Promise<SearchPage | undefined> {
    return api.mentions(where);
  }
  /** Users whose names start with `q`, for completion. */
  async people(q: string): Promise<readonly User[]> {
    return (await api.searchPeople(q)) ?? [];
  }

  /** Counts the unsent messages of all rooms, which signing out would discard. */
  countUnsent(): Promise<number> {
    return this.#backgroundSender.countUnsent(this.#sessions.pending);
  }
  /** With a link to come back the page stays, to show it. */
  async signOut(wantsLink: boolean): Promise<api.Answer<api.OneTimeLink | undefined>> {
    this.#signingOut = true; // The server closes the socket at once; this keeps that from redirecting before local data is cleared.
    const answer = await api.signOut(wantsLink);
    this.#signingOut = answer.ok;
    if (!answer.ok) return answer;
    await Promise.all([this.#clearLocalData(), this.#backgroundSender.clear()]);
    if (!answer.value) location.assign(publicPath('/signin'));
    return answer;
  }

  /** Resolves with the code of an error. */
  async rename(name: string): Promise<string | undefined> {
    const answer = await api.rename(name);
    if (!answer.ok) return answer.code;
    this.#setMe(answer.value);
    return undefined;
  }
  createLink(): Promise<api.Answer<api.OneTimeLink>> {
    return api.createLink();
  }

  #sum(countOf: (entry: RoomSummary) => number): number {
    return this.rooms.list.value.reduce(
      (sum, entry) => sum + (this.settings.notifyLevelIn(entry.room) === 'none' ? 0 : countOf(entry)),
      0,
    );
  }

  #navigate(address: Address, pushed: boolean): void {
    const { room, id } = address;
    if (!pushed) pushAddress(address);
    const before = this.#session.peek();
    if (before.name === room) {
      if (id !== undefined) void before.goTo(id);
      return;
    }
    const session = this.#sessions.get(room);
    setMember(this.settings.left, room, false);
    before.leave();
    this.#backgroundSender.abort(room);
    session.enter(id);
    this.#notifier.setVisibleRoom(room);
    renderNow(() => {
      this.#session.value = session; // at once, because a key typed before the next frame belongs to this room
    });
  }

  #sessionDeps(name: string): RoomSessionDeps {
    return {
      name,
      user: this.#user,
      me: this.#me.peek(),
      clock,
      endpoint,
      transportMemory: new TransportCache(localStore, clock),
      roomList: this.#roomList,
      outboxStore: this.#outboxStore,
      draft: this.drafts.in(name),
      schedule,
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
    this.#setMe(user);
    this.#roomList.onHello(epoch);
    void this.#backgroundSender.sendAll(this.#session.peek().name);
    void checkVersion();
  }

  #setMe(user: User): void {
    this.#me.value = user;
    cacheUser(user);
  }

  /** Another user signed in with this browser: nothing of the previous one is sent or shown. */
  async #switchUser(): Promise<void> {
    this.#session.peek().pause();
    await this.#clearLocalData();
    location.reload();
  }

  /** Removes the user's data from this browser, except the outbox, which BackgroundSender clears. */
  async #clearLocalData(): Promise<void> {
    cacheUser(undefined);
    this.drafts.clear();
    await Promise.all([this.#cache.destroy(), deleteCachedPage()]);
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
