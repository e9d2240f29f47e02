/**
 * The order of one node, with group commit: a batch is what arrives within one iteration of the event loop. Batches have a
 * maximum size, which keeps iterations short. On an idle server this adds no delay. On a busy one, iterations take longer
 * and batches get larger, and one fsync serves the whole batch.
 */
import type { Command } from '../chat/types.js';
import { type BatchHandler, type Reply, type Sequencer, stoppingResult } from './sequencer.js';

/** Applying this many takes about 10 ms. */
const maxBatchCommands = 1000;

export class LocalSequencer implements Sequencer {
  readonly #handler: BatchHandler;
  #commands: Command[] = [];
  #replies: (Reply | undefined)[] = [];
  #scheduled = false;
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
    this.#commands.push(command);
    this.#replies.push(reply);
    this.#schedule();
  }

  close(): Promise<void> {
    this.#closed = true;
    if (this.#commands.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#runBatch);
  }

  readonly #runBatch = (): void => {
    this.#scheduled = false;
    const commands = this.#commands.splice(0, maxBatchCommands);
    const replies = this.#replies.splice(0, maxBatchCommands);
    if (this.#commands.length > 0) this.#schedule();
    const results = this.#handler.apply(commands);
    this.#handler.deliver(results);
    results.forEach((result, i) => {
      replies[i]?.(result);
    });
    if (this.#commands.length === 0) this.#onIdle?.();
  };
}
