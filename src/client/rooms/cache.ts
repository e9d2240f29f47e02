/**
 * Offline cache: the list of rooms and the last window of each. Invariants: of two windows of one log the
 * more recent one is kept; the text of a deleted message stays no longer than until the next write.
 */

import type { Clock } from '../../connect/clock.js';
import { field, isObject } from '../../shared/parse.js';
import type { ChangeEvent, RoomSummary } from '../../shared/protocol.js';
import { countField, type LogEvent, parseAll, parseEvent, parseRooms, stringField } from '../decode.js';
import { cacheStoreName, type Database } from '../outbox/db.js';
import { applyChanges, changesAfter, isAttached, type Timeline } from '../room/timeline.js';

export interface CachedWindow {
  readonly epoch: string;
  readonly seen: number;
  readonly events: readonly LogEvent[];
}
interface CachedRooms {
  readonly epoch: string;
  readonly rooms: readonly RoomSummary[];
}

const maxCachedEvents = 100;
const maxCachedWindows = 20;
const writeDelayMs = 1_500;

export class OfflineCache {
  readonly #database: Database;
  readonly #clock: Clock;
  /** common prefix of a user's keys */
  readonly #keyPrefix: string;
  readonly #pendingWrites = new Map<string, () => Promise<unknown>>();
  #destroyed = false;

  constructor(database: Database, clock: Clock, user: string) {
    this.#database = database;
    this.#clock = clock;
    this.#keyPrefix = `${user} `;
  }

  async rooms(): Promise<CachedRooms | undefined> {
    const cached = await this.#get('rooms');
    if (!isObject(cached)) return undefined;
    const [epoch, rooms] = [stringField(cached, 'epoch'), parseRooms(field(cached, 'rooms'))];
    return epoch !== undefined && rooms ? { epoch, rooms } : undefined;
  }

  async window(room: string): Promise<CachedWindow | undefined> {
    return parseWindow(await this.#get(`room ${room}`));
  }

  saveRooms(cached: () => CachedRooms | undefined): void {
    this.#schedule('rooms', async () => {
      const value = cached();
      if (value) await this.#write((store) => store.put(value, `${this.#keyPrefix}rooms`));
    });
  }

  saveWindow(room: string, timeline: () => Timeline): void {
    this.#schedule(`room ${room}`, async () => {
      const prefix = `${this.#keyPrefix}room `;
      const t = timeline();
      const window = toCachedWindow(t, this.#clock.now());
      if (!window) return this.#write((store) => putMissedChanges(store, prefix + room, t));
      await this.#write((store) => putIfNewer(store, prefix + room, window));
      await this.#write((store) => prune(store, keysWithPrefix(prefix)));
    });
  }

  /** Changes of a room that is not shown; above all, deletions. A scheduled write would bring the old text back. */
  async applyChanges(room: string, changes: readonly ChangeEvent[]): Promise<void> {
    const key = `room ${room}`;
    const scheduled = this.#pendingWrites.get(key);
    this.#pendingWrites.delete(key);
    try {
      await scheduled?.();
      await this.#write((store) => putChanged(store, this.#keyPrefix + key, changes));
    } catch {}
  }

  /** The page may close soon. */
  async flush(): Promise<void> {
    const all = [...this.#pendingWrites.values()];
    this.#pendingWrites.clear();
    await Promise.allSettled(all.map((write) => write()));
  }

  /** The log was replaced. */
  async clear(): Promise<void> {
    this.#pendingWrites.clear();
    try {
      await this.#write((store) => store.delete(keysWithPrefix(this.#keyPrefix)));
    } catch {}
  }

  /** The user leaves this browser: nothing is cached any more. */
  async destroy(): Promise<void> {
    const cleared = this.clear();
    this.#destroyed = true; // at once, because what is written during a slow deletion would stay
    await cleared;
  }

  #schedule(key: string, write: () => Promise<unknown>): void {
    const isScheduled = this.#pendingWrites.has(key);
    this.#pendingWrites.set(key, write);
    if (isScheduled) return;
    this.#clock.after(writeDelayMs, () => {
      const latest = this.#pendingWrites.get(key);
      this.#pendingWrites.delete(key);
      void latest?.().catch(() => {}); // nothing is stored, so the page will not open offline
    });
  }

  async #get(key: string): Promise<unknown> {
    try {
      return await this.#database.run<unknown>(cacheStoreName, 'readonly', (store) =>
        store.get(this.#keyPrefix + key),
      );
    } catch {
      return undefined;
    }
  }

  async #write(work: (store: IDBObjectStore) => IDBRequest | undefined): Promise<void> {
    if (!this.#destroyed) await this.#database.run<unknown>(cacheStoreName, 'readwrite', work);
  }
}

function putIfNewer(store: IDBObjectStore, key: string, window: CachedWindow): undefined {
  const request = store.get(key);
  request.onsuccess = () => {
    const before = parseWindow(request.result);
    if (before?.epoch !== window.epoch || before.seen <= window.seen) store.put(window, key);
  };
}

function putChanged(store: IDBObjectStore, key: string, changes: readonly ChangeEvent[]): undefined {
  const request = store.get(key);
  request.onsuccess = () => {
    const window = parseWindow(request.result);
    if (window) store.put({ ...request.result, events: applyChanges(window.events, changes) }, key);
  };
}

/**
 * The user reads further up: the cached end of the log is kept with the changes since. Deletes it when they
 * are unknown.
 */
function putMissedChanges(store: IDBObjectStore, key: string, { epoch, changes }: Timeline): undefined {
  const request = store.get(key);
  request.onsuccess = () => {
    const window = parseWindow(request.result);
    const missedChanges = window && window.epoch === epoch ? changesAfter(window.seen, changes) : undefined;
    if (missedChanges && window)
      store.put({ ...request.result, events: applyChanges(window.events, missedChanges) }, key);
    else if (epoch !== undefined) store.delete(key);
  };
}

/** Removes the oldest windows. */
function prune(store: IDBObjectStore, range: IDBKeyRange): undefined {
  const entries: (readonly [key: IDBValidKey, at: number])[] = [];
  const request = store.openCursor(range);
  request.onsuccess = () => {
    const cursor = request.result;
    if (cursor) {
      const value: unknown = cursor.value;
      entries.push([cursor.primaryKey, isObject(value) ? (countField(value, 'at') ?? 0) : 0]);
      cursor.continue();
    } else for (const [key] of entries.sort((a, b) => b[1] - a[1]).slice(maxCachedWindows)) store.delete(key);
  };
}

function keysWithPrefix(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}

/** Only a window at the end of the log is cached, because rooms open there. */
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
