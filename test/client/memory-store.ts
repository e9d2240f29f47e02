/** A store of the outbox in memory. It takes what IndexedDB takes. */
import type { OutboxStore, StoredMessage } from '../../src/connect/outbox.js';

export function memoryStore(): OutboxStore {
  let messages: readonly StoredMessage[] = [];
  let seq = 0;
  const without = (cid: string | undefined) => messages.filter((message) => message.cid !== cid);
  return {
    add: async (message, replaces) => {
      messages = [...without(replaces), { ...structuredClone(message), seq: ++seq }];
      return seq;
    },
    all: async (user) => messages.filter((message) => message.user === user),
    refuse: async (cid, problem) => {
      messages = messages.map((message) => (message.cid === cid ? { ...message, problem } : message));
    },
    remove: async (cid) => {
      messages = without(cid);
    },
  };
}
