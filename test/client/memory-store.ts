/** An outbox store in memory. */
import type { OutboxStore, PendingMessage } from '../../src/client/outbox/outbox.js';

export function memoryStore(): OutboxStore {
  let letters: readonly PendingMessage[] = [];
  let seq = 0;
  const without = (cid: string | undefined) => letters.filter((letter) => letter.cid !== cid);
  return {
    add: async (draft, instead) => {
      letters = [...without(instead), { ...draft, seq: ++seq }];
      return seq;
    },
    all: async (user) => letters.filter((letter) => letter.user === user),
    refuse: async (cid, problem) => {
      letters = letters.map((letter) => (letter.cid === cid ? { ...letter, problem } : letter));
    },
    remove: async (cid) => {
      letters = without(cid);
    },
  };
}
