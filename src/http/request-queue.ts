/**
 * Shares the event loop between the addresses that send requests. Without it, an address with a few hundred requests at once
 * would delay everybody by their sum.
 */
import type { IncomingMessage } from 'node:http';
import type { BlockList } from 'node:net';
import { addressOf, networkOf } from '../origin.js';

/** Milliseconds of an iteration of the event loop after which no further request begins. */
const turnMs = 4;
/** Requests that begin in one iteration at most, when requests wait. */
const maxPerTurn = 16;

export class RequestQueue {
  readonly #proxies: BlockList;
  /** What waits for its turn, by address. The address that comes next is the first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  /** When the first request of this iteration began, as performance.now(); 0 when none did. */
  #turnStart = 0;

  constructor(proxies: BlockList) {
    this.#proxies = proxies;
  }

  /** Resolves when a request may go on after it has waited. Many that waited for one thing would go on at once. */
  turn(request: IncomingMessage): Promise<void> {
    return new Promise((resolve) => this.add(request, resolve));
  }

  /** Runs what belongs to a request, at once while the turn has time left. */
  add(request: IncomingMessage, run: () => void): void {
    if (this.#waiting.size === 0 && this.#hasTime()) {
      run();
      return;
    }
    const network = networkOf(addressOf(request, this.#proxies));
    const queue = this.#waiting.get(network);
    if (queue) queue.push(run);
    else this.#waiting.set(network, [run]);
  }

  #hasTime(): boolean {
    const now = performance.now();
    if (this.#turnStart === 0) {
      this.#turnStart = now;
      setImmediate(this.#endTurn);
    }
    return now - this.#turnStart < turnMs;
  }

  /**
   * Begins the next turn when requests wait. Each gets an immediate of its own: most of a request runs in microtasks, which
   * Node runs before the next immediate, so that `#hasTime` sees how long it took.
   */
  readonly #endTurn = (): void => {
    this.#turnStart = 0;
    if (this.#waiting.size === 0) return;
    for (let n = 0; n < maxPerTurn; n++) setImmediate(this.#runFirst);
  };

  readonly #runFirst = (): void => {
    const [first] = this.#waiting;
    if (!first || !this.#hasTime()) return;
    const [network, queue] = first;
    const run = queue.shift();
    this.#waiting.delete(network);
    if (queue.length > 0) this.#waiting.set(network, queue); // behind the others
    run?.();
  };
}
