/**
 * Shares the event loop between the addresses that send requests. Otherwise an address with a few hundred requests at once
 * would delay all others by their total time. The requests of a connection run one after the other, because a client may send
 * thousands without waiting for an answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BlockList, Socket } from 'node:net';
import { addressOf, networkOf } from '../origin.js';

type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;
type Waiting = readonly [request: IncomingMessage, response: ServerResponse];

/** Milliseconds of an iteration of the event loop after which no further request begins. */
const turnMs = 4;
/** Maximum number of requests that begin in one iteration while others wait. */
const maxPerTurn = 16;

export class RequestQueue {
  readonly #handle: RequestHandler;
  readonly #proxies: BlockList;
  /** Requests that wait for their turn, by address. The first address is the next. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** Requests that wait for the previous answer on their connection. */
  readonly #pipelined = new WeakMap<Socket, Waiting[]>();
  /** When the first request of this iteration began, as performance.now(); 0 when none did. */
  #turnStart = 0;

  constructor(handle: RequestHandler, proxies: BlockList) {
    this.#handle = handle;
    this.#proxies = proxies;
  }

  /** The listener of 'request'. Runs at once while the turn has time left. */
  readonly add: RequestHandler = (request, response) => {
    const { socket } = request;
    const pipelined = this.#pipelined.get(socket);
    if (pipelined) {
      socket.pause();
      pipelined.push([request, response]);
      return;
    }
    this.#pipelined.set(socket, []);
    this.#enqueue(request, response);
  };

  #enqueue(request: IncomingMessage, response: ServerResponse): void {
    response.once('close', () => this.#next(request.socket));
    if (this.#waiting.size === 0 && this.#hasTime()) {
      this.#handle(request, response);
      return;
    }
    const network = networkOf(addressOf(request, this.#proxies));
    const queue = this.#waiting.get(network);
    if (queue) queue.push([request, response]);
    else this.#waiting.set(network, [[request, response]]);
  }

  /** An answer has ended: the next request of its connection may begin. */
  #next(socket: Socket): void {
    const pipelined = this.#pipelined.get(socket);
    const next = socket.destroyed ? undefined : pipelined?.shift();
    if (pipelined?.length === 0) socket.resume();
    if (next) this.#enqueue(...next);
    else this.#pipelined.delete(socket);
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
    const waiting = queue.shift();
    this.#waiting.delete(network);
    if (queue.length > 0) this.#waiting.set(network, queue); // behind the others
    if (waiting && !waiting[1].destroyed) this.#handle(...waiting);
  };
}
