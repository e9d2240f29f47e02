// @ts-check
/** One server under test, in its own process: started on a free port, stopped by its pid, its folder gone afterwards. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pause } from './load/clock.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const START_MS = 20_000;
const STOP_MS = 10_000;
const TAIL = 4000;

export const SUBJECTS = /** @type {const} */ (['oneport', 'bun', 'tutorial', 'socketio']);
/** @typedef {typeof SUBJECTS[number]} Subject */

/**
 * @typedef {object} Ground where the bench works, the same for all runs
 * @property {string} product copy of the product's build
 * @property {string} work folder for what runs need, on a real disk
 * @property {string} seed data folder with people who have signed in
 * @property {Record<'oneport' | 'peers', string>} cookies files: JSON arrays of Cookie headers
 * @property {{ server: number | undefined, load: number | undefined }} cores
 * @property {string | undefined} profiles folder for CPU profiles of Oneport
 * @property {(line: string) => void} say
 */

/** @typedef {{ data?: string, env?: Record<string, string>, startMs?: number }} ServerOptions data: folder to begin with, of which the server gets a copy */

/** Everything of the product that would refuse a load from one address is switched off; nothing else. */
const OPEN_DOORS = {
  MESSAGE_RATE: '0',
  MESSAGE_BURST: '0',
  CONNECTIONS_PER_PERSON: '0',
  CONNECTIONS_PER_ADDRESS: '0',
  SIGNINS_PER_MINUTE: '0',
  LOG_LEVEL: 'warn',
};
export const SESSION_KEY = 'f3Qz7Lw0Xr9Tb2Vn5Ys8Kd1Mh4Jp6Gc-bench';

export class Server {
  /** milliseconds from spawn to the line that says it listens */
  startMs = 0;
  /** and until it took commands, once `ready` was awaited */
  readyAfterMs = 0;
  port = 0;
  subject;
  #from = 0;
  #child;
  #folder;
  #ended = false;
  #tail = '';

  /**
   * @param {Ground} ground @param {Subject} subject @param {ServerOptions} [options]
   * @returns {Promise<Server>} listening
   */
  static async start(ground, subject, options) {
    const server = new Server(ground, subject, options);
    try {
      await server.#listening(options?.startMs ?? START_MS);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** @param {Ground} ground @param {Subject} subject @param {ServerOptions} [options] */
  constructor(ground, subject, { data = ground.seed, env = {} } = {}) {
    this.subject = subject;
    this.#folder = mkdtempSync(join(ground.work, `${subject}-`));
    if (subject === 'oneport' && existsSync(data)) cpSync(data, this.#folder, { recursive: true });
    this.#from = performance.now();
    const [command, ...args] = [...pinned(ground.cores.server), ...commandOf(ground, subject)];
    this.#child = spawn(command ?? '', args, {
      cwd: HERE,
      env: {
        ...process.env,
        ...OPEN_DOORS,
        SESSION_KEYS: SESSION_KEY,
        HOST: '127.0.0.1',
        PORT: '0',
        DATA_DIR: this.#folder,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.on('exit', () => {
      this.#ended = true;
    });
    this.#child.stderr.on('data', (bytes) => {
      this.#tail = (this.#tail + bytes).slice(-TAIL);
    });
  }

  get pid() {
    return this.#child.pid ?? 0;
  }

  get folder() {
    return this.#folder;
  }

  /** Waits until it takes commands. @param {number} [ms] */
  async ready(ms = START_MS) {
    for (const until = Date.now() + ms; ; await pause(20)) {
      this.assertAlive();
      const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`);
      if (answer.ok) {
        this.readyAfterMs = performance.now() - this.#from;
        return;
      }
      if (Date.now() > until) throw new Error(`not ready: ${await answer.text()}`);
    }
  }

  /** A throw with what it said last, if it has died. */
  assertAlive() {
    if (this.#ended) throw new Error(`${this.subject} has died: ${this.#tail.trim() || 'without a word'}`);
  }

  /** @param {string} name of a file in its folder @returns {number} its size in bytes, 0 if it is not there */
  sizeOf(name) {
    return statSync(join(this.#folder, name), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** @param {{ keep?: string }} [options] keep: where its folder is moved to */
  async stop({ keep } = {}) {
    const until = Date.now() + STOP_MS;
    this.#child.kill('SIGTERM');
    while (!this.#ended && Date.now() < until) await pause(20);
    if (!this.#ended) this.#child.kill('SIGKILL');
    while (!this.#ended && Date.now() < until + 2000) await pause(20);
    if (keep !== undefined) cpSync(this.#folder, keep, { recursive: true });
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** @param {number} ms @returns {Promise<void>} */
  #listening(ms) {
    return new Promise((resolve, reject) => {
      let text = '';
      const timer = setTimeout(() => reject(new Error(`${this.subject} did not listen: ${this.#tail}`)), ms);
      this.#child.on('error', reject);
      this.#child.on('exit', () => reject(new Error(`${this.subject} ended at its start: ${this.#tail}`)));
      this.#child.stdout.on('data', (bytes) => {
        text = (text + bytes).slice(-TAIL);
        const port = /https?:\/\/[^\s:]+:(\d+)/.exec(text)?.[1];
        if (port === undefined || this.port > 0) return;
        this.startMs = performance.now() - this.#from;
        this.port = Number(port);
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** @param {number | undefined} core @returns {string[]} */
function pinned(core) {
  return core === undefined ? [] : ['taskset', '-c', String(core)];
}

/** @param {Ground} ground @param {Subject} subject @returns {string[]} */
function commandOf(ground, subject) {
  if (subject === 'oneport') {
    const profile = ground.profiles ? ['--cpu-prof', `--cpu-prof-dir=${ground.profiles}`] : [];
    return [process.execPath, ...profile, join(ground.product, 'dist', 'main.js')];
  }
  const script = join(HERE, 'servers', `${subject}.js`);
  return subject === 'bun' ? [bunBinary(), script] : [process.execPath, script];
}

/** npm's `bun` puts the binary in its place after the install; where scripts are off, it lies in the platform's package. */
function bunBinary() {
  const installed = join(HERE, 'node_modules/bun/bin/bun.exe');
  const arch = process.arch === 'arm64' ? 'aarch64' : process.arch;
  const packed = join(HERE, `node_modules/@oven/bun-${process.platform}-${arch}/bin/bun`);
  return existsSync(packed) ? packed : installed;
}

/** A copy of the build: a rebuild meanwhile does not change what is measured. @param {string} root @param {string} to */
export function copyProduct(root, to) {
  if (!existsSync(join(root, 'dist', 'main.js')))
    throw new Error('the product is not built: run "npm run build" first');
  mkdirSync(to, { recursive: true });
  for (const part of ['dist', 'public', 'package.json'])
    cpSync(join(root, part), join(to, part), { recursive: true });
}
