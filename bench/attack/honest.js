// @ts-check
/** Honest people in one room, as in any evening: some speak, all read. Measures what they notice of an attack. */
import { Agent, get } from 'node:http';
import WebSocket from 'ws';

export const PEOPLE = 20;
/** Milliseconds between two messages of all together. */
const EVERY_MS = 40;
const PROBE_EVERY_MS = 20;
const SETTLE_MS = 5000;

/** @typedef {{ at: number, ms: number }} Time when it was sent, and how long it took */
/** @typedef {{ messages: Time[], requests: Time[] }} Times */

export class Honest {
  /** @type {Times} */
  times = { messages: [], requests: [] };
  #sockets;
  /** when each message was sent, by its cid @type {Map<string, number>} */
  #sent = new Map();
  /** cids that each person has seen @type {Set<string>[]} */
  #seen = Array.from({ length: PEOPLE }, () => new Set());
  /** the newest number that each person has seen */
  #last = Array.from({ length: PEOPLE }, () => 0);
  #holes = 0;
  #cut = 0;
  #failed = 0;
  #on = true;
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #port;
  #cookies;

  /** @param {number} port @param {string} room @param {string[]} cookies */
  static async enter(port, room, cookies) {
    const honest = new Honest(port, room, cookies);
    await Promise.all(
      honest.#sockets.map(
        (socket) =>
          new Promise((resolve, reject) => {
            socket.once('open', resolve);
            socket.once('error', reject);
          }),
      ),
    );
    void honest.#speak();
    void honest.#probe();
    return honest;
  }

  /** @param {number} port @param {string} room @param {string[]} cookies */
  constructor(port, room, cookies) {
    this.#port = port;
    this.#cookies = cookies;
    this.#sockets = cookies.slice(0, PEOPLE).map((cookie, n) => {
      const url = `ws://127.0.0.1:${port}/ws/${room}?history=0`;
      const socket = new WebSocket(url, 'superchat', { headers: { cookie }, perMessageDeflate: false });
      socket.on('message', (data) => this.#receive(n, String(data)));
      socket.on('error', () => {});
      socket.on('close', () => {
        if (this.#on) this.#cut++;
      });
      return socket;
    });
  }

  /** Ends the talk. @returns {Promise<string>} what was lost, in words; empty when nothing was */
  async leave() {
    const cids = [...this.#sent.keys()];
    this.#on = false;
    const missing = () =>
      this.#seen.reduce((sum, seen) => sum + cids.filter((cid) => !seen.has(cid)).length, 0);
    for (const end = Date.now() + SETTLE_MS; missing() > 0 && Date.now() < end; )
      await new Promise((resolve) => setTimeout(resolve, 20));
    for (const socket of this.#sockets) socket.terminate();
    this.#agent.destroy();
    const lost = {
      messages: missing(),
      holes: this.#holes,
      'sockets cut': this.#cut,
      'requests failed': this.#failed,
    };
    return Object.entries(lost)
      .flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []))
      .join(', ');
  }

  async #speak() {
    for (let n = 0; this.#on; n++) {
      const cid = `honest-${n}`;
      this.#sent.set(cid, performance.now());
      this.#sockets[n % 10]?.send(JSON.stringify({ type: 'chat', data: `Message ${n}: good evening`, cid }));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  /** @param {number} person @param {string} text */
  #receive(person, text) {
    const frame = JSON.parse(text);
    if (typeof frame.id !== 'number' || frame.type === 'ack') return;
    const last = this.#last[person] ?? 0;
    if (last > 0 && frame.id !== last + 1) this.#holes++;
    this.#last[person] = frame.id;
    const from = this.#sent.get(frame.cid);
    if (from === undefined || this.#seen[person]?.has(frame.cid)) return;
    this.#seen[person]?.add(frame.cid);
    this.times.messages.push({ at: from, ms: performance.now() - from });
  }

  async #probe() {
    const paths = ['/healthz', '/api/me', '/api/rooms/hall/messages'];
    for (let n = 0; this.#on; n++) {
      const from = performance.now();
      const status = await this.#get(paths[n % paths.length] ?? '');
      this.times.requests.push({ at: from, ms: performance.now() - from });
      if (status !== 200) this.#failed++;
      await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
    }
  }

  /** @param {string} path @returns {Promise<number>} the status; 0 when there was no answer */
  #get(path) {
    const headers = { cookie: this.#cookies[0] ?? '' };
    return new Promise((resolve) => {
      const asked = get(
        { agent: this.#agent, host: '127.0.0.1', port: this.#port, path, headers },
        (response) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        },
      );
      asked.on('error', () => resolve(0));
      asked.setTimeout(5000, () => asked.destroy());
    });
  }
}
