// @ts-check
/**
 * Somebody whose server is killed: notes how long each restart keeps them out, and what they were shown. The speaker
 * among them says something every few milliseconds, and says it again until it is acknowledged.
 */
import WebSocket from 'ws';

/**
 * What differs between the servers.
 * @typedef {object} Tongue
 * @property {string} protocol subprotocol
 * @property {(tries: number) => number} wait what its own client waits before the next try, in milliseconds
 * @property {(client: Client) => string} path of the upgrade
 * @property {(client: Client, frame: string) => Heard} hear
 * @property {(text: string, n: number) => string} say
 */
/** @typedef {{ entered?: boolean, shown?: string, acknowledged?: number, refused?: number }} Heard */

const EVERY = 5;
const UNACKNOWLEDGED_MAX = 32;
/** Milliseconds until it says again what was refused. */
const REFUSED_WAIT = 250;

export class Client {
  /** where it stopped, for its tongue to resume from */
  place = { after: 0, epoch: '', pid: '', offset: '' };
  /** @type {number[]} milliseconds from losing the connection to being in the room again */
  gaps = [];
  /** @type {Map<string, number>} how often each text was shown */
  shown = new Map();
  /** @type {Map<number, string>} */
  unacknowledged = new Map();
  /** @type {Set<string>} */
  acknowledged = new Set();
  /** @type {(() => void) | undefined} */
  onAcknowledged;
  said = 0;
  port;
  cookie;
  prefix;
  inside = false;
  #tongue;
  #wait;
  #tries = 0;
  #lostAt = Number.NaN;
  #over = false;
  /** @type {WebSocket | undefined} */
  #ws;
  /** @type {NodeJS.Timeout | undefined} */
  #talking;

  /** @param {number} port @param {string} cookie @param {Tongue} tongue @param {Tongue['wait']} wait @param {string} [prefix] of its texts */
  constructor(port, cookie, tongue, wait, prefix = 'm') {
    this.port = port;
    this.cookie = cookie;
    this.prefix = prefix;
    this.#tongue = tongue;
    this.#wait = wait;
  }

  connect() {
    if (this.#over) return;
    const { path, protocol } = this.#tongue;
    const headers = { cookie: this.cookie };
    const ws = new WebSocket(`ws://127.0.0.1:${this.port}${path(this)}`, protocol === '' ? [] : [protocol], {
      headers,
    });
    this.#ws = ws;
    ws.on('error', () => {}); // 'close' follows
    ws.on('message', (data) => this.#heard(this.#tongue.hear(this, data.toString())));
    ws.on('close', () => {
      if (this.inside) this.#lostAt = performance.now();
      this.inside = false;
      setTimeout(() => this.connect(), this.#wait(this.#tries++));
    });
  }

  talk() {
    this.#talking = setInterval(() => {
      if (this.unacknowledged.size < UNACKNOWLEDGED_MAX) this.#say();
    }, EVERY);
  }

  hush() {
    clearInterval(this.#talking);
  }

  /** @param {string} frame */
  send(frame) {
    this.#ws?.send(frame);
  }

  end() {
    this.#over = true;
    this.hush();
    this.#ws?.terminate();
  }

  #say() {
    const n = ++this.said;
    this.unacknowledged.set(n, this.prefix + n);
    this.#sayAgain(n);
  }

  /** @param {number} n */
  #sayAgain(n) {
    const text = this.unacknowledged.get(n);
    if (this.inside && text !== undefined) this.send(this.#tongue.say(text, n));
  }

  /** @param {Heard} heard */
  #heard({ entered, shown, acknowledged, refused }) {
    if (entered) this.#entered();
    if (refused !== undefined) setTimeout(() => this.#sayAgain(refused), REFUSED_WAIT);
    if (shown !== undefined) this.shown.set(shown, (this.shown.get(shown) ?? 0) + 1);
    const text = acknowledged === undefined ? undefined : this.unacknowledged.get(acknowledged);
    if (acknowledged === undefined || text === undefined) return;
    this.unacknowledged.delete(acknowledged);
    this.acknowledged.add(text);
    this.onAcknowledged?.();
  }

  #entered() {
    this.inside = true;
    this.#tries = 0;
    if (!Number.isNaN(this.#lostAt)) this.gaps.push(performance.now() - this.#lostAt);
    this.#lostAt = Number.NaN;
    for (const n of this.unacknowledged.keys()) this.#sayAgain(n);
  }
}
