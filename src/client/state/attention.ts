/**
 * Calls a person who looks elsewhere, for what they asked to be called for. What must stay true: nobody is called to
 * what they look at, to what they have read, to what they said, or twice to the same; one tab calls, not each.
 */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ChangeEvent, ChatEvent } from '../../shared/protocol.js';
import type { Page } from './answers.js';
import { isChange } from './changes.js';
import type { Clock } from './clock.js';
import type { LogEvent } from './events.js';
import type { Rooms } from './rooms.js';
import type { Settings } from './settings.js';

/** What the browser says to notifications; `never`: it knows none (or the page came over plain http). */
export type Permission = 'default' | 'granted' | 'denied' | 'never';

/** How this tab calls, and what it knows of the others. */
export interface Caller {
  permission(): Permission;
  request(): Promise<void>;
  show(room: string, message: ChatEvent): void;
  ring(): void;
  /** Of all tabs, this is the one that calls. */
  leads(): boolean;
  /** Somebody looks at the room now, in whichever tab. */
  watched(room: string): Promise<boolean>;
  /** A number of a room calls me by name: the other tabs mark it too. */
  called(room: string, id: number): void;
}

export interface AttentionParts {
  /** my id */
  readonly me: string;
  readonly rooms: Rooms;
  readonly settings: Settings;
  readonly caller: Caller;
  readonly load: (room: string, where: { after?: number; limit: number }) => Promise<Page | undefined>;
  /** Messages of a room have changed, which may be kept here. */
  readonly changed: (room: string, changes: readonly ChangeEvent[]) => void;
  readonly clock: Clock;
}

/** Of another room that moved so many are looked at; of one that moved further, the newest. */
const LOOK = 50;
const RING_EVERY_MS = 3_000;

export class Attention {
  readonly #parts: AttentionParts;
  #permission: Signal<Permission> | undefined;
  /** up to which number each room was looked at */
  readonly #looked = new Map<string, number>();
  readonly #looking = new Set<string>();
  #rangAt = -Infinity;

  constructor(parts: AttentionParts) {
    this.#parts = parts;
  }

  /** Made when it is looked at: a browser asks another process of its own, and the page waits for the answer. */
  get permission(): ReadonlySignal<Permission> {
    this.#permission ??= signal(this.#parts.caller.permission());
    return this.#permission;
  }

  /** Asks for the permission; only after a click of the person. */
  async ask(): Promise<void> {
    const { caller } = this.#parts;
    await caller.request();
    if (this.#permission) this.#permission.value = caller.permission();
  }

  /** Another room has moved on from `before`: what is new there? */
  async moved(room: string, before: number): Promise<void> {
    this.#looked.set(room, Math.max(before, this.#looked.get(room) ?? 0));
    if (this.#looking.has(room) || !this.#parts.caller.leads()) return;
    this.#looking.add(room);
    try {
      while (await this.#look(room));
    } finally {
      this.#looking.delete(room);
    }
  }

  /** These have happened in a room. */
  async heard(room: string, events: readonly LogEvent[]): Promise<void> {
    const last = events.at(-1);
    if (!last) return;
    this.#looked.set(room, Math.max(last.id, this.#looked.get(room) ?? 0));
    for (const event of events) if (this.#callsMe(event)) this.#called(room, event.id);
    const message = events.findLast((event) => this.#matters(room, event));
    if (message?.type === 'chat') await this.#call(room, message);
  }

  /** True while there is more to be looked at. */
  async #look(room: string): Promise<boolean> {
    const { rooms, load } = this.#parts;
    const { last = 0 } = rooms.entry(room) ?? {};
    const after = this.#looked.get(room) ?? 0;
    if (last <= after) return false;
    const page = await load(room, last - after > LOOK ? { limit: LOOK } : { after, limit: LOOK });
    const events = (page?.messages ?? []).filter(({ id }) => id > after);
    const changes = events.filter(isChange);
    if (changes.length > 0) this.#parts.changed(room, changes);
    await this.heard(room, events);
    return events.length > 0;
  }

  async #call(room: string, message: ChatEvent): Promise<void> {
    const { caller, rooms } = this.#parts;
    if (!caller.leads() || (await caller.watched(room))) return;
    if (message.id <= (rooms.entry(room)?.read ?? 0)) return;
    if (caller.permission() === 'granted') caller.show(room, message);
    this.#ring();
  }

  #ring(): void {
    const { caller, settings, clock } = this.#parts;
    const now = clock.now();
    if (!settings.sound.peek() || Math.abs(now - this.#rangAt) < RING_EVERY_MS) return;
    this.#rangAt = now;
    caller.ring();
  }

  #matters(room: string, event: LogEvent): boolean {
    const { settings, me } = this.#parts;
    if (event.type !== 'chat' || event.user.id === me || event.deleted !== undefined) return false;
    if (settings.doNotDisturb.peek()) return false;
    const notify = settings.notifyIn(room);
    return notify === 'all' || (notify === 'mentions' && this.#callsMe(event));
  }

  #callsMe(event: LogEvent): boolean {
    const { me } = this.#parts;
    if ((event.type !== 'chat' && event.type !== 'edit') || event.user.id === me) return false;
    return event.mentions?.some(({ id }) => id === me) ?? false;
  }

  #called(room: string, id: number): void {
    this.#parts.rooms.called(room, id);
    this.#parts.caller.called(room, id);
  }
}
