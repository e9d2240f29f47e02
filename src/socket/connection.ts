/**
 * One socket of one person in one room: what it says becomes commands, what it is told goes out whole frames at a time.
 * `ws` reads and does the control frames; text we write ourselves to the raw socket. With deflate off and whole frames
 * only, both may. Nothing is kept per socket that can be shared: no closure, no timer, no request.
 */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { type Parsed, parseCommand, parseText } from '../parse.js';
import {
  CLOSE,
  type ClientCommand,
  LIMITS,
  type Posting,
  type Problem,
  type ServerFrame,
} from '../protocol.js';
import { PING, pongFrame, textFrame } from './frame.js';
import type { Beating } from './heartbeat.js';
import type { Person } from './person.js';
import type { LiveRoom, Member } from './room.js';

export interface Opening {
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly person: Person;
  /** superchat: each frame is a JSON command; else it is the text of a message */
  readonly commands: boolean;
  /** when the session is over, in milliseconds since 1970 */
  readonly ends: number;
}

/** What a connection asks of its room. */
export type Asked = Posting | Extract<ClientCommand, { type: 'typing' }>;

export class Connection implements Member, Beating {
  readonly person: Person;
  readonly room: LiveRoom;
  readonly ends: number;
  /** where it sits on the heartbeat's wheel */
  spoke = 0;
  seat = 0;
  batch = 0;
  /** when it was last heard typing, as performance.now(); undefined: never, which takes no number of its own */
  typedAt: number | undefined;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #commands: boolean;
  readonly #sendBuffer: number;
  #open = true;
  #heard = true;
  #nonsense = 0;

  /** @param sendBuffer bytes that may wait for this reader; 0 = no limit */
  constructor(opening: Opening, room: LiveRoom, sendBuffer: number) {
    this.person = opening.person;
    this.room = room;
    this.ends = opening.ends;
    this.#ws = opening.ws;
    this.#socket = opening.socket;
    this.#commands = opening.commands;
    this.#sendBuffer = sendBuffer;
  }

  /** What the peer said, if it can be followed; what cannot is answered here. */
  receive(data: RawData, binary: boolean): Asked | undefined {
    if (!this.#open) return undefined;
    this.#heard = true;
    if (binary) {
      this.close(CLOSE.binary);
      return undefined;
    }
    return this.#commands ? this.#command(data.toString()) : this.#plain(data.toString());
  }

  send(frame: ServerFrame): void {
    this.write(textFrame(frame));
  }

  /** Whole frames. A reader over its limit is cut, not waited for: it comes back and resumes at its number. */
  write(bytes: Buffer): void {
    if (!this.#open) return;
    this.#socket.write(bytes);
    if (this.#sendBuffer > 0 && this.#socket.writableLength > this.#sendBuffer) this.cut();
  }

  /** Like write, for one page of a replay: the next comes only when this one has drained. True when it has already. */
  writePage(page: Buffer): boolean {
    return !this.#open || this.#socket.write(page);
  }

  onceDrained(next: () => void): void {
    this.#socket.once('drain', next);
  }

  /** bytes that the peer has not taken yet */
  get waiting(): number {
    return this.#socket.writableLength;
  }

  get open(): boolean {
    return this.#open;
  }

  refuse(problem: Problem, cid?: string): void {
    this.send({ type: 'error', ...(cid === undefined ? {} : { cid }), data: problem });
  }

  /** Answered only while the answers are read: pings are no way to fill our memory. */
  pong(payload: Buffer): void {
    this.#heard = true;
    this.write(pongFrame(payload));
  }

  heard(): void {
    this.#heard = true;
  }

  /** Asks for a sign of life; cuts it when there was none since it was asked last. */
  ping(): void {
    if (!this.#heard && !this.#ws.isPaused) {
      this.cut();
      return;
    }
    this.#heard = false;
    this.write(PING);
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

  cut(): void {
    this.#open = false;
    this.#ws.terminate();
  }

  closed(): void {
    this.#open = false;
  }

  #plain(raw: string): Asked | undefined {
    const text = parseText(raw);
    if (text.ok) return { type: 'chat', data: text.value };
    this.refuse(text.problem);
    return undefined;
  }

  #command(raw: string): Asked | undefined {
    const command = parseCommand(raw);
    if (!command.ok) {
      this.#refuseCommand(command);
      return undefined;
    }
    this.#nonsense = 0;
    if (command.value.type !== 'ping') return command.value;
    this.send({ type: 'pong' });
    return undefined;
  }

  /** A text that is too long is a mistake; a command that means nothing, several times over, is a broken client. */
  #refuseCommand(refused: Extract<Parsed<never>, { ok: false }> & { readonly cid?: string }): void {
    this.refuse(refused.problem, refused.cid);
    this.#nonsense = refused.nonsense ? this.#nonsense + 1 : 0;
    if (this.#nonsense === LIMITS.nonsense) this.close(CLOSE.nonsense);
  }
}
