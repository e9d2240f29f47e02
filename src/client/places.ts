/** The rooms that were shown last: at hand at once when they are shown again. */
import { Place, type PlaceParts } from './place.js';
import type { Letter } from './state/letter.js';

const AT_HAND = 5;

export class Places {
  readonly #make: (name: string) => PlaceParts;
  readonly #all = new Map<string, Place>();

  constructor(make: (name: string) => PlaceParts) {
    this.#make = make;
  }

  /** What was said in them and is not in the log yet. */
  get letters(): readonly Letter[] {
    return [...this.#all.values()].flatMap(({ letters }) => letters.peek());
  }

  /** Made or found; the one that was not shown for the longest time is let go. */
  of(name: string): Place {
    const place = this.#all.get(name) ?? new Place(this.#make(name));
    this.#all.delete(name);
    this.#all.set(name, place);
    const [oldest] = this.#all.keys();
    if (this.#all.size > AT_HAND && oldest !== undefined) {
      this.#all.get(oldest)?.close();
      this.#all.delete(oldest);
    }
    return place;
  }
}
