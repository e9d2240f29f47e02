// @ts-check
/** A load process, seen from the bench: each call is one request to child.js, bounded in time. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));

/** @typedef {{ resolve: (value: any) => void, reject: (error: Error) => void }} Waiting */
/** @typedef {{ at: number, messages: number, reads: number, sent: number, server: number, own: number }} Mark */
/** @typedef {{ messages: number, gaps: number, closed: number, ready: number, least: number, faults: [string, number][] }} State */

export class Load {
  #child;
  #id = 0;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();

  /** @param {number | undefined} core to run on; undefined: any */
  constructor(core) {
    const pinned =
      core === undefined ? {} : { execPath: 'taskset', execArgv: ['-c', String(core), process.execPath] };
    this.#child = fork(CHILD, [], { execArgv: [], ...pinned, serialization: 'advanced' });
    this.#child.on('message', (/** @type {any} */ answer) => this.#answered(answer));
    this.#child.on('exit', (code) => this.#fail(new Error(`the load process ended (${code})`)));
  }

  /** @param {string} op @param {unknown} [args] @param {number} [ms] @returns {Promise<any>} */
  call(op, args, ms = 30_000) {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id)?.reject(new Error(`${op}: no answer in ${ms} ms`)), ms);
      this.#waiting.set(id, {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#child.send({ id, op, args });
    });
  }

  get pid() {
    return this.#child.pid ?? 0;
  }

  /** @param {number[]} servers pids @returns {Promise<Mark>} */
  mark(servers) {
    return this.call('mark', servers);
  }

  /** @returns {Promise<State>} */
  state() {
    return this.call('state');
  }

  stop() {
    this.#fail(new Error('stopped'));
    this.#child.kill('SIGKILL');
  }

  /** @param {number} id */
  #settle(id) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  /** @param {{ id: number, result?: unknown, error?: string }} answer */
  #answered({ id, result, error }) {
    const waiting = this.#settle(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  /** @param {Error} error */
  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
