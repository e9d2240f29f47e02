/** Sends pending messages over HTTP to rooms that no tab shows. */
import { backoffMs, type Clock, sleep, untilValue, withTimeout } from '../../connect/clock.js';
import { type OutboxStore, type Sendable, type Submitter, sendLoop } from '../../connect/outbox.js';
import type { SendResult } from '../../connect/transport.js';
import { sendMessage } from '../api.js';
import { isSendable, type PendingMessage, SharedOutbox, storeTimeoutMs } from './outbox.js';
import { OutboxChannel, outboxLockName, settleOrRefuse, webLocks } from './sender.js';

export interface BackgroundSenderDeps {
  readonly user: string;
  readonly store: OutboxStore;
  readonly clock: Clock;
}

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
