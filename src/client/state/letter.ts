/** What was said and is not in the log yet, and the contract of where it is kept. */
import type { Problem } from '../../protocol.js';

export interface Draft {
  /** id of the writer: nobody else's page sends it */
  readonly user: string;
  readonly room: string;
  readonly cid: string;
  readonly data: string;
  readonly at: number;
}
export interface Letter extends Draft {
  /** the place in the order, given by the store; undefined until it is kept */
  readonly seq?: number | undefined;
  /** why it was refused; undefined while it waits */
  readonly problem?: Problem | undefined;
  /** the store did not take it: it is sent, but gone when this tab is closed before */
  readonly unkept?: true | undefined;
}

/** It may be sent: not refused, and kept, or given up by the store. */
export function isWaiting({ seq, unkept, problem }: Letter): boolean {
  return (seq !== undefined || unkept === true) && problem === undefined;
}

/** Where letters outlive the tab. Each call is one transaction; what one tab wrote, the next call of any tab reads. */
export interface OutboxStore {
  /** Puts it at the end of the order, in place of `instead` (a cid) if given. Resolves with its `seq` when it is on disk. */
  add(draft: Draft, instead?: string): Promise<number>;
  /** All letters of a person, in order. */
  all(user: string): Promise<readonly Letter[]>;
  /** Notes why it was refused; nothing if it is gone. */
  refuse(cid: string, problem: Problem): Promise<void>;
  remove(cid: string): Promise<void>;
}
