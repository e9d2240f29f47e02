/**
 * Pending messages and changes of one user in one room, which all tabs share.
 *
 * Invariants:
 * 1. A message is shown as waiting only once the store has it. Before that it is shown as saving and is not
 * sent.
 * 2. A message that the store does not accept is marked `unpersisted` and sent from this tab. Each later
 * write offers it to the store again, under the same cid.
 * 3. The order is that of `seq`, which all tabs share. Messages without `seq` follow in the order of writing.
 * Each tab writes one at a time, so no message is stored or sent before an earlier one.
 * 4. A cid is never reused for another text.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { type Clock, withTimeout } from '../../connect/clock.js';
import type { NewCommand, Outbox, OutboxStore, StoredMessage, UnsavedMessage } from '../../connect/outbox.js';
import type { Problem } from '../../shared/protocol.js';

export interface PendingMessage extends UnsavedMessage, Partial<Pick<StoredMessage, 'seq' | 'problem'>> {
  /** the store failed: the message is lost if this tab closes before it is sent */
  readonly unpersisted?: true | undefined;
  /** `heldUntil` has not come yet */
  readonly isHeld?: true | undefined;
}

/** True unless it was rejected, is held back or still being saved. */
export function isSendable({ seq, unpersisted, problem, isHeld }: PendingMessage): boolean {
  return (seq !== undefined || unpersisted === true) && problem === undefined && !isHeld;
}

/** Written here and not read back from the store yet. */
interface LocalMessage extends PendingMessage {
  readonly replaces?: string | undefined;
  /** saving takes longer than `showUnsavedAfterMs` */
  readonly isShown?: true;
}

export interface OutboxDeps {
  readonly store: OutboxStore;
  readonly user: string;
  readonly room: string;
  readonly newCid: () => string;
  readonly clock: Clock;
  /** The store changed; notifies other tabs. */
  readonly onChanged: () => void;
  /** A message is only in this tab, so this tab must send it. */
  readonly onUnpersisted: () => void;
}

export interface AddOptions {
  /** default: a new one */
  readonly cid?: string;
  /** does not send it earlier */
  readonly holdMs?: number;
  /** cid of a message that is removed in the same step */
  readonly replaces?: string;
}

const showUnsavedAfterMs = 300;
/** The store counts as failed after this time. */
export const storeTimeoutMs = 3_000;

export class SharedOutbox implements Outbox {
  readonly #deps: OutboxDeps;
  readonly #messages = signal<readonly PendingMessage[]>([]);
  /** Waiting and rejected ones, in order. */
  readonly messages: ReadonlySignal<readonly PendingMessage[]> = this.#messages;
  #saved: readonly PendingMessage[] = [];
  #local: readonly LocalMessage[] = [];
  /** cids that are in the log or discarded; a slow read must not bring them back */
  readonly #settled = new Set<string>();
  #reads = 0;
  /** the store failed and has not accepted a message since */
  #storeFailing = false;
  #writeQueue = Promise.resolve();
  #cancelHold = () => {};

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  get next(): PendingMessage | undefined {
    return this.#messages.peek().find(isSendable);
  }

  /** Resolves when the message is stored, or when the store has failed. */
  async add(posting: NewCommand, options: AddOptions = {}): Promise<void> {
    const { user, room, newCid, clock } = this.#deps;
    const { cid = newCid(), holdMs, replaces } = options;
    const at = clock.now();
    const hold = holdMs === undefined ? {} : { heldUntil: at + holdMs };
    this.#saved = this.#saved.filter((message) => message.cid !== replaces);
    const others = this.#local.filter((message) => message.cid !== replaces);
    this.#local = [...others, { user, room, cid, posting, at, ...hold, replaces }];
    this.#publish();
    const cancelShow = clock.after(showUnsavedAfterMs, () => this.#update(cid, { isShown: true }));
    const cancelTimeout = clock.after(
      storeTimeoutMs,
      () => this.#unsaved.some((message) => message.cid === cid) && this.#onStoreFailure(),
    );
    this.#writeQueue = this.#writeQueue.then(() => this.#saveAll());
    await this.#writeQueue;
    cancelShow();
    cancelTimeout();
  }

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

  async discard(cid: string): Promise<void> {
    this.#settled.add(cid);
    this.#local = this.#local.filter((message) => message.cid !== cid);
    this.#publish();
    await this.#persist(() => this.#deps.store.remove(cid));
  }

  /** Reads the store again, for at most `storeTimeoutMs`. */
  reload(): Promise<void> {
    return withTimeout(this.#deps.clock, storeTimeoutMs, this.#load());
  }

  /** The read that started last wins. */
  async #load(): Promise<void> {
    const request = ++this.#reads;
    const saved = this.#local.filter(({ seq }) => seq !== undefined);
    const all = await this.#deps.store.all(this.#deps.user);
    if (request !== this.#reads) return;
    const replaced = this.#local.filter(({ seq }) => seq === undefined).map(({ replaces }) => replaces);
    this.#saved = all.filter(({ room, cid }) => room === this.#deps.room && !replaced.includes(cid));
    const known = new Set([...this.#saved, ...saved].map(({ cid }) => cid));
    this.#local = this.#local.filter(({ cid }) => !known.has(cid));
    this.#publish();
    // The echo can arrive before the first read of the store.
    for (const { cid } of this.#saved.filter((message) => this.#settled.has(message.cid)))
      await this.discard(cid);
  }

  /** Writes unsaved messages, oldest first. A failure stops the later ones. */
  async #saveAll(): Promise<void> {
    try {
      for (let [next] = this.#unsaved; next; [next] = this.#unsaved) await this.#save(next);
    } catch {
      this.#onStoreFailure();
    }
  }

  async #save({ replaces, isShown: _, ...message }: LocalMessage): Promise<void> {
    const { cid } = message;
    const seq = await this.#deps.store.add(message, replaces);
    this.#storeFailing = false;
    this.#update(cid, { seq });
    this.#deps.onChanged();
    await this.reload();
  }

  get #unsaved(): readonly LocalMessage[] {
    return this.#local.filter(({ seq, problem }) => seq === undefined && !problem);
  }

  #onStoreFailure(): void {
    this.#storeFailing = true;
    this.#publish();
    if (this.#unsaved.length > 0) this.#deps.onUnpersisted();
  }

  #update(cid: string, change: Partial<LocalMessage>): void {
    this.#local = updateMessage(this.#local, cid, change);
    this.#publish();
  }

  /**
   * Records what this tab has already acted on. A failure is harmless: the message is sent again later, and
   * the server knows its cid.
   */
  #persist(write: () => Promise<void>): Promise<void> {
    return withTimeout(this.#deps.clock, storeTimeoutMs, write().then(this.#deps.onChanged));
  }

  #find(cid: string): PendingMessage | undefined {
    return this.#messages.peek().find((message) => message.cid === cid);
  }

  #publish(): void {
    const local = this.#local
      .map((message) =>
        this.#storeFailing && message.seq === undefined
          ? { ...message, unpersisted: true as const }
          : message,
      )
      .filter(
        ({ isShown, unpersisted, seq, problem }) => isShown || unpersisted || problem || seq !== undefined,
      );
    const all = [...this.#saved, ...local]
      .filter(({ cid }) => !this.#settled.has(cid))
      .sort((a, b) => orderOf(a) - orderOf(b));
    this.#messages.value = this.#withHolds(all);
  }

  /** Marks what is held back, and publishes again when the first of it is due. */
  #withHolds(messages: readonly PendingMessage[]): readonly PendingMessage[] {
    const { clock } = this.#deps;
    const waitMs = messages.map(({ heldUntil = 0 }) => heldUntil - clock.now()).filter((ms) => ms > 0);
    this.#cancelHold();
    if (waitMs.length === 0) return messages;
    this.#cancelHold = clock.after(Math.min(...waitMs), () => this.#publish());
    return messages.map((message) =>
      (message.heldUntil ?? 0) > clock.now() ? { ...message, isHeld: true } : message,
    );
  }
}

function orderOf({ seq }: PendingMessage): number {
  return seq ?? Number.MAX_SAFE_INTEGER;
}

function updateMessage<T extends PendingMessage>(
  messages: readonly T[],
  cid: string,
  change: Partial<T>,
): readonly T[] {
  return messages.map((message) => (message.cid === cid ? { ...message, ...change } : message));
}

export type DeliveryState = 'rejected' | 'unpersisted' | 'saving' | 'waiting';

export function deliveryStateOf({ problem, unpersisted, seq }: PendingMessage): DeliveryState {
  if (problem) return 'rejected';
  if (unpersisted) return 'unpersisted';
  return seq === undefined ? 'saving' : 'waiting';
}

/** Sends a rejected message again, as the last one, and without a reply if its target is gone. */
export async function retry(outbox: SharedOutbox, cid: string): Promise<void> {
  const message = outbox.messages.peek().find((pending) => pending.cid === cid);
  if (!message?.problem) return;
  const { posting } = message;
  const changed = lostReply(message) ? { type: 'chat' as const, data: message.posting.data } : posting;
  const isNew = message.problem.code === 'cid_conflict' || changed !== posting;
  await outbox.add(changed, { replaces: cid, ...(isNew ? {} : { cid }) });
}

type LostReply = PendingMessage & { readonly posting: { readonly type: 'chat' } };

/** A reply that was rejected because the message that it answers is deleted. */
export function lostReply(message: PendingMessage): message is LostReply {
  const { posting, problem } = message;
  const isGone = problem?.code === 'deleted' || problem?.code === 'no_message';
  return posting.type === 'chat' && posting.reply !== undefined && isGone;
}
