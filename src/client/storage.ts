/** localStorage that never throws. When it is blocked or full, values live as long as the page. */

import { field, parseJsonObject } from '../shared/parse.js';
import type { User } from '../shared/protocol.js';
import type { KeyValueStore } from './settings.js';

export const localStore: KeyValueStore = {
  get(key) {
    try {
      return localStorage.getItem(key) ?? undefined;
    } catch {
      return undefined;
    }
  },
  set(key, value) {
    try {
      if (value === undefined) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
    } catch {}
  },
  keys() {
    try {
      return Object.keys(localStorage);
    } catch {
      return [];
    }
  },
  onChange(changed) {
    addEventListener('storage', ({ key }) => key !== null && changed(key));
  },
};

/** The unsent text of one room. */

const draftKeyPrefix = 'oneport.draft ';

export class Draft {
  readonly #storage: KeyValueStore;
  readonly #key: string;
  #text: string | undefined;

  constructor(storage: KeyValueStore, user: string, room: string) {
    this.#storage = storage;
    this.#key = `${draftKeyPrefix}${user} ${room}`;
  }

  read(): string {
    this.#text ??= this.#storage.get(this.#key) ?? '';
    return this.#text;
  }

  keep(text: string): void {
    this.#text = text;
    this.#storage.set(this.#key, text === '' ? undefined : text);
  }
}

export function clearDrafts(storage: KeyValueStore, user: string): void {
  for (const key of storage.keys())
    if (key.startsWith(`${draftKeyPrefix}${user} `)) storage.set(key, undefined);
}

/** The signed-in user's name, cached for the time before the server has answered. */

const userKey = 'oneport.me';

/** Undefined when another user was cached. */
export function loadCachedUser(id: string): User | undefined {
  const stored = parseJsonObject(localStore.get(userKey) ?? '') ?? {};
  const name = field(stored, 'name');
  return field(stored, 'id') === id && typeof name === 'string' ? { id, name } : undefined;
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
  return [...new Set([...storedEmoji(), ...defaultEmoji])];
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
