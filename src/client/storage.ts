/** The browser's storage. */

import { type ReadonlySignal, signal } from '@preact/signals';
import type { Clock } from '../connect/clock.js';
import type { TransportMemory } from '../connect/connection.js';
import type { TransportName } from '../connect/transport.js';
import { field, parseJsonObject } from '../shared/parse.js';
import type { User } from '../shared/protocol.js';
import type { KeyValueStore } from './settings.js';
import { storagePrefix } from './site.js';
import { standardSpelling } from './text/emoji.js';

/** Of all tabs. */
export const localStore = storeOf(() => localStorage);
/** Of this tab. */
export const tabStore = storeOf(() => sessionStorage);

/** Never throws. When the storage is blocked or full, values live as long as the page. */
function storeOf(storage: () => Storage): KeyValueStore {
  return {
    get: (key) => attempt(() => storage().getItem(storagePrefix + key)) ?? undefined,
    set: (key, value) =>
      void attempt(() =>
        value === undefined
          ? storage().removeItem(storagePrefix + key)
          : storage().setItem(storagePrefix + key, value),
      ),
    keys: () => attempt(() => Object.keys(storage()))?.flatMap(withoutPrefix) ?? [],
    onChange: (changed) =>
      addEventListener('storage', ({ key }) => {
        for (const own of key === null ? [] : withoutPrefix(key)) changed(own);
      }),
  };
}

/** Returns the key, or nothing when it is another chat's. */
function withoutPrefix(stored: string): readonly string[] {
  return stored.startsWith(storagePrefix) ? [stored.slice(storagePrefix.length)] : [];
}

function attempt<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch {
    return undefined;
  }
}

const draftKeyPrefix = 'oneport.draft ';

/**
 * A user's unsent texts. Each tab has copies of its own, so that two tabs with the same room do not overwrite each
 * other's.
 */
export class Drafts {
  readonly #stores: DraftStores;
  readonly #prefix: string;
  readonly #rooms = signal<ReadonlySet<string>>(new Set());
  /** Rooms with an unsent text. */
  readonly rooms: ReadonlySignal<ReadonlySet<string>> = this.#rooms;

  constructor(user: string, stores: DraftStores) {
    this.#stores = stores;
    this.#prefix = `${draftKeyPrefix}${user} `;
    this.#findRooms();
    stores.all.onChange((key) => key.startsWith(this.#prefix) && this.#findRooms());
  }

  in(room: string): Draft {
    return new Draft(this.#stores, this.#prefix + room, () => this.#findRooms());
  }

  clear(): void {
    for (const store of Object.values(this.#stores))
      for (const key of store.keys()) if (key.startsWith(this.#prefix)) store.set(key, undefined);
    this.#findRooms();
  }

  #findRooms(): void {
    const { tab, all } = this.#stores;
    const keys = new Set([...tab.keys(), ...all.keys()]);
    const used = [...keys].filter(
      (key) => key.startsWith(this.#prefix) && (tab.get(key) ?? all.get(key)) !== '',
    );
    this.#rooms.value = new Set(used.map((key) => key.slice(this.#prefix.length)));
  }
}

export interface DraftStores {
  readonly tab: KeyValueStore;
  readonly all: KeyValueStore;
}

/** The unsent text of one room. */
export class Draft {
  readonly #stores: DraftStores;
  readonly #key: string;
  readonly #onToggled: () => void;
  #text: string | undefined;

  constructor(stores: DraftStores, key: string, onToggled: () => void) {
    this.#stores = stores;
    this.#key = key;
    this.#onToggled = onToggled;
  }

  read(): string {
    const { tab, all } = this.#stores;
    this.#text ??= tab.get(this.#key) ?? all.get(this.#key) ?? '';
    return this.#text;
  }

  /** Removes the text that all tabs share only if it is this tab's. */
  keep(text: string): void {
    const { tab, all } = this.#stores;
    const before = this.read();
    if (text !== '') all.set(this.#key, text);
    else if (all.get(this.#key) === before) all.set(this.#key, undefined);
    tab.set(this.#key, text === '' && all.get(this.#key) === undefined ? undefined : text);
    this.#text = text;
    if ((before === '') !== (text === '')) this.#onToggled();
  }
}

/** The signed-in user's name, cached for the time before the server has answered. */

const userKey = 'oneport.me';

/** Undefined when another user was cached. */
export function loadCachedUser(id: string): User | undefined {
  const stored = parseJsonObject(localStore.get(userKey) ?? '') ?? {};
  const name = field(stored, 'name');
  return field(stored, 'id') === id && typeof name === 'string' ? { id, name } : undefined;
}

/** Calls back when another tab has signed the user out. */
export function onUserRemoved(id: string, removed: () => void): void {
  localStore.onChange((key) => key === userKey && !loadCachedUser(id) && removed());
}

export function cacheUser(user: User | undefined): void {
  localStore.set(userKey, user && JSON.stringify(user));
}

/** Recently used emoji and the chosen skin tone. */
const recentEmojiKey = 'oneport.emoji';
const skinToneKey = 'oneport.tone';
const maxRecentEmoji = 24;
const defaultEmoji: readonly string[] = ['👍', '❤️', '😂', '🎉', '😮', '👀'];

/** Most recent first, completed with common ones. */
export function recentEmoji(): readonly string[] {
  return [...new Set([...storedEmoji().map(standardSpelling), ...defaultEmoji])];
}

export function addRecentEmoji(emoji: string): void {
  const recent = [emoji, ...storedEmoji().filter((other) => other !== emoji)];
  localStore.set(recentEmojiKey, recent.slice(0, maxRecentEmoji).join(' '));
}

function storedEmoji(): readonly string[] {
  return (localStore.get(recentEmojiKey) ?? '').split(' ').filter(Boolean);
}

/** 0: none; 1 to 5: light to dark */
export function skinTone(): number {
  const tone = Number(localStore.get(skinToneKey));
  return Number.isInteger(tone) && tone >= 0 && tone <= 5 ? tone : 0;
}

export function saveSkinTone(tone: number): void {
  localStore.set(skinToneKey, String(tone));
}

/** Which transport got through, for all tabs. After an hour the best one has the first try again. */
const transportKey = 'oneport.transport';
const transportCacheMs = 3_600_000;
const transportNames: readonly TransportName[] = ['websocket', 'stream', 'poll'];

export class TransportCache implements TransportMemory {
  readonly #store: KeyValueStore;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(store: KeyValueStore, clock: Pick<Clock, 'now'>) {
    this.#store = store;
    this.#clock = clock;
  }

  get(): TransportName | undefined {
    const [name, at] = (this.#store.get(transportKey) ?? '').split(' ');
    const ageMs = this.#clock.now() - Number(at);
    return ageMs >= 0 && ageMs < transportCacheMs
      ? transportNames.find((known) => known === name)
      : undefined;
  }

  set(name: TransportName): void {
    this.#store.set(transportKey, `${name} ${this.#clock.now()}`);
  }
}
