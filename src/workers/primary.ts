/**
 * The primary: the log, for workers that have the sockets. Workers send it commands; it sends each batch's results to all of
 * them. It listens on nothing. Processes and their start are in pool.ts.
 */
import type { Logger } from 'pino';
import type { Result } from '../chat/types.js';
import type { Config } from '../config.js';
import { createLogHandler, identityOf, type LogListener, logHeads, openStore, startLogWork } from '../log.js';
import { createMetrics, sumMetrics } from '../metrics.js';
import { Peers } from '../realtime/peers.js';
import { messageCost } from '../realtime/throttle.js';
import type { ConnectionOwner } from '../realtime/upgrade.js';
import type { PresenceReport, PresenceUpdate } from '../realtime/worker-presence.js';
import { LocalSequencer } from '../sequencer/local.js';
import type { CreateSequencer, Sequencer } from '../sequencer/sequencer.js';
import { parseJsonArray } from '../shared/parse.js';
import { databaseFile } from '../store/database.js';
import type { Store } from '../store/store.js';
import { Telemetry } from '../telemetry.js';
import { Budgets } from './budgets.js';
import { Directory, type ListedUser, type WorkerPeople } from './directory.js';
import type { LogState, Question, Sender, ToPrimary, ToWorker, WorkerPlace } from './messages.js';

export interface PrimaryOptions {
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
  readonly createSequencer?: CreateSequencer | undefined;
}

const metricsTimeoutMs = 2000;
const stateIntervalMs = 250;

export class Primary {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #telemetry: Telemetry;
  readonly #store: Store;
  readonly #sequencer: Sequencer;
  readonly #workers = new Set<WorkerLink>();
  readonly #directory = new Directory(this.#workers, (id) => this.#store.people.nameOf(id));
  readonly #budgets: Budgets;
  readonly #peers: Peers<ListedUser> | undefined;
  readonly #metrics: ReturnType<typeof createMetrics>;
  readonly #stops: readonly (() => void)[];
  /** Positions of a local order begin with it, so that those of an earlier start are in the past. */
  readonly #startedAt: number;
  /** JSON of the results that all workers get with the next batch, and the index of each. */
  #sharedResults = '[]';
  readonly #indexes = new Map<Result, number>();
  #isBatchScheduled = false;
  #eventCount = 0;
  /** Batches that all workers have got. */
  #batchCount = 0;
  #damage: string | undefined;
  #toldWriteError: string | undefined;
  /** JSON of the state that was sent last. */
  #toldState = '';

  /** @throws what opening the store throws */
  constructor(config: Config, { logger, now = Date.now, createSequencer }: PrimaryOptions) {
    this.#config = config;
    this.#logger = logger;
    this.#startedAt = now();
    this.#telemetry = new Telemetry(logger, now);
    this.#store = openStore(config, now, logger);
    identityOf(this.#store); // workers cannot make it
    this.#budgets = new Budgets(config.limits, now);
    const options = { logger, telemetry: this.#telemetry };
    const handler = createLogHandler(config, this.#store, this.#createListener(), options);
    const create: CreateSequencer = createSequencer ?? ((batches) => new LocalSequencer(batches));
    this.#sequencer = create(handler);
    this.#peers = this.#sequencer.shared && this.#createPeers();
    this.#metrics = this.#createMetrics();
    const timers = [
      setInterval(() => this.#everySecond(), 1000),
      setInterval(() => this.#sendState(), stateIntervalMs),
    ];
    this.#stops = [
      () => timers.forEach(clearInterval),
      () => this.#directory.stop(),
      () => this.#budgets.stop(),
      () => this.#peers?.bye(),
      ...startLogWork(config, this.#store, this.#sequencer, now, options),
    ];
  }

  /** Adds a worker, which gets what it has to know first. */
  connect(sender: Sender<readonly ToWorker[]>, place: WorkerPlace): WorkerLink {
    const link = new WorkerLink(sender);
    link.send({ kind: 'start', place, state: this.#state });
    this.#toldState = ''; // it differs from the state that the others know
    this.#workers.add(link);
    this.#directory.greet(link);
    return link;
  }

  /** A worker has ended. */
  disconnect(link: WorkerLink): void {
    if (!this.#workers.delete(link)) return;
    this.#directory.drop(link);
    for (const owner of link.connectionOwners()) this.#budgets.close(owner);
  }

  /** Handles what a worker sent in one turn. */
  receive(link: WorkerLink, json: string): void {
    for (const message of (parseJsonArray(json) ?? []) as ToPrimary[]) this.#handle(link, message); // a worker wrote it
  }

  /** Rejects new commands. Resolves when all earlier ones are committed and their results sent. */
  async close(): Promise<void> {
    await this.#sequencer.close();
    this.#peers?.bye();
    await this.#sequencer.shared?.flush();
  }

  /** Ends at once. Committed data is kept. */
  abort(): void {
    for (const stop of this.#stops) stop();
    logHeads(this.#store, this.#logger);
    this.#store.close();
  }

  #handle(link: WorkerLink, message: ToPrimary): void {
    switch (message[0]) {
      case 'command':
        this.#onCommand(link, message);
        return;
      case 'ask':
        void this.#answerLater(link, message[1], message[2]);
        return;
      case 'publish':
        this.#onReports(link, message[1]);
        return;
      case 'closed':
        link.countConnection(message[1], -1);
        this.#budgets.close(message[1]);
        return;
      case 'metrics':
        link.onMetrics(message[1], message[2]);
        return;
      case 'renewed': {
        const [kind, user, expiredAt, expiresAt] = message;
        this.#sendOthers(link, { kind, user, expiredAt, expiresAt });
        return;
      }
      case 'flood':
        this.#sendOthers(link, { kind: 'flood', user: message[1] });
        return;
      case 'damage':
        this.#damage ??= message[1];
        this.#sendState();
        return;
      case 'full':
        this.#onFull(link, message[1]);
        return;
      case 'alive':
    }
  }

  #onCommand(link: WorkerLink, [, serial, command, charge]: CommandMessage): void {
    const submit = (): void => this.#sequencer.submit(command, (result) => this.#reply(link, serial, result));
    if (!charge) {
      submit();
      return;
    }
    const cost = messageCost('data' in command ? command.data : '');
    const owner = 'user' in command ? command.user.id : '';
    if (!this.#budgets.run({ user: owner, cost, address: charge.address }, submit))
      this.#reply(link, serial, tooFastResult);
  }

  async #answerLater(link: WorkerLink, serial: number, question: Question): Promise<void> {
    try {
      link.send({ kind: 'answer', serial, answer: await this.#answer(link, question) });
    } catch (error) {
      this.#logger.error({ err: error }, 'failed to answer a worker');
      link.send({ kind: 'answer', serial, answer: null });
    }
  }

  async #answer(link: WorkerLink, question: Question): Promise<unknown> {
    switch (question.kind) {
      case 'tokens':
        return this.#budgets.takeTokens(question);
      case 'rate':
        return this.#budgets.takeRate(question.limiter, question.key);
      case 'open': {
        const refusal = this.#budgets.open(question);
        if (refusal === null) link.countConnection(question, 1);
        return refusal;
      }
      case 'find':
        return (await this.#store.search.answer(question)) ?? null;
      case 'metrics':
        return this.#readMetrics();
    }
  }

  #onReports(link: WorkerLink, text: string): void {
    for (const report of (parseJsonArray(text) ?? []) as PresenceReport[])
      this.#directory.onReport(link, report); // a worker wrote it
  }

  /** The last worker that listens goes on, and answers 503. */
  #onFull(link: WorkerLink, isFull: boolean): void {
    link.isListening = !isFull || ![...this.#workers].some((other) => other !== link && other.isListening);
    if (!link.isListening) link.send({ kind: 'stop-listening' });
  }

  #createListener(): LogListener {
    return {
      deliver: (results) => this.#deliver(results),
      onBegin: (identity) => this.#sendAll({ kind: 'begin', identity }),
      onReplaced: () => this.#sendAll({ kind: 'replaced' }),
      onJoined: () => this.#peers?.hello(),
      receive: (from, text) => this.#peers?.receive(from, text),
    };
  }

  #createPeers(): Peers<ListedUser> {
    const directory = this.#directory;
    const peers = new Peers<ListedUser>({
      publish: (text) => this.#sequencer.shared?.publish(text),
      local: () => directory.local(),
      enter: (room, profile) => directory.enterFromNode(room, profile),
      leave: (room, user, atOnce) => directory.leaveFromNode(room, user, atOnce),
      typing: (room, profile) => directory.typing(room, profile),
    });
    directory.tellNodes(peers);
    return peers;
  }

  /** Encodes what concerns all workers once. Replies follow in the same turn. */
  #deliver(results: readonly Result[]): void {
    this.#flushBatch();
    const shared: Result[] = [];
    for (const result of results) {
      if (result.kind === 'accepted') this.#eventCount++;
      if (result.kind === 'signed-in') this.#directory.rename(result.user);
      if (this.#concernsAll(result)) this.#indexes.set(result, shared.push(result) - 1);
    }
    this.#sharedResults = JSON.stringify(shared);
    this.#scheduleBatch();
  }

  /** The others concern only the worker that has sent the command. */
  #concernsAll(result: Result): boolean {
    switch (result.kind) {
      case 'accepted':
      case 'expired':
      case 'signed-in':
      case 'signed-out':
        return true;
      case 'read':
        return this.#directory.placesOf(result.user.id) > 0;
      case 'entered': // without other nodes, one of the places is that of the worker that has sent the command
        return this.#directory.placesOf(result.user.id) > (this.#peers ? 0 : 1);
      default:
        return false;
    }
  }

  #reply(link: WorkerLink, serial: number, result: Result): void {
    link.own.push([serial, this.#indexes.get(result) ?? result]);
    this.#scheduleBatch();
  }

  #scheduleBatch(): void {
    if (this.#isBatchScheduled) return;
    this.#isBatchScheduled = true;
    queueMicrotask(() => this.#flushBatch());
  }

  #flushBatch(): void {
    if (!this.#isBatchScheduled) return;
    this.#isBatchScheduled = false;
    const results = this.#sharedResults;
    const concernsAll = results !== '[]' || this.#sequencer.shared !== undefined; // a position of nodes counts all entries
    if (concernsAll) this.#batchCount++;
    const position = this.#position;
    for (const link of this.#workers) {
      const own = link.takeOwn();
      if (concernsAll || own.length > 0) link.send({ kind: 'batch', position, results, own });
    }
    if (this.#toldWriteError !== this.#store.writeError) this.#sendState(); // the same turn: a worker handles it with the batch
    this.#sharedResults = '[]';
    this.#indexes.clear();
  }

  /** In a local order, what concerns one worker only is in the database before anyone knows of it, and needs no position. */
  get #position(): string {
    return this.#sequencer.shared?.position ?? `${this.#startedAt}-${this.#batchCount}`;
  }

  get #state(): LogState {
    const { shared } = this.#sequencer;
    return {
      role: shared ? 'node' : 'primary',
      position: this.#position,
      behind: shared?.behind ?? 0,
      junkCount: shared?.junkCount ?? 0,
      problems: shared?.problems ?? [],
      isStale: shared?.isStale ?? false,
      writeError: this.#store.writeError,
      damage: this.#store.damage ?? this.#damage,
    };
  }

  #everySecond(): void {
    const now = performance.now();
    this.#directory.everySecond(now);
    this.#budgets.everySecond(now);
    this.#peers?.everySecond(now);
  }

  #sendState(): void {
    const state = this.#state;
    const json = JSON.stringify(state);
    if (json === this.#toldState) return;
    this.#toldState = json;
    this.#toldWriteError = state.writeError;
    this.#sendAll({ kind: 'state', state });
  }

  #sendAll(message: ToWorker): void {
    for (const link of this.#workers) link.send(message);
  }

  #sendOthers(link: WorkerLink, message: ToWorker): void {
    for (const other of this.#workers) if (other !== link) other.send(message);
  }

  #createMetrics(): ReturnType<typeof createMetrics> {
    const counts = {
      people: () => this.#directory.userCount,
      rooms: () => this.#directory.roomCount,
      events: () => this.#eventCount,
      workers: () => this.#workers.size,
    };
    const log = {
      store: this.#store,
      databaseFile: databaseFile(this.#config.dataDir),
      shared: this.#sequencer.shared,
      counts,
    };
    return createMetrics({ telemetry: this.#telemetry, log });
  }

  async #readMetrics(): Promise<string> {
    const own = await this.#metrics.getMetricsAsJSON();
    const others = await Promise.all([...this.#workers].map((link) => link.readMetrics()));
    return sumMetrics([own, ...others]);
  }
}

type CommandMessage = Extract<ToPrimary, readonly ['command', ...unknown[]]>;

const tooFastResult: Result = {
  kind: 'rejected',
  problem: { code: 'too_fast', message: 'You are sending too fast. Wait a second.' },
};

/** A worker, as the primary sees it. */
export class WorkerLink implements WorkerPeople {
  /** Results of its own commands in the next batch. */
  own: (readonly [serial: number, result: number | Result])[] = [];
  isListening = true;
  readonly #sender: Sender<readonly ToWorker[]>;
  #messages: ToWorker[] = [];
  #updates: PresenceUpdate[] = [];
  /** Its open connections that the limits count, by owner. */
  readonly #connections = new Map<string, { readonly owner: ConnectionOwner; count: number }>();
  readonly #metrics = new Map<number, (metrics: readonly object[]) => void>();
  #serial = 0;

  constructor(sender: Sender<readonly ToWorker[]>) {
    this.#sender = sender;
  }

  /** Sends all messages of one turn together. */
  send(message: ToWorker): void {
    if (this.#messages.push(message) === 1) queueMicrotask(() => this.#flush());
  }

  tell(update: PresenceUpdate): void {
    if (this.#updates.push(update) === 1) queueMicrotask(() => this.#flushUpdates());
  }

  takeOwn(): typeof this.own {
    const { own } = this;
    this.own = [];
    return own;
  }

  countConnection(owner: ConnectionOwner, change: 1 | -1): void {
    const key = `${owner.user} ${owner.address}`;
    const known = this.#connections.get(key) ?? { owner, count: 0 };
    known.count += change;
    if (known.count > 0) this.#connections.set(key, known);
    else this.#connections.delete(key);
  }

  /** The owners of its connections, each as often as it has one. */
  *connectionOwners(): Generator<ConnectionOwner> {
    for (const { owner, count } of this.#connections.values()) for (let n = 0; n < count; n++) yield owner;
  }

  /** Resolves with nothing when the worker does not answer in time. */
  readMetrics(): Promise<readonly object[]> {
    const serial = ++this.#serial;
    return new Promise((resolve) => {
      const settle = (metrics: readonly object[]): void => {
        clearTimeout(timer);
        this.#metrics.delete(serial);
        resolve(metrics);
      };
      const timer = setTimeout(() => settle([]), metricsTimeoutMs);
      this.#metrics.set(serial, settle);
      this.send({ kind: 'metrics', serial });
    });
  }

  onMetrics(serial: number, metrics: readonly object[]): void {
    this.#metrics.get(serial)?.(metrics);
  }

  #flush(): void {
    const messages = this.#messages;
    this.#messages = [];
    this.#sender.send(messages);
  }

  #flushUpdates(): void {
    const text = JSON.stringify(this.#updates);
    this.#updates = [];
    this.send({ kind: 'receive', text });
  }
}
