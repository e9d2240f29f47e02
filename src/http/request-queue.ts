/**
 * Shares the event loop between the addresses that send requests. Without it, an address with a few hundred requests at once
 * would delay everybody by their sum. The address whose requests took the least time comes first, so that a cheap request does
 * not wait for an expensive one of each address of an attack.
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
  /** What waits for its turn, by address, the address that was served last at the end. */
  readonly #waiting = new Map<string, (() => void)[]>();
  /**
   * Milliseconds that the requests of each waiting address took. A new address begins with the least of the others. So a rare
   * visitor is served soon, and an address that was silent has saved nothing.
   */
  readonly #used = new Map<string, number>();
  /** Whose request is running, and since when, as performance.now(). */
  #running: { readonly network: string; readonly since: number } | undefined;
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
    else {
      this.#used.set(network, this.#used.get(this.#leastUsed() ?? '') ?? 0);
      this.#waiting.set(network, [run]);
    }
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
    this.#noteUse();
    if (this.#waiting.size === 0) return;
    for (let n = 0; n < maxPerTurn; n++) setImmediate(this.#runNext);
  };

  readonly #runNext = (): void => {
    this.#noteUse();
    const network = this.#leastUsed();
    if (network === undefined || !this.#hasTime()) return;
    const queue = this.#waiting.get(network) ?? [];
    const run = queue.shift();
    this.#waiting.delete(network);
    if (queue.length > 0) this.#waiting.set(network, queue); // behind the others
    this.#running = { network, since: performance.now() };
    run?.();
  };

  /** Counts the time since the last request began. */
  #noteUse(): void {
    if (!this.#running) return;
    const { network, since } = this.#running;
    if (this.#waiting.has(network))
      this.#used.set(network, (this.#used.get(network) ?? 0) + performance.now() - since);
    else this.#used.delete(network);
    this.#running = undefined;
  }

  #leastUsed(): string | undefined {
    let [first, least]: [string | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    for (const network of this.#waiting.keys()) {
      const used = this.#used.get(network) ?? 0;
      if (used < least) [first, least] = [network, used];
    }
    return first;
  }
}
