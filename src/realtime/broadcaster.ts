/**
 * The way out, shared by all rooms: each with something to say writes a slice in turn, and after a few milliseconds the
 * event loop gets its turn too. So a room of 18,000 does not make a room of two, or a sign-in, wait for the whole of it;
 * and what is said meanwhile is joined into one write.
 *
 * A room rests after a batch, twice as long as that took to write and 25 ms at most. Three of four writes are the kernel's
 * time, whatever is in them; two messages in one write cost half. Nobody sees 25 ms, and rooms under about 40 never rest.
 */
import type { Room } from './room.js';

/** Milliseconds of writing before others are let in. */
const WRITE_BUDGET_MS = 5;
/** Milliseconds between two looks at who has rested. */
const DELAY_CHECK_MS = 2;

export class Broadcaster {
  #rooms: Room[] = [];
  readonly #delayed = new Set<Room>();
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;

  get busy(): boolean {
    return this.#rooms.length > 0 || this.#delayed.size > 0;
  }

  /** The room has something to write; `run` will. */
  add(room: Room): void {
    if (room.queued) return;
    room.queued = true;
    this.#rooms.push(room);
  }

  run(): void {
    if (this.#scheduled) return; // the turn that was begun goes on
    let now = performance.now();
    const until = now + WRITE_BUDGET_MS;
    for (let room = this.#rooms.shift(); room; room = this.#rooms.shift()) {
      if (room.nextFlushAt > now) this.#delayed.add(room);
      else {
        room.queued = false;
        const done = room.writeSlice(now);
        now = performance.now();
        if (!done) this.add(room);
      }
      if (now > until && this.#rooms.length > 0) {
        this.#schedule();
        break;
      }
    }
    if (this.#delayed.size > 0) this.#timer ??= setTimeout(() => this.#flushDelayed(), DELAY_CHECK_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #flushDelayed(): void {
    this.#timer = undefined;
    this.#rooms.push(...this.#delayed); // who is not due rests on
    this.#delayed.clear();
    if (!this.#scheduled) this.#schedule(); // one turn of writing in one of the event loop, and not a second by the timer
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.run();
    });
  }
}
