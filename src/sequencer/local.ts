/**
 * The order of one node, with group commit: a batch is what arrives within one iteration of the event loop. Batches have a
 * maximum size, which keeps iterations short. On an idle server this adds no delay. On a busy one, iterations take longer
 * and batches get larger, and one fsync serves the whole batch.
 *
 * Visits come after the other commands, and only some in each batch. So a message does not wait until thousands of visits are
 * stored, when as many people come in at once. Whoever enters waits a moment for others, or for the next command, because a
 * commit for each few of thousands would take most of the time.
 */
import type { Command } from '../chat/types.js';
import { type BatchHandler, type Reply, type Sequencer, stoppingResult } from './sequencer.js';

/** Applying this many takes about 10 ms. A visit of a new user takes as long as several messages. */
const maxBatch = { commands: 1000, visits: 200 } as const;
const enterDelayMs = 20;

interface Submission {
  readonly command: Command;
  readonly reply: Reply | undefined;
}

export class LocalSequencer implements Sequencer {
  readonly #handler: BatchHandler;
  readonly #commands: Submission[] = [];
  readonly #visits: Submission[] = [];
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(handler: BatchHandler) {
    this.#handler = handler;
  }

  submit(command: Command, reply?: Reply): void {
    if (this.#closed) {
      reply?.(stoppingResult);
      return;
    }
    const isEnter = command.kind === 'enter';
    (isEnter || command.kind === 'seen' ? this.#visits : this.#commands).push({ command, reply });
    if (isEnter) this.#timer ??= setTimeout(() => this.#schedule(), enterDelayMs);
    else this.#schedule();
  }

  close(): Promise<void> {
    this.#closed = true;
    if (this.#isIdle) return Promise.resolve();
    this.#schedule();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  end(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  get #isIdle(): boolean {
    return this.#commands.length === 0 && this.#visits.length === 0;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#runBatch);
  }

  readonly #runBatch = (): void => {
    this.#scheduled = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = [
      ...this.#commands.splice(0, maxBatch.commands),
      ...this.#visits.splice(0, maxBatch.visits),
    ];
    if (!this.#isIdle) this.#schedule();
    const results = this.#handler.apply(batch.map(({ command }) => command));
    this.#handler.deliver(results);
    results.forEach((result, i) => {
      batch[i]?.reply?.(result);
    });
    if (this.#isIdle) this.#onIdle?.();
  };
}
