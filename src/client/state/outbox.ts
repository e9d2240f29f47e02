/**
 * What one person has said in one room and the log has not confirmed. What must stay true:
 * 1. A letter is in the store before it is shown as waiting and before it is sent; it leaves it only when it is in
 *    the log, or by its writer's hand.
 * 2. The order is that of the store (`seq`), which all tabs share; `next` is always read from there.
 * 3. A cid, once used, is used for the same text only.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Posting, Problem } from '../../protocol.js';
import type { Clock } from './clock.js';

/** A posting as it is asked for, without its cid: what the outbox gives one to. */
export type Wish = WithoutCid<Posting>;
type WithoutCid<T> = T extends unknown ? Omit<T, 'cid'> : never;

export interface Draft {
  /** id of the writer: nobody else's page sends it */
  readonly user: string;
  readonly room: string;
  readonly cid: string;
  readonly posting: Wish;
  readonly at: number;
}
export interface Letter extends Draft {
  /** the place in the order, given by the store; undefined until it is kept */
  readonly seq?: number | undefined;
  /** why it was refused; undefined while it waits */
  readonly problem?: Problem | undefined;
  /** not kept by the browser yet, and so not on its way */
  readonly saving?: true | undefined;
}

/** Where letters outlive the tab. Each call is one transaction; what one tab wrote, the next call of any tab reads. */
export interface OutboxStore {
  /** Puts it at the end of the order, in place of `instead` (a cid) if given. Resolves when it is on disk. */
  add(draft: Draft, instead?: string): Promise<void>;
  /** All letters of a person, in order. */
  all(user: string): Promise<readonly Letter[]>;
  /** Notes why it was refused; nothing if it is gone. */
  refuse(cid: string, problem: Problem): Promise<void>;
  remove(cid: string): Promise<void>;
}

export interface OutboxParts {
  readonly store: OutboxStore;
  readonly user: string;
  readonly room: string;
  readonly newCid: () => string;
  readonly clock: Clock;
  /** The store has changed: the other tabs want to know. */
  readonly changed: () => void;
}

/** A store that takes longer than this is not waited for before the letter is shown. */
const LATE_MS = 300;

const NOT_KEPT: Problem = {
  code: 'storage',
  message: 'This browser could not keep the message, so it was not sent.',
};

export class Outbox {
  readonly #parts: OutboxParts;
  readonly #letters = signal<readonly Letter[]>([]);
  #kept: readonly Letter[] = [];
  /** written here, not (yet) in the store; `shown` when that takes long, or failed */
  #fresh: readonly (Letter & { readonly shown?: true })[] = [];
  /** in the log, or dropped: not shown again, whatever a slow read of the store still says */
  readonly #settled = new Set<string>();
  #reads = 0;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Waiting and refused ones, in order. */
  get letters(): ReadonlySignal<readonly Letter[]> {
    return this.#letters;
  }

  get next(): Letter | undefined {
    return this.#letters.peek().find(isWaiting);
  }

  /** Says something. When this resolves it is kept, or shown as not kept. */
  async post(posting: Wish): Promise<void> {
    const { user, room, newCid, clock } = this.#parts;
    await this.#keep({ user, room, cid: newCid(), posting, at: clock.now() });
  }

  /** It is in the log. */
  async settle(cid: string): Promise<void> {
    if (this.#settled.has(cid)) return;
    this.#settled.add(cid);
    if (this.#find(cid)) await this.drop(cid);
  }

  async refuse(cid: string, problem: Problem): Promise<void> {
    this.#kept = this.#kept.map((letter) => (letter.cid === cid ? { ...letter, problem } : letter));
    this.#show();
    await this.#tell(() => this.#parts.store.refuse(cid, problem));
  }

  /** Sends a refused one again, as the last. Its cid stands for another text if that was the reason: a new one. */
  async again(cid: string): Promise<void> {
    const letter = this.#find(cid);
    if (!letter?.problem) return;
    const { user, room, posting } = letter;
    const next = letter.problem.code === 'cid_conflict' ? this.#parts.newCid() : cid;
    await this.#keep({ user, room, cid: next, posting, at: this.#parts.clock.now() }, cid);
  }

  async drop(cid: string): Promise<void> {
    this.#settled.add(cid);
    this.#fresh = this.#fresh.filter((letter) => letter.cid !== cid);
    this.#show();
    await this.#tell(() => this.#parts.store.remove(cid));
  }

  /** Reads the store again. Of several reads at once the one that began last counts: it knows the most. */
  async reload(): Promise<void> {
    const read = ++this.#reads;
    const all = await this.#parts.store.all(this.#parts.user);
    if (read !== this.#reads) return;
    this.#kept = all.filter(({ room }) => room === this.#parts.room);
    this.#fresh = this.#fresh.filter(({ cid }) => !this.#kept.some((letter) => letter.cid === cid));
    this.#show();
    // The echo can be quicker than the first look into the store.
    for (const { cid } of this.#kept.filter((letter) => this.#settled.has(letter.cid))) await this.drop(cid);
  }

  async #keep(draft: Draft, instead?: string): Promise<void> {
    this.#fresh = [...this.#fresh.filter(({ cid }) => cid !== instead), draft];
    this.#kept = this.#kept.filter(({ cid }) => cid !== instead);
    this.#show();
    const intime = this.#parts.clock.after(LATE_MS, () => this.#showFresh({ ...draft, shown: true }));
    try {
      await this.#parts.store.add(draft, instead);
      await this.reload();
      this.#parts.changed();
    } catch {
      this.#showFresh({ ...draft, shown: true, problem: NOT_KEPT });
    } finally {
      intime();
    }
  }

  #showFresh(letter: Letter & { readonly shown: true }): void {
    this.#fresh = this.#fresh.map((one) => (one.cid === letter.cid ? letter : one));
    this.#show();
  }

  /**
   * Writes down what this tab already acts upon. A store that fails now costs nothing: the letter is sent again
   * when the page is opened next, and the server knows its cid.
   */
  async #tell(write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.#parts.changed();
    } catch {}
  }

  #find(cid: string): Letter | undefined {
    return this.#letters.peek().find((letter) => letter.cid === cid);
  }

  #show(): void {
    const all = [...this.#kept, ...this.#fresh.filter(({ shown }) => shown)];
    this.#letters.value = all.filter(({ cid }) => !this.#settled.has(cid));
  }
}

/** It may be sent: kept, and not refused. */
export function isWaiting(letter: Letter): boolean {
  return letter.seq !== undefined && letter.problem === undefined;
}

/** A store for browsers that have none (and for tests): it lives as long as the tab. */
export function memoryStore(): OutboxStore {
  let letters: readonly Letter[] = [];
  let seq = 0;
  const without = (cid: string | undefined) => letters.filter((letter) => letter.cid !== cid);
  return {
    add: async (draft, instead) => {
      letters = [...without(instead), { ...draft, seq: ++seq }];
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
