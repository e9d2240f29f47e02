/**
 * Pending messages and changes of one user in one room, which all tabs share: the outbox of connect/outbox.ts, over a store
 * that may fail.
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
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type Clock, withTimeout } from '../../connect/clock.js';
import {
  type NewCommand,
  newCid,
  Outbox,
  type OutboxStore,
  type StoredMessage,
  type UnsavedMessage,
} from '../../connect/outbox.js';
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

export interface OutboxDeps {
  readonly store: OutboxStore;
  readonly user: string;
  readonly room: string;
  readonly clock: Clock;
  /** The store changed; notifies other tabs. */
  readonly onChanged: () => void;
  /** A message is only in this tab, so this tab must send it. */
  readonly onUnpersisted: () => void;
}

const showUnsavedAfterMs = 300;
/** The store counts as failed after this time. */
export const storeTimeoutMs = 3_000;

export class SharedOutbox {
  /** What is sent. */
  readonly outbox: Outbox;
  /** What is shown: waiting and rejected ones, and those that are being saved, in order. */
  readonly messages: ReadonlySignal<readonly PendingMessage[]>;
  readonly #deps: OutboxDeps;
  readonly #store: TabStore;
  readonly #stored: Signal<readonly StoredMessage[]> = signal([]);
  #cancelHold = () => {};

  constructor(deps: OutboxDeps) {
    const { user, room, clock } = deps;
    this.#deps = deps;
    this.#store = new TabStore(deps, (cid, seq) => this.#onSaved(cid, seq));
    this.outbox = new Outbox(this.#store, { user, room }, clock, this.#stored);
    this.messages = computed(() => this.#view());
    this.#stored.subscribe((messages) => this.#scheduleHeld(messages));
  }

  /** Resolves when the message is stored, or when the store has failed. */
  async add(
    posting: NewCommand,
    { cid = newCid(), holdMs, replaces }: { cid?: string; holdMs?: number; replaces?: string } = {},
  ): Promise<void> {
    const heldUntil = holdMs === undefined ? undefined : this.#deps.clock.now() + holdMs;
    await this.outbox.add(posting, cid, { replaces, heldUntil });
  }

  /** Does nothing for a cid that is not here, unless a slow read of the store brings it. */
  async settle(cid: string): Promise<void> {
    const isKnown = this.messages.peek().some((message) => message.cid === cid);
    this.#store.settled.add(cid);
    if (isKnown) await this.discard(cid);
  }

  async discard(cid: string): Promise<void> {
    const isStored = this.#stored.peek().some((message) => message.cid === cid);
    await (isStored ? this.outbox.settle(cid) : this.#store.remove(cid));
  }

  /** Reads the store again, for at most `storeTimeoutMs`. */
  reload(): Promise<void> {
    return withTimeout(this.#deps.clock, storeTimeoutMs, this.outbox.load());
  }

  /** Whether a new message has no number yet. It may be too new for `messages`. */
  get hasUnnumbered(): boolean {
    return [...this.#stored.peek(), ...this.#store.local.peek()].some(
      ({ cid, posting, problem }) => posting.type === 'chat' && !problem && !this.#store.settled.has(cid),
    );
  }

  /** The store has a message of this tab, maybe late. Reading it may fail, and then it must not stay behind newer ones. */
  #onSaved(cid: string, seq: number): Promise<void> {
    const stored = this.#stored.peek();
    if (stored.some((message) => message.cid === cid && message.seq === unsavedSeq))
      this.#stored.value = stored
        .map((message) => (message.cid === cid ? { ...message, seq } : message))
        .sort((a, b) => a.seq - b.seq);
    return this.reload();
  }

  #view(): readonly PendingMessage[] {
    const stored = this.#stored.value;
    const known = new Set(stored.map(({ cid }) => cid));
    const saving = this.#store.local.value.filter(({ isShown, cid }) => isShown && !known.has(cid));
    return [...stored, ...saving]
      .filter(({ cid }) => !this.#store.settled.has(cid))
      .map((message) => this.#withState(message));
  }

  #withState(message: StoredMessage | LocalMessage): PendingMessage {
    const isUnsaved = 'seq' in message && message.seq === unsavedSeq;
    const isHeld = (message.heldUntil ?? 0) > this.#deps.clock.now();
    if (!isUnsaved && !isHeld) return message;
    return {
      ...message,
      ...(isUnsaved && { unpersisted: true as const }),
      ...(isHeld && { isHeld: true as const }),
    };
  }

  /** Publishes the messages again when the first that is held back is due. */
  #scheduleHeld(messages: readonly StoredMessage[]): void {
    const { clock } = this.#deps;
    const waitMs = messages.map(({ heldUntil = 0 }) => heldUntil - clock.now()).filter((ms) => ms > 0);
    this.#cancelHold();
    if (waitMs.length === 0) return;
    this.#cancelHold = clock.after(Math.min(...waitMs), () => {
      this.#stored.value = [...this.#stored.peek()];
    });
  }
}

/** Of a message that is only in this tab. It follows all others. */
const unsavedSeq = Number.MAX_SAFE_INTEGER;

/** Written here, and not read back from the store yet. */
interface LocalMessage extends UnsavedMessage {
  readonly replaces: string | undefined;
  readonly onSaved: (seq: number) => void;
  readonly problem?: Problem;
  readonly isSaved?: true;
  /** saving takes longer than `showUnsavedAfterMs` */
  readonly isShown?: true;
  /** it is sent although the store does not have it */
  readonly isReleased?: true;
}

/** A store that takes every message: what the store below does not take in time stays in this tab. */
class TabStore implements OutboxStore {
  /** In the order of writing. */
  readonly local: Signal<readonly LocalMessage[]> = signal([]);
  /** cids that are in the log or discarded; a slow read must not bring them back */
  readonly settled = new Set<string>();
  readonly #deps: OutboxDeps;
  readonly #onSaved: (cid: string, seq: number) => Promise<void>;
  /** the store failed and has not accepted a message since */
  #isFailing = false;
  #writeQueue = Promise.resolve();

  constructor(deps: OutboxDeps, onSaved: (cid: string, seq: number) => Promise<void>) {
    this.#deps = deps;
    this.#onSaved = onSaved;
  }

  /** Resolves with `unsavedSeq` when the store fails, or takes longer than `storeTimeoutMs`. */
  async add(message: UnsavedMessage, replaces?: string): Promise<number> {
    const { clock, onUnpersisted } = this.#deps;
    const { cid } = message;
    let seq = unsavedSeq;
    const onSaved = (saved: number) => {
      seq = saved;
    };
    const others = this.local.peek().filter((other) => other.cid !== replaces);
    this.local.value = [...others, { ...message, replaces, onSaved }];
    const cancelShow = clock.after(showUnsavedAfterMs, () => this.#update(cid, { isShown: true }));
    this.#writeQueue = this.#writeQueue.then(() => this.#saveAll());
    if (!this.#isFailing) await withTimeout(clock, storeTimeoutMs, this.#writeQueue);
    cancelShow();
    if (seq === unsavedSeq) {
      this.#isFailing = true;
      this.#update(cid, { isReleased: true });
      onUnpersisted();
    }
    return seq;
  }

  async all(user: string): Promise<readonly StoredMessage[]> {
    const all = await this.#deps.store.all(user);
    for (const { cid } of all) if (this.settled.has(cid)) void this.remove(cid);
    const unsaved = this.local.peek().filter(({ isSaved }) => !isSaved);
    const replaced = new Set(unsaved.map(({ replaces }) => replaces));
    const stored = all.filter(({ cid }) => !this.settled.has(cid) && !replaced.has(cid));
    const released = unsaved.filter(({ isReleased }) => isReleased);
    return [...stored, ...released.map((message) => ({ ...message, seq: unsavedSeq }))];
  }

  async refuse(cid: string, problem: Problem): Promise<void> {
    this.#update(cid, { problem });
    await this.#persist(() => this.#deps.store.refuse(cid, problem));
  }

  async remove(cid: string): Promise<void> {
    this.settled.add(cid);
    this.local.value = this.local.peek().filter((message) => message.cid !== cid);
    await this.#persist(() => this.#deps.store.remove(cid));
  }

  /** Writes unsaved messages, oldest first. A failure stops the later ones. */
  async #saveAll(): Promise<void> {
    const next = () => this.local.peek().find(({ isSaved, problem }) => !isSaved && !problem);
    try {
      for (let message = next(); message; message = next()) await this.#save(message);
    } catch {
      // Each of them resolves with `unsavedSeq`, and the next write tries again.
    }
  }

  async #save({ replaces, onSaved, isShown: _, isReleased: __, ...message }: LocalMessage): Promise<void> {
    const { cid } = message;
    const seq = await this.#deps.store.add(message, replaces);
    onSaved(seq);
    this.#isFailing = false;
    this.#update(cid, { isSaved: true });
    this.#deps.onChanged();
    await this.#onSaved(cid, seq);
    this.local.value = this.local.peek().filter((other) => other.cid !== cid || !other.isSaved);
  }

  #update(cid: string, change: Partial<LocalMessage>): void {
    this.local.value = this.local
      .peek()
      .map((message) => (message.cid === cid ? { ...message, ...change } : message));
  }

  /**
   * Records what this tab has already acted on. A failure is harmless: the message is sent again later, and
   * the server knows its cid.
   */
  #persist(write: () => Promise<void>): Promise<void> {
    return withTimeout(this.#deps.clock, storeTimeoutMs, write().then(this.#deps.onChanged));
  }
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
