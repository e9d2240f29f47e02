/**
 * The contract of every sequencer, local or shared:
 * 1. All commands get one order. `apply` is called with them in this order, a batch at a time, each command exactly once.
 * 2. `apply` returns when the batch is durable. Then, with no await in between, `deliver` gets its results, and after it
 *    each `reply` gets its own result, in order. No result is visible before that.
 * 3. A command that was never applied is answered too (rejected).
 */
import type { Command, Result } from '../chat/types.js';

export type Reply = (result: Result) => void;

export interface BatchHandler {
  apply(commands: readonly Command[]): readonly Result[];
  deliver(results: readonly Result[]): void;
}

export interface Sequencer {
  submit(command: Command, reply?: Reply): void;
  /** Rejects new commands. Resolves when all earlier ones are applied, delivered and answered. */
  close(): Promise<void>;
}
