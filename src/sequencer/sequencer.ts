/**
 * The contract of every sequencer, local or shared:
 * 1. All commands get one order. `apply` is called with them in this order, a batch at a time, each command exactly once.
 * 2. `apply` returns when the batch is durable. Then, with no await in between, `deliver` gets its results, and after it
 *    each `reply` gets its own result, in order. No result is visible before that.
 * 3. A command that was never applied is answered too (rejected).
 *
 * In a shared order, rule 3 is weaker: after `storage` the command may still be applied, in its place in the order. A
 * repetition with the same cid tells, and is never stored twice.
 *
 * A command that comes after a refusal may be applied, because nobody knows whether its sender has read the refusal.
 */
import type { Command, Result } from '../chat/types.js';

export type Reply = (result: Result) => void;

export interface BatchHandler {
  /**
   * With a `position`, the commands are those of entries of a shared order. The position is stored in the same transaction,
   * so that each entry is applied exactly once. Such commands are applied by other processes too, so a failing disk cannot
   * reject them. @throws then StorageError, or a bug: nothing was stored
   */
  apply(commands: readonly Command[], position?: string): readonly Result[];
  deliver(results: readonly Result[]): void;
}

export interface Sequencer {
  submit(command: Command, reply?: Reply): void;
  /** Rejects new commands. Resolves when all earlier ones are applied, delivered and answered. */
  close(): Promise<void>;
  /** Applies nothing more. */
  end?(): void;
  /** Undefined when this process has the order to itself. */
  readonly shared?: SharedOrder;
}

/** What the processes of one chat share beside their order. */
export interface SharedOrder {
  /** How far this process has applied the order. Opaque. */
  readonly position: string;
  /** Entries that this process has still to apply. */
  readonly behind: number;
  /** Entries of others that were skipped, since the start. */
  readonly junkCount: number;
  /** Why commands are refused; empty while they are not. */
  readonly problems: readonly string[];
  /** Whether readers are refused too, because this process has not caught up yet, or has another history. */
  readonly isStale: boolean;
  /** Resolves with true when this process has applied the order that far, with false after `waitMs`. */
  waitFor(position: string, waitMs: number): Promise<boolean>;
  /** Sends a text to the other processes. It may be lost. */
  publish(text: string): void;
  /** Resolves when what was published has been sent, or cannot be sent. */
  flush(): Promise<void>;
  /** Applies nothing more, and leaves as soon as what was published has been sent. */
  end(): void;
}

/** What a shared order needs of its process. */
export interface SharedHandler extends BatchHandler {
  /** The position of the newest batch that was applied; undefined when there is none. */
  readonly position: string | undefined;
  readonly identity: Identity;
  /** A hash of all that is stored. Two processes with the same one may continue from the same entry. */
  digest(): string;
  /** Begins a history: stores its identity with the position of its first entry. Closes the sockets of an earlier one. */
  begin(identity: Identity, position: string): void;
  /** The order continues another history: closes all sockets. */
  onReplaced(): void;
  /** This process has applied the whole order, at the start or after a loss of the connection. */
  onJoined(): void;
  /** Gets what another process has published. */
  receive(from: string, text: string): void;
}

/** What all processes of one chat have in common. */
export interface Identity {
  readonly epoch: string;
  /** The key that signs cookies when SESSION_KEYS is not set. */
  readonly sessionKey: string;
  /** The name of the data in cookies. */
  readonly instance: string;
}

export type CreateSequencer = (handler: SharedHandler) => Sequencer;

export const stoppingResult: Result = {
  kind: 'rejected',
  problem: { code: 'stopping', message: 'The server is restarting. Try again in a moment.' },
};

/** In an order of several processes, the command may still be applied. */
export const refusedResult: Result = {
  kind: 'rejected',
  problem: { code: 'storage', message: 'The server cannot save this now. Try again soon.' },
};
