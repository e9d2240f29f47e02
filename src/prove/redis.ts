/** A Redis for the nodes of a run, which is killed and frozen, and the links of the nodes to it, which are cut and held. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, EXIT } from '../cli/command.js';

const START_TIMEOUT_MS = 20_000;
const RETRY_MS = 20;

export class Redis {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  /** Starts it on what it has stored. It keeps all that it was told, also when it is killed. @throws CommandError */
  async start(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    const settings = [
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
      ...['--stream-node-max-entries', '1'],
    ];
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder];
    const child = spawn('redis-server', [...place, ...settings], { stdio: 'ignore', detached: true });
    this.#child = child;
    child.on('error', () => {}); // it is not installed: `exitCode` stays null, and nothing answers
    if (!(await this.#answers(child)))
      throw new CommandError(
        EXIT.noInput,
        'redis-server does not start; install the package redis-server (7.0 or newer)',
      );
  }

  /** Sends SIGKILL and waits for the exit. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Resolves with true once it has loaded its data. */
  async #answers(child: ChildProcess): Promise<boolean> {
    await Promise.race([once(child, 'spawn'), once(child, 'error')]).catch(() => {});
    for (const end = performance.now() + START_TIMEOUT_MS; performance.now() < end; await sleep(RETRY_MS)) {
      if (child.pid === undefined || child.exitCode !== null) return false;
      if (await ping(this.port)) return true;
    }
    return false;
  }
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.once('data', (answer) => {
      resolve(answer.toString().startsWith('+PONG'));
      socket.destroy();
    });
  });
}

/** Passes a node's connections on to Redis. */
export class RedisLink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: 'open' | 'cut' | 'held' = 'open';

  static async open(redisPort: number): Promise<RedisLink> {
    const link = new RedisLink(redisPort);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  private constructor(redisPort: number) {
    this.#server = createServer((node) => {
      if (this.#state === 'cut') node.destroy();
      else this.#connect(node, connect(redisPort, '127.0.0.1'));
    });
  }

  get port(): number {
    const address = this.#server.address() as AddressInfo; // it listens on TCP
    return address.port;
  }

  /** Ends all connections and accepts none. */
  cut(): void {
    this.#state = 'cut';
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Keeps all connections and passes nothing on until it is opened. */
  hold(): void {
    this.#state = 'held';
    for (const socket of this.#sockets) socket.pause();
  }

  open(): void {
    this.#state = 'open';
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #connect(node: Socket, redis: Socket): void {
    const ends = [
      [node, redis],
      [redis, node],
    ] as const;
    for (const [from, to] of ends) {
      this.#sockets.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', () => {}); // 'close' follows
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#state === 'held') from.pause();
    }
  }
}
