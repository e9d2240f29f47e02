// @ts-check
/**
 * The server under attack, with 256 MB: in a memory cgroup where this process may make one (then the kernel ends a server that
 * takes more), else by the limit of V8's heap alone. Its limits are the defaults, and no proxy is trusted.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pause } from '../load/clock.js';
import { rssOf } from '../proc.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const LIMIT_MB = 256;
const HEAP_MB = 160;

/** @typedef {{ work: string, sessionKey: string }} Ground */

/**
 * @typedef {object} Options
 * @property {string} [seed] data folder to begin with
 * @property {number} [core] to run on
 * @property {Record<string, string>} [env]
 */

export class Target {
  port = 0;
  peakKb = 0;
  #child;
  #folder;
  #group;
  #tail = '';
  #ended = false;
  #timer;

  /** @param {Ground} ground @param {Options} options */
  static async start(ground, options) {
    const target = new Target(ground, options);
    for (const end = Date.now() + 20_000; target.port === 0; await pause(10))
      if (target.#ended || Date.now() > end) throw new Error(`the server did not start: ${target.#tail}`);
    if (options.core !== undefined) target.#pin(options.core);
    return target;
  }

  /** @param {Ground} ground @param {Options} options */
  constructor(ground, { seed, env = {} }) {
    this.#folder = mkdtempSync(join(ground.work, 'data-'));
    if (seed !== undefined) cpSync(seed, this.#folder, { recursive: true });
    this.#group = makeGroup();
    const node = `exec "${process.execPath}" --max-old-space-size=${HEAP_MB} "${MAIN}"`;
    const enter = this.#group === undefined ? '' : `echo $$ > "${join(this.#group, 'cgroup.procs')}" && `;
    this.#child = spawn('sh', ['-c', enter + node], {
      env: {
        ...{
          PATH: process.env['PATH'],
          HOST: '127.0.0.1',
          PORT: '0',
          LOG_LEVEL: 'warn',
          TRUSTED_PROXIES: 'none',
        },
        ...{ DATA_DIR: this.#folder, SESSION_KEYS: ground.sessionKey, ...env },
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.on('exit', () => {
      this.#ended = true;
    });
    this.#child.stderr.on('data', (bytes) => {
      this.#tail = (this.#tail + bytes).slice(-2000);
    });
    this.#child.stdout.on('data', (bytes) => {
      this.port ||= Number(/https?:\/\/[^\s:]+:(\d+)/.exec(String(bytes))?.[1] ?? 0);
    });
    this.#timer = setInterval(() => {
      this.peakKb = Math.max(this.peakKb, this.rssKb);
    }, 50);
  }

  /** Only the main thread, because V8's helpers would take its time. @param {number} core */
  #pin(core) {
    execFileSync('taskset', ['-c', '-p', String(core), String(this.#child.pid)], { stdio: 'ignore' });
  }

  get alive() {
    return !this.#ended;
  }

  get rssKb() {
    try {
      return this.#ended ? 0 : rssOf(this.#child.pid ?? 0);
    } catch {
      return 0; // it ends right now
    }
  }

  /** The kind of the memory limit, for the report. */
  get limit() {
    return this.#group === undefined
      ? `V8's heap ${HEAP_MB} MB (no cgroup can be made here)`
      : `memory cgroup ${LIMIT_MB} MB, V8's heap ${HEAP_MB} MB`;
  }

  /** @param {string} [keep] where its folder goes */
  async stop(keep) {
    clearInterval(this.#timer);
    this.#child.kill('SIGTERM');
    for (const end = Date.now() + 10_000; !this.#ended && Date.now() < end; ) await pause(10);
    if (!this.#ended) this.#child.kill('SIGKILL');
    if (keep !== undefined) cpSync(this.#folder, keep, { recursive: true });
    rmSync(this.#folder, { recursive: true, force: true });
    if (this.#group !== undefined) await removeGroup(this.#group);
  }
}

/** @returns {string | undefined} folder of a new memory cgroup, of version 1 or 2 */
function makeGroup() {
  const name = `oneport-attack-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  for (const [root, file] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ]) {
    const group = join(root ?? '', name);
    try {
      if (!existsSync(root ?? '')) continue;
      mkdirSync(group);
      writeFileSync(join(group, file ?? ''), String(LIMIT_MB * 2 ** 20));
      return group;
    } catch {
      rmSync(group, { recursive: true, force: true });
    }
  }
  return undefined;
}

/** @param {string} group */
async function removeGroup(group) {
  for (let tries = 0; tries < 50; tries++) {
    try {
      return rmdirSync(group);
    } catch {
      await pause(20); // the kernel has not let go of the process yet
    }
  }
}
