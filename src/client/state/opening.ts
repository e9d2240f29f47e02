/** The time until it is decided where a room opens: what the socket brings meanwhile is not shown. */
import { batch } from '@preact/signals';

export class Opening {
  #now: Promise<void> | undefined;

  /** Ends with the opening; undefined when the room is open. */
  get now(): Promise<void> | undefined {
    return this.#now;
  }

  /** Calls `opened` once the place is shown, unless another opening has begun meanwhile. */
  begin(shown: Promise<unknown>, opened: () => void): Promise<void> {
    const now = shown.then(() => {
      if (this.#now !== now) return;
      this.#now = undefined;
      batch(opened);
    });
    this.#now = now;
    return now;
  }
}
