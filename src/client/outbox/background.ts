/** Sends one person's letters to rooms that no tab shows, over HTTP: from tabs that were closed, rooms that were left. */
import { sendMessage } from '../api.js';
import { type Clock, withTimeout } from '../clock.js';
import { isSendable, Outbox, type OutboxStore, type PendingMessage, storeTimeoutMs } from './outbox.js';
import { httpTransport, newCid, OutboxChannel, outboxLockName, sendLoop, webLocks } from './sender.js';

export interface BackgroundSenderDeps {
  readonly user: string;
  readonly store: OutboxStore;
  readonly clock: Clock;
}

export class BackgroundSender {
  readonly #deps: BackgroundSenderDeps;
  readonly #channel = new OutboxChannel();
  readonly #running = new Map<string, AbortController>();

  constructor(parts: BackgroundSenderDeps) {
    this.#deps = parts;
  }

  /** All rooms but the one that is in view here. */
  async sendAll(here: string): Promise<void> {
    this.#running.get(here)?.abort();
    const { store, user } = this.#deps;
    const letters = await store.all(user).catch(() => []); // a store that fails has nothing for us
    const rooms = new Set(letters.filter(isSendable).map(({ room }) => room));
    rooms.delete(here);
    await Promise.all(
      [...rooms].filter((room) => !this.#running.has(room)).map((room) => this.#sendRoom(room)),
    );
  }

  /** The room comes into view: its letters go by its socket. */
  stop(room: string): void {
    this.#running.get(room)?.abort();
  }

  /** How many letters this person has not sent: kept ones of all rooms, and those shown here that the store did not take. */
  async countUnsent(shown: readonly PendingMessage[]): Promise<number> {
    const { store, user, clock } = this.#deps;
    const cids = new Set(shown.map(({ cid }) => cid));
    const read = store.all(user).then((kept) => kept.forEach(({ cid }) => void cids.add(cid)));
    await withTimeout(clock, storeTimeoutMs, read);
    return cids.size;
  }

  /** Drops everything this person has not sent: they leave this browser. A store that does not answer holds nobody. */
  clear(): Promise<void> {
    const { store, user, clock } = this.#deps;
    for (const stop of this.#running.values()) stop.abort();
    const emptied = async () => {
      for (const { cid } of await store.all(user)) await store.remove(cid);
    };
    return withTimeout(clock, storeTimeoutMs, emptied());
  }

  async #sendRoom(room: string): Promise<void> {
    const stop = new AbortController();
    this.#running.set(room, stop);
    try {
      await withLockIfFree(outboxLockName(this.#deps.user, room), () => this.#runSendLoop(room, stop.signal));
    } finally {
      this.#running.delete(room);
    }
  }

  async #runSendLoop(room: string, signal: AbortSignal): Promise<void> {
    const { store, user, clock } = this.#deps;
    const changed = () => this.#channel.notify(room);
    const outbox = new Outbox({
      store,
      user,
      room,
      newCid,
      clock,
      onChanged: changed,
      onUnpersisted: () => {},
    });
    await outbox.reload();
    const transport = httpTransport(sendMessage, clock, Math.random);
    await sendLoop({ outbox, transport, clock, random: Math.random, next: async () => outbox.next }, signal);
  }
}

async function withLockIfFree(name: string, work: () => Promise<void>): Promise<void> {
  if (!webLocks) return work();
  await webLocks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
  });
}
