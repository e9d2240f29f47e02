/**
 * The outbox of one person in one room, in this tab: its letters, and who of the tabs sends them (the leader) while
 * the room is in view. Otherwise its letters are swept (sweep.ts).
 */
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

/** A letter that did not move for so long, in sight of its writer, is taken from the tab that should send it. */
const stuckAfterMs = 8_000;
export const webLocks: LockManager | undefined = 'locks' in navigator ? navigator.locks : undefined;

export class OutboxSender {
  readonly outbox: Outbox;
  readonly #deps: OutboxSenderDeps;
  readonly #outboxChannel: OutboxChannel;
  readonly #transport: SocketTransport;
  readonly #leader: TabLeader;
  #stopWatch = () => {};

  constructor(parts: OutboxSenderDeps) {
    this.#deps = parts;
    const { user, room, store, clock } = parts;
    this.#outboxChannel = new OutboxChannel((moved) => moved === room && void this.outbox.reload());
    const changed = () => this.#outboxChannel.notify(room);
    const stranded = () => this.#leader.steal();
    this.outbox = new Outbox({
      store,
      user,
      room,
      newCid,
      clock,
      onChanged: changed,
      onUnpersisted: stranded,
    });
    this.#transport = new SocketTransport(parts.connection, clock);
    this.#leader = new TabLeader(webLocks, outboxLockName(user, room), (signal) => this.#sendLoop(signal));
  }

  /** The room is in view. */
  start(): void {
    void this.outbox.reload();
    this.#leader.start();
    this.#watchStuck();
  }

  /** Lets another tab send, or the sweep: the room is not in view, or the page is frozen. */
  stop(): void {
    this.#stopWatch();
    this.#leader.stop();
  }

  /** The room is forgotten here. */
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
      await untilSignal(outbox.messages, (letters) => letters.some(isSendable), abort);
      return outbox.next;
    };
    const { clock } = this.#deps;
    await sendLoop({ outbox, transport: this.#transport, clock, random: Math.random, next }, signal);
  }

  #watchStuck(): void {
    const before = this.outbox.next?.cid;
    this.#stopWatch();
    this.#stopWatch = this.#deps.clock.after(stuckAfterMs, () => {
      const stuck = before !== undefined && this.outbox.next?.cid === before;
      const able = this.#deps.connection.state.peek().state === 'live';
      if (stuck && able && document.visibilityState === 'visible') this.#leader.steal();
      this.#watchStuck();
    });
  }
}

/** Tells between tabs, and parts of this one, in which room the letters in the store have changed. */
export class OutboxChannel {
  readonly #channel = new BroadcastChannel('oneport.outbox');

  constructor(changed: (room: string) => void = () => {}) {
    this.#channel.onmessage = ({ data }) => typeof data === 'string' && changed(data);
  }

  notify(room: string): void {
    this.#channel.postMessage(room);
  }

  close(): void {
    this.#channel.close();
  }
}

/** Who holds it sends this person's letters in this room. */
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
 * Sends an outbox: one letter at a time, the next only when the one before is in the log or refused for good. So
 * the order holds whatever is lost on the way, even when two tabs do this at once (each sends k+1 only after it
 * knows k is settled, and the server keeps a cid once).
 */

export type SendResult =
  | { readonly kind: 'settled' }
  | { readonly kind: 'error'; readonly problem: Problem }
  /** the line went away before an answer came: it may be in the log or not */
  | { readonly kind: 'lost' };

/** A way to the server. Both calls end early, with whatever, when the signal aborts. */
export interface Transport {
  waitReady(signal: AbortSignal): Promise<void>;
  send(letter: PendingMessage, signal: AbortSignal): Promise<SendResult>;
}

export interface SendLoopDeps {
  readonly outbox: Outbox;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  /** Waits for the next letter, or says that there will be none. */
  readonly next: (signal: AbortSignal) => Promise<PendingMessage | undefined>;
}

/** Answers that pass: the same letter is sent again, with the same cid. All others are for good. */
const transientErrors: ReadonlySet<string> = new Set([
  'storage',
  'too_fast',
  'stopping',
  'signed_out',
  'internal',
]);
/** An `internal` may be our letter's own fault: it must not hold up the others for ever. */
const maxInternalTries = 5;
const retryDelayMs = 500;

export async function sendLoop(parts: SendLoopDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const letter = await parts.next(signal);
    if (!letter || signal.aborted) return;
    await sendUntilSettled(parts, letter, signal);
  }
}

/** Until it is settled or refused for good. */
async function sendUntilSettled(
  parts: SendLoopDeps,
  letter: PendingMessage,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; !signal.aborted; tries++) {
    await parts.transport.waitReady(signal);
    if (signal.aborted || parts.outbox.next?.cid !== letter.cid) return;
    const outcome = await parts.transport.send(letter, signal);
    if (outcome.kind === 'settled') return parts.outbox.settle(letter.cid);
    if (outcome.kind === 'lost') continue;
    if (isAlreadyDone(letter, outcome.problem)) return parts.outbox.settle(letter.cid);
    if (!isTransient(outcome.problem, tries)) return parts.outbox.refuse(letter.cid, outcome.problem);
    await sleep(parts.clock, retryDelayMs + backoffMs(tries, parts.random), signal);
  }
}

/** What was asked for is so already: another device was quicker. */
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

/** The two ways of a letter to the server: over the room's own socket, and over HTTP to rooms that no tab shows. */

/** A live line that does not answer for so long is asked whether it lives, and the letter is sent again. */
const answerTimeoutMs = 20_000;

export class SocketTransport implements Transport {
  readonly #connection: Connection;
  readonly #clock: Clock;
  #inFlight: { readonly cid: string; readonly done: (outcome: SendResult) => void } | undefined;

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
      const done = (outcome: SendResult) => {
        this.#inFlight = undefined;
        cancel();
        signal.removeEventListener('abort', lost);
        resolve(outcome);
      };
      const lost = () => done({ kind: 'lost' });
      const cancel = this.#clock.after(answerTimeoutMs, () => {
        this.#connection.checkAlive();
        lost();
      });
      signal.addEventListener('abort', lost, { once: true });
      this.#inFlight = { cid, done };
    });
  }

  /** The server said something about this cid: its echo, an ack or an error. */
  onAnswer(cid: string, outcome: SendResult): void {
    if (this.#inFlight?.cid === cid) this.#inFlight.done(outcome);
  }

  /** The line went away: what was on it may have arrived or not. */
  onConnectionLost(): void {
    this.#inFlight?.done({ kind: 'lost' });
  }
}

/** `post` sends one letter. After a failure the next try waits, longer each time. */
export function httpTransport(
  post: (letter: PendingMessage, signal: AbortSignal) => Promise<SendResult>,
  clock: Clock,
  random: () => number,
): Transport {
  let failures = 0;
  return {
    async waitReady(signal) {
      if (failures > 0) await sleep(clock, backoffMs(failures, random), signal);
    },
    async send(letter, signal) {
      const outcome = await post(letter, signal);
      failures = outcome.kind === 'lost' ? failures + 1 : 0;
      return outcome;
    },
  };
}
