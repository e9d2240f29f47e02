// @ts-check
/**
 * One client on a raw TCP socket. It must cost less than the server: all sockets of a process read into one buffer, and
 * of a message only the header and a few bytes are looked at. What must stay true:
 * - reading is synchronous: when the callback returns, the buffer belongs to the next socket;
 * - a message on an unwatched socket counts by its beginning; every other frame is looked at only when it is whole.
 */
import { connect } from 'node:net';
import { KIND, PEEK } from './dialects.js';
import { PONG } from './frame.js';

/** Room for what was left over, in front of where the kernel writes. */
const LEFT = 64 * 1024;
const ARENA = Buffer.allocUnsafeSlow(LEFT + 256 * 1024);
const LANDING = ARENA.subarray(LEFT);
const OPEN_LINE = Buffer.from('HTTP/1.1 101');
const END = Buffer.from('\r\n\r\n');

/** @typedef {import('./crowd.js').Crowd} Crowd */

export class Socket {
  /** messages received; the number of the newest, kept where `watched` */
  messages = 0;
  last = 0;
  ready = false;
  /** whole messages are read, their numbers and writers looked at */
  watched = false;
  /** its number as a writer, and how many of its own have not come back; -1: it never writes */
  talker = -1;
  waiting = 0;
  /** @type {import('node:net').Socket | undefined} */
  #net;
  /** @type {Buffer | undefined} */
  #left;
  #skip = 0;
  #upgraded = false;
  #crowd;

  /** @param {Crowd} crowd */
  constructor(crowd) {
    this.#crowd = crowd;
  }

  /** @param {number} port @param {string} request @param {string} from address of ours */
  open(port, request, from) {
    const callback = (/** @type {number} */ size) => {
      this.#read(size);
      return true;
    };
    const net = connect({
      host: '127.0.0.1',
      localAddress: from,
      port,
      noDelay: true,
      onread: { buffer: LANDING, callback },
    });
    net.on('connect', () => net.write(request));
    net.on('error', () => {});
    net.on('close', () => this.#closed(net));
    this.#net = net;
  }

  /** @param {Buffer} bytes */
  write(bytes) {
    this.#net?.write(bytes);
  }

  /** Cut, as a pulled cable is: reset, without a farewell. */
  cut() {
    const net = this.#net;
    this.#net = undefined;
    this.#left = undefined;
    this.#skip = 0;
    this.#upgraded = false;
    this.ready = false;
    net?.resetAndDestroy();
  }

  /** @param {import('node:net').Socket} net */
  #closed(net) {
    if (this.#net !== net) return; // it was cut on purpose
    this.#net = undefined;
    this.#crowd.lost(this);
  }

  /** @param {number} size bytes that have just landed */
  #read(size) {
    let at = LEFT;
    if (this.#left) {
      at -= this.#left.length;
      this.#left.copy(ARENA, at);
      this.#left = undefined;
    }
    const end = LEFT + size;
    if (!this.#upgraded) at = this.#handshake(at, end);
    if (this.#upgraded) at = this.#walk(at, end);
    if (at < end) this.#keep(at, end);
    this.#crowd.afterRead(this);
  }

  /** @param {number} at @param {number} end */
  #keep(at, end) {
    if (end - at > LEFT)
      throw new Error(`a frame of over ${LEFT} bytes: the load client does not expect that`);
    this.#left = Buffer.from(ARENA.subarray(at, end));
  }

  /** @param {number} at @param {number} end @returns {number} where frames begin, or `at` when more must come */
  #handshake(at, end) {
    const close = ARENA.subarray(at, end).indexOf(END);
    if (close < 0) return at;
    if (ARENA.compare(OPEN_LINE, 0, OPEN_LINE.length, at, at + OPEN_LINE.length) !== 0) {
      this.#crowd.fault(`refused: ${ARENA.toString('latin1', at, at + 40).split('\r')[0]}`);
      this.#net?.destroy();
      return end;
    }
    this.#upgraded = true;
    if (this.#crowd.dialect.readyAtOpen) this.#crowd.entered(this);
    return at + close + END.length;
  }

  /** Frame by frame. @param {number} from @param {number} end @returns {number} where an unfinished frame begins */
  #walk(from, end) {
    let at = from + Math.min(this.#skip, end - from);
    this.#skip -= at - from;
    while (end - at >= 2) {
      const short = (ARENA[at + 1] ?? 0) & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (end - at < header) break;
      const size =
        short < 126 ? short : short === 126 ? ARENA.readUInt16BE(at + 2) : ARENA.readUInt32BE(at + 6);
      if (end - at < header + Math.min(size, PEEK)) break;
      const next = at + header + size;
      if (!this.#frame(ARENA[at] ?? 0, at + header, size, next <= end)) break;
      this.#skip = Math.max(0, next - end);
      at = Math.min(next, end);
    }
    return at;
  }

  /**
   * @param {number} first its first byte @param {number} at where its payload begins @param {number} size
   * @param {boolean} whole
   * @returns {boolean} false: look again when it is whole
   */
  #frame(first, at, size, whole) {
    const kind = first === 0x81 ? this.#crowd.dialect.kind(ARENA, at) : KIND.other;
    if (kind === KIND.message && !this.watched) {
      this.messages++;
      this.#crowd.counted(ARENA, at, whole);
      return true;
    }
    if (!whole) return false;
    if (kind === KIND.message) {
      this.messages++;
      this.#crowd.watched(this, ARENA, at);
    } else if (first === 0x89) this.write(PONG);
    else if (first === 0x88) this.#crowd.fault(`closed ${size < 2 ? '' : ARENA.readUInt16BE(at)}`);
    else this.#crowd.notice(this, kind, ARENA, at, size);
    return true;
  }
}
