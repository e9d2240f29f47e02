/**
 * Sends the outbox: of the room that is shown over its connection, of the others over HTTP. Of all tabs one, the leader
 * of a room, sends.
 */
import { backoffMs, type Clock, sleep, untilValue, withTimeout } from '../../connect/clock.js';
import type { Connection } from '../../connect/connection.js';
import {
  ConnectionSubmitter,
  type NewCommand,
  type Outbox,
  type OutboxStore,
  type Sendable,
  type Submitter,
  sendLoop,
} from '../../connect/outbox.js';
import type { SendResult } from '../../connect/transport.js';
import type { Problem } from '../../shared/protocol.js';
import { sendMessage } from '../api.js';
import { isSendable, type PendingMessage, SharedOutbox, storeTimeoutMs } from './outbox.js';

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
  readonly outbox: SharedOutbox;
  readonly #deps: OutboxSenderDeps;
  readonly #outboxChannel: OutboxChannel;
  readonly #submitter: ConnectionSubmitter;
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
    this.outbox = new SharedOutbox({ store, user, room, clock, onChanged, onUnpersisted });
    this.#submitter = new ConnectionSubmitter(deps.connection, clock);
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
    this.#submitter.onAnswer(cid, { kind: 'settled' });
  }

  onRefused(cid: string, problem: Problem): void {
    this.#submitter.onAnswer(cid, { kind: 'error', problem });
  }

  onConnectionLost(): void {
    this.#submitter.onConnectionLost();
  }

  async #sendLoop(signal: AbortSignal): Promise<void> {
    await this.outbox.reload();
    const { outbox } = this.outbox;
    const { clock } = this.#deps;
    const onRefused = settleOrRefuse(outbox);
    const deps = { outbox, submitter: this.#submitter, clock, random: Math.random, onRefused };
    await sendLoop(deps, signal);
  }

  #watchStuck(): void {
    const before = this.outbox.outbox.next?.cid;
    this.#stopWatch();
    this.#stopWatch = this.#deps.clock.after(stuckAfterMs, () => {
      const isStuck = before !== undefined && this.outbox.outbox.next?.cid === before;
      const isLive = this.#deps.connection.state.peek().state === 'live';
      if (isStuck && isLive && document.visibilityState === 'visible') this.#leader.steal();
      this.#watchStuck();
    });
  }
}

export interface BackgroundSenderDeps {
  readonly user: string;
  readonly store: OutboxStore;
  readonly clock: Clock;
}

/** Sends pending messages over HTTP to rooms that no tab shows. */
export class BackgroundSender {
  readonly #deps: BackgroundSenderDeps;
  readonly #channel = new OutboxChannel();
  readonly #running = new Map<string, AbortController>();

  constructor(deps: BackgroundSenderDeps) {
    this.#deps = deps;
  }

  /** Sends for all rooms except the visible one. */
  async sendAll(visibleRoom: string): Promise<void> {
    this.#running.get(visibleRoom)?.abort();
    const { store, user } = this.#deps;
    const messages = await store.all(user).catch(() => []); // a failing store has nothing to send
    const rooms = new Set(messages.filter(isSendable).map(({ room }) => room));
    rooms.delete(visibleRoom);
    await Promise.all(
      [...rooms].filter((room) => !this.#running.has(room)).map((room) => this.#sendRoom(room)),
    );
  }

  /** Stops a room's background sending, because its socket takes over. */
  abort(room: string): void {
    this.#running.get(room)?.abort();
  }

  /** Counts the stored messages of all rooms and the given ones, which the store may lack. */
  async countUnsent(visible: readonly PendingMessage[]): Promise<number> {
    const { store, user, clock } = this.#deps;
    const cids = new Set(visible.map(({ cid }) => cid));
    const loadAll = store.all(user).then((stored) => stored.forEach(({ cid }) => void cids.add(cid)));
    await withTimeout(clock, storeTimeoutMs, loadAll);
    return cids.size;
  }

  /** Discards all pending messages. Does not wait longer than `storeTimeoutMs`. */
  clear(): Promise<void> {
    const { store, user, clock } = this.#deps;
    for (const abort of this.#running.values()) abort.abort();
    const removeAll = async () => {
      for (const { cid } of await store.all(user)) await store.remove(cid);
    };
    return withTimeout(clock, storeTimeoutMs, removeAll());
  }

  async #sendRoom(room: string): Promise<void> {
    const abort = new AbortController();
    this.#running.set(room, abort);
    try {
      await withLockIfFree(outboxLockName(this.#deps.user, room), () =>
        this.#runSendLoop(room, abort.signal),
      );
    } finally {
      this.#running.delete(room);
    }
  }

  async #runSendLoop(room: string, abort: AbortSignal): Promise<void> {
    const { store, user, clock } = this.#deps;
    const onChanged = () => this.#channel.notify(room);
    const shared = new SharedOutbox({ store, user, room, clock, onChanged, onUnpersisted: () => {} });
    const { outbox } = shared;
    await shared.reload();
    const submitter = httpSubmitter(
      (message, signal) => sendMessage({ ...message, room }, signal),
      clock,
      Math.random,
    );
    const next = async () => {
      await untilValue(shared.messages, (all) => all.some(isSendable) || !all.some(isHeld), abort);
      return outbox.next;
    };
    const onRefused = settleOrRefuse(outbox);
    await sendLoop({ outbox, submitter, clock, random: Math.random, next, onRefused }, abort);
  }
}

/**
 * Runs a task in one tab at a time (Web Locks); another tab takes over when it closes. Without Web Locks
 * every tab runs it. The send loop tolerates that, because the server stores each cid once.
 */
export class TabLeader {
  readonly #locks: LockManager | undefined;
  readonly #name: string;
  readonly #task: (signal: AbortSignal) => Promise<void>;
  #stop: AbortController | undefined;
  isLeader = false;

  constructor(locks: LockManager | undefined, name: string, task: (signal: AbortSignal) => Promise<void>) {
    this.#locks = locks;
    this.#name = name;
    this.#task = task;
  }

  /** Waits for leadership, and again after losing it. */
  start(): void {
    this.#compete(false);
  }

  /** Takes leadership from a tab that is stuck; phones freeze background pages. */
  steal(): void {
    if (!this.isLeader) this.#compete(true);
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  async #compete(steal: boolean): Promise<void> {
    this.stop();
    const stop = new AbortController();
    this.#stop = stop;
    await this.#lead(stop.signal, steal);
    while (!stop.signal.aborted) await this.#lead(stop.signal, false);
  }

  async #lead(signal: AbortSignal, steal: boolean): Promise<void> {
    const lockLost = new AbortController();
    const task = () => this.#run(AbortSignal.any([signal, lockLost.signal]));
    try {
      if (this.#locks) await this.#locks.request(this.#name, steal ? { steal } : { signal }, task);
      else await task();
    } catch {
      // The wait was aborted or the lock stolen: the loop above decides.
    } finally {
      lockLost.abort();
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.isLeader = true;
    try {
      await this.#task(signal);
    } finally {
      this.isLeader = false;
    }
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

/** Settles a change whose state already holds, because another device was quicker. Otherwise keeps the problem. */
export function settleOrRefuse(outbox: Outbox) {
  return ({ cid, posting: { type } }: Sendable, problem: Problem): Promise<void> =>
    alreadyDoneErrors[type] === problem.code ? outbox.settle(cid) : outbox.refuse(cid, problem);
}
const alreadyDoneErrors: Readonly<Partial<Record<NewCommand['type'], string>>> = {
  react: 'already_there',
  unreact: 'not_there',
  delete: 'deleted',
};

function isHeld({ isHeld: held }: PendingMessage): boolean {
  return held === true;
}

async function withLockIfFree(name: string, work: () => Promise<void>): Promise<void> {
  if (!webLocks) return work();
  await webLocks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
  });
}

/** Delays the next request after a failure. */
function httpSubmitter(
  post: (message: Sendable, signal: AbortSignal) => Promise<SendResult>,
  clock: Clock,
  random: () => number,
): Submitter {
  let failures = 0;
  return {
    async waitReady(signal) {
      if (failures > 0) await sleep(clock, backoffMs(failures, random), signal);
    },
    async submit(message, signal) {
      const result = await post(message, signal);
      failures = result.kind === 'lost' ? failures + 1 : 0;
      return result;
    },
  };
}
