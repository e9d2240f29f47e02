/**
 * Connection: one reader of one room, over any transport. WebSocketConnection: incoming frames become commands; outgoing
 * frames are written as whole frames. `ws` reads and handles control frames. We write text frames to the raw socket
 * ourselves, which is safe because deflate is off and no frame is fragmented. Nothing is kept per socket that can be
 * shared: no closure, no timer, no request.
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
import { Frames, pingFrame, pongFrame } from './frames.js';
import type { Pingable } from './heartbeat.js';
import type { Room, Subscriber } from './room.js';
import type { ConnectedUser } from './user.js';

export type CloseReason = readonly [code: number, reason: string];

/** What the hub and its users need of a connection. */
export interface Connection extends Subscriber, Pingable {
  readonly user: ConnectedUser;
  readonly room: Room;
  readonly transport: 'websocket' | 'sse' | 'ndjson' | 'poll';
  sessionExpiresAt: number;
  /** Whether `left` is sent without delay, because the user will not be back soon: see Presence. */
  leavesAtOnce: boolean;
  readonly open: boolean;
  /** Reads from the peer again. */
  resume(): void;
  /** Closes a peer that sends too much. */
  closeFlood(reason: CloseReason): void;
  markClosed(): void;
}

/** A connection that receives what it missed in pages. */
export interface ReplayConnection extends Connection {
  /** Writes a page of a replay, without the limit. Returns whether the next page may follow at once. */
  writePage(page: Frames): boolean;
  onDrain(next: () => void): void;
}

export interface ConnectionOptions {
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly user: ConnectedUser;
  /** The network of the peer, for limits by address; undefined when there are none. */
  readonly address: string | undefined;
  /** Whether each frame is a JSON command (subprotocol superchat); otherwise it is the text of a message. */
  readonly json: boolean;
  /** Milliseconds since 1970. */
  readonly sessionExpiresAt: number;
}

/** What a connection passes on to its hub. */
export type IncomingCommand = PostCommand | Extract<ClientCommand, { type: 'typing' }>;

/** Bytes that are read of a flood after its close, so that its peer gets the close frame. Then reading stops. */
const maxDiscardedBytes = 1024 * 1024;

/**
 * Ends a socket that was closed, and parses nothing more of it: a flood would delay everybody until its peer answers the
 * close.
 */
export function discardInput(socket: Duplex): void {
  socket.removeAllListeners('data'); // the parser of ws
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxDiscardedBytes) socket.pause();
  });
  socket.end();
}

export class WebSocketConnection implements ReplayConnection {
  readonly user: ConnectedUser;
  readonly room: Room;
  readonly address: string | undefined;
  sessionExpiresAt: number;
  readonly pingSlot: number;
  firstBatch = 0;
  leavesAtOnce = false;
  /** The code with which we closed it. The peer may never answer. */
  closeCode: number | undefined;
  /** When the last typing frame was passed on, as performance.now(). */
  typedAt: number | undefined;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #json: boolean;
  readonly #sendBuffer: number;
  /** 'closing' once we have closed it, 'discarding' when we parse nothing more; 'closed' once the peer has closed it. */
  #state: 'open' | 'closing' | 'discarding' | 'closed' = 'open';
  /** A frame has arrived since the last ping. */
  #alive = true;
  #protocolErrors = 0;

  /** `sendBuffer`: bytes that may wait for this reader; 0 = no limit. `pingSlot`: see Heartbeat. */
  constructor(options: ConnectionOptions, room: Room, sendBuffer: number, pingSlot: number) {
    this.user = options.user;
    this.address = options.address;
    this.room = room;
    this.sessionExpiresAt = options.sessionExpiresAt;
    this.pingSlot = pingSlot;
    this.#ws = options.ws;
    this.#socket = options.socket;
    this.#json = options.json;
    this.#sendBuffer = sendBuffer;
  }

  /**
   * Returns the command in a frame. Answers pings and invalid frames itself. A frame that waited is still valid when the
   * peer has closed the socket meanwhile, but not when we have.
   */
  receive(data: RawData, binary: boolean): IncomingCommand | undefined {
    if (this.#state === 'closing' || this.#state === 'discarding') return undefined;
    if (binary) {
      this.closeFlood(CLOSE.binary);
      return undefined;
    }
    return this.#json ? this.#parseJson(data.toString()) : this.#parseText(data.toString());
  }

  send(frame: ServerFrame): void {
    this.write(Frames.encode(frame));
  }

  /** Cuts a reader that is over its limit: it reconnects and resumes at its number. */
  write(frames: Frames): void {
    this.#write(frames.webSocket);
  }

  #write(bytes: Buffer): void {
    if (!this.open) return;
    this.#socket.write(bytes);
    if (this.#sendBuffer > 0 && this.#socket.writableLength > this.#sendBuffer) this.terminate();
  }

  writePage(page: Frames): boolean {
    return !this.open || this.#socket.write(page.webSocket);
  }

  onDrain(next: () => void): void {
    this.#socket.once('drain', next);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get transport(): 'websocket' {
    return 'websocket';
  }

  /** A WebSocket answers pings, so it may stay open as long as its session. */
  get endsAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  sendError(problem: Problem, cid?: string): void {
    this.send({ type: 'error', ...(cid === undefined ? {} : { cid }), data: problem });
  }

  /** Answers a ping within the limit of `write`, so that unread answers cannot fill our memory. */
  pong(payload: Buffer): void {
    this.#write(pongFrame(payload));
  }

  /** Call it whenever a frame arrives. */
  markAlive(): void {
    this.#alive = true;
  }

  /** Pings the peer. Cuts it when no frame came since the previous ping, unless we do not read from it. */
  ping(): void {
    if (!this.#alive && !this.#ws.isPaused) {
      this.leavesAtOnce = true;
      this.terminate();
      return;
    }
    this.#alive = false;
    this.#write(pingFrame);
  }

  /** Stops reading. */
  pause(): void {
    if (!this.#ws.isPaused) this.#ws.pause();
  }

  /** Reads again. The peer counts as alive, because its pong may have waited behind the pause. */
  resume(): void {
    if (!this.#ws.isPaused) return;
    this.#alive = true;
    this.#ws.resume();
  }

  /** Sends a close frame; ws cuts the socket when the peer does not answer it. */
  close([code, reason]: CloseReason): void {
    if (!this.open) return;
    this.#state = 'closing';
    this.closeCode = code;
    this.resume(); // a paused socket would never see the answer
    this.#ws.close(code, reason);
  }

  closeFlood(reason: CloseReason): void {
    if (!this.open) return;
    this.close(reason);
    this.discardInput();
  }

  /** Call it after a close, or when the peer broke the protocol. */
  discardInput(): void {
    if (this.#state === 'discarding') return;
    this.#state = 'discarding';
    discardInput(this.#socket);
  }

  terminate(): void {
    this.#state = 'closing';
    this.#ws.terminate();
  }

  markClosed(): void {
    if (this.open) this.#state = 'closed';
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

  /** Answers a mistake of the user with an error frame. Closes a client that sends protocol errors in a row. */
  #rejectCommand(rejected: Extract<Parsed<never>, { ok: false }> & { readonly cid?: string }): void {
    this.sendError(rejected.problem, rejected.cid);
    this.#protocolErrors = rejected.isProtocolError ? this.#protocolErrors + 1 : 0;
    if (this.#protocolErrors === LIMITS.protocolErrors) this.closeFlood(CLOSE.protocolError);
  }
}
