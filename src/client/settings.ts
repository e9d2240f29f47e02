/**
 * What a person has set for this browser. Each is a signal that may be written; it is kept, and follows what another
 * tab sets. What is kept is not trusted: anything unknown is as if it were not there.
 */
import { batch, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { field, parseJsonObject } from '../shared/parse.js';

export type Theme = 'system' | 'light' | 'dark';
export type NotifyLevel = 'mentions' | 'all' | 'none';
export const themes: readonly Theme[] = ['system', 'light', 'dark'];
export const notifyLevels: readonly NotifyLevel[] = ['mentions', 'all', 'none'];

/** Where texts outlive the page, as far as the browser allows. */
export interface KeyValueStore {
  get(key: string): string | undefined;
  /** undefined takes it away */
  set(key: string, value: string | undefined): void;
  keys(): readonly string[];
  /** Calls when another tab has set something. */
  onChange(changed: (key: string) => void): void;
}

const settingsKey = 'oneport.settings';

export class Settings {
  readonly theme: Signal<Theme> = signal('system');
  /** a tag, or `system` */
  readonly language: Signal<string> = signal('system');
  /** keys that do something by themselves, without Ctrl or Alt: who speaks to their computer types them by mistake */
  readonly singleKeys: Signal<boolean> = signal(true);
  readonly sound: Signal<boolean> = signal(true);
  readonly doNotDisturb: Signal<boolean> = signal(false);
  /** of which messages to tell, where a room has no rule of its own */
  readonly notify: Signal<NotifyLevel> = signal('mentions');
  readonly #roomRules = signal<ReadonlyMap<string, NotifyLevel>>(new Map());
  readonly #storage: KeyValueStore;

  constructor(shelf: KeyValueStore) {
    this.#storage = shelf;
    this.#load();
    shelf.onChange((key) => key === settingsKey && this.#load());
    let kept = this.#serialize();
    effect(() => {
      const now = this.#serialize();
      if (now !== kept) shelf.set(settingsKey, now);
      kept = now;
    });
  }

  /** The rooms with a rule of their own. */
  get roomRules(): ReadonlySignal<ReadonlyMap<string, NotifyLevel>> {
    return this.#roomRules;
  }

  /** What holds in a room. Reads signals. */
  notifyLevelIn(room: string): NotifyLevel {
    return this.#roomRules.value.get(room) ?? this.notify.value;
  }

  /** undefined: as everywhere. */
  setNotifyLevelIn(room: string, notify: NotifyLevel | undefined): void {
    const rules = new Map(this.#roomRules.peek());
    if (notify === undefined) rules.delete(room);
    else rules.set(room, notify);
    this.#roomRules.value = rules;
  }

  #serialize(): string {
    const { theme, language, singleKeys, sound, doNotDisturb, notify } = this;
    return JSON.stringify({
      theme: theme.value,
      language: language.value,
      singleKeys: singleKeys.value,
      sound: sound.value,
      doNotDisturb: doNotDisturb.value,
      notify: notify.value,
      rooms: [...this.#roomRules.value],
    });
  }

  #load(): void {
    const kept = parseJsonObject(this.#storage.get(settingsKey) ?? '') ?? {};
    batch(() => {
      this.theme.value = oneOf(themes, field(kept, 'theme')) ?? 'system';
      const language = field(kept, 'language');
      this.language.value = typeof language === 'string' ? language : 'system';
      this.singleKeys.value = field(kept, 'singleKeys') !== false;
      this.sound.value = field(kept, 'sound') !== false;
      this.doNotDisturb.value = field(kept, 'doNotDisturb') === true;
      this.notify.value = oneOf(notifyLevels, field(kept, 'notify')) ?? 'mentions';
      this.#roomRules.value = parseRoomRules(field(kept, 'rooms'));
    });
  }
}

function oneOf<T>(known: readonly T[], value: unknown): T | undefined {
  return known.find((each) => each === value);
}

function parseRoomRules(value: unknown): ReadonlyMap<string, NotifyLevel> {
  const rules = new Map<string, NotifyLevel>();
  for (const pair of Array.isArray(value) ? value : []) {
    const [room, raw]: unknown[] = Array.isArray(pair) ? pair : [];
    const notify = oneOf(notifyLevels, raw);
    if (typeof room === 'string' && notify) rules.set(room, notify);
  }
  return rules;
}
