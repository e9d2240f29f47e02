/** What was said, or asked for, and is not in the log yet, and the contract of where it is kept. */

import { type ReadonlySignal, signal } from '@preact/signals';
import type { PostCommand, Problem } from '../../shared/protocol.js';
import { type Clock, withTimeout } from '../clock.js';

/** A posting as it is asked for: the outbox gives it its cid. */
export type NewCommand = WithoutCid<PostCommand>;
type WithoutCid<T> = T extends unknown ? Omit<T, 'cid'> : never;

export interface UnsavedMessage {
  /** id of the writer: nobody else's page sends it */
  readonly user: string;
  readonly room: string;
  readonly cid: string;
  readonly posting: NewCommand;
  readonly at: number;
}
export interface PendingMessage extends UnsavedMessage {
  /** the place in the order, given by the store; undefined until it is kept */
  readonly seq?: number | undefined;
  /** why it was refused; undefined while it waits */
  readonly problem?: Problem | undefined;
  /** the store did not take it: it is sent, but gone when this tab is closed before */
  readonly unpersisted?: true | undefined;
}

/** How it is with a letter, for who wrote it. */
export function deliveryStateOf({
  problem,
  unpersisted: unkept,
  seq,
}: PendingMessage): 'refused' | 'unkept' | 'saving' | 'waiting' {
  if (problem) return 'refused';
  if (unkept) return 'unkept';
  return seq === undefined ? 'saving' : 'waiting';
}

/** It may be sent: not refused, and kept, or given up by the store. */
export function isSendable({ seq, unpersisted: unkept, problem }: PendingMessage): boolean {
  return (seq !== undefined || unkept === true) && problem === undefined;
}

/** Where letters outlive the tab. Each call is one transaction; what one tab wrote, the next call of any tab reads. */
export interface OutboxStore {
  /** Puts it at the end of the order, in place of `instead` (a cid) if given. Resolves with its `seq` when it is on disk. */
  add(unsent: UnsavedMessage, instead?: string): Promise<number>;
  /** All letters of a person, in order. */
  all(user: string): Promise<readonly PendingMessage[]>;
  /** Notes why it was refused; nothing if it is gone. */
  refuse(cid: string, problem: Problem): Promise<void>;
  remove(cid: string): Promise<void>;
}

/**
 * What one person has asked for in one room (to say, edit, delete, react) and the log has not confirmed. What must
 * stay true:
 * 1. A letter is shown as waiting only when it is in the store; it leaves it only when it is in the log, or by its
 *    writer's hand. Before that it is shown as being saved, and not sent.
 * 2. What the store does not take (it fails, or does not answer) is shown as not kept, and sent from this tab all the
 *    same. It is offered to the store again with the next letter, under the same cid.
 * 3. The order is that of the store (`seq`), which all tabs share; what is not in it comes after, as it was said.
 *    A tab puts its letters there one by one, so none is kept, or sent, before one that was said earlier.
 * 4. A cid, once used, is used for the same text only.
 */

/** Said here, and not read back from the store yet. */
interface LocalMessage extends PendingMessage {
  readonly replaces?: string | undefined;
  /** the store takes its time */
  readonly isShown?: true;
}

export interface OutboxDeps {
  readonly store: OutboxStore;
  readonly user: string;
  readonly room: string;
  readonly newCid: () => string;
  readonly clock: Clock;
  /** The store has changed: the other tabs want to know. */
  readonly onChanged: () => void;
  /** A letter is not kept: no other tab can see it, so this one has to send. */
  readonly onUnpersisted: () => void;
}

/** A store that takes longer than this is not waited for before the letter is shown. */
const showUnsavedAfterMs = 300;
/** A store that does not answer for so long is given up for now. */
export const storeTimeoutMs = 3_000;

export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #messages = signal<readonly PendingMessage[]>([]);
  #saved: readonly PendingMessage[] = [];
  #local: readonly LocalMessage[] = [];
  /** in the log, or dropped: not shown again, whatever a slow read of the store still says */
  readonly #settled = new Set<string>();
  #reads = 0;
  /** the store let us down, and has not taken a letter since */
  #storeFailing = false;
  /** the letters on their way into the store */
  #writeQueue = Promise.resolve();

  constructor(parts: OutboxDeps) {
    this.#deps = parts;
  }

  /** Waiting and refused ones, in order. */
  get messages(): ReadonlySignal<readonly PendingMessage[]> {
    return this.#messages;
  }

  get next(): PendingMessage | undefined {
    return this.#messages.peek().find(isSendable);
  }

  /** Asks for something. Resolves when it is kept, or the store has refused it. */
  async add(posting: NewCommand): Promise<void> {
    const { user, room, newCid, clock } = this.#deps;
    await this.#enqueue({ user, room, cid: newCid(), posting, at: clock.now() });
  }

  /** It is in the log. */
  async settle(cid: string): Promise<void> {
    if (this.#settled.has(cid)) return;
    this.#settled.add(cid);
    if (this.#find(cid)) await this.discard(cid);
  }

  async refuse(cid: string, problem: Problem): Promise<void> {
    this.#saved = updateMessage(this.#saved, cid, { problem });
    this.#local = updateMessage(this.#local, cid, { problem });
    this.#publish();
    await this.#persist(() => this.#deps.store.refuse(cid, problem));
  }

  /** Sends a refused one again, as the last. Its cid stands for another text if that was the reason: a new one. */
  async retry(cid: string): Promise<void> {
    const letter = this.#find(cid);
    if (!letter?.problem) return;
    const { user, room, posting } = letter;
    const next = letter.problem.code === 'cid_conflict' ? this.#deps.newCid() : cid;
    await this.#enqueue({ user, room, cid: next, posting, at: this.#deps.clock.now() }, cid);
  }

  async discard(cid: string): Promise<void> {
    this.#settled.add(cid);
    this.#local = this.#local.filter((letter) => letter.cid !== cid);
    this.#publish();
    await this.#persist(() => this.#deps.store.remove(cid));
  }

  /** Reads the store again. One that does not answer is not waited for: what was read before stands. */
  reload(): Promise<void> {
    return withTimeout(this.#deps.clock, storeTimeoutMs, this.#load());
  }

  /** Of several reads at once the one that began last counts: it knows the most. */
  async #load(): Promise<void> {
    const read = ++this.#reads;
    const written = this.#local.filter(({ seq }) => seq !== undefined);
    const all = await this.#deps.store.all(this.#deps.user);
    if (read !== this.#reads) return;
    const replaced = this.#local
      .filter(({ seq }) => seq === undefined)
      .map(({ replaces: instead }) => instead);
    this.#saved = all.filter(({ room, cid }) => room === this.#deps.room && !replaced.includes(cid));
    const known = new Set([...this.#saved, ...written].map(({ cid }) => cid));
    this.#local = this.#local.filter(({ cid }) => !known.has(cid));
    this.#publish();
    // The echo can be quicker than the first look into the store.
    for (const { cid } of this.#saved.filter((letter) => this.#settled.has(letter.cid)))
      await this.discard(cid);
  }

  async #enqueue(unsent: UnsavedMessage, instead?: string): Promise<void> {
    const { cid } = unsent;
    this.#saved = this.#saved.filter((letter) => letter.cid !== instead);
    this.#local = [
      ...this.#local.filter((letter) => letter.cid !== instead),
      { ...unsent, replaces: instead },
    ];
    this.#publish();
    const { clock } = this.#deps;
    const late = clock.after(showUnsavedAfterMs, () => this.#update(cid, { isShown: true }));
    const lost = clock.after(
      storeTimeoutMs,
      () => this.#firstUnsaved((letter) => letter.cid === cid) && this.#onStoreFailure(),
    );
    this.#writeQueue = this.#writeQueue.then(() => this.#saveAll());
    await this.#writeQueue;
    late();
    lost();
  }

  /** Puts what is not in the store there, the oldest first. One that it does not take holds back the later ones. */
  async #saveAll(): Promise<void> {
    try {
      for (let letter = this.#firstUnsaved(); letter; letter = this.#firstUnsaved()) await this.#save(letter);
    } catch {
      this.#onStoreFailure();
    }
  }

  async #save({ user, room, cid, posting, at, replaces: instead }: LocalMessage): Promise<void> {
    const seq = await this.#deps.store.add({ user, room, cid, posting, at }, instead);
    this.#storeFailing = false;
    this.#update(cid, { seq });
    this.#deps.onChanged();
    await this.reload();
  }

  #firstUnsaved(which: (letter: LocalMessage) => boolean = () => true): LocalMessage | undefined {
    return this.#local.find((letter) => letter.seq === undefined && !letter.problem && which(letter));
  }

  #onStoreFailure(): void {
    this.#storeFailing = true;
    this.#publish();
    if (this.#firstUnsaved()) this.#deps.onUnpersisted();
  }

  #update(cid: string, news: Partial<LocalMessage>): void {
    this.#local = updateMessage(this.#local, cid, news);
    this.#publish();
  }

  /**
   * Writes down what this tab already acts upon. A store that fails now costs nothing: the letter is sent again
   * when the page is opened next, and the server knows its cid.
   */
  #persist(write: () => Promise<void>): Promise<void> {
    return withTimeout(this.#deps.clock, storeTimeoutMs, write().then(this.#deps.onChanged));
  }

  #find(cid: string): PendingMessage | undefined {
    return this.#messages.peek().find((letter) => letter.cid === cid);
  }

  #publish(): void {
    const fresh = this.#local
      .map((one) =>
        this.#storeFailing && one.seq === undefined ? { ...one, unpersisted: true as const } : one,
      )
      .filter(
        ({ isShown: shown, unpersisted: unkept, seq, problem }) =>
          shown || unkept || problem || seq !== undefined,
      );
    const all = [...this.#saved, ...fresh].sort((a, b) => orderOf(a) - orderOf(b));
    this.#messages.value = all.filter(({ cid }) => !this.#settled.has(cid));
  }
}

function orderOf({ seq }: PendingMessage): number {
  return seq ?? Number.MAX_SAFE_INTEGER;
}

function updateMessage<T extends PendingMessage>(
  letters: readonly T[],
  cid: string,
  news: Partial<T>,
): readonly T[] {
  return letters.map((letter) => (letter.cid === cid ? { ...letter, ...news } : letter));
}
