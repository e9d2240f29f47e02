/** One room of the page: its socket feeds the room, what is written goes by the outbox. What components of a room see. */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';

import { Draft } from './draft.js';
import type { Connection } from './state/connection.js';
import type { Letter, Wish } from './state/outbox.js';
import type { Room } from './state/room.js';

export interface PlaceParts {
  readonly name: string;
  readonly room: Room;
  readonly connection: Connection;
  readonly letters: ReadonlySignal<readonly Letter[]>;
  readonly post: (posting: Wish) => void;
  readonly again: (cid: string) => void;
  readonly drop: (cid: string) => void;
}

export class Place {
  readonly name: string;
  readonly room: Room;
  readonly connection: Connection;
  /** what was asked for and is not in the log yet: chat, edit, delete, react, unreact */
  readonly letters: ReadonlySignal<readonly Letter[]>;
  /** my read mark as it was when I opened the room: the line "new since you were here" stands after it */
  readonly mark: ReadonlySignal<number | undefined> = computed(() => undefined);
  /** the message to bring into view and to highlight */
  readonly shown: Signal<number | undefined> = signal(undefined);
  readonly draft = new Draft();
  readonly #parts: PlaceParts;

  constructor(parts: PlaceParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.room = parts.room;
    this.connection = parts.connection;
    this.letters = parts.letters;
  }

  /** Each at any time: it is kept until it can be sent. */
  say(data: string): void {
    this.#parts.post({ type: 'chat', data });
  }
  edit(target: number, data: string): void {
    this.#parts.post({ type: 'edit', target, data });
  }
  remove(target: number): void {
    this.#parts.post({ type: 'delete', target });
  }
  react(target: number, data: string): void {
    this.#parts.post({ type: 'react', target, data });
  }
  unreact(target: number, data: string): void {
    this.#parts.post({ type: 'unreact', target, data });
  }

  /** Sends a refused letter again. */
  again(cid: string): void {
    this.#parts.again(cid);
  }
  /** Gives a letter up. */
  drop(cid: string): void {
    this.#parts.drop(cid);
  }

  /** I am writing. To be called at each stroke: it is told now and then. */
  typing(): void {}

  /** Brings a message into the window, wherever it is, and sets `shown`. */
  async goTo(id: number): Promise<void> {
    this.shown.value = id;
  }

  /** I have seen everything up to this number. */
  read(_id: number): void {}
}
