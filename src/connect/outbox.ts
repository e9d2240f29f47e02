/**
 * Pending messages and changes of one user in one room, and the loop that sends them.
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

import type { PostCommand, Problem } from '../shared/protocol.js';
import {
  backoffMs,
  type Clock,
  type CreateObservable,
  type Observable,
  sleep,
  untilValue,
  type Writable,
  withTimeout,
} from './clock.js';
import type { Connection } from './connection.js';
import type { SendResult } from './transport.js';

export type NewCommand = WithoutCid<PostCommand>;
type WithoutCid<T> = T extends unknown ? Omit<T, 'cid'> : never;

export interface UnsavedMessage {
  /** user id; only this user's page sends it */
  readonly user: string;
  readonly room: string;
  readonly cid: string;
  readonly posting: NewCommand;
  readonly at: number;
  /** not sent before this time, so that the user can undo it */
  readonly heldUntil?: number | undefined;
}
export interface PendingMessage extends UnsavedMessage {
  /** position in the store; undefined until stored */
  readonly seq?: number | undefined;
  /** why the server rejected it */
  readonly problem?: Problem | undefined;
  /** the store failed: the message is lost if this tab closes before it is sent */
  readonly unpersisted?: true | undefined;
  /** `heldUntil` has not come yet */
  readonly isHeld?: true | undefined;
}

export type DeliveryState = 'rejected' | 'unpersisted' | 'saving' | 'waiting';

export function deliveryStateOf({ problem, unpersisted, seq }: PendingMessage): DeliveryState {
  if (problem) return 'rejected';
  if (unpersisted) return 'unpersisted';
  return seq === undefined ? 'saving' : 'waiting';
}

/** True unless it was rejected, is held back or still being saved. */
export function isSendable({ seq, unpersisted, problem, isHeld }: PendingMessage): boolean {
  return (seq !== undefined || unpersisted === true) && problem === undefined && !isHeld;
}

/** Persistent storage. Each call is one transaction and sees what any tab wrote before. */
export interface OutboxStore {
  /**
   * Appends a message; removes the one with the cid `replaces` first. Resolves with its `seq` once it is on
   * disk.
   */
  add(newMessage: UnsavedMessage, replaces?: string): Promise<number>;
  /** All messages of a user, in order. */
  all(user: string): Promise<readonly PendingMessage[]>;
  /** Marks a message as rejected; does nothing if it is gone. */
  refuse(cid: string, problem: Problem): Promise<void>;
  remove(cid: string): Promise<void>;
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
  readonly observable: CreateObservable;
  /** The store changed; notifies other tabs. */
  readonly onChanged: () => void;
  /** A message is only in this tab, so this tab must send it. */
  readonly onUnpersisted: () => void;
}

const showUnsavedAfterMs = 300;
/** The store counts as failed after this time. */
export const storeTimeoutMs = 3_000;

export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #messages: Writable<readonly PendingMessage[]>;
  /** Waiting and rejected ones, in order. */
  readonly messages: Observable<readonly PendingMessage[]>;
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
    this.#messages = deps.observable<readonly PendingMessage[]>([]);
    this.messages = this.#messages;
  }

  get next(): PendingMessage | undefined {
    return this.#messages.peek().find(isSendable);
  }

  /** Resolves when the message is stored, or when the store has failed. Sends it after `holdMs` at the earliest. */
  async add(posting: NewCommand, holdMs = 0, cid = this.#deps.newCid()): Promise<void> {
    const { user, room, clock } = this.#deps;
    const at = clock.now();
    const heldUntil = holdMs > 0 ? at + holdMs : undefined;
    await this.#enqueue({ user, room, cid, posting, at, ...(heldUntil && { heldUntil }) });
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

  /** Sends a rejected message again, as the last one, and without a reply if its target is gone. */
  async retry(cid: string): Promise<void> {
    const message = this.#find(cid);
    if (!message?.problem) return;
    const { user, room, problem } = message;
    const posting = lostReply(message)
      ? { type: 'chat' as const, data: message.posting.data }
      : message.posting;
    const next = problem.code === 'cid_conflict' || posting !== message.posting ? this.#deps.newCid() : cid;
    await this.#enqueue({ user, room, cid: next, posting, at: this.#deps.clock.now() }, cid);
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

  async #enqueue(newMessage: UnsavedMessage, replaces?: string): Promise<void> {
    const { cid } = newMessage;
    this.#settled.delete(cid);
    this.#saved = this.#saved.filter((message) => message.cid !== replaces);
    this.#local = [...this.#local.filter((message) => message.cid !== replaces), { ...newMessage, replaces }];
    this.#publish();
    const { clock } = this.#deps;
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

  /** Writes unsaved messages, oldest first. A failure stops the later ones. */
  async #saveAll(): Promise<void> {
    try {
      for (let [next] = this.#unsaved; next; [next] = this.#unsaved) await this.#save(next);
    } catch {
      this.#onStoreFailure();
    }
  }

  async #save({ user, room, cid, posting, at, heldUntil, replaces }: LocalMessage): Promise<void> {
    const message = { user, room, cid, posting, at, ...(heldUntil && { heldUntil }) };
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

type LostReply = PendingMessage & { readonly posting: { readonly type: 'chat' } };

/** A reply that was rejected because the message that it answers is deleted. */
export function lostReply(message: PendingMessage): message is LostReply {
  const { posting, problem } = message;
  const isGone = problem?.code === 'deleted' || problem?.code === 'no_message';
  return posting.type === 'chat' && posting.reply !== undefined && isGone;
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

/** A store for as long as the program runs. */
export function memoryStore(): OutboxStore {
  let messages: readonly PendingMessage[] = [];
  let seq = 0;
  const without = (cid: string | undefined) => messages.filter((message) => message.cid !== cid);
  return {
    add: async (message, replaces) => {
      messages = [...without(replaces), { ...message, seq: ++seq }];
      return seq;
    },
    all: async (user) => messages.filter((message) => message.user === user),
    refuse: async (cid, problem) => {
      messages = updateMessage(messages, cid, { problem });
    },
    remove: async (cid) => {
      messages = without(cid);
    },
  };
}

/**
 * The time in milliseconds and 80 random bits, in hex, as in UUIDv7: cids that begin with the time are cheap for the
 * server's index. (`crypto.randomUUID` does not exist on pages over plain http.)
 */
export function newCid(now = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  const random = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return now.toString(16).padStart(12, '0') + random;
}

/**
 * Sends one message at a time. The next one waits until the server has stored or rejected the previous one.
 * Order therefore survives lost connections, and even two tabs sending at once: each sends k+1 only after k
 * is settled, and the server stores a cid once.
 */

/** Both calls end early when the signal aborts. */
export interface Submitter {
  waitReady(signal: AbortSignal): Promise<void>;
  submit(message: PendingMessage, signal: AbortSignal): Promise<SendResult>;
}

export interface SendLoopDeps {
  readonly outbox: Outbox;
  readonly submitter: Submitter;
  readonly clock: Clock;
  readonly random: () => number;
  /** Resolves with the next message, or undefined when there are no more. */
  readonly next?: (signal: AbortSignal) => Promise<PendingMessage | undefined>;
  /** Called instead of keeping the message with its problem. */
  readonly onRefused?: (message: PendingMessage, problem: Problem) => void | Promise<void>;
}

/** Errors after which the same message is sent again, with the same cid. All others are final. */
const transientErrors: ReadonlySet<string> = new Set([
  'storage',
  'too_fast',
  'stopping',
  'signed_out',
  'internal',
]);
/** An `internal` error may be caused by the message itself, which must not block the others. */
const maxInternalTries = 5;
const retryDelayMs = 500;

export async function sendLoop(deps: SendLoopDeps, signal: AbortSignal): Promise<void> {
  const { outbox, next = (abort: AbortSignal) => nextSendable(outbox, abort) } = deps;
  while (!signal.aborted) {
    const message = await next(signal);
    if (!message || signal.aborted) return;
    await sendUntilSettled(deps, message, signal);
  }
}

async function nextSendable(outbox: Outbox, signal: AbortSignal): Promise<PendingMessage | undefined> {
  await untilValue(outbox.messages, (messages) => messages.some(isSendable), signal);
  return outbox.next;
}

async function sendUntilSettled(
  deps: SendLoopDeps,
  message: PendingMessage,
  signal: AbortSignal,
): Promise<void> {
  const { outbox, submitter, clock, random } = deps;
  const { onRefused = ({ cid }, problem) => outbox.refuse(cid, problem) } = deps;
  for (let tries = 0; !signal.aborted; tries++) {
    await submitter.waitReady(signal);
    if (signal.aborted || outbox.next?.cid !== message.cid) return;
    const result = await submitter.submit(message, signal);
    if (result.kind === 'settled') return outbox.settle(message.cid);
    if (result.kind === 'lost') continue;
    if (!isTransient(result.problem, tries)) return onRefused(message, result.problem);
    await sleep(clock, retryDelayMs + backoffMs(tries, random), signal);
  }
}

function isTransient({ code }: Problem, tries: number): boolean {
  return transientErrors.has(code) && (code !== 'internal' || tries < maxInternalTries);
}

/** After this time without an answer, the connection is probed and the message sent again. */
const answerTimeoutMs = 20_000;

export class ConnectionSubmitter implements Submitter {
  readonly #connection: Connection;
  readonly #clock: Clock;
  #inFlight: { readonly cid: string; readonly done: (result: SendResult) => void } | undefined;

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  waitReady(signal: AbortSignal): Promise<void> {
    return untilValue(this.#connection.state, ({ state }) => state === 'live', signal);
  }

  submit({ cid, posting }: PendingMessage, signal: AbortSignal): Promise<SendResult> {
    return new Promise((resolve) => {
      const done = (result: SendResult) => {
        this.#inFlight = undefined;
        cancel();
        signal.removeEventListener('abort', onLost);
        resolve(result);
      };
      const onLost = () => done({ kind: 'lost' });
      const cancel = this.#clock.after(answerTimeoutMs, () => {
        this.#connection.checkAlive();
        onLost();
      });
      signal.addEventListener('abort', onLost, { once: true });
      this.#inFlight = { cid, done };
      if (!this.#connection.send({ ...posting, cid })) onLost();
    });
  }

  /** Handles the server's echo, ack or error for a cid. */
  onAnswer(cid: string, result: SendResult): void {
    if (this.#inFlight?.cid === cid) this.#inFlight.done(result);
  }

  onConnectionLost(): void {
    this.#inFlight?.done({ kind: 'lost' });
  }
}
