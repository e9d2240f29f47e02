// @ts-check
/** One run: a server, the load processes around it, and the few measurements that all cases share. */
import { Load } from './load/load.js';
import { cpuOf, cpuOfMachine, rssOf } from './proc.js';
import { quantile } from './report/numbers.js';
import { Server } from './server.js';

/** @typedef {import('./server.js').Ground} Ground */
/** @typedef {import('./server.js').Subject} Subject */
/** @typedef {{ from?: number, count: number, rooms: string[], sampleEvery?: number, watchEvery?: number, after?: number }} People */

/** @type {Set<Stage>} for the signal that ends the bench */
const OPEN = new Set();

export class Stage {
  ground;
  server;
  /** @type {Load[]} */
  #loads = [];
  #from = performance.now();
  #elsewhere = 0;

  /** @param {Ground} ground @param {Server} server */
  constructor(ground, server) {
    this.ground = ground;
    this.server = server;
    this.#elsewhere = this.#othersCpu();
    OPEN.add(this);
  }

  /** @param {Ground} ground @param {Subject} subject @param {string} [data] */
  static async open(ground, subject, data) {
    return new Stage(ground, await Server.start(ground, subject, data));
  }

  static async closeAll() {
    await Promise.all([...OPEN].map((stage) => stage.close()));
  }

  async close() {
    if (!OPEN.delete(this)) return;
    for (const load of this.#loads) load.stop();
    await this.server.stop();
  }

  /** How much of a core was spent by others than this bench while it played, in percent: the noise. */
  get noise() {
    return (this.#othersCpu() - this.#elsewhere) / 10 / (performance.now() - this.#from);
  }

  #othersCpu() {
    const pids = [process.pid, this.server.pid, ...this.#loads.map((load) => load.pid)];
    return cpuOfMachine() - pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
  }

  get rss() {
    this.server.assertAlive();
    return rssOf(this.server.pid);
  }

  /** A load process without sockets yet. */
  load() {
    const load = new Load(this.ground.cores.load);
    this.#loads.push(load);
    return load;
  }

  /**
   * A load process whose people enter their rooms. The crowd yields the core to those who speak and probe.
   * @param {People} people
   * @param {{ yields?: boolean }} [options]
   */
  async enter(people, { yields = false } = {}) {
    const load = this.load();
    if (yields) await load.call('yieldTo');
    const ms = await load.call('enter', this.plan(people), 180_000);
    return { load, ms };
  }

  /** @param {People} people */
  plan({ from = 0, sampleEvery = 97, watchEvery = 50, ...people }) {
    const { subject, port } = this.server;
    const cookies = this.ground.cookies[subject === 'oneport' ? 'oneport' : 'peers'];
    return { port, dialect: subject, cookies, from, sampleEvery, watchEvery, ...people };
  }

  /** Throws unless every socket is still in, and no number was missing. @param {Load[]} loads */
  async assertWhole(loads) {
    this.server.assertAlive();
    for (const state of await Promise.all(loads.map((load) => load.state()))) {
      const faults = state.faults.map(([text, count]) => `${count} x ${text}`).join('; ');
      if (state.gaps > 0) throw new Error(`${state.gaps} numbers out of order`);
      if (state.closed > 0 || faults !== '') throw new Error(`${state.closed} sockets lost; ${faults}`);
    }
  }
}

/**
 * The latencies of several load processes as milliseconds.
 * @param {Load[]} loads
 */
export async function latencies(loads) {
  const parts = await Promise.all(loads.map((load) => load.call('samples')));
  return quantiles(parts);
}

/** @param {Float64Array[]} parts microseconds */
export function quantiles(parts) {
  const all = Float64Array.from(parts.flatMap((part) => [...part])).sort();
  const ms = (/** @type {number} */ q) => quantile(all, q) / 1000;
  return { p50: ms(0.5), p99: ms(0.99), max: ms(1), samples: all.length };
}
