/**
 * The order of one node: a beat is what arrived within one turn of the event loop, up to a size that keeps the turn
 * short. Idle, it adds no delay; busy, the turns get longer by themselves and so the beats larger, and one fsync serves
 * them all.
 */
import type { Command, Result } from '../chat/types.js';
import type { BatchHandler, Reply, Sequencer } from './sequencer.js';

/** Commands of one beat: about 10 ms of applying. */
const BEAT_MAX = 1000;
const STOPPING: Result = {
  kind: 'rejected',
  problem: { code: 'stopping', message: 'The server is restarting. Try again in a moment.' },
};

export class LocalSequencer implements Sequencer {
  readonly #beat: BatchHandler;
  #commands: Command[] = [];
  #replies: (Reply | undefined)[] = [];
  #scheduled = false;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor(beat: BatchHandler) {
    this.#beat = beat;
  }

  submit(command: Command, reply?: Reply): void {
    if (this.#closed) {
      reply?.(STOPPING);
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
      this.#idle = resolve;
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    const commands = this.#commands.splice(0, BEAT_MAX);
    const replies = this.#replies.splice(0, BEAT_MAX);
    if (this.#commands.length > 0) this.#schedule();
    const results = this.#beat.apply(commands);
    this.#beat.deliver(results);
    results.forEach((result, i) => {
      replies[i]?.(result);
    });
    if (this.#commands.length === 0) this.#idle?.();
  };
}
