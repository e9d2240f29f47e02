// @ts-check
/**
 * Many clients in one process: they enter rooms, count what they hear, and hold the count against what was said.
 * Every `sampleEvery`-th message gives a latency; every `watchEvery`-th socket checks that its numbers go up one by one.
 */
import { micros, pause } from './clock.js';
import { DIALECTS, KIND } from './dialects.js';
import { textFrame, upgradeRequest } from './frame.js';
import { Socket } from './socket.js';
import { numberAt, stampIn, talkerOf, timeOf } from './stamp.js';

/** Handshakes under way at once: fewer than a listener's usual backlog of 511, or SYNs are lost and wait a second. */
const AT_ONCE = 256;
/** From so many addresses: one alone has 28,000 ports, and the kernel takes ever longer to find a free one. */
const ADDRESSES = 16;
const [SIO_ENTER, SIO_PONG] = [textFrame('40'), textFrame('3')];

/** @typedef {{ port: number, dialect: string, cookies: readonly string[], rooms: readonly string[], sampleEvery: number, watchEvery: number, after?: number }} Plan watchEvery: 0 when the server has no numbers for all; after: where new clients resume */

/** Its code, so that the same ones are counted together. @param {string} frame */
const errorIn = (frame) => /"code":"(\w+)"/.exec(frame)?.[1] ?? frame;

export class Crowd {
  messages = 0;
  /** of sockets; a read may have several messages */
  reads = 0;
  gaps = 0;
  closed = 0;
  /** @type {Map<string, number>} */
  faults = new Map();
  epoch = '';
  recording = false;
  /** @type {number[]} latencies in microseconds */
  samples = [];
  /** @type {Socket[]} */
  sockets = [];
  /** called after each read of a socket whose own message came back @type {((socket: Socket) => void) | undefined} */
  onEcho;
  dialect;
  #plan;
  #entered = 0;
  #toSample;
  #echoed = false;
  /** @type {(() => void) | undefined} */
  #next;

  /** @param {Plan} plan one client for each cookie; client i goes into room i modulo the number of rooms */
  constructor(plan) {
    const dialect = DIALECTS[plan.dialect];
    if (!dialect) throw new Error(`no dialect ${plan.dialect}`);
    this.dialect = dialect;
    this.#plan = plan;
    this.#toSample = plan.sampleEvery;
    this.sockets = plan.cookies.map((_, i) => {
      const socket = new Socket(this);
      socket.watched = plan.watchEvery > 0 && i % plan.watchEvery === 0;
      return socket;
    });
  }

  /** Opens all, as fast as the server takes them. @returns {Promise<number>} milliseconds until the last was in */
  async enter() {
    const from = micros();
    const goneBefore = this.closed;
    const done = () => this.#entered + this.closed - goneBefore;
    this.#entered = 0;
    for (const [i, socket] of this.sockets.entries()) {
      socket.open(this.#plan.port, this.#request(i, socket), `127.0.0.${2 + (i % ADDRESSES)}`);
      if (i + 1 - done() >= AT_ONCE) await this.#once();
    }
    while (done() < this.sockets.length) await this.#once();
    return (micros() - from) / 1000;
  }

  cut() {
    for (const socket of this.sockets) socket.cut();
  }

  /** Waits until `count` messages were heard, at most `ms`; resolves with how many were. @param {number} count @param {number} ms */
  async hears(count, ms) {
    const until = Date.now() + ms;
    while (this.messages < count && Date.now() < until) await pause(20);
    return this.messages;
  }

  /** @param {Buffer} bytes @param {number} at @param {boolean} whole */
  counted(bytes, at, whole) {
    this.messages++;
    if (--this.#toSample <= 0 && whole) this.#sample(timeOf(bytes, stampIn(bytes, at)));
  }

  /** @param {Socket} socket @param {Buffer} bytes @param {number} at */
  watched(socket, bytes, at) {
    this.messages++;
    const number = numberAt(bytes, at + this.dialect.digits);
    if (this.#plan.watchEvery > 0 && socket.last !== 0 && number !== socket.last + 1) this.gaps++;
    socket.last = number;
    const stamp = stampIn(bytes, at);
    if (--this.#toSample <= 0) this.#sample(timeOf(bytes, stamp));
    if (socket.talker >= 0 && talkerOf(bytes, stamp) === socket.talker) {
      socket.waiting--;
      this.#echoed = true;
    }
  }

  /** A whole frame that is no message. @param {Socket} socket @param {number} kind @param {Buffer} bytes @param {number} at @param {number} size */
  notice(socket, kind, bytes, at, size) {
    if (kind === KIND.ready) {
      if (this.epoch === '')
        this.epoch = /"epoch":"([^"]+)"/.exec(bytes.toString('latin1', at, at + size))?.[1] ?? '';
      this.entered(socket);
    } else if (kind === KIND.knock) socket.write(SIO_ENTER);
    else if (kind === KIND.ping) socket.write(SIO_PONG);
    else if (kind === KIND.error) this.fault(errorIn(bytes.toString('utf8', at, at + Math.min(size, 200))));
  }

  /** @param {Socket} socket */
  entered(socket) {
    if (socket.ready) return;
    socket.ready = true;
    this.#entered++;
    this.#wake();
  }

  /** @param {Socket} socket */
  lost(socket) {
    if (socket.ready) this.#entered--;
    socket.ready = false;
    this.closed++;
    this.#wake();
  }

  /** @param {string} text */
  fault(text) {
    this.faults.set(text, (this.faults.get(text) ?? 0) + 1);
  }

  /** @param {Socket} socket */
  afterRead(socket) {
    this.reads++;
    if (!this.#echoed) return;
    this.#echoed = false;
    this.onEcho?.(socket);
  }

  /** @param {number} stamp */
  #sample(stamp) {
    this.#toSample = this.#plan.sampleEvery;
    if (this.recording) this.samples.push(micros() - stamp);
  }

  /** @param {number} i @param {Socket} socket */
  #request(i, socket) {
    const { port, rooms, cookies, after } = this.#plan;
    const room = rooms[i % rooms.length] ?? '';
    const last = socket.last > 0 ? socket.last : after;
    const resume = last === undefined ? undefined : { after: last, epoch: this.epoch || undefined };
    return upgradeRequest(
      `127.0.0.1:${port}`,
      this.dialect.path(room, resume),
      this.dialect.protocol,
      cookies[i] ?? '',
    );
  }

  #wake() {
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }

  /** @returns {Promise<void>} */
  #once() {
    return new Promise((resolve) => {
      this.#next = resolve;
    });
  }
}
