// @ts-check
/** A Redis of its own for one run. Its port stays the same when it is killed and comes back. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pause } from './load/clock.js';

const run = promisify(execFile);
const START_MS = 10_000;
/** What the docs of Oneport ask for. */
export const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

export class Redis {
  port = 0;
  #folder;
  #settings;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;

  /** @param {import('./server.js').Ground} ground @param {string[]} [settings] */
  static async start(ground, settings = DURABLE) {
    const redis = new Redis(mkdtempSync(join(ground.work, 'redis-')), settings);
    redis.port = await freePort();
    await redis.start();
    return redis;
  }

  /** @param {string} folder @param {string[]} settings */
  constructor(folder, settings) {
    this.#folder = folder;
    this.#settings = settings;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#child?.pid ?? 0;
  }

  async start() {
    const base = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    this.#child = spawn('redis-server', [...base, ...this.#settings], { stdio: 'ignore' });
    for (const until = Date.now() + START_MS; !(await isListening(this.port)); await pause(10))
      if (Date.now() > until) throw new Error('redis-server does not listen');
  }

  /** As a crash does. */
  async kill() {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async stop() {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** @param {string[]} args */
  async command(...args) {
    const { stdout } = await run('redis-cli', ['-p', String(this.port), ...args]);
    return stdout.trim();
  }
}

/** @returns {Promise<number>} */
function freePort() {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** Redis loads its files before it answers, but it accepts connections meanwhile. @param {number} port @returns {Promise<boolean>} */
function isListening(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.on('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString().startsWith('+PONG'));
    });
    socket.on('error', () => resolve(false));
  });
}
