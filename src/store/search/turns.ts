/** Work in pieces, of many at a time: each `next` is one turn of the event loop, and they come round in order. */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  /** Resolves in a turn that is the caller's alone. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#call);
    });
  }

  readonly #call = (): void => {
    this.#waiting[0]?.();
    this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(this.#call);
  };
}
