// @ts-check
/**
 * Those who speak: the first sockets of a crowd, at a given rate together, or (rate 0) as fast as their own messages
 * come back. Each holds when `window` of its own are under way: a server that cannot keep up is not buried in a queue
 * that only measures memory, and is measured at what it carries.
 */
import { textFrame } from './frame.js';
import { stampedText } from './stamp.js';

const TICK = 2;

/** @typedef {{ talkers: number, first: number, rate: number, window: number, limit?: number }} Speech */
/** @typedef {{ socket: import('./socket.js').Socket, sent: number, phase: number }} Talker */

export class Talk {
  sent = 0;
  /** @type {Talker[]} */
  #talkers;
  #prefix = Math.random().toString(36).slice(2, 8);
  #from = performance.now();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #crowd;
  #speech;

  /** @param {import('./crowd.js').Crowd} crowd @param {Speech} speech */
  constructor(crowd, speech) {
    this.#crowd = crowd;
    this.#speech = speech;
    this.#talkers = crowd.sockets.slice(0, speech.talkers).map((socket, i) => {
      socket.watched = true;
      socket.talker = speech.first + i;
      return { socket, sent: 0, phase: i / speech.talkers };
    });
  }

  start() {
    this.#from = performance.now();
    if (this.#speech.rate > 0) {
      this.#timer = setInterval(() => this.#keepPace(), TICK);
      return;
    }
    const bySocket = new Map(this.#talkers.map((talker) => [talker.socket, talker]));
    this.#crowd.onEcho = (socket) => {
      const talker = bySocket.get(socket);
      if (talker) this.#say(talker, this.#speech.window - socket.waiting);
    };
    for (const talker of this.#talkers) this.#say(talker, this.#speech.window);
  }

  /** @returns {number} how many were sent in all */
  stop() {
    clearInterval(this.#timer);
    this.#crowd.onEcho = undefined;
    return this.sent;
  }

  #keepPace() {
    const turns = ((performance.now() - this.#from) / 1000) * (this.#speech.rate / this.#talkers.length);
    for (const talker of this.#talkers) {
      const due = Math.floor(turns + talker.phase) - talker.sent;
      if (due > 0) this.#say(talker, Math.min(due, this.#speech.window - talker.socket.waiting));
    }
  }

  /** @param {Talker} talker @param {number} wanted */
  #say(talker, wanted) {
    const count = Math.min(wanted, (this.#speech.limit ?? Number.POSITIVE_INFINITY) - talker.sent);
    if (count <= 0) return;
    const frames = Array.from({ length: count }, () => this.#frame(talker));
    talker.socket.waiting += count;
    this.sent += count;
    talker.socket.write(frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames));
  }

  /** @param {Talker} talker */
  #frame(talker) {
    talker.sent++;
    const id = talker.socket.talker;
    // as those of the page, which begin with the time
    const cid = `${Date.now().toString(16).padStart(12, '0')}-${this.#prefix}-${id}-${talker.sent}`;
    return textFrame(this.#crowd.dialect.say(stampedText(id), cid));
  }
}
