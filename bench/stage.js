// @ts-check
/** One run: a server, the load processes around it, and the few measurements that all cases share. */
import { Load } from './load/load.js';
import { cpuOf, cpuOfMachine, rssOf, treeOf } from './proc.js';
import { Redis } from './redis.js';
import { quantile } from './report/numbers.js';
import { Server } from './server.js';

/** @typedef {import('./server.js').Ground} Ground */
/** @typedef {import('./server.js').Subject} Subject */
/** @typedef {{ from?: number, count: number, rooms: string[], sampleEvery?: number, watchEvery?: number, after?: number }} People */
/** @typedef {import('./server.js').ServerOptions & { nodes?: number, redis?: string[] }} StageOptions nodes: several servers that share a Redis with these settings; 0: one server */

/** @type {Set<Stage>} for the signal that ends the bench */
const OPEN = new Set();

export class Stage {
  ground;
  /** @type {Server[]} */
  servers = [];
  /** @type {Redis | undefined} */
  redis;
  /** @type {Load[]} */
  #loads = [];
  #from = performance.now();
  #elsewhere = 0;

  /** @param {Ground} ground */
  constructor(ground) {
    this.ground = ground;
    OPEN.add(this);
  }

  /** @param {Ground} ground @param {Subject} subject @param {StageOptions} [options] */
  static async open(ground, subject, options = {}) {
    const stage = new Stage(ground);
    try {
      await stage.#start(subject, options);
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  /** @param {Subject} subject @param {StageOptions} options */
  async #start(subject, { nodes = 0, redis, ...options }) {
    if (nodes === 0) await this.add(subject, options);
    else this.redis = await Redis.start(this.ground, redis);
    for (let node = 0; node < nodes; node++) await this.add(subject, options);
    this.#from = performance.now();
    this.#elsewhere = this.#othersCpu();
  }

  /** Starts one more server, on the Redis of this stage if there is one. @param {Subject} subject @param {import('./server.js').ServerOptions & { readyMs?: number }} [options] */
  async add(subject, { env, readyMs, ...options } = {}) {
    const shared = this.redis ? { REDIS_URL: this.redis.url } : undefined;
    const server = await Server.start(this.ground, subject, { ...options, env: { ...shared, ...env } });
    this.servers.push(server);
    if (subject === 'oneport') await server.ready(readyMs);
    return server;
  }

  /** @param {Server} server */
  async remove(server) {
    this.servers = this.servers.filter((other) => other !== server);
    await server.stop();
  }

  /** The first, or only, server. */
  get server() {
    const [server] = this.servers;
    if (!server) throw new Error('no server yet');
    return server;
  }

  /** All processes of the servers, and Redis. */
  get pids() {
    return [...this.servers.map(({ pid }) => pid).flatMap(treeOf), ...(this.redis ? [this.redis.pid] : [])];
  }

  static async closeAll() {
    await Promise.all([...OPEN].map((stage) => stage.close()));
  }

  async close() {
    if (!OPEN.delete(this)) return;
    for (const load of this.#loads) load.stop();
    await Promise.all(this.servers.map((server) => server.stop()));
    await this.redis?.stop();
  }

  /** How much of a core was spent by others than this bench while it played, in percent: the noise. */
  get noise() {
    return (this.#othersCpu() - this.#elsewhere) / 10 / (performance.now() - this.#from);
  }

  #othersCpu() {
    const pids = [process.pid, ...this.pids, ...this.#loads.map((load) => load.pid)];
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
   * @param {{ yields?: boolean, at?: number }} [options] at: which server
   */
  async enter(people, { yields = false, at = 0 } = {}) {
    const load = this.load();
    if (yields) await load.call('yieldTo');
    const ms = await load.call('enter', this.plan(people, at), 180_000);
    return { load, ms };
  }

  /** @param {People} people @param {number} [at] which server */
  plan({ from = 0, sampleEvery = 97, watchEvery = 50, ...people }, at = 0) {
    const { subject, port } = this.servers[at] ?? this.server;
    const cookies = this.ground.cookies[subject === 'oneport' ? 'oneport' : 'peers'];
    return { port, dialect: subject, cookies, from, sampleEvery, watchEvery, ...people };
  }

  /** Throws unless every socket is still in, and no number was missing. @param {Load[]} loads */
  async assertWhole(loads) {
    for (const server of this.servers) server.assertAlive();
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
