/** How this tab calls a person (state/attention.ts): notifications, a sound; and what the tabs know of each other. */
import type { ChatEvent } from '../shared/protocol.js';
import { pathOf } from './address.js';
import { locks } from './mail.js';
import { ring } from './sound.js';
import type { Caller, Permission } from './state/attention.js';
import { Leader } from './state/leader.js';

export interface CallerParts {
  /** where a click leads */
  readonly go: (room: string, id: number) => void;
  /** Another tab has seen that I was called by name. */
  readonly called: (room: string, id: number) => void;
}

const TEXT = 200;

export class TabCaller implements Caller {
  readonly #user: string;
  readonly #leader: Leader;
  readonly #channel = new BroadcastChannel('oneport.called');
  readonly #go: (room: string, id: number) => void;
  #room = '';
  #letGo: (() => void) | undefined;

  constructor(user: string, { go, called }: CallerParts) {
    this.#user = user;
    this.#go = go;
    this.#leader = new Leader(locks, `oneport.caller ${user}`, aborted);
    this.#channel.onmessage = ({ data }) => {
      if (data?.user === user && typeof data.room === 'string' && typeof data.id === 'number')
        called(data.room, data.id);
    };
  }

  start(): void {
    this.#leader.start();
    for (const name of ['focus', 'blur'] as const) addEventListener(name, () => this.look(this.#room));
    document.addEventListener('visibilitychange', () => this.look(this.#room));
  }

  /** This room is in view here. While somebody looks at it, a lock says so to the other tabs. */
  look(room: string): void {
    const looks = document.visibilityState === 'visible' && document.hasFocus();
    if (looks && room === this.#room && this.#letGo) return;
    this.#room = room;
    this.#letGo?.();
    this.#letGo = undefined;
    if (!looks) return;
    const held = new Promise<void>((resolve) => {
      this.#letGo = resolve;
    });
    void locks?.request(this.#lookAt(room), { mode: 'shared' }, () => held);
  }

  leads(): boolean {
    return this.#leader.leads;
  }

  async watched(room: string): Promise<boolean> {
    if (this.#letGo && room === this.#room) return true;
    const { held = [] } = (await locks?.query()) ?? {};
    return held.some(({ name }) => name === this.#lookAt(room));
  }

  called(room: string, id: number): void {
    this.#channel.postMessage({ user: this.#user, room, id });
  }

  permission(): Permission {
    return 'Notification' in globalThis && isSecureContext ? Notification.permission : 'never';
  }

  async request(): Promise<void> {
    if (this.permission() !== 'never') await Notification.requestPermission();
  }

  /** By the service worker where there is one: on phones there is no other way, and it outlives the page. */
  show(room: string, { id, user, data }: ChatEvent): void {
    const title = `${user.name} · ${room}`;
    const body = data.length > TEXT ? `${data.slice(0, TEXT)}…` : data;
    const options = { body, tag: `oneport ${room}`, icon: '/icon-192.png', data: pathOf({ room, id }) };
    void this.#showBy(title, options, () => this.#go(room, id));
  }

  ring(): void {
    ring();
  }

  async #showBy(title: string, options: NotificationOptions, go: () => void): Promise<void> {
    const registration = await navigator.serviceWorker?.getRegistration();
    if (registration?.active) return registration.showNotification(title, options);
    const shown = new Notification(title, options);
    shown.onclick = () => {
      focus();
      shown.close();
      go();
    };
  }

  #lookAt(room: string): string {
    return `oneport.look ${this.#user} ${room}`;
  }
}

/** The work of the tab that calls is to be the one. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
