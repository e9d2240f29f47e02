/**
 * What a person has set for this browser. Each is a signal that may be written; it is kept, and follows what another
 * tab sets. What is kept is not trusted: anything unknown is as if it were not there.
 */
import { batch, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { field, isObject, parseObject } from '../../parse.js';

export type Theme = 'system' | 'light' | 'dark';
export type Notify = 'mentions' | 'all' | 'none';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
export const NOTIFIES: readonly Notify[] = ['mentions', 'all', 'none'];

/** Where texts outlive the page, as far as the browser allows. */
export interface Shelf {
  get(key: string): string | undefined;
  /** undefined takes it away */
  set(key: string, value: string | undefined): void;
  /** Calls when another tab has set something. */
  follow(changed: (key: string) => void): void;
}

const KEY = 'oneport.settings';

export class Settings {
  readonly theme: Signal<Theme> = signal('system');
  /** a tag, or `system` */
  readonly language: Signal<string> = signal('system');
  readonly sound: Signal<boolean> = signal(true);
  readonly doNotDisturb: Signal<boolean> = signal(false);
  /** of which messages to tell, where a room has no rule of its own */
  readonly notify: Signal<Notify> = signal('mentions');
  readonly #rooms = signal<Readonly<Record<string, Notify>>>({});
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
  get rooms(): ReadonlySignal<Readonly<Record<string, Notify>>> {
    return this.#rooms;
  }

  /** What holds in a room. Reads signals. */
  notifyIn(room: string): Notify {
    return this.#rooms.value[room] ?? this.notify.value;
  }

  /** undefined: as everywhere. */
  setNotifyIn(room: string, notify: Notify | undefined): void {
    const { [room]: _before, ...rest } = this.#rooms.peek();
    this.#rooms.value = notify === undefined ? rest : { ...rest, [room]: notify };
  }

  #text(): string {
    const { theme, language, sound, doNotDisturb, notify } = this;
    return JSON.stringify({
      theme: theme.value,
      language: language.value,
      sound: sound.value,
      doNotDisturb: doNotDisturb.value,
      notify: notify.value,
      rooms: this.#rooms.value,
    });
  }

  #read(): void {
    const kept = parseObject(this.#shelf.get(KEY) ?? '') ?? {};
    batch(() => {
      this.theme.value = one(THEMES, field(kept, 'theme')) ?? 'system';
      const language = field(kept, 'language');
      this.language.value = typeof language === 'string' ? language : 'system';
      this.sound.value = field(kept, 'sound') !== false;
      this.doNotDisturb.value = field(kept, 'doNotDisturb') === true;
      this.notify.value = one(NOTIFIES, field(kept, 'notify')) ?? 'mentions';
      this.#rooms.value = rules(field(kept, 'rooms'));
    });
  }
}

function one<T>(known: readonly T[], value: unknown): T | undefined {
  return known.find((each) => each === value);
}

function rules(value: unknown): Readonly<Record<string, Notify>> {
  const entries = Object.entries(isObject(value) ? value : {}).flatMap(([room, raw]) => {
    const notify = one(NOTIFIES, raw);
    return notify ? [[room, notify] as const] : [];
  });
  return Object.fromEntries(entries);
}
