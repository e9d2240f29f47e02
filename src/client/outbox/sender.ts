/** Sends the outbox of one room while the room is shown. One tab, the leader, does the sending. */
import type { Problem } from '../../shared/protocol.js';
import { backoffMs, type Clock, sleep, untilSignal } from '../clock.js';
import type { Connection } from '../room/socket.js';
import { TabLeader } from './leader.js';
import { isSendable, type NewCommand, Outbox, type OutboxStore, type PendingMessage } from './outbox.js';

export interface OutboxSenderDeps {
  readonly user: string;
  readonly room: string;
  readonly store: OutboxStore;
  readonly connection: Connection;
  readonly clock: Clock;
}

/** A message that has not moved for this long in a visible tab is taken from the leading tab. */
const stuckAfterMs = 8_000;
export const webLocks: LockManager | undefined = globalThis.navigator?.locks;

export class OutboxSender {
  readonly outbox: Outbox;
  readonly #deps: OutboxSenderDeps;
  readonly #outboxChannel: OutboxChannel;
  readonly #transport: SocketTransport;
  readonly #leader: TabLeader;
  #stopWatch = () => {};

  constructor(deps: OutboxSenderDeps) {
    this.#deps = deps;
    const { user, room, store, clock } = deps;
    this.#outboxChannel = new OutboxChannel(
      (changedRoom) => changedRoom === room && void this.outbox.reload(),
    );
    const onChanged = () => this.#outboxChannel.notify(room);
    const onUnpersisted = () => this.#leader.steal();
    this.outbox = new Outbox({ store, user, room, newCid, clock, onChanged, onUnpersisted });
    this.#transport = new SocketTransport(deps.connection, clock);
    this.#leader = new TabLeader(webLocks, outboxLockName(user, room), (signal) => this.#sendLoop(signal));
  }

  start(): void {
    void this.outbox.reload();
    this.#leader.start();
    this.#watchStuck();
  }

  /** Lets another tab or the background sender continue. */
  stop(): void {
    this.#stopWatch();
    this.#leader.stop();
  }

  close(): void {
    this.stop();
    this.#outboxChannel.close();
  }

  onSettled(cid: string): void {
    void this.outbox.settle(cid);
    this.#transport.onAnswer(cid, { kind: 'settled' });
  }

  onRefused(cid: string, problem: Problem): void {
    this.#transport.onAnswer(cid, { kind: 'error', problem });
  }

  onConnectionLost(): void {
    this.#transport.onConnectionLost();
  }

  async #sendLoop(signal: AbortSignal): Promise<void> {
    const { outbox } = this;
    await outbox.reload();
    const next = async (abort: AbortSignal): Promise<PendingMessage | undefined> => {
      await untilSignal(outbox.messages, (messages) => messages.some(isSendable), abort);
      return outbox.next;
    };
    const { clock } = this.#deps;
    await sendLoop({ outbox, transport: this.#transport, clock, random: Math.random, next }, signal);
  }

  #watchStuck(): void {
    const before = this.outbox.next?.cid;
    this.#stopWatch();
    this.#stopWatch = this.#deps.clock.after(stuckAfterMs, () => {
      const isStuck = before !== undefined && this.outbox.next?.cid === before;
      const isLive = this.#deps.connection.state.peek().state === 'live';
      if (isStuck && isLive && document.visibilityState === 'visible') this.#leader.steal();
      this.#watchStuck();
    });
  }
}

/** Tells other tabs, and other parts of this one, which room's outbox changed. */
export class OutboxChannel {
  readonly #channel = new BroadcastChannel('oneport.outbox');

  constructor(onChanged: (room: string) => void = () => {}) {
    this.#channel.onmessage = ({ data }) => typeof data === 'string' && onChanged(data);
  }

  notify(room: string): void {
    this.#channel.postMessage(room);
  }

  close(): void {
    this.#channel.close();
  }
}

/** Its holder sends this user's messages to this room. */
export function outboxLockName(user: string, room: string): string {
  return `oneport.outbox ${user} ${room}`;
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

export type SendResult =
  | { readonly kind: 'settled' }
  | { readonly kind: 'error'; readonly problem: Problem }
  /** the connection closed before an answer; the message may be stored or not */
  | { readonly kind: 'lost' };

/** Both calls end early when the signal aborts. */
export interface Transport {
  waitReady(signal: AbortSignal): Promise<void>;
  send(message: PendingMessage, signal: AbortSignal): Promise<SendResult>;
}

export interface SendLoopDeps {
  readonly outbox: Outbox;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  /** Resolves with the next message, or undefined when there are no more. */
  readonly next: (signal: AbortSignal) => Promise<PendingMessage | undefined>;
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
  while (!signal.aborted) {
    const message = await deps.next(signal);
    if (!message || signal.aborted) return;
    await sendUntilSettled(deps, message, signal);
  }
}

async function sendUntilSettled(
  deps: SendLoopDeps,
  message: PendingMessage,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; !signal.aborted; tries++) {
    await deps.transport.waitReady(signal);
    if (signal.aborted || deps.outbox.next?.cid !== message.cid) return;
    const result = await deps.transport.send(message, signal);
    if (result.kind === 'settled') return deps.outbox.settle(message.cid);
    if (result.kind === 'lost') continue;
    if (isAlreadyDone(message, result.problem)) return deps.outbox.settle(message.cid);
    if (!isTransient(result.problem, tries)) return deps.outbox.refuse(message.cid, result.problem);
    await sleep(deps.clock, retryDelayMs + backoffMs(tries, deps.random), signal);
  }
}

/** The requested state already holds: another device was quicker. */
function isAlreadyDone({ posting: { type } }: PendingMessage, { code }: Problem): boolean {
  return alreadyDoneErrors[type] === code;
}
const alreadyDoneErrors: Readonly<Partial<Record<NewCommand['type'], string>>> = {
  react: 'already_there',
  unreact: 'not_there',
  delete: 'deleted',
};

function isTransient({ code }: Problem, tries: number): boolean {
  return transientErrors.has(code) && (code !== 'internal' || tries < maxInternalTries);
}

/** After this time without an answer, the connection is probed and the message sent again. */
const answerTimeoutMs = 20_000;

export class SocketTransport implements Transport {
  readonly #connection: Connection;
  readonly #clock: Clock;
  #inFlight: { readonly cid: string; readonly done: (result: SendResult) => void } | undefined;

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  waitReady(signal: AbortSignal): Promise<void> {
    return untilSignal(this.#connection.state, ({ state }) => state === 'live', signal);
  }

  send({ cid, posting }: PendingMessage, signal: AbortSignal): Promise<SendResult> {
    if (!this.#connection.send(JSON.stringify({ ...posting, cid }))) return Promise.resolve({ kind: 'lost' });
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

/** Delays the next request after a failure. */
export function httpTransport(
  post: (message: PendingMessage, signal: AbortSignal) => Promise<SendResult>,
  clock: Clock,
  random: () => number,
): Transport {
  let failures = 0;
  return {
    async waitReady(signal) {
      if (failures > 0) await sleep(clock, backoffMs(failures, random), signal);
    },
    async send(message, signal) {
      const result = await post(message, signal);
      failures = result.kind === 'lost' ? failures + 1 : 0;
      return result;
    },
  };
}
