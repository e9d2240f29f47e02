/**
 * The connection to the server: connects, detects dead sockets, reconnects. `hello` makes it live; other
 * frames are passed on. At most one socket is current; events of an abandoned one are ignored.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { JSON_SUBPROTOCOL, mayReconnect } from '../../shared/protocol.js';
import { type Clock, reconnectDelayMs } from '../clock.js';
import { type Frame, parseFrame } from '../decode.js';
import { publicPath } from '../site.js';

/** `close` does not wait for the server. */
export interface Socket {
  send(text: string): void;
  close(): void;
}
export interface SocketEvents {
  onText(data: string): void;
  onClosed(code: number, reason: string): void;
}

export type ConnectionState =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'waiting'; readonly until: number }
  | { readonly state: 'ended'; readonly code: number; readonly reason: string };

export interface ConnectionDeps {
  /** Opens a socket at the current resume position; called for each attempt. */
  readonly open: (events: SocketEvents) => Socket;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onFrame: (frame: Frame) => void;
  /** Called first for every close, including sockets that were given up. */
  readonly onClosed: (code: number) => void;
}

/** After this silence a ping is sent; after `maxMissedPings` without an answer the socket counts as dead. */
const pingAfterMs = 15_000;
const maxMissedPings = 2;
/** Time to answer after a wake-up or network change. */
const probeTimeoutMs = 1_500;
const connectTimeoutMs = 10_000;
/** A connection that lived this long resets the back-off. */
const stableAfterMs = 5_000;
/** Reported by browsers for a connection that ended without a close frame (RFC 6455, section 7.1.5). */
const abnormalClosure = 1006;

const pingFrame = JSON.stringify({ type: 'ping' });

export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #state = signal<ConnectionState>({ state: 'connecting' });
  readonly state: ReadonlySignal<ConnectionState> = this.#state;
  #socket: Socket | undefined;
  #tries = 0;
  #liveSince = 0;
  wasLive = false;
  #lastFrameAt = 0;
  #missedPings = 0;
  #cancelTimer = () => {};
  #cancelProbe: (() => void) | undefined;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
  }

  /** Replaces the current socket. */
  connect(): void {
    this.#abandon();
    this.#state.value = { state: 'connecting' };
    // The socket may call back before `open` returns; such calls are ignored.
    let socket: Socket | undefined;
    const isCurrent = () => socket !== undefined && socket === this.#socket;
    socket = this.#deps.open({
      onText: (data) => isCurrent() && this.#onText(data, isCurrent),
      onClosed: (code, reason) => isCurrent() && this.#onLost(code, reason),
    });
    this.#socket = socket;
    this.#setTimer(connectTimeoutMs, () => this.#onLost(abnormalClosure, 'no answer'));
  }

  /** Returns false, and sends nothing, unless the connection is live. */
  send(text: string): boolean {
    if (this.#state.value.state !== 'live' || !this.#socket) return false;
    this.#socket.send(text);
    return true;
  }

  /**
   * After sleep or a network change the socket must answer within `probeTimeoutMs`, because the close event
   * of a dead connection can take minutes.
   */
  checkAlive(): void {
    const { state } = this.#state.value;
    if (state === 'waiting') this.connect();
    if (state === 'live') this.#ping();
    if (state === 'live' || state === 'connecting') this.#startProbe();
  }

  stop(): void {
    this.#abandon();
    this.#state.value = { state: 'ended', code: 1000, reason: 'stopped' };
  }

  #onText(data: string, isCurrent: () => boolean): void {
    this.#lastFrameAt = this.#deps.clock.now();
    this.#missedPings = 0;
    this.#endProbe();
    const frame = parseFrame(data);
    if (!frame) return;
    this.#deps.onFrame(frame);
    // The receiver may have reconnected.
    if (frame.type === 'hello' && isCurrent()) this.#onLive();
  }

  #onLive(): void {
    this.#liveSince = this.#lastFrameAt;
    this.wasLive = true;
    this.#state.value = { state: 'live' };
    this.#watchSilence(pingAfterMs);
  }

  /** One timer per connection; frames only record the time. */
  #watchSilence(ms: number): void {
    this.#setTimer(ms, () => {
      const now = this.#deps.clock.now();
      this.#lastFrameAt = Math.min(this.#lastFrameAt, now); // the clock was set back
      const remainingMs = this.#lastFrameAt + pingAfterMs - now;
      if (remainingMs > 0) return this.#watchSilence(remainingMs);
      if (this.#missedPings >= maxMissedPings) return this.#onLost(abnormalClosure, 'no answer');
      this.#missedPings++;
      this.#ping();
      this.#watchSilence(pingAfterMs);
    });
  }

  #ping(): void {
    this.#socket?.send(pingFrame);
  }

  #startProbe(): void {
    this.#cancelProbe ??= this.#deps.clock.after(probeTimeoutMs, () => {
      this.#deps.onClosed(abnormalClosure);
      this.connect();
    });
  }

  #endProbe(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
  }

  #onLost(code: number, reason: string): void {
    this.#abandon();
    this.#deps.onClosed(code);
    if (!mayReconnect(code)) {
      this.#state.value = { state: 'ended', code, reason };
      return;
    }
    const { clock, random } = this.#deps;
    const now = clock.now();
    if (this.#liveSince > 0 && now - this.#liveSince >= stableAfterMs) this.#tries = 0;
    this.#liveSince = 0;
    const delayMs = reconnectDelayMs(code, this.#tries++, random);
    this.#state.value = { state: 'waiting', until: now + delayMs };
    this.#setTimer(delayMs, () => this.connect());
  }

  #abandon(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#endProbe();
    this.#cancelTimer();
    socket?.close();
  }

  #setTimer(ms: number, callback: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.clock.after(ms, callback);
  }
}

export function openWebSocket(url: URL, events: SocketEvents): Socket {
  const socket = new WebSocket(url, JSON_SUBPROTOCOL);
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') events.onText(data);
  };
  socket.onclose = ({ code, reason }) => events.onClosed(code, reason);
  return { send: (text) => socket.send(text), close: () => socket.close() };
}

/** Resumes after a number, or asks for the latest events. */
export function socketUrl(page: URL, room: string, resumeFrom?: { after: number; epoch: string }): URL {
  const url = new URL(publicPath(`/ws/${encodeURIComponent(room)}`), page);
  url.protocol = page.protocol === 'https:' ? 'wss:' : 'ws:';
  if (resumeFrom) {
    url.searchParams.set('after', String(resumeFrom.after));
    url.searchParams.set('epoch', resumeFrom.epoch);
  }
  return url;
}
