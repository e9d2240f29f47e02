/**
 * The worker's end of the channel to the primary, which has the log. To the server in this process it is a sequencer: a
 * command goes to the primary, and its result comes back with its batch.
 *
 * Invariant: the results of a batch are delivered, and its replies called, in one synchronous step, in the order of the
 * primary. The database may be ahead of that: it has each batch before its results arrive.
 */
import { setTimeout } from 'node:timers/promises';
import type { Command, Result } from '../chat/types.js';
import { PositionWaiters } from '../sequencer/positions.js';
import {
  type Identity,
  type Reply,
  refusedResult,
  type Sequencer,
  type SharedHandler,
  type SharedOrder,
  stoppingResult,
} from '../sequencer/sequencer.js';
import { parseJsonArray } from '../shared/parse.js';
import type { LogState, Question, Questions, Sender, ToPrimary, ToWorker, WorkerPlace } from './messages.js';

/** Commands that are not answered yet, and the UTF-16 units of their JSON. More are refused. */
const maxUnanswered = { commands: 20_000, length: 32 * 1024 * 1024 } as const;
const closeTimeoutMs = 5000;
const aliveIntervalMs = 1000;

interface Unanswered {
  readonly reply: Reply | undefined;
  readonly length: number;
}

/** What the server in this process does with the order. */
export interface PrimaryListener extends Pick<SharedHandler, 'deliver' | 'onReplaced' | 'receive'> {
  begin(identity: Identity): void;
  /** Another worker has signed the cookie of a user again. The times are those at which the old and the new one expire. */
  onRenewed(user: string, expiredAt: number, expiresAt: number): void;
  /** Another worker has disconnected a user for flooding. */
  onFlood(user: string): void;
}

export class WorkerSequencer implements Sequencer, SharedOrder {
  readonly shared: SharedOrder = this;
  readonly place: WorkerPlace;
  /** What the primary said last of itself. */
  state: LogState;
  readonly #primary: Sender<string>;
  #listener: PrimaryListener | undefined;
  #stopListening: (() => void) | undefined;
  #readMetrics: (() => Promise<readonly object[]>) | undefined;
  #position: string;
  #serial = 0;
  readonly #unanswered = new Map<number, Unanswered>();
  #unansweredLength = 0;
  readonly #questions = new Map<number, (answer: unknown) => void>();
  readonly #waiters = new PositionWaiters();
  /** JSON of the messages of this turn. */
  #messages: string[] = [];
  #isStopping = false;
  readonly #timer: NodeJS.Timeout;

  /** `place` and `state`: the first message of the primary has them. */
  constructor(primary: Sender<string>, place: WorkerPlace, state: LogState) {
    this.place = place;
    this.#primary = primary;
    this.state = state;
    this.#position = state.position;
    this.#timer = setInterval(() => this.tell(['alive']), aliveIntervalMs);
    this.#timer.unref();
  }

  /** Gets the results from now on. Call it once. */
  attach(listener: PrimaryListener): this {
    this.#listener = listener;
    return this;
  }

  /** `read` gets the metrics of this process. */
  onMetrics(read: () => Promise<readonly object[]>): void {
    this.#readMetrics = read;
  }

  /** `stop` is called when the primary lets another worker take new connections. */
  onStopListening(stop: () => void): void {
    this.#stopListening = stop;
  }

  /** How far this worker has delivered the order. */
  get position(): string {
    return this.#position;
  }

  get behind(): number {
    return this.state.behind;
  }

  get junkCount(): number {
    return this.state.junkCount;
  }

  get problems(): readonly string[] {
    return this.state.problems;
  }

  get isStale(): boolean {
    return this.state.isStale;
  }

  submit(command: Command, reply?: Reply): void {
    this.#submit(command, reply, null);
  }

  /** Submits a message of a socket, which takes tokens of its user and of the network that it came from. */
  post(command: Command, reply: Reply, address: string | undefined): void {
    this.#submit(command, reply, address === undefined ? {} : { address });
  }

  #submit(command: Command, reply: Reply | undefined, charge: { readonly address?: string } | null): void {
    if (this.#isStopping) {
      reply?.(stoppingResult);
      return;
    }
    const isFull =
      this.#unanswered.size >= maxUnanswered.commands || this.#unansweredLength >= maxUnanswered.length;
    if (isFull) {
      reply?.(refusedResult);
      return;
    }
    const serial = ++this.#serial;
    const length = this.#send(['command', serial, command, charge]);
    this.#unanswered.set(serial, { reply, length });
    this.#unansweredLength += length;
  }

  async ask<K extends keyof Questions>(kind: K, question: Questions[K][0]): Promise<Questions[K][1]> {
    const serial = ++this.#serial;
    const answer = new Promise<unknown>((resolve) => this.#questions.set(serial, resolve));
    this.#send(['ask', serial, { ...question, kind } as Question]); // TypeScript loses that `kind` fits
    return (await answer) as Questions[K][1]; // the primary answers what was asked
  }

  /** Tells the primary something that it does not answer. */
  tell(message: Exclude<ToPrimary, readonly ['command' | 'ask', ...unknown[]]>): void {
    this.#send(message);
  }

  publish(text: string): void {
    this.#send(['publish', text]);
  }

  waitFor(position: string, waitMs: number): Promise<boolean> {
    return this.#waiters.waitFor(position, this.#position, waitMs);
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    const end = performance.now() + closeTimeoutMs;
    while (this.#unanswered.size > 0 && performance.now() < end) await setTimeout(5);
  }

  /** Resolves when all messages are handed to the channel. */
  async flush(): Promise<void> {
    this.#flush();
  }

  end(): void {
    this.#isStopping = true;
    clearInterval(this.#timer);
    this.#flush();
    this.#waiters.end();
  }

  /** Handles a message of the primary. */
  receive(message: ToWorker): void {
    switch (message.kind) {
      case 'batch':
        this.#onBatch(message);
        return;
      case 'state':
        this.state = message.state;
        this.#moveTo(message.state.position);
        return;
      case 'answer':
        this.#questions.get(message.serial)?.(message.answer);
        this.#questions.delete(message.serial);
        return;
      case 'receive':
        this.#listener?.receive('', message.text);
        return;
      case 'begin':
        this.#listener?.begin(message.identity);
        return;
      case 'replaced':
        this.#listener?.onReplaced();
        return;
      default:
        this.#onEvent(message);
    }
  }

  #onEvent(message: ToWorker): void {
    switch (message.kind) {
      case 'renewed':
        this.#listener?.onRenewed(message.user, message.expiredAt, message.expiresAt);
        return;
      case 'flood':
        this.#listener?.onFlood(message.user);
        return;
      case 'metrics':
        void this.#readMetrics?.().then((metrics) => this.#send(['metrics', message.serial, metrics]));
        return;
      case 'stop-listening':
        this.#stopListening?.();
    }
  }

  #onBatch({ position, results: json, own }: Extract<ToWorker, { kind: 'batch' }>): void {
    const results = (parseJsonArray(json) ?? []) as Result[]; // the primary wrote them
    const replies = own.map(([serial, result]): readonly [number, Result | undefined] =>
      typeof result === 'number' ? [serial, results[result]] : [serial, result],
    );
    for (const [, result] of own) if (typeof result !== 'number') results.push(result);
    this.#listener?.deliver(results);
    this.#moveTo(position);
    for (const [serial, result] of replies) if (result) this.#answer(serial, result);
  }

  #moveTo(position: string): void {
    this.#position = position;
    this.#waiters.wake(position);
  }

  #answer(serial: number, result: Result): void {
    const unanswered = this.#unanswered.get(serial);
    if (!unanswered) return;
    this.#unanswered.delete(serial);
    this.#unansweredLength -= unanswered.length;
    unanswered.reply?.(result);
  }

  /** Sends all messages of one turn together. Returns the length of this one. */
  #send(message: ToPrimary): number {
    const json = JSON.stringify(message);
    if (this.#messages.push(json) === 1) setImmediate(() => this.#flush());
    return json.length;
  }

  #flush(): void {
    if (this.#messages.length === 0) return;
    this.#primary.send(`[${this.#messages.join(',')}]`);
    this.#messages = [];
  }
}
