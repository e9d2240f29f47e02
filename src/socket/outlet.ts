/**
 * The way out, shared by all rooms: each with something to say writes a slice in turn, and after a few milliseconds the
 * event loop gets its turn too. So a room of 18,000 does not make a room of two, or a sign-in, wait for the whole of it;
 * and what is said meanwhile is joined into one write.
 */
import type { LiveRoom } from './room.js';

/** Milliseconds of writing before others are let in. */
const TURN = 8;

export class Outlet {
  #rooms: LiveRoom[] = [];
  #scheduled = false;

  get busy(): boolean {
    return this.#rooms.length > 0;
  }

  /** The room has something to write; `run` will. */
  add(room: LiveRoom): void {
    if (room.queued) return;
    room.queued = true;
    this.#rooms.push(room);
  }

  run(): void {
    if (this.#scheduled) return; // the turn that was begun goes on
    const until = performance.now() + TURN;
    for (let room = this.#rooms.shift(); room; room = this.#rooms.shift()) {
      room.queued = false;
      if (!room.writeSlice()) this.add(room);
      if (this.busy && performance.now() > until) {
        this.#later();
        return;
      }
    }
  }

  #later(): void {
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.run();
    });
  }
}
