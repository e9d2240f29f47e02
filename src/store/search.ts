/**
 * The main thread's side of search. A worker thread finds the messages, and this thread loads them. A search does not block
 * the event loop and always ends: after a timeout or without the worker, it returns no messages and `complete: false`. The
 * worker starts with the first search or tick. After an error it is restarted with a delay.
 */
import { Worker } from 'node:worker_threads';
import type { SearchHit, SearchPage } from '../shared/protocol.js';
import type { SearchAnswer, SearchRequest } from './search-index.js';

export interface WorkerOptions {
  readonly dataDir: string;
  /** one of RUN_STATES, in memory of both threads */
  readonly runState: Int32Array;
  /** the number of events that the index lacked after the last slice, in memory of both threads */
  readonly backlog: Int32Array;
}

export const RUN_STATES = { running: 0, stopping: 1, stopped: 2 } as const;

export type WorkerCommand =
  | { readonly kind: 'follow' | 'stop' }
  | {
      readonly kind: 'find';
      readonly id: number;
      readonly request: SearchRequest;
      /** milliseconds since 1970 */
      readonly expiresAt: number;
    };

export type WorkerMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: SearchAnswer }
  /** the whole log was applied for the first time */
  | { readonly kind: 'current' };

export interface SearchDeps {
  readonly dataDir: string;
  /** A page of the messages as they are now, without those that were deleted, or edited after `position`. */
  readonly load: (
    seqs: readonly number[],
    position: number,
  ) => { readonly messages: SearchHit[]; readonly stoppedAt?: number };
  /** Reports that the worker failed: once, until the index has been current again. */
  readonly onError: (error: unknown) => void;
  /** Finds messages in another process, which has the worker. */
  readonly ask?: ((request: SearchRequest) => Promise<SearchAnswer | 'full' | undefined>) | undefined;
}

const maxPendingSearches = 64;
const searchTimeoutMs = 3000;
const stopTimeoutMs = 3000;
const restartDelayMs = { first: 1000, longest: 60_000 } as const;
/** Limits the young generation. This saves 30 MB while the index is built and does not slow it down. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 } as const;
/** A worker thread needs JavaScript, so in tests, which run this file as TypeScript, the compiled worker is used. */
const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/store/search-worker.js' : './search-worker.js',
  import.meta.url,
);

export class Search {
  readonly #deps: SearchDeps;
  readonly #runState = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #backlog = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  /** Resolvers of running searches; called without an answer when the worker fails. */
  readonly #pending = new Map<number, (answer?: SearchAnswer) => void>();
  #worker: Worker | undefined;
  #lastId = 0;
  #logHasGrown = false;
  #isClosed = false;
  #isCurrent = false;
  #failures = 0;
  #restartAt = 0;

  constructor(deps: SearchDeps) {
    this.#deps = deps;
  }

  /** @returns undefined when too many searches are pending */
  async find(request: SearchRequest): Promise<SearchPage | undefined> {
    const answer = await (this.#deps.ask ?? this.answer)(request);
    if (answer === 'full') return undefined;
    if (answer === undefined) return { messages: [], complete: false };
    const { seqs, complete, position } = answer;
    const { messages, stoppedAt } = this.#deps.load(seqs, position);
    // in a room, `before` is one of its numbers
    const stopped = request.room === undefined ? stoppedAt : messages.at(-1)?.id;
    const next = stoppedAt === undefined ? answer.next : stopped;
    return { messages, ...(next === undefined ? {} : { next }), complete };
  }

  /** Returns what the worker finds: 'full' when too many searches are pending, undefined without the worker or in time. */
  readonly answer = async (request: SearchRequest): Promise<SearchAnswer | 'full' | undefined> =>
    this.#pending.size >= maxPendingSearches ? 'full' : this.#ask(request);

  /** Whether the worker is still building the index, or starting again. */
  get isCatchingUp(): boolean {
    return !this.#isCurrent;
  }

  /** The number of events that the index lacked a moment ago. */
  get backlog(): number {
    return Atomics.load(this.#backlog, 0);
  }

  /** Notes that the log has grown. */
  notify(): void {
    this.#logHasGrown = true;
  }

  /** Makes the index follow the log. Call it once a second. */
  tick(): void {
    const isStarted = this.#worker !== undefined || this.#start(); // a new worker follows the log at once
    if (isStarted && this.#logHasGrown) this.#send({ kind: 'follow' });
    this.#logHasGrown = false;
  }

  /**
   * Waits until the worker has closed its files, because the last connection to close removes the write-ahead log. The thread
   * ends by itself: terminating it within a call of SQLite that fails would crash the process.
   */
  close(): void {
    this.#isClosed = true;
    this.#settleAll();
    if (this.#worker === undefined) return;
    Atomics.compareExchange(this.#runState, 0, RUN_STATES.running, RUN_STATES.stopping);
    this.#send({ kind: 'stop' });
    Atomics.wait(this.#runState, 0, RUN_STATES.stopping, stopTimeoutMs);
  }

  #ask(request: SearchRequest): Promise<SearchAnswer | undefined> {
    if (this.#worker === undefined && !this.#start()) return Promise.resolve(undefined);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const settle = (answer?: SearchAnswer): void => {
        clearTimeout(timer);
        this.#pending.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(settle, searchTimeoutMs);
      this.#pending.set(id, settle);
      this.#send({ kind: 'find', id, request, expiresAt: Date.now() + searchTimeoutMs });
    });
  }

  #send(command: WorkerCommand): void {
    this.#worker?.postMessage(command);
  }

  #settleAll(): void {
    for (const settle of [...this.#pending.values()]) settle();
  }

  /** @returns false when closed, or while the restart delay lasts */
  #start(): boolean {
    if (this.#isClosed || performance.now() < this.#restartAt) return false;
    Atomics.store(this.#runState, 0, RUN_STATES.running);
    const { dataDir } = this.#deps;
    const workerData: WorkerOptions = { dataDir, runState: this.#runState, backlog: this.#backlog };
    const worker = new Worker(workerUrl, { name: 'search', workerData, execArgv: [], resourceLimits });
    worker.unref(); // each pending search has a timer, which keeps the process alive
    let cause: unknown = new Error('the search worker ended');
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => this.#onExit(cause));
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'answer') this.#pending.get(message.id)?.(message.answer);
      else {
        this.#isCurrent = true;
        this.#failures = 0;
      }
    });
    this.#worker = worker;
    return true;
  }

  #onExit(cause: unknown): void {
    this.#worker = undefined;
    this.#isCurrent = false;
    this.#settleAll();
    if (this.#isClosed) return;
    const { first, longest } = restartDelayMs;
    this.#restartAt = performance.now() + Math.min(first * 2 ** this.#failures, longest);
    if (this.#failures++ === 0) this.#deps.onError(cause);
  }
}
