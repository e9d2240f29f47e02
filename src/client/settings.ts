/**
 * A user's settings in this browser. Each is a writable signal. Changes are stored and follow those of other
 * tabs. Unknown stored values fall back to the defaults.
 */
import { batch, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { field, parseJsonObject } from '../shared/parse.js';

export type Theme = 'system' | 'light' | 'dark';
export type NotifyLevel = 'mentions' | 'all' | 'none';
export const themes: readonly Theme[] = ['system', 'light', 'dark'];
export const notifyLevels: readonly NotifyLevel[] = ['mentions', 'all', 'none'];

/** Storage that may be unavailable. */
export interface KeyValueStore {
  get(key: string): string | undefined;
  /** undefined removes the key */
  set(key: string, value: string | undefined): void;
  keys(): readonly string[];
  /** Calls back when another tab has changed a key. */
  onChange(changed: (key: string) => void): void;
}

const settingsKey = 'oneport.settings';

export class Settings {
  readonly theme: Signal<Theme> = signal('system');
  /** a tag, or `system` */
  readonly language: Signal<string> = signal('system');
  /** shortcuts of one key; speech input types them by mistake */
  readonly singleKeys: Signal<boolean> = signal(true);
  readonly sound: Signal<boolean> = signal(true);
  /** numbers of messages always, not only on hover */
  readonly showNumbers: Signal<boolean> = signal(false);
  readonly doNotDisturb: Signal<boolean> = signal(false);
  /** level for rooms without a rule of their own */
  readonly notify: Signal<NotifyLevel> = signal('mentions');
  /** rooms that the list shows first */
  readonly starred: Signal<ReadonlySet<string>> = signal(new Set());
  /** rooms that the user was in and does not follow any more; only this browser knows */
  readonly left: Signal<ReadonlySet<string>> = signal(new Set());
  readonly #roomRules = signal<ReadonlyMap<string, NotifyLevel>>(new Map());
  readonly roomRules: ReadonlySignal<ReadonlyMap<string, NotifyLevel>> = this.#roomRules;
  readonly #storage: KeyValueStore;

  constructor(storage: KeyValueStore) {
    this.#storage = storage;
    this.#load();
    storage.onChange((key) => key === settingsKey && this.#load());
    let stored = this.#serialize();
    effect(() => {
      const now = this.#serialize();
      if (now !== stored) storage.set(settingsKey, now);
      stored = now;
    });
  }

  /** Reads signals. */
  notifyLevelIn(room: string): NotifyLevel {
    return this.#roomRules.value.get(room) ?? this.notify.value;
  }

  /** undefined removes the room's own rule. */
  setNotifyLevelIn(room: string, notify: NotifyLevel | undefined): void {
    const rules = new Map(this.#roomRules.peek());
    if (notify === undefined) rules.delete(room);
    else rules.set(room, notify);
    this.#roomRules.value = rules;
  }

  #serialize(): string {
    const { theme, language, singleKeys, sound, showNumbers, doNotDisturb, notify, starred, left } = this;
    return JSON.stringify({
      theme: theme.value,
      language: language.value,
      singleKeys: singleKeys.value,
      sound: sound.value,
      showNumbers: showNumbers.value,
      doNotDisturb: doNotDisturb.value,
      notify: notify.value,
      rooms: [...this.#roomRules.value],
      starred: [...starred.value],
      left: [...left.value],
    });
  }

  #load(): void {
    const stored = parseJsonObject(this.#storage.get(settingsKey) ?? '') ?? {};
    batch(() => {
      this.theme.value = oneOf(themes, field(stored, 'theme')) ?? 'system';
      const language = field(stored, 'language');
      this.language.value = typeof language === 'string' ? language : 'system';
      this.singleKeys.value = field(stored, 'singleKeys') !== false;
      this.sound.value = field(stored, 'sound') !== false;
      this.showNumbers.value = field(stored, 'showNumbers') === true;
      this.doNotDisturb.value = field(stored, 'doNotDisturb') === true;
      this.notify.value = oneOf(notifyLevels, field(stored, 'notify')) ?? 'mentions';
      this.#roomRules.value = parseRoomRules(field(stored, 'rooms'));
      this.starred.value = parseRooms(field(stored, 'starred'));
      this.left.value = parseRooms(field(stored, 'left'));
    });
  }
}

/** Adds a room to a set of rooms, or removes it. */
export function setMember(rooms: Signal<ReadonlySet<string>>, room: string, isMember: boolean): void {
  if (rooms.peek().has(room) === isMember) return;
  const next = new Set(rooms.peek());
  if (isMember) next.add(room);
  else next.delete(room);
  rooms.value = next;
}

function parseRooms(value: unknown): ReadonlySet<string> {
  const rooms: unknown[] = Array.isArray(value) ? value : [];
  return new Set(rooms.filter((room): room is string => typeof room === 'string'));
}

function oneOf<T>(known: readonly T[], value: unknown): T | undefined {
  return known.find((each) => each === value);
}

function parseRoomRules(value: unknown): ReadonlyMap<string, NotifyLevel> {
  const rules = new Map<string, NotifyLevel>();
  for (const pair of Array.isArray(value) ? value : []) {
    const [room, level]: unknown[] = Array.isArray(pair) ? pair : [];
    const notify = oneOf(notifyLevels, level);
    if (typeof room === 'string' && notify) rules.set(room, notify);
  }
  return rules;
}
