/** What is being written in a room, kept until it is sent. Storage may be forbidden or full: then it lives with the page. */
import type { Shelf } from './state/settings.js';

const PREFIX = 'oneport.draft ';

export class Draft {
  readonly #shelf: Shelf;
  readonly #key: string;
  #text: string | undefined;

  constructor(shelf: Shelf, user: string, room: string) {
    this.#shelf = shelf;
    this.#key = `${PREFIX}${user} ${room}`;
  }

  read(): string {
    this.#text ??= this.#shelf.get(this.#key) ?? '';
    return this.#text;
  }

  keep(text: string): void {
    this.#text = text;
    this.#shelf.set(this.#key, text === '' ? undefined : text);
  }
}

/** They leave this browser. */
export function burnDrafts(shelf: Shelf, user: string): void {
  for (const key of shelf.keys()) if (key.startsWith(`${PREFIX}${user} `)) shelf.set(key, undefined);
}
