// @ts-check
/** Plain requests over one kept connection, timed: what somebody else notices while the server is busy. */
import { Agent, get } from 'node:http';
import { micros, pause } from './clock.js';

/** @param {Agent} agent @param {number} port @param {string} path @param {string} cookie @returns {Promise<number>} microseconds */
function timed(agent, port, path, cookie) {
  const from = micros();
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path, headers: { cookie } }, (response) => {
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(micros() - from);
        else reject(new Error(`${path}: ${response.statusCode}`));
      });
      response.resume();
    }).on('error', reject);
  });
}

/** Each path in turn. @param {number} port @param {readonly string[]} paths @param {string} cookie */
export async function fetchAll(port, paths, cookie) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times = [];
  for (const path of paths) times.push(await timed(agent, port, path, cookie));
  agent.destroy();
  return times;
}

/** Asks every so often on a connection of its own, whether or not the one before was answered. A failure counts as NaN. */
export class FreshProbe {
  /** @type {Promise<number>[]} */
  #times = [];
  #timer;

  /** @param {number} port @param {string} path @param {number} every milliseconds */
  constructor(port, path, every) {
    const agent = new Agent({ keepAlive: false });
    this.#timer = setInterval(() => {
      this.#times.push(timed(agent, port, path, '').catch(() => Number.NaN));
    }, every);
  }

  /** @returns {Promise<number[]>} microseconds of each request */
  stop() {
    clearInterval(this.#timer);
    return Promise.all(this.#times);
  }
}

/** Asks again and again, with a breath between, until told to stop. */
export class HttpProbe {
  #on = true;
  #done;

  /** @param {number} port @param {string} path @param {number} every milliseconds */
  constructor(port, path, every) {
    this.#done = this.#run(port, path, every);
    this.#done.catch(() => {}); // told by stop()
  }

  /** @returns {Promise<number[]>} microseconds of each request */
  stop() {
    this.#on = false;
    return this.#done;
  }

  /** @param {number} port @param {string} path @param {number} every */
  async #run(port, path, every) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const times = [];
    while (this.#on) {
      times.push(await timed(agent, port, path, ''));
      await pause(every);
    }
    agent.destroy();
    return times;
  }
}
