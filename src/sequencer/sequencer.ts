/**
 * The contract of every sequencer, local or shared:
 * 1. Commands get ONE order; `apply` sees them in it, a beat at a time, each exactly once.
 * 2. `apply` returns when the beat is durable. Then, with no await in between, `deliver` gets its results, and after
 *    it each `reply` its own, in order. Nobody hears of a command before that.
 * 3. A command that was never applied is answered as well (refused), never left hanging.
 */
import type { Command, Result } from '../chat/types.js';

export type Reply = (result: Result) => void;

export interface BatchHandler {
  apply(commands: readonly Command[]): readonly Result[];
  deliver(results: readonly Result[]): void;
}

export interface Sequencer {
  submit(command: Command, reply?: Reply): void;
  /** Takes no more; resolves when all that was submitted is applied, delivered and answered. */
  close(): Promise<void>;
}
