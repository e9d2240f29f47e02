/**
 * My read marks on their way to the server: the newest of each room, not more often than it must, and again until it
 * has arrived. What must stay true: a mark never goes back.
 */
import type { Clock } from './clock.js';
import type { Rooms } from './rooms.js';

export interface ReadMarksParts {
  readonly rooms: Rooms;
  /** False when it did not arrive. `leaving`: the page goes away, the request must outlive it. */
  readonly put: (room: string, id: number, leaving: boolean) => Promise<boolean>;
  readonly clock: Clock;
}

const EVERY_MS = 2_000;
const AGAIN_MS = 10_000;

export class ReadMarks {
  readonly #parts: ReadMarksParts;
  readonly #waiting = new Map<string, number>();
  #scheduled = false;
  #sentAt = -Infinity;

  constructor(parts: ReadMarksParts) {
    this.#parts = parts;
  }

  /** I have read a room up to a number. */
  read(room: string, id: number): void {
    const { rooms } = this.#parts;
    if (id <= (rooms.entry(room)?.read ?? 0)) return;
    rooms.readTo(room, id);
    this.#wait(room, id);
  }

  /** What the server says of it: when it knows less than we, it did not hear us. A log that ends before my mark is another. */
  told(room: string, read: number, last: number): void {
    const mine = this.#parts.rooms.entry(room)?.read ?? 0;
    if (read < mine && mine <= last) this.#wait(room, mine);
    else this.#parts.rooms.readTo(room, read);
  }

  /** Tells all at once, since the page may not be here any more soon. */
  leave(): void {
    void this.#send(true);
  }

  clear(): void {
    this.#waiting.clear();
  }

  #wait(room: string, id: number): void {
    this.#waiting.set(room, Math.max(id, this.#waiting.get(room) ?? 0));
    this.#schedule(EVERY_MS);
  }

  #schedule(every: number): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    const { clock } = this.#parts;
    clock.after(Math.max(0, Math.min(every, this.#sentAt + every - clock.now())), () => {
      this.#scheduled = false;
      void this.#send(false);
    });
  }

  async #send(leaving: boolean): Promise<void> {
    const marks = [...this.#waiting];
    this.#waiting.clear();
    if (marks.length === 0) return;
    this.#sentAt = this.#parts.clock.now();
    const sent = await Promise.all(
      marks.map(async ([room, id]) => (await this.#parts.put(room, id, leaving)) || this.#back(room, id)),
    );
    this.#schedule(sent.every(Boolean) ? EVERY_MS : AGAIN_MS);
  }

  #back(room: string, id: number): false {
    this.#waiting.set(room, Math.max(id, this.#waiting.get(room) ?? 0));
    return false;
  }
}
