/** What was said, or asked for, and is not in the log yet, and the contract of where it is kept. */
import type { PostCommand, Problem } from '../../shared/protocol.js';

/** A posting as it is asked for: the outbox gives it its cid. */
export type Wish = WithoutCid<PostCommand>;
type WithoutCid<T> = T extends unknown ? Omit<T, 'cid'> : never;

export interface Unsent {
  /** id of the writer: nobody else's page sends it */
  readonly user: string;
  readonly room: string;
  readonly cid: string;
  readonly posting: Wish;
  readonly at: number;
}
export interface Letter extends Unsent {
  /** the place in the order, given by the store; undefined until it is kept */
  readonly seq?: number | undefined;
  /** why it was refused; undefined while it waits */
  readonly problem?: Problem | undefined;
  /** the store did not take it: it is sent, but gone when this tab is closed before */
  readonly unkept?: true | undefined;
}

/** How it is with a letter, for who wrote it. */
export function stateOf({ problem, unkept, seq }: Letter): 'refused' | 'unkept' | 'saving' | 'waiting' {
  if (problem) return 'refused';
  if (unkept) return 'unkept';
  return seq === undefined ? 'saving' : 'waiting';
}

/** It may be sent: not refused, and kept, or given up by the store. */
export function isWaiting({ seq, unkept, problem }: Letter): boolean {
  return (seq !== undefined || unkept === true) && problem === undefined;
}

/** Where letters outlive the tab. Each call is one transaction; what one tab wrote, the next call of any tab reads. */
export interface OutboxStore {
  /** Puts it at the end of the order, in place of `instead` (a cid) if given. Resolves with its `seq` when it is on disk. */
  add(unsent: Unsent, instead?: string): Promise<number>;
  /** All letters of a person, in order. */
  all(user: string): Promise<readonly Letter[]>;
  /** Notes why it was refused; nothing if it is gone. */
  refuse(cid: string, problem: Problem): Promise<void>;
  remove(cid: string): Promise<void>;
}
