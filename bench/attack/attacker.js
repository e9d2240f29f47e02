// @ts-check
/**
 * The attacker: raw TCP sockets that write ready-made bytes as fast as the peer takes them, so that it costs less than the
 * server. Runs in a process of its own. Gets its attacks and a port by IPC, and answers with what it reached.
 */
import { connect } from 'node:net';
import { constants, setPriority } from 'node:os';

/**
 * @typedef {object} Attack
 * @property {string} name
 * @property {string} address of this machine, from which it comes
 * @property {number} sockets
 * @property {string[]} open base64; a socket sends one of them first, in turn
 * @property {string[]} [loop] base64; sent again and again, in turn
 * @property {boolean} [unread] it never reads what comes back
 * @property {boolean} [reopen] a socket that is closed is opened again at once
 * @property {number} [hangUpAfter] bytes received after which it closes the socket itself
 * @property {number} [hangUpMs] milliseconds after which it closes the socket itself
 * @property {boolean} [polite] waits for an answer before each chunk of the loop
 * @property {number} [everyMs] waits between two chunks of the loop, instead of sending as fast as it goes
 */

/**
 * @typedef {object} Yield what an attack reached
 * @property {number} opened
 * @property {number} closed by the server
 * @property {number} sent bytes that the peer's kernel took
 * @property {number} received
 * @property {Record<string, number>} statuses of HTTP, and close codes
 */

class Flood {
  /** @type {Yield} */
  reached = { opened: 0, closed: 0, sent: 0, received: 0, statuses: {} };
  #attack;
  #port;
  #open;
  #loop;
  #next = 0;
  #chunk = 0;
  #on = true;
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set();

  /** @param {Attack} attack @param {number} port */
  constructor(attack, port) {
    this.#attack = attack;
    this.#port = port;
    this.#open = attack.open.map((text) => Buffer.from(text, 'base64'));
    this.#loop = (attack.loop ?? []).map((text) => Buffer.from(text, 'base64'));
    for (let n = 0; n < attack.sockets; n++) this.#dial();
  }

  stop() {
    this.#on = false;
    for (const socket of this.#sockets) {
      this.reached.sent += socket.bytesWritten - socket.writableLength;
      socket.resetAndDestroy();
    }
    return this.reached;
  }

  #dial() {
    if (!this.#on) return;
    const { address, unread } = this.#attack;
    const socket = connect({ host: '127.0.0.1', port: this.#port, localAddress: address, noDelay: true });
    this.#sockets.add(socket);
    socket.on('connect', () => this.#connected(socket));
    socket.on('error', () => {});
    socket.on('close', () => this.#closed(socket));
    if (unread) socket.pause();
    else this.#read(socket);
  }

  /** @param {import('node:net').Socket} socket */
  #connected(socket) {
    this.reached.opened++;
    const bytes = this.#open[this.#next++ % this.#open.length];
    if (bytes) socket.write(bytes);
    const { hangUpMs } = this.#attack;
    if (hangUpMs !== undefined) setTimeout(() => socket.resetAndDestroy(), hangUpMs);
    if (this.#loop.length === 0) return;
    if (this.#attack.polite) socket.on('data', () => this.#sendNext(socket));
    else if (this.#attack.everyMs === undefined) this.#pump(socket);
    else this.#drip(socket, this.#attack.everyMs);
  }

  /** @param {import('node:net').Socket} socket */
  #pump(socket) {
    for (let n = 0; this.#on && !socket.destroyed && n < 64; n++) {
      const bytes = this.#loop[this.#chunk++ % this.#loop.length];
      if (bytes && !socket.write(bytes)) {
        socket.once('drain', () => this.#pump(socket));
        return;
      }
    }
    if (this.#on && !socket.destroyed) setImmediate(() => this.#pump(socket));
  }

  /** @param {import('node:net').Socket} socket */
  #sendNext(socket) {
    const bytes = this.#loop[this.#chunk++ % this.#loop.length];
    if (bytes && !socket.destroyed) socket.write(bytes);
  }

  /** @param {import('node:net').Socket} socket @param {number} everyMs */
  #drip(socket, everyMs) {
    const timer = setInterval(() => {
      const bytes = this.#loop[this.#chunk++ % this.#loop.length];
      if (bytes && !socket.destroyed && socket.writableLength === 0) socket.write(bytes);
    }, everyMs);
    socket.on('close', () => clearInterval(timer));
  }

  /** @param {import('node:net').Socket} socket */
  #read(socket) {
    let received = 0;
    socket.on('data', (bytes) => {
      if (received === 0 || bytes.length < 2000) this.#note(bytes);
      received += bytes.length;
      this.reached.received += bytes.length;
      if (this.#attack.hangUpAfter !== undefined && received >= this.#attack.hangUpAfter)
        socket.resetAndDestroy();
    });
  }

  /** @param {Buffer} bytes */
  #note(bytes) {
    const { statuses } = this.reached;
    const note = (/** @type {string} */ what) => {
      statuses[what] = (statuses[what] ?? 0) + 1;
    };
    for (const [, status = ''] of bytes.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3}) /g)) note(status);
    const close = bytes.lastIndexOf(0x88);
    const length = bytes[close + 1] ?? 0;
    if (close >= 0 && length >= 2 && length < 126 && close + 2 + length === bytes.length)
      note(String(bytes.readUInt16BE(close + 2)));
  }

  /** @param {import('node:net').Socket} socket */
  #closed(socket) {
    this.#sockets.delete(socket);
    if (!this.#on) return;
    this.reached.closed++;
    this.reached.sent += socket.bytesWritten - socket.writableLength;
    if (this.#attack.reopen) setImmediate(() => this.#dial());
  }
}

// behind the server, because on a machine of its own it would take no time from it
setPriority(constants.priority.PRIORITY_LOW);

process.on('message', async (/** @type {{ attacks: Attack[], port: number, ms: number }} */ order) => {
  const floods = order.attacks.map((attack) => new Flood(attack, order.port));
  await new Promise((resolve) => setTimeout(resolve, order.ms));
  process.send?.(floods.map((flood) => flood.stop()));
});
process.on('disconnect', () => process.exit());
