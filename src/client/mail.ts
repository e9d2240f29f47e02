/**
 * The outbox of one person in one room, in this tab: its letters, who of the tabs sends them (the leader), and the
 * letters to other rooms that no tab shows.
 */
import type { Problem } from '../protocol.js';
import { post } from './api.js';
import { type Clock, within } from './state/clock.js';
import type { Connection } from './state/connection.js';
import { drain } from './state/drain.js';
import { Leader } from './state/leader.js';
import { isWaiting, type Letter, type OutboxStore } from './state/letter.js';
import { Outbox, PATIENCE_MS } from './state/outbox.js';
import { httpTransport, SocketTransport } from './state/transports.js';
import { when } from './state/when.js';

export interface MailParts {
  readonly user: string;
  readonly room: string;
  readonly store: OutboxStore;
  readonly connection: Connection;
  readonly clock: Clock;
}

/** A letter that did not move for so long, in sight of its writer, is taken from the tab that should send it. */
const STUCK_MS = 8_000;
const locks: LockManager | undefined = 'locks' in navigator ? navigator.locks : undefined;

export class Mail {
  readonly outbox: Outbox;
  readonly #parts: MailParts;
  readonly #channel = new BroadcastChannel('oneport.outbox');
  readonly #transport: SocketTransport;
  readonly #leader: Leader;

  constructor(parts: MailParts) {
    this.#parts = parts;
    this.outbox = this.#outboxOf(parts.room);
    this.#transport = new SocketTransport(parts.connection, parts.clock);
    this.#leader = new Leader(locks, lockName(parts.user, parts.room), (signal) => this.#drain(signal));
    this.#channel.onmessage = () => void this.outbox.reload();
  }

  start(): void {
    void this.outbox.reload();
    this.#leader.start();
    this.#watch();
  }

  /** Lets another tab send while this one is away (in the back/forward cache). */
  pause(): void {
    this.#leader.stop();
  }

  resume(): void {
    this.#leader.start();
  }

  settled(cid: string): void {
    void this.outbox.settle(cid);
    this.#transport.answered(cid, { kind: 'settled' });
  }

  refused(cid: string, problem: Problem): void {
    this.#transport.answered(cid, { kind: 'error', problem });
  }

  lineLost(): void {
    this.#transport.lost();
  }

  /** Sends what waits for rooms that no tab has open. */
  async sweep(): Promise<void> {
    const { store, user, room } = this.#parts;
    const letters = await store.all(user).catch(() => []); // a store that fails has nothing for us
    const rooms = new Set(letters.filter(isWaiting).map((letter) => letter.room));
    rooms.delete(room);
    for (const other of rooms) await ifFree(lockName(user, other), () => this.#empty(other));
  }

  /** Drops everything this person has not sent, in all rooms: they leave this browser. A store that does not answer holds nobody. */
  burn(): Promise<void> {
    this.#leader.stop();
    const { store, user, clock } = this.#parts;
    const emptied = async () => {
      for (const { cid } of await store.all(user)) await store.remove(cid);
    };
    return within(clock, PATIENCE_MS, emptied());
  }

  #outboxOf(room: string): Outbox {
    const { store, user, clock } = this.#parts;
    const changed = () => this.#channel.postMessage(room);
    const stranded = () => this.#leader.steal();
    return new Outbox({ store, user, room, newCid, clock, changed, stranded });
  }

  async #drain(signal: AbortSignal): Promise<void> {
    const { outbox } = this;
    await outbox.reload();
    const next = async (abort: AbortSignal): Promise<Letter | undefined> => {
      await when(outbox.letters, (letters) => letters.some(isWaiting), abort);
      return outbox.next;
    };
    await drain({ outbox, transport: this.#transport, clock: this.#parts.clock, random, next }, signal);
  }

  async #empty(room: string): Promise<void> {
    const outbox = this.#outboxOf(room);
    await outbox.reload();
    const { clock } = this.#parts;
    const transport = httpTransport(post, clock, random);
    await drain({ outbox, transport, clock, random, next: async () => outbox.next }, NEVER);
  }

  #watch(): void {
    const before = this.outbox.next?.cid;
    this.#parts.clock.after(STUCK_MS, () => {
      const stuck = before !== undefined && this.outbox.next?.cid === before;
      const able = this.#parts.connection.link.peek().state === 'live';
      if (stuck && able && document.visibilityState === 'visible') this.#leader.steal();
      this.#watch();
    });
  }
}

const random = Math.random;
const NEVER = new AbortController().signal;

function lockName(user: string, room: string): string {
  return `oneport.outbox ${user} ${room}`;
}

async function ifFree(name: string, work: () => Promise<void>): Promise<void> {
  if (!locks) return work();
  await locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
  });
}

/** 128 random bits. (`crypto.randomUUID` does not exist on pages over plain http.) */
function newCid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
