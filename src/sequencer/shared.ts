/**
 * The order of several processes. Each one appends its commands to one stream, reads the stream, and applies every entry.
 * redis.ts has the stream; this file has the rules:
 *
 * 1. An entry names the one before it. A process applies an entry only when it follows the one that it applied last, so a
 *    stream that lost entries is noticed, never continued.
 * 2. A process counts its entries, and the stream accepts only the next one. A repeated or late append changes nothing.
 * 3. The position is stored in the transaction of the entry. After any crash each entry is applied exactly once.
 * 4. Nothing runs between applying an entry, its delivery and the replies (`#applyBatches` has no await).
 */
import { randomBytes } from 'node:crypto';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Command, Result } from '../chat/types.js';
import { parseJsonArray } from '../shared/parse.js';
import type { Writable } from '../shared/protocol.js';
import { comparePositions, PositionWaiters } from './positions.js';
import {
  type Identity,
  type Reply,
  refusedResult,
  type Sequencer,
  type SharedHandler,
  type SharedOrder,
  stoppingResult,
} from './sequencer.js';

/** An entry of the stream. `prev` and `seq`: id of the entry before it, and its number in the stream. */
export type Entry = { readonly id: string; readonly prev: string; readonly seq: number } & (
  | {
      readonly kind: 'batch';
      readonly node: string;
      readonly n: number;
      readonly version: number;
      /** JSON */
      readonly commands: string;
    }
  /** Begins a history. Processes whose data has this digest continue from here. */
  | { readonly kind: 'begin'; readonly identity: Identity; readonly digest: string }
  /** Enough replicas have all entries up to this id. */
  | { readonly kind: 'confirm'; readonly through: string }
);

export interface StreamState {
  /** Undefined: there is no stream. */
  readonly epoch: string | undefined;
  /** id and `seq` of the newest entry */
  readonly last: string;
  readonly seq: number;
  /** Why nobody may append. */
  readonly halted: string | undefined;
}

export interface NewBatch {
  readonly epoch: string;
  readonly node: string;
  readonly n: number;
  readonly version: number;
  readonly commands: string;
  /** Id of the newest entry that this process has read. A stream that ends before it has lost entries. */
  readonly read: string;
}

/** `repeated`: it was appended before. `gap`: the one before it was not. `lost`: the stream ends before `read`. */
export type AppendReply =
  | { readonly kind: 'appended' | 'repeated'; readonly id: string }
  | { readonly kind: 'gap' | 'lost' }
  | { readonly kind: 'halted'; readonly reason: string };

/** One connection to the stream. Every method rejects when it is lost, and within seconds when nothing answers. */
export interface StreamLink {
  state(): Promise<StreamState>;
  first(): Promise<Entry | undefined>;
  /** Waits up to a second for entries after this id. Junk is left out; `through` is the id of the last one that was read. */
  read(after: string): Promise<{ readonly entries: readonly Entry[]; readonly through: string }>;
  append(batch: NewBatch): Promise<AppendReply>;
  /** Begins the stream. Does nothing when there is one, or when it was halted. */
  begin(identity: Identity, digest: string): Promise<void>;
  /** Does nothing to a stream of another epoch. */
  halt(epoch: string, reason: string): Promise<void>;
  /** Appends a confirmation when enough replicas have everything up to this id. Returns how many have it. */
  confirm(through: string, epoch: string, replicas: number): Promise<number>;
  /** Deletes entries that are older than this many hours. */
  trim(hours: number): Promise<void>;
  /** Writes something, to find out whether writing works. */
  probe(): Promise<void>;
  /** The texts that others publish reach the listener. */
  subscribe(epoch: string, listener: (from: string, text: string) => void): Promise<void>;
  publish(epoch: string, from: string, text: string): void;
  destroy(): void;
}

export interface SharedOptions {
  /** `onJunk` is told of each entry that none of us wrote. */
  readonly open: (onJunk: () => void) => Promise<StreamLink>;
  readonly logger: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
  /** Replicas that must have an entry before anyone sees it. */
  readonly waitReplicas: number;
  readonly streamHours: number;
}

/** Version of the entries. A process stops at an entry of a newer version. */
const entryVersion = 1;
const maxBatchCommands = 1000;
/** UTF-16 units of JSON, roughly: a reader takes many entries at once. */
const maxBatchLength = 256 * 1024;
/** Batches that were not applied yet. */
const maxPendingBatches = 32;
/** Batches whose append is not answered yet, and commands that wait before them. */
const maxUnanswered = 4;
const maxQueuedCommands = 20_000;
/** A command is refused when it has waited this long. */
const commandTimeoutMs = 5000;
const timeoutCheckMs = 250;
const reconnectMs = 250;
const retryMs = 250;
const watchIntervalMs = 1000;
/** After this, the node is not ready. */
const slowAnswerMs = 2000;
/** Entries that a node may be behind and still be ready. */
const maxBehind = 1000;
const trimIntervalMs = 60_000;
const closeTimeoutMs = 3000;
const flushTimeoutMs = 1000;
/** The position before the first entry. */
const beginning = '0-0';

/** The stream and our data do not belong together. `isStale`: our data must not be shown either. */
class HistoryError extends Error {
  readonly isStale: boolean;

  constructor(message: string, isStale: boolean) {
    super(message);
    this.isStale = isStale;
  }
}

/** The store has failed. The same entry is tried again. */
class ApplyError extends Error {}

/** A bug, after an entry was applied: clients may not have been told of it. They resume after a restart. */
function crash(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

interface Submission {
  readonly command: Command;
  readonly reply: Reply | undefined;
  /** performance.now() */
  readonly at: number;
}

interface Batch extends Pick<NewBatch, 'node' | 'n'> {
  /** JSON; empty once it is in the stream */
  commands: string;
  submissions: readonly Submission[];
  appended: boolean;
}

type BatchEntry = Extract<Entry, { kind: 'batch' }>;

interface Problem {
  readonly text: string;
  /** performance.now() */
  readonly since: number;
}

export class SharedSequencer implements Sequencer, SharedOrder {
  readonly shared: SharedOrder = this;
  junkCount = 0;
  readonly #handler: SharedHandler;
  readonly #options: SharedOptions;
  readonly #front = randomName();
  readonly #timer: NodeJS.Timeout;
  /** The name under which batches are counted. Another one is taken when batches were given up. */
  #node = randomName();
  #n = 0;
  #queue: Submission[] = [];
  /** Our batches that were not applied yet, by node and number, in order. */
  #batches = new Map<string, Batch>();
  #unanswered = 0;
  #scheduled = false;
  #resending = false;
  #link: StreamLink | undefined;
  /** The stream's epoch. Ours is the same once the entry that begins it is applied. */
  #epoch = '';
  /** The newest entry that was read and the newest that was applied. */
  #read = { id: beginning, seq: 0 };
  #applied: { readonly id: string; readonly seq: number };
  /** Entries that were read and not applied. */
  #unapplied: Entry[] = [];
  #confirmed = beginning;
  #toConfirm = beginning;
  #confirming = false;
  /** The newest number in the stream that we know of. */
  #newestSeq = 0;
  #wasCaughtUp = false;
  #caughtUp = false;
  #downSince: number | undefined = Number.NEGATIVE_INFINITY;
  #linkProblem: string | undefined = 'connecting to Redis';
  #writeProblem: Problem | undefined;
  #replicaProblem: Problem | undefined;
  #applyProblem: string | undefined;
  #historyError: HistoryError | undefined;
  #digest: { readonly position: string; readonly value: string } | undefined;
  readonly #waiters = new PositionWaiters();
  #stopping = false;
  #ended = false;

  constructor(handler: SharedHandler, options: SharedOptions) {
    this.#handler = handler;
    this.#options = options;
    this.#applied = parsePosition(handler.position);
    this.#timer = setInterval(() => this.#refuseOverdue(), timeoutCheckMs);
    this.#timer.unref();
    void this.#run();
  }

  get position(): string {
    return this.#applied.id;
  }

  get behind(): number {
    return Math.max(0, this.#newestSeq - this.#applied.seq);
  }

  get problems(): readonly string[] {
    const catchingUp = this.#caughtUp ? undefined : `catching up: ${this.behind} entries behind`;
    const state = this.#historyError?.message ?? this.#linkProblem ?? catchingUp;
    return [state, this.#writeProblem?.text, this.#replicaProblem?.text, this.#applyProblem].filter(
      (problem) => problem !== undefined,
    );
  }

  get isStale(): boolean {
    const isNew = this.#link !== undefined || this.#applied.id === beginning;
    return (!this.#wasCaughtUp && isNew) || (this.#historyError?.isStale ?? false);
  }

  waitFor(position: string, waitMs: number): Promise<boolean> {
    return this.#waiters.waitFor(position, this.#applied.id, waitMs);
  }

  publish(text: string): void {
    this.#link?.publish(this.#epoch, this.#front, text);
  }

  submit(command: Command, reply?: Reply): void {
    if (this.#stopping) reply?.(stoppingResult);
    else if (!this.#accepts()) reply?.(refusedResult);
    else {
      this.#queue.push({ command, reply, at: performance.now() });
      if (this.#scheduled) return;
      this.#scheduled = true;
      void setImmediate().then(() => {
        this.#scheduled = false;
        this.#appendQueued();
      });
    }
  }

  /** A short failure is waited for. */
  #accepts(): boolean {
    const failures = [this.#downSince, this.#writeProblem?.since, this.#replicaProblem?.since];
    const before = performance.now() - commandTimeoutMs;
    if (failures.some((since) => since !== undefined && since < before)) return false;
    return !this.#historyError && this.#wasCaughtUp && this.#queue.length < maxQueuedCommands;
  }

  async close(): Promise<void> {
    this.#stopping = true;
    const end = performance.now() + closeTimeoutMs;
    while (!this.#ended && this.#queue.length + this.#batches.size > 0 && performance.now() < end)
      await setTimeout(5);
  }

  async flush(): Promise<void> {
    const sent = this.#link?.state().catch(() => {}); // comes after it on the same connection
    if (sent) await Promise.race([sent, setTimeout(flushTimeoutMs, undefined, { ref: false })]);
  }

  end(): void {
    this.#stopping = true;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#giveUp(stoppingResult);
    const link = this.#link;
    void this.flush().finally(() => link?.destroy());
    this.#waiters.end();
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      try {
        await this.#connect();
      } catch (error) {
        if (!this.#ended) this.#onLost(error);
      }
      await setTimeout(this.#historyError ? watchIntervalMs : reconnectMs, undefined, { ref: false });
    }
  }

  /** Takes part in the order until the connection is lost. */
  async #connect(): Promise<never> {
    const link = await this.#options.open(() => this.junkCount++);
    try {
      if (this.#ended) throw new Error('the server has stopped');
      await this.#joinHistory(link);
      await link.subscribe(this.#epoch, (from, text) => {
        if (from !== this.#front) this.#handler.receive(from, text);
      });
      this.#onConnected(link);
      const [never] = await Promise.all([this.#readEntries(link), this.#watch(link)]);
      return never;
    } finally {
      if (this.#ended) await this.flush(); // what was published last is not written yet
      this.#link = undefined;
      link.destroy();
    }
  }

  #onConnected(link: StreamLink): void {
    this.#link = link;
    this.#linkProblem = undefined;
    this.#historyError = undefined;
    this.#downSince = undefined;
    this.#unanswered = 0;
    this.#resending = false;
    this.#noteProgress();
    this.#options.logger.info({ epoch: this.#epoch, position: this.position }, 'joined the stream');
    this.#sendUnappended(link);
  }

  #onLost(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const before = this.problems[0];
    this.#downSince ??= performance.now();
    this.#caughtUp = false;
    if (error instanceof HistoryError) {
      const wasStale = this.#historyError?.isStale ?? false;
      this.#historyError = error;
      this.#giveUp(refusedResult);
      if (error.isStale && !wasStale && this.#wasCaughtUp) this.#handler.onReplaced();
    } else this.#linkProblem = `Redis is unavailable: ${message}`;
    if (this.problems[0] !== before)
      this.#options.logger.error({ problem: this.problems[0] }, 'commands are refused until this is over');
  }

  /** Finds out where our data stands in the stream. Begins the stream when there is none. @throws HistoryError */
  async #joinHistory(link: StreamLink): Promise<void> {
    const { position, identity } = this.#handler;
    let state = await link.state();
    if (state.epoch === undefined && state.halted === undefined) {
      if (position !== undefined) await this.#halt(link);
      await link.begin(identity, this.#ownDigest());
      state = await link.state();
    }
    const start = await this.#startIn(state, link);
    const epoch = state.epoch ?? '';
    if (this.#epoch !== epoch) this.#giveUp(refusedResult); // the new stream counts from 1
    this.#epoch = epoch;
    this.#newestSeq = state.seq;
    this.#read = start;
    this.#applied = start;
    this.#unapplied = [];
    this.#confirmed = beginning;
  }

  async #startIn(state: StreamState, link: StreamLink): Promise<{ id: string; seq: number }> {
    const own = parsePosition(this.#handler.position);
    const isOurs = this.#handler.position !== undefined && state.epoch === this.#handler.identity.epoch;
    if (isOurs && state.halted === undefined) {
      if (comparePositions(own.id, state.last) > 0) await this.#halt(link);
      return own;
    }
    const first = state.halted === undefined ? await link.first() : undefined;
    if (first?.kind === 'begin' && first.digest === this.#ownDigest()) return parsePosition(undefined);
    if (state.halted !== undefined) throw new HistoryError(state.halted, false);
    throw new HistoryError(
      `the stream continues other data (epoch ${state.epoch}): restore a backup of a node that is ready, or run new-epoch here to continue this node's data`,
      true,
    );
  }

  /** Remembered, because many rooms take a while. Nothing changes the data before this node has joined. */
  #ownDigest(): string {
    const position = this.#handler.position ?? '';
    if (this.#digest?.position !== position) this.#digest = { position, value: this.#handler.digest() };
    return this.#digest.value;
  }

  /** Stops all nodes, because the stream lacks an entry that this one has applied. */
  async #halt(link: StreamLink): Promise<never> {
    const reason =
      'the stream lost entries that a node has applied: run new-epoch on the node whose data is to be continued';
    await link.halt(this.#handler.identity.epoch, reason);
    throw new HistoryError(reason, false);
  }

  async #readEntries(link: StreamLink): Promise<never> {
    for (let cursor = this.#read.id; ; ) {
      const { entries, through } = await link.read(cursor);
      cursor = through;
      if (this.#ended || link !== this.#link) throw new Error('this connection is over');
      for (const entry of entries) {
        if (entry.kind === 'begin' && this.#read.id !== beginning) throw new Error('the stream was replaced');
        if (entry.prev !== this.#read.id) await this.#onBrokenChain(link);
        this.#read = entry;
        this.#unapplied.push(entry);
        if (entry.kind === 'confirm' && comparePositions(entry.through, this.#confirmed) > 0)
          this.#confirmed = entry.through;
      }
      this.#newestSeq = Math.max(this.#newestSeq, this.#read.seq);
      await this.#applyRead();
    }
  }

  /** The entry that follows ours was deleted because of its age, or ours was lost. */
  async #onBrokenChain(link: StreamLink): Promise<never> {
    const first = await link.first();
    if (first && comparePositions(this.#read.id, first.id) < 0)
      throw new HistoryError(
        `this node fell behind: the stream begins at ${first.id}, after its position ${this.#read.id}. Restore a newer backup`,
        true,
      );
    return this.#halt(link);
  }

  /** Applies what was read, again and again while the disk fails. */
  async #applyRead(): Promise<void> {
    while (!this.#ended && this.#isApplicable(this.#unapplied[0])) {
      try {
        this.#applyNext();
        this.#applyProblem = undefined;
        await setImmediate();
      } catch (error) {
        if (error instanceof HistoryError) throw error;
        if (!(error instanceof ApplyError)) return crash(error);
        const { message } = error;
        if (this.#applyProblem === undefined)
          this.#options.logger.error({ err: error }, 'failed to apply an entry, trying again');
        this.#applyProblem = `this node cannot apply an entry: ${message}`;
        await setTimeout(retryMs);
      }
    }
    this.#noteProgress();
  }

  #isApplicable(entry: Entry | undefined): boolean {
    if (!entry) return false;
    if (this.#options.waitReplicas === 0 || entry.kind === 'confirm') return true;
    return comparePositions(entry.id, this.#confirmed) <= 0;
  }

  #applyNext(): void {
    const [next] = this.#unapplied;
    if (next?.kind === 'batch') this.#applyBatches();
    else if (next?.kind === 'begin') {
      this.#begin(next.identity, formatPosition(next));
      this.#applied = next;
      this.#unapplied.shift();
    } else this.#unapplied.shift();
  }

  /**
   * Applies the next entries together, because a transaction costs more than a command. Invariant: no await between the
   * commit, the delivery and the replies.
   */
  #applyBatches(): void {
    const entries: { readonly entry: BatchEntry; readonly from: number }[] = [];
    const commands: Command[] = [];
    for (const entry of this.#unapplied) {
      if (entry.kind !== 'batch' || !this.#isApplicable(entry) || commands.length >= maxBatchCommands) break;
      entries.push({ entry, from: commands.length });
      for (const command of commandsOf(entry)) commands.push(command);
    }
    const last = entries.at(-1)?.entry;
    if (!last) return;
    const results = this.#apply(commands, formatPosition(last));
    this.#unapplied.splice(0, entries.length);
    this.#applied = last;
    this.#handler.deliver(results);
    for (const { entry, from } of entries) this.#reply(entry, results, from);
    this.#waiters.wake(this.#applied.id);
    this.#appendQueued();
  }

  /** @throws ApplyError: nothing was stored */
  #begin(identity: Identity, position: string): void {
    try {
      this.#handler.begin(identity, position);
    } catch (cause) {
      throw new ApplyError(cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }

  /** @throws ApplyError: nothing was stored */
  #apply(commands: readonly Command[], position: string): readonly Result[] {
    try {
      return this.#handler.apply(commands, position);
    } catch (cause) {
      throw new ApplyError(cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }

  /** Answers the commands of an entry of this process. Its results begin at `from`. */
  #reply(entry: BatchEntry, results: readonly Result[], from: number): void {
    const key = batchKey(entry);
    const batch = this.#batches.get(key);
    if (!batch) return;
    this.#batches.delete(key);
    batch.submissions.forEach(({ reply }, i) => {
      const result = results[from + i];
      if (result) reply?.(result);
    });
  }

  #noteProgress(): void {
    if (this.#unapplied.every(({ kind }) => kind === 'confirm'))
      this.#applied = { id: this.#applied.id, seq: Math.max(this.#applied.seq, this.#read.seq) };
    if (this.#caughtUp || this.behind > 0) return;
    this.#caughtUp = true;
    this.#wasCaughtUp = true;
    this.#handler.onJoined();
    this.#options.logger.info({ position: this.position }, 'caught up with the stream');
  }

  /** Checks once a second that the stream is there and that it is ours. */
  async #watch(link: StreamLink): Promise<never> {
    for (let trimmedAt = performance.now(); ; ) {
      await setTimeout(watchIntervalMs, undefined, { ref: false });
      const { id: read } = this.#read;
      const { epoch, last, seq, halted } = await this.#askState(link);
      if (halted !== undefined) throw new HistoryError(halted, false);
      if (epoch !== undefined && epoch !== this.#epoch) throw new Error('the stream was replaced');
      if (epoch === undefined || comparePositions(last, read) < 0) await this.#halt(link);
      this.#newestSeq = Math.max(this.#newestSeq, seq);
      if (this.behind > maxBehind) this.#caughtUp = false;
      this.#noteProgress();
      if (this.#writeProblem !== undefined) await this.#probe(link);
      if (this.#unapplied.length > 0) this.#confirmLater(link, this.#read.id);
      if (performance.now() - trimmedAt < trimIntervalMs) continue;
      trimmedAt = performance.now();
      await link.trim(this.#options.streamHours);
    }
  }

  /** Says soon that Redis does not answer, and waits longer for it, because connecting again is no faster. */
  async #askState(link: StreamLink): Promise<StreamState> {
    const asked = link.state();
    let isAnswered = false;
    void setTimeout(slowAnswerMs, undefined, { ref: false }).then(() => {
      if (!isAnswered && link === this.#link) this.#linkProblem = 'Redis does not answer';
    });
    const state = await asked;
    isAnswered = true;
    this.#linkProblem = undefined;
    return state;
  }

  async #probe(link: StreamLink): Promise<void> {
    try {
      await link.probe();
      this.#writeProblem = undefined;
    } catch (error) {
      this.#onAppendError(link, error);
    }
  }

  /** Appends what is queued, at most some batches at a time, so that batches grow while Redis is busy. */
  #appendQueued(): void {
    const link = this.#link;
    while (link && !this.#resending && this.#unanswered < maxUnanswered && this.#queue.length > 0) {
      if (this.#batches.size >= maxPendingBatches) return;
      const batch = this.#nextBatch();
      this.#batches.set(batchKey(batch), batch);
      this.#send(link, batch);
    }
  }

  #nextBatch(): Batch {
    const commands: string[] = [];
    let length = 0;
    for (const { command } of this.#queue) {
      if (commands.length >= maxBatchCommands || length >= maxBatchLength) break;
      const json = JSON.stringify(command);
      commands.push(json);
      length += json.length;
    }
    const submissions = this.#queue.splice(0, commands.length);
    return {
      node: this.#node,
      n: ++this.#n,
      commands: `[${commands.join(',')}]`,
      submissions,
      appended: false,
    };
  }

  #send(link: StreamLink, batch: Batch): void {
    this.#unanswered++;
    const { node, n, commands } = batch;
    link
      .append({ epoch: this.#epoch, node, n, version: entryVersion, commands, read: this.#read.id })
      .then((reply) => this.#onAppendReply(link, batch, reply))
      .catch((error: unknown) => this.#onAppendError(link, error))
      .finally(() => this.#onAnswered(link));
  }

  #onAppendReply(link: StreamLink, batch: Batch, reply: AppendReply): void {
    switch (reply.kind) {
      case 'appended':
      case 'repeated':
        batch.appended = true;
        batch.commands = '';
        this.#writeProblem = undefined;
        this.#confirmLater(link, reply.id);
        return;
      case 'gap':
        this.#onGap(batch);
        return;
      case 'halted':
      case 'lost':
        link.destroy(); // joining again finds out what happened
    }
  }

  /** An earlier batch was refused, so both are sent again. When there is none, the stream has lost our count. */
  #onGap(batch: Batch): void {
    const [first] = [...this.#batches.values()].filter(({ appended }) => !appended);
    if (first === batch) this.#giveUp(refusedResult);
    else this.#resending = true;
  }

  #onAppendError(link: StreamLink, error: unknown): void {
    if (link !== this.#link) return; // the next connection sends it again
    const message = error instanceof Error ? error.message : String(error);
    this.#resending = true;
    this.#writeProblem = this.#noteProblem(this.#writeProblem, `Redis refuses to write: ${message}`);
    if (message.startsWith('READONLY')) link.destroy(); // the primary may be elsewhere by now
  }

  #noteProblem(before: Problem | undefined, text: string): Problem {
    if (!before) this.#options.logger.error({ problem: text }, 'Redis does not store messages');
    return { text, since: before?.since ?? performance.now() };
  }

  #onAnswered(link: StreamLink): void {
    if (link !== this.#link) return;
    this.#unanswered--;
    if (!this.#resending) this.#appendQueued();
    else if (this.#unanswered === 0)
      void setTimeout(retryMs, undefined, { ref: false }).then(() => {
        if (link === this.#link && this.#resending && this.#unanswered === 0) this.#sendUnappended(link);
      });
  }

  /** Sends the batches again whose append was not answered, in their order. */
  #sendUnappended(link: StreamLink): void {
    this.#resending = false;
    for (const batch of this.#batches.values()) if (!batch.appended) this.#send(link, batch);
    this.#appendQueued();
  }

  #confirmLater(link: StreamLink, id: string): void {
    if (this.#options.waitReplicas === 0) return;
    if (comparePositions(id, this.#toConfirm) > 0) this.#toConfirm = id;
    if (this.#confirming) return;
    this.#confirming = true;
    void this.#confirm(link).finally(() => {
      this.#confirming = false;
    });
  }

  async #confirm(link: StreamLink): Promise<void> {
    const { waitReplicas } = this.#options;
    try {
      for (let through = ''; through !== this.#toConfirm && link === this.#link; ) {
        through = this.#toConfirm;
        const count = await link.confirm(through, this.#epoch, waitReplicas);
        const text = `${count} of ${waitReplicas} replicas have the newest entries`;
        this.#replicaProblem =
          count >= waitReplicas ? undefined : this.#noteProblem(this.#replicaProblem, text);
      }
    } catch (error) {
      this.#onAppendError(link, error);
    }
  }

  /**
   * Refuses commands that have waited for too long. Those in a batch may still be applied, before all that was submitted after
   * them, because the batch is sent until it is in the stream or everything is given up.
   */
  #refuseOverdue(): void {
    const before = performance.now() - commandTimeoutMs;
    const overdue: Submission[] = [];
    for (const batch of this.#batches.values())
      if (batch.submissions.some(({ at }) => at < before)) {
        overdue.push(...batch.submissions);
        batch.submissions = [];
      }
    overdue.push(...this.#takeOverdue(before));
    for (const { reply } of overdue) reply?.(refusedResult);
  }

  /**
   * Takes out of the queue what was submitted before this time, and all that waits behind it of the same users. Otherwise the
   * order would have a user's second command and not the first, which is sent again and comes after it.
   */
  #takeOverdue(before: number): readonly Submission[] {
    const [first] = this.#queue;
    if (!first || first.at >= before) return [];
    const users = new Set<string>();
    const [overdue, waiting]: [Submission[], Submission[]] = [[], []];
    for (const submission of this.#queue) {
      const user = userOf(submission.command);
      const isTaken = submission.at < before || (user !== undefined && users.has(user));
      if (isTaken && user !== undefined) users.add(user);
      (isTaken ? overdue : waiting).push(submission);
    }
    this.#queue = waiting;
    return overdue;
  }

  /** Refuses everything that waits. Later batches are counted under another name, because these may still arrive. */
  #giveUp(result: Result): void {
    const waiting = [
      ...[...this.#batches.values()].flatMap(({ submissions }) => submissions),
      ...this.#queue,
    ];
    this.#queue = [];
    this.#batches.clear();
    this.#node = randomName();
    this.#n = 0;
    for (const { reply } of waiting) reply?.(result);
  }
}

function userOf(command: Command): string | undefined {
  return 'user' in command ? command.user.id : undefined;
}

function randomName(): string {
  return randomBytes(9).toString('base64url');
}

function batchKey({ node, n }: Pick<NewBatch, 'node' | 'n'>): string {
  return `${node} ${n}`;
}

/**
 * The time of a command is that of its entry: one clock for all processes. An entry that cannot be read has no commands, on
 * every node. @throws HistoryError for a newer version
 */
function commandsOf({ id, version, commands: json }: BatchEntry): readonly Command[] {
  if (version > entryVersion)
    throw new HistoryError('the stream has entries of a newer version of Oneport: update this node', true);
  const at = Number(id.split('-')[0]);
  const commands = (parseJsonArray(json) ?? []) as Writable<Command>[]; // a node of a known version wrote it
  for (const command of commands) command.at = at;
  return commands;
}

/** A stored position is the id and the `seq` of an entry. */
function formatPosition({ id, seq }: Pick<Entry, 'id' | 'seq'>): string {
  return `${id} ${seq}`;
}

function parsePosition(stored: string | undefined): { readonly id: string; readonly seq: number } {
  const [id = beginning, seq = '0'] = stored?.split(' ') ?? [];
  return { id, seq: Number(seq) };
}
