/**
 * The newest frames of a room as bytes, without a hole up to its last number. Thousands who come back together are
 * served from here instead of from the database, each event encoded once.
 */
const MOST = 512;

export class Recent {
  #frames: Buffer[] = [];
  /** number of #frames[0] */
  #first = 1;

  /** Holds nothing, and will take `last + 1` next. */
  constructor(last: number) {
    this.#first = last + 1;
  }

  get last(): number {
    return this.#first + this.#frames.length - 1;
  }

  add(frame: Buffer): void {
    this.#frames.push(frame);
    if (this.#frames.length < 2 * MOST) return; // cut in halves: a shift for each would move them all
    this.#frames = this.#frames.slice(MOST);
    this.#first += MOST;
  }

  /** Forgets all that it holds; who asks for it reads the log again. */
  forget(): void {
    this.#first = this.last + 1;
    this.#frames = [];
  }

  /** The frames from `first` to the last, when they reach further back than what is here. */
  fill(first: number, frames: Buffer[]): void {
    if (first >= this.#first || frames.length > MOST) return;
    this.#first = first;
    this.#frames = frames;
  }

  /** The frames after number `id`, or undefined when they do not reach back that far. */
  after(id: number): Buffer[] | undefined {
    return id + 1 < this.#first ? undefined : this.#frames.slice(id + 1 - this.#first);
  }
}
