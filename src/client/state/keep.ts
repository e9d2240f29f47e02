/**
 * What is kept of the rooms for an opening without the network: the list, and the last window of each. What must stay
 * true: of two windows of one log the one that has seen more stays, and no text of a message that was deleted is in it
 * longer than it takes to write it anew (transcript.ts, 5).
 */
import { field, isObject } from '../../shared/parse.js';
import type { ChangeEvent, RoomSummary } from '../../shared/protocol.js';
import { parseRooms } from './answers.js';
import { applied, missedBy } from './changes.js';
import type { Clock } from './clock.js';
import { type Database, KEPT } from './database.js';
import { type LogEvent, parseEvent } from './events.js';
import { number, parsedList, text } from './fields.js';
import { isAttached, type Transcript } from './transcript.js';

export interface KeptWindow {
  readonly epoch: string;
  readonly seen: number;
  readonly events: readonly LogEvent[];
}
export interface KeptRooms {
  readonly epoch: string;
  readonly rooms: readonly RoomSummary[];
}

/** Events of one window, rooms with a window, milliseconds until a change is written. */
const EVENTS = 100;
const WINDOWS = 20;
const LATER_MS = 1_500;

export class Keep {
  readonly #database: Database;
  readonly #clock: Clock;
  /** all keys of one person begin so */
  readonly #user: string;
  readonly #waiting = new Map<string, () => Promise<unknown>>();
  #burnt = false;

  constructor(database: Database, clock: Clock, user: string) {
    this.#database = database;
    this.#clock = clock;
    this.#user = `${user} `;
  }

  async rooms(): Promise<KeptRooms | undefined> {
    const kept = await this.#get('rooms');
    if (!isObject(kept)) return undefined;
    const [epoch, rooms] = [text(kept, 'epoch'), parseRooms(field(kept, 'rooms'))];
    return epoch !== undefined && rooms ? { epoch, rooms } : undefined;
  }

  async window(room: string): Promise<KeptWindow | undefined> {
    return parseWindow(await this.#get(`room ${room}`));
  }

  keepRooms(kept: () => KeptRooms | undefined): void {
    this.#later('rooms', async () => {
      const value = kept();
      if (value) await this.#write((objects) => objects.put(value, `${this.#user}rooms`));
    });
  }

  keepWindow(room: string, transcript: () => Transcript): void {
    this.#later(`room ${room}`, async () => {
      const prefix = `${this.#user}room `;
      const t = transcript();
      const window = windowOf(t, this.#clock.now());
      if (!window) return this.#write((objects) => putMissed(objects, prefix + room, t));
      await this.#write((objects) => putIfNewer(objects, prefix + room, window));
      await this.#write((objects) => prune(objects, within(prefix)));
    });
  }

  /** What was heard of a room that is not in view: above all, what was deleted is not kept. */
  async change(room: string, changes: readonly ChangeEvent[]): Promise<void> {
    const key = `${this.#user}room ${room}`;
    try {
      await this.#write((objects) => putChanged(objects, key, changes));
    } catch {}
  }

  /** Writes now what waits: the page may not be here any more soon. */
  async flush(): Promise<void> {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    await Promise.allSettled(all.map((write) => write()));
  }

  /** The log is another one: nothing of it stays. */
  async clear(): Promise<void> {
    this.#waiting.clear();
    try {
      await this.#write((objects) => objects.delete(within(this.#user)));
    } catch {}
  }

  /** They leave this browser: nothing stays, and nothing is kept any more. */
  async burn(): Promise<void> {
    await this.clear();
    this.#burnt = true;
  }

  #later(key: string, write: () => Promise<unknown>): void {
    const waits = this.#waiting.has(key);
    this.#waiting.set(key, write);
    if (waits) return;
    this.#clock.after(LATER_MS, () => {
      const latest = this.#waiting.get(key);
      this.#waiting.delete(key);
      void latest?.().catch(() => {}); // a browser that keeps nothing: then it does not open offline
    });
  }

  async #get(key: string): Promise<unknown> {
    try {
      return await this.#database.run<unknown>(KEPT, 'readonly', (objects) => objects.get(this.#user + key));
    } catch {
      return undefined;
    }
  }

  async #write(work: (objects: IDBObjectStore) => IDBRequest | undefined): Promise<void> {
    if (!this.#burnt) await this.#database.run<unknown>(KEPT, 'readwrite', work);
  }
}

function putIfNewer(objects: IDBObjectStore, key: string, window: KeptWindow): undefined {
  const found = objects.get(key);
  found.onsuccess = () => {
    const before = parseWindow(found.result);
    if (before?.epoch !== window.epoch || before.seen <= window.seen) objects.put(window, key);
  };
}

function putChanged(objects: IDBObjectStore, key: string, changes: readonly ChangeEvent[]): undefined {
  const found = objects.get(key);
  found.onsuccess = () => {
    const window = parseWindow(found.result);
    if (window) objects.put({ ...found.result, events: applied(window.events, changes) }, key);
  };
}

/** The room is read further up: what was kept of its end stays, with the changes since. When those are not known, it goes. */
function putMissed(objects: IDBObjectStore, key: string, { epoch, changes }: Transcript): undefined {
  const found = objects.get(key);
  found.onsuccess = () => {
    const window = parseWindow(found.result);
    const missed = window && window.epoch === epoch ? missedBy(window.seen, changes) : undefined;
    if (missed && window) objects.put({ ...found.result, events: applied(window.events, missed) }, key);
    else if (epoch !== undefined) objects.delete(key);
  };
}

/** Those that were written longest ago go. */
function prune(objects: IDBObjectStore, range: IDBKeyRange): undefined {
  const ages: (readonly [key: IDBValidKey, at: number])[] = [];
  const walk = objects.openCursor(range);
  walk.onsuccess = () => {
    const cursor = walk.result;
    if (cursor) {
      const value: unknown = cursor.value;
      ages.push([cursor.primaryKey, isObject(value) ? (number(value, 'at') ?? 0) : 0]);
      cursor.continue();
    } else for (const [key] of ages.sort((a, b) => b[1] - a[1]).slice(WINDOWS)) objects.delete(key);
  };
}

/** All keys that begin so. */
function within(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}

/** Only a window at the end: who opens the room again wants to be there. */
function windowOf(t: Transcript, at: number): (KeptWindow & { readonly at: number }) | undefined {
  const { epoch, seen, events } = t;
  if (epoch === undefined || seen === undefined || events.length === 0 || !isAttached(t)) return undefined;
  return { epoch, seen, at, events: events.slice(-EVENTS) };
}

function parseWindow(value: unknown): KeptWindow | undefined {
  if (!isObject(value)) return undefined;
  const [epoch, seen] = [text(value, 'epoch'), number(value, 'seen')];
  const events = parsedList(field(value, 'events'), parseEvent);
  return epoch !== undefined && seen !== undefined && events ? { epoch, seen, events } : undefined;
}
