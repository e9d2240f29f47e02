/** Sends one person's letters to rooms that no tab shows, over HTTP: from tabs that were closed, rooms that were left. */
import { post } from './api.js';
import { lockName, locks, MailNews, newCid } from './mail.js';
import { type Clock, within } from './state/clock.js';
import { drain } from './state/drain.js';
import { isWaiting, type Letter, type OutboxStore } from './state/letter.js';
import { Outbox, PATIENCE_MS } from './state/outbox.js';
import { httpTransport } from './state/transports.js';

export interface SweepParts {
  readonly user: string;
  readonly store: OutboxStore;
  readonly clock: Clock;
}

export class Sweep {
  readonly #parts: SweepParts;
  readonly #news = new MailNews();
  readonly #running = new Map<string, AbortController>();

  constructor(parts: SweepParts) {
    this.#parts = parts;
  }

  /** All rooms but the one that is in view here. */
  async run(here: string): Promise<void> {
    this.#running.get(here)?.abort();
    const { store, user } = this.#parts;
    const letters = await store.all(user).catch(() => []); // a store that fails has nothing for us
    const rooms = new Set(letters.filter(isWaiting).map(({ room }) => room));
    rooms.delete(here);
    await Promise.all([...rooms].filter((room) => !this.#running.has(room)).map((room) => this.#clear(room)));
  }

  /** The room comes into view: its letters go by its socket. */
  stop(room: string): void {
    this.#running.get(room)?.abort();
  }

  /** How many letters this person has not sent: kept ones of all rooms, and those shown here that the store did not take. */
  async unsent(shown: readonly Letter[]): Promise<number> {
    const { store, user, clock } = this.#parts;
    const cids = new Set(shown.map(({ cid }) => cid));
    const read = store.all(user).then((kept) => kept.forEach(({ cid }) => void cids.add(cid)));
    await within(clock, PATIENCE_MS, read);
    return cids.size;
  }

  /** Drops everything this person has not sent: they leave this browser. A store that does not answer holds nobody. */
  burn(): Promise<void> {
    const { store, user, clock } = this.#parts;
    for (const stop of this.#running.values()) stop.abort();
    const emptied = async () => {
      for (const { cid } of await store.all(user)) await store.remove(cid);
    };
    return within(clock, PATIENCE_MS, emptied());
  }

  async #clear(room: string): Promise<void> {
    const stop = new AbortController();
    this.#running.set(room, stop);
    try {
      await ifFree(lockName(this.#parts.user, room), () => this.#send(room, stop.signal));
    } finally {
      this.#running.delete(room);
    }
  }

  async #send(room: string, signal: AbortSignal): Promise<void> {
    const { store, user, clock } = this.#parts;
    const changed = () => this.#news.tell(room);
    const outbox = new Outbox({ store, user, room, newCid, clock, changed, stranded: () => {} });
    await outbox.reload();
    const transport = httpTransport(post, clock, Math.random);
    await drain({ outbox, transport, clock, random: Math.random, next: async () => outbox.next }, signal);
  }
}

async function ifFree(name: string, work: () => Promise<void>): Promise<void> {
  if (!locks) return work();
  await locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
  });
}
