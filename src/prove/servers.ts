/** The servers of a run: one process, or several nodes that share a Redis, each with a folder, a disk and a link of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, EXIT } from '../cli/command.js';
import { field, isObject, parseJsonObject } from '../shared/parse.js';
import { FaultyDisk } from './disk.js';
import { pick, type Random } from './generator.js';
import { Redis, RedisLink } from './redis.js';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 12_000;
/** How long a node may take to apply what it lacks. */
const READY_TIMEOUT_MS = 30_000;
/** How long it may take to say whether it is ready. */
const READINESS_TIMEOUT_MS = 3_000;
const POLL_MS = 20;
/** Turns rate limits off, because the clients send as fast as they can. */
const NO_LIMITS = {
  MESSAGE_RATE: '0',
  CONNECTIONS_PER_PERSON: '0',
  CONNECTIONS_PER_ADDRESS: '0',
  SIGNINS_PER_MINUTE: '0',
};

type Env = Readonly<Record<string, string | undefined>>;

export class ServerProcess {
  readonly #command: readonly string[];
  readonly #env: Env;
  readonly #logFile: string;
  readonly #onCrash: (status: string) => void;
  #child: ChildProcess | undefined;
  /** bytes of the log before the current process */
  #logStart = 0;

  /** The server's stderr is appended to `logFile`. `onCrash` is called when it exits without being told to. */
  constructor(command: readonly string[], env: Env, logFile: string, onCrash: (status: string) => void) {
    this.#command = command;
    this.#env = env;
    this.#logFile = logFile;
    this.#onCrash = onCrash;
  }

  /** Resolves with the milliseconds until the server listens. @throws CommandError when it does not start */
  async start(): Promise<number> {
    const [program = '', ...args] = this.#command;
    const startedAt = performance.now();
    const log = openSync(this.#logFile, 'a');
    const child = spawn(program, args, {
      env: { ...this.#env },
      stdio: ['ignore', 'pipe', log],
      detached: true, // keeps Ctrl-C from reaching it: we end it ourselves
    });
    closeSync(log);
    this.#logStart = statSync(this.#logFile).size;
    this.#child = child;
    child.on('exit', (code, signal) => {
      if (child === this.#child) this.#onCrash(String(code ?? signal));
    });
    if (!(await firstOutput(child)))
      throw new CommandError(EXIT.fault, `the server did not start: see ${this.#logFile}`);
    return performance.now() - startedAt;
  }

  /** Sends SIGKILL and waits for the exit. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Kills one of its workers, which it replaces. Returns false when there is none. */
  killWorker(random: Random): boolean {
    const pid = pick([...this.#workers().values()], random);
    return pid !== undefined && kill(pid);
  }

  /** Kills all of its workers, which end by themselves when the server was killed. */
  killWorkers(): void {
    for (const pid of this.#workers().values()) kill(pid);
  }

  /** Returns the process ids of its newest workers, by their number. */
  #workers(): Map<unknown, number> {
    const lines = readFileSync(this.#logFile).subarray(this.#logStart).toString().split('\n');
    const started = lines
      .map((line) => parseJsonObject(line))
      .filter((entry) => entry?.['msg'] === 'worker started');
    return new Map(started.map((entry) => [entry?.['worker'], Number(entry?.['pid'])]));
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Sends SIGTERM. Resolves with the exit code, or with the signal that ended it. */
  async stop(): Promise<number | string> {
    const child = this.#child;
    const timer = setTimeout(() => child?.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const status = await this.#end('SIGTERM');
    clearTimeout(timer);
    return status;
  }

  async #end(signal: NodeJS.Signals): Promise<number | string> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return 'already exited';
    child.kill(signal);
    const [code, endedBy] = await once(child, 'exit');
    return code ?? endedBy;
  }
}

/** Returns false when there is no such process. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** The server's first output says that it listens. Resolves with false when it exits before, or on timeout. */
function firstOutput(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), START_TIMEOUT_MS);
    child.stdout?.once('data', () => resolve(true));
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(false));
    timer.unref();
  });
}

export interface Arrangement {
  /** the program that runs a server, and its arguments */
  readonly command: readonly string[];
  /** for data and logs: empty, or without Redis with the database of an earlier version */
  readonly folder: string;
  /** servers that share a Redis; 0: one server without Redis */
  readonly nodes: number;
  /** worker processes of each server; 0: the server is one process */
  readonly workers: number;
}

/** What `/readyz` says. */
interface Readiness {
  readonly ready: boolean;
  readonly position: string;
  readonly behind: number;
}

/** A server, on its own or one of several. */
export class Node {
  readonly folder: string;
  readonly port: number;
  readonly server: ServerProcess;
  /** undefined where it cannot be built */
  readonly disk: FaultyDisk | undefined;
  /** undefined without Redis */
  readonly link: RedisLink | undefined;

  constructor(
    folder: string,
    port: number,
    { command, workers }: Arrangement,
    link: RedisLink | undefined,
    onCrash: (status: string) => void,
  ) {
    this.folder = folder;
    this.port = port;
    this.link = link;
    this.disk = FaultyDisk.create(folder);
    const env = {
      ...{ ...NO_LIMITS, ...this.disk?.env, HOST: '127.0.0.1', PORT: String(port) },
      ...{ DATA_DIR: folder, LOG_LEVEL: workers > 0 ? 'info' : 'warn', WORKERS: String(workers) },
      ...(link ? { REDIS_URL: `redis://127.0.0.1:${link.port}` } : {}),
    };
    this.server = new ServerProcess(command, env, join(folder, 'server.log'), onCrash);
  }

  /** Resolves with undefined when it does not answer. */
  async readiness(): Promise<Readiness | undefined> {
    try {
      const signal = AbortSignal.timeout(READINESS_TIMEOUT_MS);
      const response = await fetch(`http://127.0.0.1:${this.port}/readyz`, { signal });
      const body: unknown = await response.json();
      if (!isObject(body)) return undefined;
      const [ready, position, behind] = ['ready', 'position', 'behind'].map((name) => field(body, name));
      return { ready: ready === true, position: String(position), behind: Number(behind) };
    } catch {
      return undefined;
    }
  }

  /** Resolves with false when it is not ready in time. */
  untilReady(): Promise<boolean> {
    return waitFor(async () => (await this.readiness())?.ready === true, READY_TIMEOUT_MS);
  }

  async end(): Promise<void> {
    await this.server.kill();
    this.disk?.remove();
    this.link?.close();
  }
}

export class Cluster {
  readonly nodes: readonly Node[];
  /** undefined when there is one server without it */
  readonly redis: Redis | undefined;
  readonly hasWorkers: boolean;

  /** `onCrash` is called when a server exits without being told to. */
  static async create(arrangement: Arrangement, onCrash: (status: string) => void): Promise<Cluster> {
    const { folder, nodes: count } = arrangement;
    const redis = count === 0 ? undefined : new Redis(await freePort(), join(folder, 'redis'));
    const nodes: Node[] = [];
    for (let n = 1; n <= Math.max(1, count); n++) {
      const link = redis && (await RedisLink.open(redis.port));
      const own = redis ? join(folder, `node-${n}`) : folder;
      mkdirSync(own, { recursive: true });
      nodes.push(new Node(own, await freePort(), arrangement, link, onCrash));
    }
    return new Cluster(nodes, redis, arrangement.workers > 0);
  }

  private constructor(nodes: readonly Node[], redis: Redis | undefined, hasWorkers: boolean) {
    this.nodes = nodes;
    this.redis = redis;
    this.hasWorkers = hasWorkers;
  }

  /** Whether each server has a disk that fails when it is told to. */
  get hasDisks(): boolean {
    return this.nodes.every(({ disk }) => disk?.isLoaded === true);
  }

  /** Resolves with the milliseconds that each server took until it listened. @throws CommandError when one does not start */
  async start(): Promise<number[]> {
    await this.redis?.start();
    const times = await Promise.all(this.nodes.map(({ server }) => server.start()));
    for (const node of this.nodes)
      if (!(await node.untilReady()))
        throw new CommandError(EXIT.fault, `a server is not ready: see ${node.folder}/server.log`);
    return times;
  }

  /** Resolves with false when the nodes do not come to one position in time. Nobody may write meanwhile. */
  untilEqual(): Promise<boolean> {
    return waitFor(async () => {
      const states = await Promise.all(this.nodes.map((node) => node.readiness()));
      const positions = new Set(states.map((state) => state?.position));
      return positions.size === 1 && states.every((state) => state?.ready && state.behind === 0);
    }, READY_TIMEOUT_MS);
  }

  async end(): Promise<void> {
    for (const node of this.nodes) await node.end();
    await this.redis?.kill();
  }
}

/** Resolves with false when the condition was not met in time. */
export function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  return waitFor(async () => condition(), timeoutMs);
}

/** Does the same with a condition that takes a while. */
export async function waitFor(condition: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; !(await condition()); await sleep(POLL_MS)) {
    if (performance.now() > end) return false;
  }
  return true;
}

/** Ports that `freePort` has returned. */
const givenPorts = new Set<number>();

/**
 * Finds a free port below the ephemeral range, so that no client socket can take it while the server is down. Returns each port
 * only once.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (givenPorts.has(port)) continue;
    givenPorts.add(port);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (free) return port;
  }
  throw new Error('no free port between 20000 and 32000');
}
