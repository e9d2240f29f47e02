/**
 * The processes of the workers. They share the port, and the kernel gives each connection to one of them. A worker that ends
 * is replaced. One that is silent, or does not take its messages, is ended: its clients resume at another.
 */
import cluster, { type Worker } from 'node:cluster';
import { type AddressInfo, createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Sender, ToWorker } from './messages.js';
import type { Primary, WorkerLink } from './primary.js';

/** UTF-16 units of messages that a worker has not taken yet: at most 64 MiB. */
const maxUnsentLength = 32 * 1024 * 1024;
/** Seconds without a message of a worker until it is ended. */
const silenceSeconds = 30;
/** Time until a worker is replaced. The delay doubles while workers end soon after their start. */
const restartDelayMs = { first: 100, longest: 30_000, livedMs: 10_000 } as const;
/** Workers that do not stop by themselves are ended after this. */
const stopTimeoutMs = 8_000;
/** Limits the young generation, of which V8 keeps both halves after a burst of joins. This saves 8 to 15 MB a worker. */
const workerFlags = ['--max-semi-space-size=4'] as const;
/** How long the port may still belong to workers whose primary was killed. */
const portTimeoutMs = 2_000;

export interface PoolOptions {
  readonly count: number;
  /** The flags of Node that this process has got. */
  readonly execArgv: readonly string[];
  readonly port: number;
  readonly primary: Primary;
  readonly logger: Logger;
  /** All workers listen for the first time. */
  readonly onListening: () => void;
}

interface Slot {
  readonly number: number;
  worker: Worker | undefined;
  link: WorkerLink | undefined;
  silentSeconds: number;
  /** Workers in a row that ended soon. */
  failures: number;
}

export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #slots: readonly Slot[];
  readonly #timer: NodeJS.Timeout;
  /** Slots whose first worker does not listen yet. */
  readonly #starting: Set<Slot>;
  /** Those of them that have none yet. As many start at once as there are cores: 50 together would be silent for too long. */
  readonly #waiting: Slot[];
  #isStopping = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, n) => ({
      ...{ number: n + 1, worker: undefined, link: undefined },
      ...{ silentSeconds: 0, failures: 0 },
    }));
    this.#starting = new Set(this.#slots);
    cluster.schedulingPolicy = cluster.SCHED_NONE; // the primary has other things to do than to accept connections
    cluster.setupPrimary({ serialization: 'advanced', execArgv: [...workerFlags, ...options.execArgv] });
    this.#waiting = [...this.#slots];
    for (const slot of this.#waiting.splice(0, availableParallelism())) this.#start(slot);
    this.#timer = setInterval(() => this.#checkSilence(), 1000);
  }

  /** Tells the workers to read the certificate again. */
  reload(): void {
    this.#sendAll({ kind: 'reload' });
  }

  /** Resolves when all workers have closed their connections and ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#sendAll({ kind: 'stop' });
    const isRunning = (): boolean => this.#slots.some(({ worker }) => worker !== undefined);
    for (const end = Date.now() + stopTimeoutMs; isRunning() && Date.now() < end; ) await setTimeout(10);
    this.abort();
    while (isRunning()) await setTimeout(5);
  }

  /** Ends all workers at once. */
  abort(): void {
    this.#isStopping = true;
    clearInterval(this.#timer);
    for (const slot of this.#slots) kill(slot);
  }

  #sendAll(message: ToWorker): void {
    for (const { link } of this.#slots) link?.send(message);
  }

  #start(slot: Slot): void {
    const { primary, logger } = this.#options;
    const worker = cluster.fork();
    const startedAt = performance.now();
    Object.assign(slot, { worker, silentSeconds: 0 });
    worker.on('message', (json: unknown) => {
      slot.silentSeconds = 0;
      slot.link ??= this.#connect(slot, worker); // its first message says that it hears us
      if (typeof json === 'string') primary.receive(slot.link, json);
    });
    worker.once('listening', () => this.#onListening(slot, worker));
    worker.on('error', (error) => logger.error({ err: error, worker: slot.number }, 'lost a worker'));
    processOf(worker).once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      if (slot.link) primary.disconnect(slot.link);
      Object.assign(slot, { worker: undefined, link: undefined });
      if (!this.#isStopping) this.#restart(slot, performance.now() - startedAt, signal ?? code);
    });
  }

  #connect(slot: Slot, worker: Worker): WorkerLink {
    const { primary, port } = this.#options;
    const place = { number: slot.number, port };
    return primary.connect(this.#createSender(slot, worker), place);
  }

  /** Counts what the worker has not taken yet, so that one that is stuck cannot fill our memory. */
  #createSender(slot: Slot, worker: Worker): Sender<readonly ToWorker[]> {
    let unsent = 0;
    let isStuck = false;
    return {
      send: (messages) => {
        if (isStuck || !worker.isConnected()) return; // it has ended, or will soon
        const length = lengthOf(messages);
        unsent += length;
        worker.send(messages, undefined, {}, () => {
          unsent -= length;
        });
        if (unsent <= maxUnsentLength || slot.worker !== worker) return;
        isStuck = true;
        this.#options.logger.error(
          { worker: slot.number },
          'ending a worker that does not take its messages',
        );
        kill(slot);
      },
    };
  }

  #onListening(slot: Slot, worker: Worker): void {
    const { logger, onListening } = this.#options;
    const { pid } = processOf(worker);
    logger.info({ worker: slot.number, pid }, 'worker started');
    if (!this.#starting.delete(slot)) return;
    const next = this.#waiting.shift();
    if (next && !this.#isStopping) this.#start(next);
    if (this.#starting.size === 0) onListening();
  }

  #restart(slot: Slot, livedMs: number, ending: number | string | null): void {
    const { first, longest, livedMs: enough } = restartDelayMs;
    slot.failures = livedMs < enough ? slot.failures + 1 : 0;
    const delayMs = slot.failures === 0 ? 0 : Math.min(first * 2 ** (slot.failures - 1), longest);
    this.#options.logger.error({ worker: slot.number, ending, delayMs }, 'a worker ended, replacing it');
    void setTimeout(delayMs, undefined, { ref: false }).then(() => {
      if (!this.#isStopping) this.#start(slot);
    });
  }

  #checkSilence(): void {
    for (const slot of this.#slots) {
      if (!slot.worker || ++slot.silentSeconds < silenceSeconds) continue;
      this.#options.logger.error({ worker: slot.number }, 'ending a worker that does not answer');
      kill(slot);
    }
  }
}

function kill({ worker }: Slot): void {
  if (worker) processOf(worker).kill('SIGKILL');
}

function processOf({ process }: Worker): Worker['process'] {
  return process;
}

/** Roughly: what is not counted is short. */
function lengthOf(messages: readonly ToWorker[]): number {
  let length = 0;
  for (const message of messages) {
    if (message.kind === 'batch') length += message.results.length;
    else if (message.kind === 'receive') length += message.text.length;
    length += messageOverhead;
  }
  return length;
}

const messageOverhead = 200;

/**
 * Returns the port to listen on, which is free. Waits for a moment, because it may still belong to workers whose primary was
 * killed. @throws the error of `listen`
 */
export async function findPort(host: string, port: number): Promise<number> {
  for (const end = Date.now() + portTimeoutMs; ; ) {
    try {
      return await listenOnce(host, port);
    } catch (error) {
      const isInUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isInUse || Date.now() > end) throw error;
      await setTimeout(50);
    }
  }
}

function listenOnce(host: string, port: number): Promise<number> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once('error', reject);
    probe.listen({ host, port, exclusive: true }, () => {
      const { port: free } = probe.address() as AddressInfo; // listening on TCP
      probe.close(() => resolve(free));
    });
  });
}
