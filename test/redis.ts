/** A Redis of its own for a test, and nodes that share it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { readConfig } from '../src/config.js';
import { openRedis } from '../src/sequencer/redis.js';
import type { SharedHandler } from '../src/sequencer/sequencer.js';
import { SharedSequencer } from '../src/sequencer/shared.js';
import { createServer } from '../src/server.js';
import { Chat, type Env, NO_LIMITS, temporaryFolder, Visitor } from './harness.js';
import { freePort, untilListening } from './process.js';

const run = promisify(execFile);

export class TestRedis {
  readonly port: number;
  readonly #folder: string;
  readonly #settings: readonly string[];
  #child: ChildProcess | undefined;

  constructor(port: number, settings: readonly string[]) {
    this.port = port;
    this.#folder = temporaryFolder();
    this.#settings = settings;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const base = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    this.#child = spawn('redis-server', [...base, ...this.#settings], { stdio: 'ignore' });
    await untilListening(this.port);
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Returns what puts everything back as it is now. Call both while it is down. */
  snapshot(): () => void {
    const copy = temporaryFolder();
    cpSync(this.#folder, copy, { recursive: true });
    return () => {
      rmSync(this.#folder, { recursive: true });
      cpSync(copy, this.#folder, { recursive: true });
    };
  }

  /** Whether any of its files has this text. */
  holds(text: string): boolean {
    const files = readdirSync(this.#folder, { recursive: true, withFileTypes: true });
    return files.some(
      (file) => file.isFile() && readIfThere(join(file.parentPath, file.name)).includes(text),
    );
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async command(...args: readonly string[]): Promise<string> {
    return (await run('redis-cli', ['-p', String(this.port), ...args])).stdout.trim();
  }
}

/** A rewrite deletes files meanwhile. */
function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Starts a Redis that keeps everything, unless `settings` say otherwise. It ends with the test. */
export async function startRedis(
  settings: readonly string[] = [
    ...['--appendonly', 'yes', '--appendfsync', 'always'],
    ...['--stream-node-max-entries', '1'],
  ],
): Promise<TestRedis> {
  const redis = new TestRedis(await freePort(), settings);
  onTestFinished(() => redis.kill());
  await redis.start();
  return redis;
}

export interface NodeOptions {
  readonly env?: Env;
  readonly dataDir?: string;
  readonly now?: () => number;
  /** While it returns true, the node applies nothing, as with a failing disk. */
  readonly isHeld?: () => boolean;
}

/** Starts a node in this process. It is closed when the test is over. */
export async function startNode(
  redis: { readonly url: string },
  { env = {}, dataDir = temporaryFolder(), now, isHeld = () => false }: NodeOptions = {},
): Promise<Chat> {
  const config = readConfig({ ...NO_LIMITS, PORT: '0', DATA_DIR: dataDir, REDIS_URL: redis.url, ...env });
  const logger = pino({ level: process.env['NODE_LOG'] ?? 'silent' });
  const { url, waitReplicas, streamHours } = config.redis ?? { url: '', waitReplicas: 0, streamHours: 1 };
  const open = (onJunk: () => void) => openRedis(url, onJunk);
  const server = createServer(config, {
    logger,
    ...(now ? { now } : {}),
    createSequencer: (handler) => {
      const apply: SharedHandler['apply'] = (commands, position) => {
        if (isHeld()) throw new Error('held');
        return handler.apply(commands, position);
      };
      const holdable = Object.create(handler, { apply: { value: apply } }) as SharedHandler; // with its getters
      return new SharedSequencer(holdable, { open, logger, waitReplicas, streamHours });
    },
  });
  await new Promise<void>((resolve) => server.http.listen(0, '127.0.0.1', resolve));
  const chat = new Chat(server, dataDir);
  onTestFinished(() => chat.stop());
  return chat;
}

/** The Redis of each data folder, so that a server may be started again on it. */
const redisOf = new Map<string, TestRedis>();

/** A single node that is ready: what `startChat` starts with ARRANGEMENT=redis. */
export async function startChatOnRedis(dataDir: string, env: Env, now?: () => number): Promise<Chat> {
  const redis = redisOf.get(dataDir) ?? (await startRedis([]));
  redisOf.set(dataDir, redis);
  const node = await startNode(redis, { env, dataDir, ...(now ? { now } : {}) });
  await untilReady({ origin: node.origin + (env['BASE_PATH'] ?? '').replace(/\/$/, '') });
  return node;
}

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly role: string;
  readonly position: string;
  readonly behind: number;
}

export async function readiness(node: { readonly origin: string }): Promise<Readiness> {
  return (await (await fetch(`${node.origin}/readyz`)).json()) as Readiness;
}

/** How long a node may take to get into a state. */
const patienceMs = 30_000;

/** Resolves when the node is ready, or when a reason matches. */
export async function untilReady(
  node: { readonly origin: string },
  expected: true | RegExp = true,
): Promise<Readiness> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const state = await readiness(node);
    const isReached = expected === true ? state.ready : state.reasons.some((reason) => expected.test(reason));
    if (isReached) return state;
    if (Date.now() > until) throw new Error(`not ${String(expected)}: ${JSON.stringify(state)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Resolves when all nodes are ready and have applied the same. Nobody may write meanwhile. */
export async function untilEqual(nodes: readonly { readonly origin: string }[]): Promise<void> {
  for (const until = Date.now() + patienceMs; Date.now() < until; ) {
    const states = await Promise.all(nodes.map((node) => readiness(node)));
    const isEqual = new Set(states.map(({ position }) => position)).size === 1;
    if (isEqual && states.every(({ ready, behind }) => ready && behind === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the nodes do not come to the same position');
}

/** The same, once each node has stored the memberships of somebody who has entered rooms there. */
export async function untilEqualFor(visitor: Visitor, nodes: readonly Chat[]): Promise<void> {
  for (const node of nodes) await at(node, visitor).get('/api/rooms'); // is answered after them
  await untilEqual(nodes);
}

/** Starts two nodes that are ready. */
export async function twoNodes(redis: TestRedis, env: Env = {}): Promise<readonly [a: Chat, b: Chat]> {
  const nodes = [await startNode(redis, { env }), await startNode(redis, { env })] as const;
  for (const node of nodes) await untilReady(node);
  return nodes;
}

/** The same person at another node. */
export function at(node: Chat, { cookie, user }: Visitor): Visitor {
  return new Visitor(node, user, cookie);
}
