/** Word of rooms that have moved, to those who have been in them and are elsewhere: at most once a second of each room. */
import { textFrame } from './frame.js';
import type { Person } from './person.js';

interface Followed {
  readonly people: Set<Person>;
  last: number;
  /** when it was cried last, as performance.now() */
  at: number;
}

interface Cry {
  readonly room: string;
  readonly bytes: Buffer;
  readonly people: IterableIterator<Person>;
}

/** Milliseconds between two words of one room, and between two looks at those that wait for it. */
const EVERY = 1000;
const LOOK = 100;
/** People written to before the event loop gets its turn. */
const SLICE = 256;

export class Crier {
  readonly #rooms = new Map<string, Followed>();
  /** have moved again within the second */
  readonly #late = new Set<string>();
  readonly #cries: Cry[] = [];
  #timer: NodeJS.Timeout | undefined;

  add(room: string, person: Person): void {
    const followed = this.#rooms.get(room);
    if (followed) followed.people.add(person);
    else this.#rooms.set(room, { people: new Set([person]), last: 0, at: Number.NEGATIVE_INFINITY });
  }

  remove(room: string, person: Person): void {
    const people = this.#rooms.get(room)?.people;
    people?.delete(person);
    if (people?.size === 0) this.#rooms.delete(room);
  }

  moved({ name, last }: { readonly name: string; readonly last: number }): void {
    const followed = this.#rooms.get(name);
    if (!followed) return;
    followed.last = last;
    if (performance.now() - followed.at >= EVERY) this.#cry(name, followed);
    else {
      this.#late.add(name);
      this.#timer ??= setInterval(() => this.#cryLate(), LOOK);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #cryLate(): void {
    for (const name of this.#late) {
      const followed = this.#rooms.get(name);
      if (followed && performance.now() - followed.at < EVERY) continue;
      this.#late.delete(name);
      if (followed) this.#cry(name, followed);
    }
    if (this.#late.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #cry(room: string, followed: Followed): void {
    followed.at = performance.now();
    const bytes = textFrame({ type: 'room', room, last: followed.last });
    this.#cries.push({ room, bytes, people: followed.people.values() });
    if (this.#cries.length === 1) setImmediate(this.#write);
  }

  readonly #write = (): void => {
    const [cry] = this.#cries;
    if (!cry) return;
    for (let n = 0; n < SLICE; n++) {
      const { done, value: person } = cry.people.next();
      if (done) {
        this.#cries.shift();
        break;
      }
      for (const connection of person.connections)
        if (connection.room.name !== cry.room) connection.write(cry.bytes);
    }
    if (this.#cries.length > 0) setImmediate(this.#write);
  };
}
