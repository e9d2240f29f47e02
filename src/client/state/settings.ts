/**
 * What a person has set for this browser. Each is a signal that may be written; it is kept, and follows what another
 * tab sets. What is kept is not trusted: anything unknown is as if it were not there.
 */
import { batch, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { field, parseJsonObject } from '../../shared/parse.js';

export type Theme = 'system' | 'light' | 'dark';
export type Notify = 'mentions' | 'all' | 'none';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
export const NOTIFIES: readonly Notify[] = ['mentions', 'all', 'none'];

/** Where texts outlive the page, as far as the browser allows. */
export interface Shelf {
  get(key: string): string | undefined;
  /** undefined takes it away */
  set(key: string, value: string | undefined): void;
  keys(): readonly string[];
  /** Calls when another tab has set something. */
  follow(changed: (key: string) => void): void;
}

const KEY = 'oneport.settings';

export class Settings {
  readonly theme: Signal<Theme> = signal('system');
  /** a tag, or `system` */
  readonly language: Signal<string> = signal('system');
  /** keys that do something by themselves, without Ctrl or Alt: who speaks to their computer types them by mistake */
  readonly singleKeys: Signal<boolean> = signal(true);
  readonly sound: Signal<boolean> = signal(true);
  readonly doNotDisturb: Signal<boolean> = signal(false);
  /** of which messages to tell, where a room has no rule of its own */
  readonly notify: Signal<Notify> = signal('mentions');
  readonly #rooms = signal<ReadonlyMap<string, Notify>>(new Map());
  readonly #shelf: Shelf;

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
    this.#read();
    shelf.follow((key) => key === KEY && this.#read());
    let kept = this.#text();
    effect(() => {
      const now = this.#text();
      if (now !== kept) shelf.set(KEY, now);
      kept = now;
    });
  }

  /** The rooms with a rule of their own. */
  get rooms(): ReadonlySignal<ReadonlyMap<string, Notify>> {
    return this.#rooms;
  }

  /** What holds in a room. Reads signals. */
  notifyIn(room: string): Notify {
    return this.#rooms.value.get(room) ?? this.notify.value;
  }

  /** undefined: as everywhere. */
  setNotifyIn(room: string, notify: Notify | undefined): void {
    const rules = new Map(this.#rooms.peek());
    if (notify === undefined) rules.delete(room);
    else rules.set(room, notify);
    this.#rooms.value = rules;
  }

  #text(): string {
    const { theme, language, singleKeys, sound, doNotDisturb, notify } = this;
    return JSON.stringify({
      theme: theme.value,
      language: language.value,
      singleKeys: singleKeys.value,
      sound: sound.value,
      doNotDisturb: doNotDisturb.value,
      notify: notify.value,
      rooms: [...this.#rooms.value],
    });
  }

  #read(): void {
    const kept = parseJsonObject(this.#shelf.get(KEY) ?? '') ?? {};
    batch(() => {
      this.theme.value = one(THEMES, field(kept, 'theme')) ?? 'system';
      const language = field(kept, 'language');
      this.language.value = typeof language === 'string' ? language : 'system';
      this.singleKeys.value = field(kept, 'singleKeys') !== false;
      this.sound.value = field(kept, 'sound') !== false;
      this.doNotDisturb.value = field(kept, 'doNotDisturb') === true;
      this.notify.value = one(NOTIFIES, field(kept, 'notify')) ?? 'mentions';
      this.#rooms.value = rulesOf(field(kept, 'rooms'));
    });
  }
}

function one<T>(known: readonly T[], value: unknown): T | undefined {
  return known.find((each) => each === value);
}

function rulesOf(value: unknown): ReadonlyMap<string, Notify> {
  const rules = new Map<string, Notify>();
  for (const pair of Array.isArray(value) ? value : []) {
    const [room, raw]: unknown[] = Array.isArray(pair) ? pair : [];
    const notify = one(NOTIFIES, raw);
    if (typeof room === 'string' && notify) rules.set(room, notify);
  }
  return rules;
}
