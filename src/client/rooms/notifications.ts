/**
 * Decides about notifications and sounds. Nobody is notified of what they see, have read or wrote, or twice
 * of the same message. Only one tab notifies.
 */
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Clock } from '../../connect/clock.js';
import type { ChangeEvent, ChatEvent } from '../../shared/protocol.js';
import { excerpt } from '../../shared/text.js';
import { addressPath, parseAddress } from '../address.js';
import type { LogEvent, Page } from '../decode.js';
import { TabLeader, webLocks } from '../outbox/sender.js';
import { isChange } from '../room/timeline.js';
import type { Settings } from '../settings.js';
import { publicPath, siteName } from '../site.js';
import { parseMarkdown, plainText } from '../text/markdown.js';
import { concerns, type RoomEntries } from './list.js';

/** `never`: unsupported, or the page came over plain http. */
export type NotifyPermission = 'default' | 'granted' | 'denied' | 'never';

/** The way of one tab to notify, and what it knows of the others. */
interface Notifier {
  permission(): NotifyPermission;
  requestPermission(): Promise<void>;
  show(room: string, message: ChatEvent): void;
  /** Shows another text for a message whose notification is still shown, without an alert. */
  update(room: string, message: ShownMessage): void;
  /** Closes notifications, also those of other tabs and of earlier visits. */
  close(isOver: (room: string, id: number) => boolean): void;
  chime(): void;
  isLeader(): boolean;
  /** Whether any tab shows the room to the user. */
  isWatched(room: string): Promise<boolean>;
}

type ShownMessage = Pick<ChatEvent, 'id' | 'user' | 'data'>;

export interface NotificationPolicyDeps {
  /** user id */
  readonly me: string;
  readonly rooms: RoomEntries;
  readonly settings: Settings;
  readonly notifier: Notifier;
  readonly load: (room: string, where: { after?: number; limit: number }) => Promise<Page | undefined>;
  /** Changes were seen in a room that may be cached. */
  readonly onChanges: (room: string, changes: readonly ChangeEvent[]) => void;
  readonly clock: Clock;
}

/** Further behind, only the newest events of another room are checked. */
const maxCheckedEvents = 50;
const chimeIntervalMs = 3_000;

export class NotificationPolicy {
  readonly #deps: NotificationPolicyDeps;
  #permission: Signal<NotifyPermission> | undefined;
  /** newest checked number of each room */
  readonly #checkedTo = new Map<string, number>();
  readonly #checking = new Set<string>();
  #chimedAt = -Infinity;

  constructor(deps: NotificationPolicyDeps) {
    this.#deps = deps;
  }

  /** Closes notifications as soon as their message was read, here or on another device. */
  start(): void {
    const { rooms, notifier } = this.#deps;
    const readIn = new Map<string, number>();
    effect(() => {
      const advanced = rooms.list.value.filter(({ room, read }) => read > (readIn.get(room) ?? 0));
      for (const { room, read } of advanced) readIn.set(room, read);
      if (advanced.length > 0 && notifier.permission() === 'granted')
        notifier.close((room, id) => id <= (readIn.get(room) ?? 0));
    });
  }

  /** Created on demand, because browsers ask another process for it. */
  get permission(): ReadonlySignal<NotifyPermission> {
    this.#permission ??= signal(this.#deps.notifier.permission());
    return this.#permission;
  }

  /** Browsers require a click before. */
  async requestPermission(): Promise<void> {
    const { notifier } = this.#deps;
    await notifier.requestPermission();
    if (this.#permission) this.#permission.value = notifier.permission();
  }

  /** Another room has events after `before`. */
  async onRoomMoved(room: string, before: number): Promise<void> {
    this.#checkedTo.set(room, Math.max(before, this.#checkedTo.get(room) ?? 0));
    if (this.#checking.has(room) || !this.#deps.notifier.isLeader()) return;
    this.#checking.add(room);
    try {
      while (await this.#check(room));
    } finally {
      this.#checking.delete(room);
    }
  }

  /** New events of any room. */
  async onEvents(room: string, events: readonly LogEvent[]): Promise<void> {
    const last = events.at(-1);
    if (!last) return;
    this.#checkedTo.set(room, Math.max(last.id, this.#checkedTo.get(room) ?? 0));
    this.#applyChanges(room, events.filter(isChange));
    const message = events.findLast((event) => this.#isRelevant(room, event));
    if (message?.type === 'chat') await this.#notify(room, message);
  }

  /** A notification shows the current text of its message, and nothing of a deleted one. */
  #applyChanges(room: string, changes: readonly ChangeEvent[]): void {
    const { notifier } = this.#deps;
    if (changes.length === 0 || notifier.permission() !== 'granted') return;
    const deleted = new Set(changes.flatMap(({ type, target }) => (type === 'delete' ? [target] : [])));
    if (deleted.size > 0) notifier.close((shownRoom, id) => shownRoom === room && deleted.has(id));
    for (const change of changes)
      if (change.type === 'edit' && !deleted.has(change.target))
        notifier.update(room, { id: change.target, user: change.user, data: change.data });
  }

  /** Returns true while more events have to be checked. */
  async #check(room: string): Promise<boolean> {
    const { rooms, load } = this.#deps;
    const { last = 0 } = rooms.entry(room) ?? {};
    const after = this.#checkedTo.get(room) ?? 0;
    if (last <= after) return false;
    const page = await load(
      room,
      last - after > maxCheckedEvents ? { limit: maxCheckedEvents } : { after, limit: maxCheckedEvents },
    );
    const events = (page?.messages ?? []).filter(({ id }) => id > after);
    const changes = events.filter(isChange);
    if (changes.length > 0) this.#deps.onChanges(room, changes);
    await this.onEvents(room, events);
    return events.length > 0;
  }

  async #notify(room: string, message: ChatEvent): Promise<void> {
    const { notifier, rooms } = this.#deps;
    if (!notifier.isLeader() || (await notifier.isWatched(room))) return;
    if (message.id <= (rooms.entry(room)?.read ?? 0)) return;
    if (notifier.permission() === 'granted') notifier.show(room, message);
    this.#chime();
  }

  #chime(): void {
    const { notifier, settings, clock } = this.#deps;
    const current = clock.now();
    if (!settings.sound.peek() || Math.abs(current - this.#chimedAt) < chimeIntervalMs) return;
    this.#chimedAt = current;
    notifier.chime();
  }

  #isRelevant(room: string, event: LogEvent): boolean {
    const { settings, me, rooms } = this.#deps;
    if (event.type !== 'chat' || event.user.id === me || event.deleted !== undefined) return false;
    if (settings.doNotDisturb.peek()) return false;
    const notify = settings.notifyLevelIn(room);
    if (notify === 'all' && rooms.entry(room)?.joined) return true;
    return notify !== 'none' && concerns(event, { id: me, name: '' });
  }
}

interface TabNotifierDeps {
  /** target of a click */
  readonly openRoom: (room: string, id: number) => void;
}

const maxBodyChars = 200;

/** Missing in TypeScript's list: with `renotify`, a notification that replaces another one alerts too. */
interface AlertOptions {
  readonly renotify?: boolean;
  readonly silent?: boolean;
}

/** The text as people read it, without delimiters, cut between two characters. */
export function notificationText({ data }: Pick<ChatEvent, 'data'>): string {
  const text = plainText(parseMarkdown(data)).trim();
  const beginning = excerpt(text, maxBodyChars);
  return beginning.length < text.length ? `${beginning}…` : beginning;
}

export class TabNotifier implements Notifier {
  readonly #user: string;
  readonly #leader: TabLeader;
  readonly #openRoom: (room: string, id: number) => void;
  #room = '';
  /** shown without a service worker */
  readonly #ownNotifications = new Set<Notification>();
  #releaseLock: (() => void) | undefined;

  constructor(user: string, { openRoom }: TabNotifierDeps) {
    this.#user = user;
    this.#openRoom = openRoom;
    this.#leader = new TabLeader(webLocks, `oneport.notifier ${user}`, untilAborted);
  }

  start(): void {
    this.#leader.start();
    for (const name of ['focus', 'blur'] as const)
      addEventListener(name, () => this.setVisibleRoom(this.#room));
    document.addEventListener('visibilitychange', () => this.setVisibleRoom(this.#room));
  }

  /** While the user looks at a room, a shared lock tells the other tabs. */
  setVisibleRoom(room: string): void {
    const isLooking = document.visibilityState === 'visible' && document.hasFocus();
    if (isLooking && room === this.#room && this.#releaseLock) return;
    this.#room = room;
    this.#releaseLock?.();
    this.#releaseLock = undefined;
    if (!isLooking) return;
    const held = new Promise<void>((resolve) => {
      this.#releaseLock = resolve;
    });
    void webLocks?.request(this.#watchLockName(room), { mode: 'shared' }, () => held);
  }

  isLeader(): boolean {
    return this.#leader.isLeader;
  }

  async isWatched(room: string): Promise<boolean> {
    if (this.#releaseLock && room === this.#room) return true;
    const { held = [] } = (await webLocks?.query()) ?? {};
    return held.some(({ name }) => name === this.#watchLockName(room));
  }

  permission(): NotifyPermission {
    return 'Notification' in globalThis && isSecureContext ? Notification.permission : 'never';
  }

  async requestPermission(): Promise<void> {
    if (this.permission() !== 'never') await Notification.requestPermission();
  }

  /** One notification for each room: a later one replaces it, and alerts again. */
  show(room: string, message: ShownMessage): void {
    runAlone(() => this.#showNotification(room, message, { renotify: true }));
  }

  async #shown(): Promise<readonly Notification[]> {
    const registration = await navigator.serviceWorker?.getRegistration();
    return (await registration?.getNotifications()) ?? [...this.#ownNotifications];
  }

  async #update(room: string, message: ShownMessage): Promise<void> {
    const path = addressPath({ room, id: message.id });
    const isShown = (await this.#shown()).some(({ data }) => data === path);
    if (isShown) await this.#showNotification(room, message, { silent: true });
  }

  update(room: string, message: ShownMessage): void {
    runAlone(() => this.#update(room, message));
  }

  close(isOver: (room: string, id: number) => boolean): void {
    runAlone(() => this.#close(isOver));
  }

  async #close(isOver: (room: string, id: number) => boolean): Promise<void> {
    for (const notification of await this.#shown()) {
      const path: unknown = notification.data;
      const address = typeof path === 'string' ? parseAddress(new URL(path, location.href)) : undefined;
      if (address?.id !== undefined && isOver(address.room, address.id)) notification.close();
    }
  }

  chime(): void {
    playChime();
  }

  /** Uses the service worker if there is one: phones require it, and it outlives the page. */
  async #showNotification(room: string, message: ShownMessage, alert: AlertOptions): Promise<void> {
    const { id, user } = message;
    const title = `${user.name} · ${room}`;
    const options: NotificationOptions & AlertOptions = {
      body: notificationText(message),
      tag: `oneport ${room}`,
      icon: publicPath('/icon-192.png'),
      data: addressPath({ room, id }),
      ...alert,
    };
    const registration = await navigator.serviceWorker?.getRegistration();
    if (registration?.active) return registration.showNotification(title, options);
    const notification = new Notification(title, options);
    this.#ownNotifications.add(notification);
    notification.onclose = () => this.#ownNotifications.delete(notification);
    notification.onclick = () => {
      focus();
      notification.close();
      this.#openRoom(room, id);
    };
  }

  #watchLockName(room: string): string {
    return `oneport.watch ${this.#user} ${room}`;
  }
}

/** One task at a time in all tabs, because Chromium loses a notification that is shown while others are read. */
function runAlone(task: () => Promise<void>): void {
  const done = webLocks ? webLocks.request('oneport.notifications', task) : task();
  void done.catch(() => {});
}

/** Leadership itself is the whole task. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** A short chime of two tones, the second a fifth above the first. */
const chimeFrequenciesHz = [523.25, 783.99] as const;
const toneDurationS = 0.12;
const chimeGain = 0.08;

let audioContext: AudioContext | undefined;

/** Silent until the user has interacted with the page, because browsers block audio before. */
function playChime(): void {
  try {
    audioContext ??= new AudioContext();
    void audioContext.resume();
    for (const [index, frequency] of chimeFrequenciesHz.entries())
      playTone(audioContext, frequency, audioContext.currentTime + index * toneDurationS);
  } catch {} // no audio
}

function playTone(context: AudioContext, frequency: number, from: number): void {
  const [oscillator, gain] = [context.createOscillator(), context.createGain()];
  oscillator.frequency.value = frequency;
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime(chimeGain, from + 0.01);
  gain.gain.exponentialRampToValueAtTime(0.001, from + toneDurationS * 2);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(from);
  oscillator.stop(from + toneDurationS * 2);
}

/** Shows the number of unread messages in the title and by the icon. */

const iconUrl = publicPath('/icon.svg');
const unreadIconUrl = publicPath('/icon-unread.svg');
const maxBadgeCount = 99;

/** `current` reads signals. */
export function bindUnreadBadge(current: () => { readonly room: string; readonly unread: number }): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  effect(() => {
    const { room, unread } = current();
    const count = unread > maxBadgeCount ? `${maxBadgeCount}+` : String(unread);
    document.title = `${unread > 0 ? `(${count}) ` : ''}${room} · ${siteName}`;
    const href = unread > 0 ? unreadIconUrl : iconUrl;
    if (icon && icon.getAttribute('href') !== href) icon.href = href;
  });
}
