/**
 * What is kept of the rooms for an opening without the network: the list, and the last window of each. What must stay
 * true: of two windows of one log the one that has seen more stays, and no text of a message that was deleted is in it
 * longer than it takes to write it anew (transcript.ts, 5).
 */
import { field, isObject } from '../../shared/parse.js';
import type { ChangeEvent, RoomSummary } from '../../shared/protocol.js';
import type { Clock } from '../clock.js';
import { countField, type LogEvent, parseAll, parseEvent, parseRooms, stringField } from '../decode.js';
import { cacheStoreName, type Database } from '../outbox/db.js';
import { applyChanges, changesAfter, isAttached, type Timeline } from '../room/timeline.js';

export interface CachedWindow {
  readonly epoch: string;
  readonly seen: number;
  readonly events: readonly LogEvent[];
}
export interface CachedRooms {
  readonly epoch: string;
  readonly rooms: readonly RoomSummary[];
}

/** Events of one window, rooms with a window, milliseconds until a change is written. */
const maxCachedEvents = 100;
const maxCachedWindows = 20;
const writeDelayMs = 1_500;

export class OfflineCache {
  readonly #database: Database;
  readonly #clock: Clock;
  /** all keys of one person begin so */
  readonly #keyPrefix: string;
  readonly #pendingWrites = new Map<string, () => Promise<unknown>>();
  #destroyed = false;

  constructor(database: Database, clock: Clock, user: string) {
    this.#database = database;
    this.#clock = clock;
    this.#keyPrefix = `${user} `;
  }

  async rooms(): Promise<CachedRooms | undefined> {
    const kept = await this.#get('rooms');
    if (!isObject(kept)) return undefined;
    const [epoch, rooms] = [stringField(kept, 'epoch'), parseRooms(field(kept, 'rooms'))];
    return epoch !== undefined && rooms ? { epoch, rooms } : undefined;
  }

  async window(room: string): Promise<CachedWindow | undefined> {
    return parseWindow(await this.#get(`room ${room}`));
  }

  saveRooms(kept: () => CachedRooms | undefined): void {
    this.#schedule('rooms', async () => {
      const value = kept();
      if (value) await this.#write((objects) => objects.put(value, `${this.#keyPrefix}rooms`));
    });
  }

  saveWindow(room: string, transcript: () => Timeline): void {
    this.#schedule(`room ${room}`, async () => {
      const prefix = `${this.#keyPrefix}room `;
      const t = transcript();
      const window = toCachedWindow(t, this.#clock.now());
      if (!window) return this.#write((objects) => putMissedChanges(objects, prefix + room, t));
      await this.#write((objects) => putIfNewer(objects, prefix + room, window));
      await this.#write((objects) => prune(objects, keysWithPrefix(prefix)));
    });
  }

  /** What was heard of a room that is not in view: above all, what was deleted is not kept. */
  async applyChanges(room: string, changes: readonly ChangeEvent[]): Promise<void> {
    const key = `${this.#keyPrefix}room ${room}`;
    try {
      await this.#write((objects) => putChanged(objects, key, changes));
    } catch {}
  }

  /** Writes now what waits: the page may not be here any more soon. */
  async flush(): Promise<void> {
    const all = [...this.#pendingWrites.values()];
    this.#pendingWrites.clear();
    await Promise.allSettled(all.map((write) => write()));
  }

  /** The log is another one: nothing of it stays. */
  async clear(): Promise<void> {
    this.#pendingWrites.clear();
    try {
      await this.#write((objects) => objects.delete(keysWithPrefix(this.#keyPrefix)));
    } catch {}
  }

  /** They leave this browser: nothing stays, and nothing is kept any more. */
  async destroy(): Promise<void> {
    await this.clear();
    this.#destroyed = true;
  }

  #schedule(key: string, write: () => Promise<unknown>): void {
    const waits = this.#pendingWrites.has(key);
    this.#pendingWrites.set(key, write);
    if (waits) return;
    this.#clock.after(writeDelayMs, () => {
      const latest = this.#pendingWrites.get(key);
      this.#pendingWrites.delete(key);
      void latest?.().catch(() => {}); // a browser that keeps nothing: then it does not open offline
    });
  }

  async #get(key: string): Promise<unknown> {
    try {
      return await this.#database.run<unknown>(cacheStoreName, 'readonly', (objects) =>
        objects.get(this.#keyPrefix + key),
      );
    } catch {
      return undefined;
    }
  }

  async #write(work: (objects: IDBObjectStore) => IDBRequest | undefined): Promise<void> {
    if (!this.#destroyed) await this.#database.run<unknown>(cacheStoreName, 'readwrite', work);
  }
}

function putIfNewer(objects: IDBObjectStore, key: string, window: CachedWindow): undefined {
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
    if (window) objects.put({ ...found.result, events: applyChanges(window.events, changes) }, key);
  };
}

/** The room is read further up: what was kept of its end stays, with the changes since. When those are not known, it goes. */
function putMissedChanges(objects: IDBObjectStore, key: string, { epoch, changes }: Timeline): undefined {
  const found = objects.get(key);
  found.onsuccess = () => {
    const window = parseWindow(found.result);
    const missed = window && window.epoch === epoch ? changesAfter(window.seen, changes) : undefined;
    if (missed && window) objects.put({ ...found.result, events: applyChanges(window.events, missed) }, key);
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
      ages.push([cursor.primaryKey, isObject(value) ? (countField(value, 'at') ?? 0) : 0]);
      cursor.continue();
    } else for (const [key] of ages.sort((a, b) => b[1] - a[1]).slice(maxCachedWindows)) objects.delete(key);
  };
}

/** All keys that begin so. */
function keysWithPrefix(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}

/** Only a window at the end: who opens the room again wants to be there. */
function toCachedWindow(t: Timeline, at: number): (CachedWindow & { readonly at: number }) | undefined {
  const { epoch, seen, events } = t;
  if (epoch === undefined || seen === undefined || events.length === 0 || !isAttached(t)) return undefined;
  return { epoch, seen, at, events: events.slice(-maxCachedEvents) };
}

function parseWindow(value: unknown): CachedWindow | undefined {
  if (!isObject(value)) return undefined;
  const [epoch, seen] = [stringField(value, 'epoch'), countField(value, 'seen')];
  const events = parseAll(field(value, 'events'), parseEvent);
  return epoch !== undefined && seen !== undefined && events ? { epoch, seen, events } : undefined;
}
