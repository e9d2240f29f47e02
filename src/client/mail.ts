/**
 * The outbox of one person in one room, in this tab: its letters, and who of the tabs sends them (the leader) while
 * the room is in view. Otherwise its letters are swept (sweep.ts).
 */
import type { Problem } from '../shared/protocol.js';
import type { Clock } from './state/clock.js';
import type { Connection } from './state/connection.js';
import { drain } from './state/drain.js';
import { Leader } from './state/leader.js';
import { isWaiting, type Letter, type OutboxStore } from './state/letter.js';
import { Outbox } from './state/outbox.js';
import { SocketTransport } from './state/transports.js';
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
export const locks: LockManager | undefined = 'locks' in navigator ? navigator.locks : undefined;

export class Mail {
  readonly outbox: Outbox;
  readonly #parts: MailParts;
  readonly #news: MailNews;
  readonly #transport: SocketTransport;
  readonly #leader: Leader;
  #stopWatch = () => {};

  constructor(parts: MailParts) {
    this.#parts = parts;
    const { user, room, store, clock } = parts;
    this.#news = new MailNews((moved) => moved === room && void this.outbox.reload());
    const changed = () => this.#news.tell(room);
    const stranded = () => this.#leader.steal();
    this.outbox = new Outbox({ store, user, room, newCid, clock, changed, stranded });
    this.#transport = new SocketTransport(parts.connection, clock);
    this.#leader = new Leader(locks, lockName(user, room), (signal) => this.#drain(signal));
  }

  /** The room is in view. */
  start(): void {
    void this.outbox.reload();
    this.#leader.start();
    this.#watch();
  }

  /** Lets another tab send, or the sweep: the room is not in view, or the page is frozen. */
  stop(): void {
    this.#stopWatch();
    this.#leader.stop();
  }

  /** The room is forgotten here. */
  close(): void {
    this.stop();
    this.#news.close();
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

  async #drain(signal: AbortSignal): Promise<void> {
    const { outbox } = this;
    await outbox.reload();
    const next = async (abort: AbortSignal): Promise<Letter | undefined> => {
      await when(outbox.letters, (letters) => letters.some(isWaiting), abort);
      return outbox.next;
    };
    const { clock } = this.#parts;
    await drain({ outbox, transport: this.#transport, clock, random: Math.random, next }, signal);
  }

  #watch(): void {
    const before = this.outbox.next?.cid;
    this.#stopWatch();
    this.#stopWatch = this.#parts.clock.after(STUCK_MS, () => {
      const stuck = before !== undefined && this.outbox.next?.cid === before;
      const able = this.#parts.connection.link.peek().state === 'live';
      if (stuck && able && document.visibilityState === 'visible') this.#leader.steal();
      this.#watch();
    });
  }
}

/** Tells between tabs, and parts of this one, in which room the letters in the store have changed. */
export class MailNews {
  readonly #channel = new BroadcastChannel('oneport.outbox');

  constructor(changed: (room: string) => void = () => {}) {
    this.#channel.onmessage = ({ data }) => typeof data === 'string' && changed(data);
  }

  tell(room: string): void {
    this.#channel.postMessage(room);
  }

  close(): void {
    this.#channel.close();
  }
}

/** Who holds it sends this person's letters in this room. */
export function lockName(user: string, room: string): string {
  return `oneport.outbox ${user} ${room}`;
}

/** 128 random bits. (`crypto.randomUUID` does not exist on pages over plain http.) */
export function newCid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
