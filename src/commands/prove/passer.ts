/**
 * Somebody who looks in again and again, each time from some numbers back, as after a sleep: so what was said and
 * deleted a moment ago is replayed all the time, from the server's memory as well as from the log.
 */
import { Line } from './line.js';
import { between, type Random } from './random.js';
import type { Visitor } from './visitor.js';
import type { Witness } from './witness.js';

/** Numbers that are read again; milliseconds from having read them to the next look, and to giving up. */
const BACK = [1, 80] as const;
const PAUSE = { soon: [10, 100], most: 3000 } as const;

export class Passer {
  readonly #visitor: Visitor;
  readonly #witness: Witness;
  readonly #random: Random;
  #line: Line | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(visitor: Visitor, witness: Witness, random: Random) {
    this.#visitor = visitor;
    this.#witness = witness;
    this.#random = random;
  }

  /** Looks in, and again when it has read what there was, until `end`. */
  start(): void {
    this.#line?.end();
    const goal = this.#witness.last;
    let read = false;
    const heard = (): void => {
      if (read || line.last < goal) return;
      read = true;
      this.#again(between(this.#random, ...PAUSE.soon));
    };
    const line = new Line('a passer-by', this.#visitor, this.#witness, this.#random, { opened() {}, heard });
    line.last = Math.max(0, goal - between(this.#random, ...BACK));
    line.connect();
    this.#line = line;
    this.#again(PAUSE.most);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#line?.end();
  }

  #again(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), ms);
  }
}
