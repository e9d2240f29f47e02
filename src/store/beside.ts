/** Work beside the beats, each piece in a transaction of its own: what follows behind the log. */
import { StorageError } from '../chat/book.js';

/** What the work returns is done after the commit. False: the disk did not take it, so at the next occasion. */
export type Beside = (work: () => () => void) => boolean;

export function besideBeats(transaction: (work: () => () => void) => () => void): Beside {
  return (work) => {
    try {
      transaction(work)();
      return true;
    } catch (error) {
      if (error instanceof StorageError) return false;
      throw error;
    }
  };
}
