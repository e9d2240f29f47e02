/** The browser's localStorage as a shelf. It may be forbidden or full: then what is put there lives with the page. */

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

/** What is being written in a room, kept until it is sent. Storage may be forbidden or full: then it lives with the page. */

const draftKeyPrefix = 'oneport.draft ';

export class Draft {
  readonly #storage: KeyValueStore;
  readonly #key: string;
  #text: string | undefined;

  constructor(shelf: KeyValueStore, user: string, room: string) {
    this.#storage = shelf;
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

/** They leave this browser. */
export function clearDrafts(shelf: KeyValueStore, user: string): void {
  for (const key of shelf.keys()) if (key.startsWith(`${draftKeyPrefix}${user} `)) shelf.set(key, undefined);
}

/** Who I am, as the server said it last: for the time until it says it again. */

const userKey = 'oneport.me';

/** Undefined when it was somebody else, or nobody. */
export function loadCachedUser(id: string): User | undefined {
  const kept = parseJsonObject(localStore.get(userKey) ?? '') ?? {};
  const name = field(kept, 'name');
  return field(kept, 'id') === id && typeof name === 'string' ? { id, name } : undefined;
}

export function cacheUser(me: User | undefined): void {
  localStore.set(userKey, me && JSON.stringify(me));
}

/** The emoji used last and the skin tone chosen, in this browser. Storage may be forbidden: then they are forgotten. */
const recentEmojiKey = 'oneport.emoji';
const skinToneKey = 'oneport.tone';
const maxRecentEmoji = 24;
const defaultEmoji: readonly string[] = ['👍', '❤️', '😂', '🎉', '😮', '👀'];

/** Last used first; filled up with what most people use. */
export function recentEmoji(): readonly string[] {
  return [...new Set([...readItem(recentEmojiKey).split(' ').filter(Boolean), ...defaultEmoji])];
}

export function addRecentEmoji(emoji: string): void {
  const used = readItem(recentEmojiKey)
    .split(' ')
    .filter((one) => one !== '' && one !== emoji);
  writeItem(recentEmojiKey, [emoji, ...used].slice(0, maxRecentEmoji).join(' '));
}

/** 0: none chosen; 1 to 5: light to dark. */
export function skinTone(): number {
  const tone = Number(readItem(skinToneKey));
  return Number.isInteger(tone) && tone >= 0 && tone <= 5 ? tone : 0;
}

export function saveSkinTone(tone: number): void {
  writeItem(skinToneKey, String(tone));
}

function readItem(key: string): string {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

function writeItem(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {}
}
