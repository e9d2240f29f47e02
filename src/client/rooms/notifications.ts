/**
 * Calls a person who looks elsewhere, for what they asked to be called for. What must stay true: nobody is called to
 * what they look at, to what they have read, to what they said, or twice to the same; one tab calls, not each.
 */
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ChangeEvent, ChatEvent } from '../../shared/protocol.js';
import { addressPath } from '../address.js';
import type { Clock } from '../clock.js';
import type { LogEvent, Page } from '../decode.js';
import { TabLeader } from '../outbox/leader.js';
import { webLocks } from '../outbox/sender.js';
import { isChange } from '../room/timeline.js';
import type { Settings } from '../settings.js';
import type { RoomEntries } from './list.js';

/** What the browser says to notifications; `never`: it knows none (or the page came over plain http). */
export type NotifyPermission = 'default' | 'granted' | 'denied' | 'never';

/** How this tab calls, and what it knows of the others. */
export interface Notifier {
  permission(): NotifyPermission;
  requestPermission(): Promise<void>;
  show(room: string, message: ChatEvent): void;
  chime(): void;
  /** Of all tabs, this is the one that calls. */
  isLeader(): boolean;
  /** Somebody looks at the room now, in whichever tab. */
  isWatched(room: string): Promise<boolean>;
  /** A number of a room calls me by name: the other tabs mark it too. */
  announceMention(room: string, id: number): void;
}

export interface NotificationPolicyDeps {
  /** my id */
  readonly me: string;
  readonly rooms: RoomEntries;
  readonly settings: Settings;
  readonly notifier: Notifier;
  readonly load: (room: string, where: { after?: number; limit: number }) => Promise<Page | undefined>;
  /** Messages of a room have changed, which may be kept here. */
  readonly onChanges: (room: string, changes: readonly ChangeEvent[]) => void;
  readonly clock: Clock;
}

/** Of another room that moved so many are looked at; of one that moved further, the newest. */
const maxCheckedEvents = 50;
const chimeIntervalMs = 3_000;

export class NotificationPolicy {
  readonly #deps: NotificationPolicyDeps;
  #permission: Signal<NotifyPermission> | undefined;
  /** up to which number each room was looked at */
  readonly #checkedTo = new Map<string, number>();
  readonly #checking = new Set<string>();
  #chimedAt = -Infinity;

  constructor(parts: NotificationPolicyDeps) {
    this.#deps = parts;
  }

  /** Made when it is looked at: a browser asks another process of its own, and the page waits for the answer. */
  get permission(): ReadonlySignal<NotifyPermission> {
    this.#permission ??= signal(this.#deps.notifier.permission());
    return this.#permission;
  }

  /** Asks for the permission; only after a click of the person. */
  async requestPermission(): Promise<void> {
    const { notifier: caller } = this.#deps;
    await caller.requestPermission();
    if (this.#permission) this.#permission.value = caller.permission();
  }

  /** Another room has moved on from `before`: what is new there? */
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

  /** These have happened in a room. */
  async onEvents(room: string, events: readonly LogEvent[]): Promise<void> {
    const last = events.at(-1);
    if (!last) return;
    this.#checkedTo.set(room, Math.max(last.id, this.#checkedTo.get(room) ?? 0));
    for (const event of events) if (this.#mentionsMe(event)) this.#onMention(room, event.id);
    const message = events.findLast((event) => this.#isRelevant(room, event));
    if (message?.type === 'chat') await this.#notify(room, message);
  }

  /** True while there is more to be looked at. */
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
    const { notifier: caller, rooms } = this.#deps;
    if (!caller.isLeader() || (await caller.isWatched(room))) return;
    if (message.id <= (rooms.entry(room)?.read ?? 0)) return;
    if (caller.permission() === 'granted') caller.show(room, message);
    this.#chime();
  }

  #chime(): void {
    const { notifier: caller, settings, clock } = this.#deps;
    const now = clock.now();
    if (!settings.sound.peek() || Math.abs(now - this.#chimedAt) < chimeIntervalMs) return;
    this.#chimedAt = now;
    caller.chime();
  }

  #isRelevant(room: string, event: LogEvent): boolean {
    const { settings, me } = this.#deps;
    if (event.type !== 'chat' || event.user.id === me || event.deleted !== undefined) return false;
    if (settings.doNotDisturb.peek()) return false;
    const notify = settings.notifyLevelIn(room);
    return notify === 'all' || (notify === 'mentions' && this.#mentionsMe(event));
  }

  #mentionsMe(event: LogEvent): boolean {
    const { me } = this.#deps;
    if ((event.type !== 'chat' && event.type !== 'edit') || event.user.id === me) return false;
    return event.mentions?.some(({ id }) => id === me) ?? false;
  }

  #onMention(room: string, id: number): void {
    this.#deps.rooms.setMentioned(room, id);
    this.#deps.notifier.announceMention(room, id);
  }
}

/** How this tab calls a person (state/attention.ts): notifications, a sound; and what the tabs know of each other. */

export interface TabNotifierDeps {
  /** where a click leads */
  readonly openRoom: (room: string, id: number) => void;
  /** Another tab has seen that I was called by name. */
  readonly onMention: (room: string, id: number) => void;
}

const maxBodyChars = 200;

export class TabNotifier implements Notifier {
  readonly #user: string;
  readonly #leader: TabLeader;
  readonly #channel = new BroadcastChannel('oneport.called');
  readonly #openRoom: (room: string, id: number) => void;
  #room = '';
  #releaseLock: (() => void) | undefined;

  constructor(user: string, { openRoom: go, onMention: called }: TabNotifierDeps) {
    this.#user = user;
    this.#openRoom = go;
    this.#leader = new TabLeader(webLocks, `oneport.caller ${user}`, untilAborted);
    this.#channel.onmessage = ({ data }) => {
      if (data?.user === user && typeof data.room === 'string' && typeof data.id === 'number')
        called(data.room, data.id);
    };
  }

  start(): void {
    this.#leader.start();
    for (const name of ['focus', 'blur'] as const)
      addEventListener(name, () => this.setVisibleRoom(this.#room));
    document.addEventListener('visibilitychange', () => this.setVisibleRoom(this.#room));
  }

  /** This room is in view here. While somebody looks at it, a lock says so to the other tabs. */
  setVisibleRoom(room: string): void {
    const looks = document.visibilityState === 'visible' && document.hasFocus();
    if (looks && room === this.#room && this.#releaseLock) return;
    this.#room = room;
    this.#releaseLock?.();
    this.#releaseLock = undefined;
    if (!looks) return;
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

  announceMention(room: string, id: number): void {
    this.#channel.postMessage({ user: this.#user, room, id });
  }

  permission(): NotifyPermission {
    return 'Notification' in globalThis && isSecureContext ? Notification.permission : 'never';
  }

  async requestPermission(): Promise<void> {
    if (this.permission() !== 'never') await Notification.requestPermission();
  }

  /** By the service worker where there is one: on phones there is no other way, and it outlives the page. */
  show(room: string, { id, user, data }: ChatEvent): void {
    const title = `${user.name} · ${room}`;
    const body = data.length > maxBodyChars ? `${data.slice(0, maxBodyChars)}…` : data;
    const options = { body, tag: `oneport ${room}`, icon: '/icon-192.png', data: addressPath({ room, id }) };
    void this.#showNotification(title, options, () => this.#openRoom(room, id));
  }

  chime(): void {
    playChime();
  }

  async #showNotification(title: string, options: NotificationOptions, go: () => void): Promise<void> {
    const registration = await navigator.serviceWorker?.getRegistration();
    if (registration?.active) return registration.showNotification(title, options);
    const shown = new Notification(title, options);
    shown.onclick = () => {
      focus();
      shown.close();
      go();
    };
  }

  #watchLockName(room: string): string {
    return `oneport.look ${this.#user} ${room}`;
  }
}

/** The work of the tab that calls is to be the one. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** A short sound, made here: two soft tones, the second a fifth above the first. */
const chimeFrequenciesHz = [523.25, 783.99] as const;
const toneDurationS = 0.12;
const chimeGain = 0.08;

let audioContext: AudioContext | undefined;

/** Browsers keep still until somebody has touched the page: then nothing is heard. */
export function playChime(): void {
  try {
    audioContext ??= new AudioContext();
    void audioContext.resume();
    for (const [index, tone] of chimeFrequenciesHz.entries())
      playTone(audioContext, tone, audioContext.currentTime + index * toneDurationS);
  } catch {} // no sound here
}

function playTone(audio: AudioContext, frequency: number, from: number): void {
  const [tone, volume] = [audio.createOscillator(), audio.createGain()];
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0, from);
  volume.gain.linearRampToValueAtTime(chimeGain, from + 0.01);
  volume.gain.exponentialRampToValueAtTime(0.001, from + toneDurationS * 2);
  tone.connect(volume).connect(audio.destination);
  tone.start(from);
  tone.stop(from + toneDurationS * 2);
}

/** What can be seen of this page when another one is in front: its title and its icon say that something is unread. */

const iconUrl = '/icon.svg';
const unreadIconUrl = '/icon-unread.svg';
const maxBadgeCount = 99;

/** `now`: reads signals. */
export function bindUnreadBadge(now: () => { readonly room: string; readonly unread: number }): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  effect(() => {
    const { room, unread } = now();
    const count = unread > maxBadgeCount ? `${maxBadgeCount}+` : String(unread);
    document.title = `${unread > 0 ? `(${count}) ` : ''}${room} · Oneport`;
    const href = unread > 0 ? unreadIconUrl : iconUrl;
    if (icon && icon.getAttribute('href') !== href) icon.href = href;
  });
}
