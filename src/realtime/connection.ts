/**
 * One socket of one person in one room: what it says becomes commands, what it is told goes out whole frames at a time.
 * `ws` reads and does the control frames; text we write ourselves to the raw socket. With deflate off and whole frames
 * only, both may. Nothing is kept per socket that can be shared: no closure, no timer, no request.
 */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { type Parsed, parseCommand, parseText } from '../shared/parse.js';
import {
  CLOSE,
  type ClientCommand,
  LIMITS,
  type PostCommand,
  type Problem,
  type ServerFrame,
} from '../shared/protocol.js';
import type { Pingable } from './heartbeat.js';
import type { Room, Subscriber } from './room.js';
import type { ConnectedUser } from './user.js';

export interface ConnectionOptions {
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly person: ConnectedUser;
  /** superchat: each frame is a JSON command; else it is the text of a message */
  readonly json: boolean;
  /** when the session is over, in milliseconds since 1970 */
  readonly sessionExpiresAt: number;
}

/** What a connection asks of its room. */
export type IncomingCommand = PostCommand | Extract<ClientCommand, { type: 'typing' }>;

export class Connection implements Subscriber, Pingable {
  readonly person: ConnectedUser;
  readonly room: Room;
  readonly sessionExpiresAt: number;
  /** where it sits on the heartbeat's wheel */
  slot = 0;
  index = 0;
  firstBatch = 0;
  /** when it was last heard typing, as performance.now(); undefined: never, which takes no number of its own */
  typedAt: number | undefined;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #json: boolean;
  readonly #sendBuffer: number;
  #open = true;
  #alive = true;
  #protocolErrors = 0;

  /** @param sendBuffer bytes that may wait for this reader; 0 = no limit */
  constructor(opening: ConnectionOptions, room: Room, sendBuffer: number) {
    this.person = opening.person;
    this.room = room;
    this.sessionExpiresAt = opening.sessionExpiresAt;
    this.#ws = opening.ws;
    this.#socket = opening.socket;
    this.#json = opening.json;
    this.#sendBuffer = sendBuffer;
  }

  /** What the peer said, if it can be followed; what cannot is answered here. */
  receive(data: RawData, binary: boolean): IncomingCommand | undefined {
    if (!this.#open) return undefined;
    this.#alive = true;
    if (binary) {
      this.close(CLOSE.binary);
      return undefined;
    }
    return this.#json ? this.#parseJson(data.toString()) : this.#parseText(data.toString());
  }

  send(frame: ServerFrame): void {
    this.write(textFrame(frame));
  }

  /** Whole frames. A reader over its limit is cut, not waited for: it comes back and resumes at its number. */
  write(bytes: Buffer): void {
    if (!this.#open) return;
    this.#socket.write(bytes);
    if (this.#sendBuffer > 0 && this.#socket.writableLength > this.#sendBuffer) this.terminate();
  }

  /** Like write, for one page of a replay: the next comes only when this one has drained. True when it has already. */
  writePage(page: Buffer): boolean {
    return !this.#open || this.#socket.write(page);
  }

  onDrain(next: () => void): void {
    this.#socket.once('drain', next);
  }

  /** bytes that the peer has not taken yet */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get open(): boolean {
    return this.#open;
  }

  sendError(problem: Problem, cid?: string): void {
    this.send({ type: 'error', ...(cid === undefined ? {} : { cid }), data: problem });
  }

  /** Answered only while the answers are read: pings are no way to fill our memory. */
  pong(payload: Buffer): void {
    this.#alive = true;
    this.write(pongFrame(payload));
  }

  markAlive(): void {
    this.#alive = true;
  }

  /** Asks for a sign of life; cuts it when there was none since it was asked last. */
  ping(): void {
    if (!this.#alive && !this.#ws.isPaused) {
      this.terminate();
      return;
    }
    this.#alive = false;
    this.write(PING_FRAME);
  }

  pause(): void {
    if (!this.#ws.isPaused) this.#ws.pause();
  }

  resume(): void {
    if (this.#ws.isPaused) this.#ws.resume();
  }

  /** Says why and closes; ws cuts it when the answer does not come. */
  close([code, reason]: readonly [code: number, reason: string]): void {
    if (!this.#open) return;
    this.#open = false;
    this.resume(); // a paused socket would never see the answer
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#open = false;
    this.#ws.terminate();
  }

  markClosed(): void {
    this.#open = false;
  }

  #parseText(raw: string): IncomingCommand | undefined {
    const text = parseText(raw);
    if (text.ok) return { type: 'chat', data: text.value };
    this.sendError(text.problem);
    return undefined;
  }

  #parseJson(raw: string): IncomingCommand | undefined {
    const command = parseCommand(raw);
    if (!command.ok) {
      this.#rejectCommand(command);
      return undefined;
    }
    this.#protocolErrors = 0;
    if (command.value.type !== 'ping') return command.value;
    this.send({ type: 'pong' });
    return undefined;
  }

  /** A text that is too long is a mistake; a command that means nothing, several times over, is a broken client. */
  #rejectCommand(refused: Extract<Parsed<never>, { ok: false }> & { readonly cid?: string }): void {
    this.sendError(refused.problem, refused.cid);
    this.#protocolErrors = refused.nonsense ? this.#protocolErrors + 1 : 0;
    if (this.#protocolErrors === LIMITS.protocolErrors) this.close(CLOSE.protocolError);
  }
}

/** Server frames as bytes (RFC 6455, 5.2): built once, written to as many sockets as there are. Never masked, never split. */

const FIN_TEXT = 0x81;
const FIN_PONG = 0x8a;

/** A ping without payload. */
export const PING_FRAME: Buffer = Buffer.from([0x89, 0x00]);

/** A frame with its header, ready to be written. */
export function textFrame(frame: ServerFrame): Buffer {
  const json = JSON.stringify(frame);
  const size = Buffer.byteLength(json);
  const header = headerSize(size);
  const bytes = Buffer.allocUnsafe(header + size);
  bytes[0] = FIN_TEXT;
  writeLength(bytes, size);
  bytes.write(json, header, 'utf8');
  return bytes;
}

/** The answer to a ping; its payload is at most 125 bytes, as the parser has checked. */
export function pongFrame(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([FIN_PONG, payload.length]), payload]);
}

function headerSize(size: number): number {
  if (size < 126) return 2;
  return size < 65_536 ? 4 : 10;
}

function writeLength(bytes: Buffer, size: number): void {
  if (size < 126) {
    bytes[1] = size;
  } else if (size < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(size, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(size), 2);
  }
}
