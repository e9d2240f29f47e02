/**
 * What the server has not numbered yet, and the loop that sends it. Each message has a cid, so it may be sent again until
 * it is answered: the server stores a cid once.
 */
import type { PostCommand, Problem } from '../shared/protocol.js';
import { backoffMs, type Clock, sleep, untilValue, type Writable } from './clock.js';
import type { Connection } from './connection.js';
import type { SendResult } from './transport.js';

export type NewCommand = WithoutCid<PostCommand>;
type WithoutCid<T> = T extends unknown ? Omit<T, 'cid'> : never;

export interface UnsavedMessage {
  /** id of the user who sends it */
  readonly user: string;
  readonly room: string;
  readonly cid: string;
  readonly posting: NewCommand;
  readonly at: number;
  /** not sent before this time, so that the user can undo it */
  readonly heldUntil?: number | undefined;
}
export interface StoredMessage extends UnsavedMessage {
  /** its position in the store */
  readonly seq: number;
  /** why the server rejected it */
  readonly problem?: Problem | undefined;
}

/** Keeps messages. Each call is one transaction. */
export interface OutboxStore {
  /**
   * Appends a message; removes the one with the cid `replaces` first. Resolves with its `seq` once it is on
   * disk.
   */
  add(message: UnsavedMessage, replaces?: string): Promise<number>;
  /** All messages of a user, in order. */
  all(user: string): Promise<readonly StoredMessage[]>;
  /** Marks a message as rejected; does nothing if it is gone. */
  refuse(cid: string, problem: Problem): Promise<void>;
  remove(cid: string): Promise<void>;
}

/** Keeps nothing, so messages live as long as their outbox. */
export function noStore(): OutboxStore {
  let seq = 0;
  const nothing = async () => {};
  return { add: async () => ++seq, all: async () => [], refuse: nothing, remove: nothing };
}

export type Sendable = Pick<UnsavedMessage, 'cid' | 'posting'>;

/**
 * The messages of one user to one room, as their store has them. Programs hand in any store. The page hands in one that all
 * its tabs share (client/outbox/outbox.ts).
 */
export class Outbox {
  /** In order: those that wait, and those that the server rejected. */
  readonly messages: Writable<readonly StoredMessage[]>;
  readonly #store: OutboxStore;
  readonly #of: Pick<UnsavedMessage, 'user' | 'room'>;
  readonly #clock: Clock;
  #reads = 0;

  constructor(
    store: OutboxStore,
    of: Pick<UnsavedMessage, 'user' | 'room'>,
    clock: Clock,
    messages: Writable<readonly StoredMessage[]>,
  ) {
    this.#store = store;
    this.#of = of;
    this.#clock = clock;
    this.messages = messages;
  }

  /** The first message that may be sent. */
  get next(): StoredMessage | undefined {
    const now = this.#clock.now();
    return this.messages.peek().find(({ problem, heldUntil = 0 }) => !problem && heldUntil <= now);
  }

  /** Reads the store, which other tabs and earlier runs share. The read that began last wins. */
  async load(): Promise<void> {
    const read = ++this.#reads;
    const all = await this.#store.all(this.#of.user);
    if (read === this.#reads) this.messages.value = all.filter(({ room }) => room === this.#of.room);
  }

  /** Resolves once the message is stored, and so may be sent. @throws what the store throws */
  async add(posting: NewCommand, cid: string, { replaces = cid, heldUntil }: AddOptions = {}): Promise<void> {
    const message = { ...this.#of, cid, posting, at: this.#clock.now(), heldUntil };
    const seq = await this.#store.add(message, replaces);
    const others = this.#without(cid).filter((other) => other.cid !== replaces);
    this.messages.value = [...others, { ...message, seq }].sort((a, b) => a.seq - b.seq);
  }

  /** The server has it, or the user discarded it. */
  async settle(cid: string): Promise<void> {
    const others = this.#without(cid);
    if (others.length === this.messages.peek().length) return;
    this.messages.value = others;
    await this.#store.remove(cid);
  }

  /** The server will not take it. */
  async refuse(cid: string, problem: Problem): Promise<void> {
    this.messages.value = this.messages
      .peek()
      .map((message) => (message.cid === cid ? { ...message, problem } : message));
    await this.#store.refuse(cid, problem);
  }

  #without(cid: string): readonly StoredMessage[] {
    return this.messages.peek().filter((message) => message.cid !== cid);
  }
}

export interface AddOptions {
  /** cid of a message that is removed in the same step; default: that of the message itself */
  readonly replaces?: string | undefined;
  readonly heldUntil?: number | undefined;
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
  submit(message: Sendable, signal: AbortSignal): Promise<SendResult>;
}

export interface SendLoopDeps {
  readonly outbox: Outbox;
  readonly submitter: Submitter;
  readonly clock: Clock;
  readonly random: () => number;
  /** Resolves with the next message, or undefined when there are no more. */
  readonly next?: (signal: AbortSignal) => Promise<Sendable | undefined>;
  /** The server will not take a message: settles it, or keeps it with its problem. */
  readonly onRefused: (message: Sendable, problem: Problem) => void | Promise<void>;
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

async function nextSendable(outbox: Outbox, signal: AbortSignal): Promise<Sendable | undefined> {
  await untilValue(outbox.messages, () => outbox.next !== undefined, signal);
  return outbox.next;
}

async function sendUntilSettled(deps: SendLoopDeps, message: Sendable, signal: AbortSignal): Promise<void> {
  const { outbox, submitter, clock, random, onRefused } = deps;
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

  submit({ cid, posting }: Sendable, signal: AbortSignal): Promise<SendResult> {
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
