/** Sends the outbox of one room while the room is shown. One tab, the leader, does the sending. */
import type { Clock } from '../../connect/clock.js';
import type { Connection } from '../../connect/connection.js';
import {
  ConnectionSubmitter,
  type NewCommand,
  type Outbox,
  type OutboxStore,
  type Sendable,
  sendLoop,
} from '../../connect/outbox.js';
import type { Problem } from '../../shared/protocol.js';
import { TabLeader } from './leader.js';
import { SharedOutbox } from './outbox.js';

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
