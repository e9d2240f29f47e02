/**
 * The list of rooms with what is unread in each: arithmetic of numbers, last - read. What must stay true: neither of
 * the two ever goes back, whichever way and in whatever order news of them comes.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { RoomSummary } from '../../protocol.js';

export interface RoomEntry extends RoomSummary {
  /** how many numbers are past my read mark */
  readonly unread: number;
  /** among them is one that calls me by name, as far as this page has seen */
  readonly mentioned: boolean;
}

export class Rooms {
  readonly #list = signal<readonly RoomEntry[]>([]);

  /** Those I have been in first, then the others by activity. */
  get list(): ReadonlySignal<readonly RoomEntry[]> {
    return this.#list;
  }
}
