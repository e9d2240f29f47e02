/** A store of letters that never fails, and lives as long as the test. */
import type { Letter, OutboxStore } from '../../src/client/state/letter.js';

export function memoryStore(): OutboxStore {
  let letters: readonly Letter[] = [];
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
