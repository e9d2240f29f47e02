/**
 * The life of the page's socket: opens, listens, notices a dead line, comes back. Knows frames only as far as it
 * must (`hello` makes it live); everything comes in by hand, so that tests turn the clock. At any time at most one
 * socket counts: what an abandoned one still says is not heard.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { JSON_SUBPROTOCOL, mayReconnect } from '../../shared/protocol.js';
import { type Clock, reconnectDelayMs } from '../clock.js';
import { type Frame, parseFrame } from '../decode.js';

/** A socket that was opened; `close` lets go of it without waiting for the other side. */
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
  /** Opens a socket at the place where we want to go on (asked anew for each attempt). */
  readonly open: (events: SocketEvents) => Socket;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onFrame: (frame: Frame) => void;
  /** Before anything else is done about a close, also of one that we gave up. */
  readonly onClosed: (code: number) => void;
}

/** Silence after which we ask, and the number of questions without any answer that make a line dead. */
const pingAfterMs = 15_000;
const maxMissedPings = 2;
/** How long a line may take to answer when we have a reason to doubt it. */
const probeTimeoutMs = 1_500;
const connectTimeoutMs = 10_000;
/** A line that lived so long was a good one: the next failure is the first again. */
const stableAfterMs = 5_000;
/** What browsers report when a line went away without a word (RFC 6455, 7.1.5). */
const abnormalClosure = 1006;

const pingFrame = JSON.stringify({ type: 'ping' });

export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #state = signal<ConnectionState>({ state: 'connecting' });
  #socket: Socket | undefined;
  #tries = 0;
  #liveSince = 0;
  #wasLive = false;
  #lastFrameAt = 0;
  #missedPings = 0;
  #cancelTimer = () => {};
  #cancelProbe: (() => void) | undefined;

  constructor(parts: ConnectionDeps) {
    this.#deps = parts;
  }

  get state(): ReadonlySignal<ConnectionState> {
    return this.#state;
  }

  /** It was live once. */
  get wasLive(): boolean {
    return this.#wasLive;
  }

  /** Opens a line now, in place of whatever there is. */
  connect(): void {
    this.#abandon();
    this.#state.value = { state: 'connecting' };
    // A socket may call back before `open` returns; until then nothing it says is for us.
    let wire: Socket | undefined;
    const mine = () => wire !== undefined && wire === this.#socket;
    wire = this.#deps.open({
      onText: (data) => mine() && this.#onText(data, mine),
      onClosed: (code, reason) => mine() && this.#onLost(code, reason),
    });
    this.#socket = wire;
    this.#setTimer(connectTimeoutMs, () => this.#onLost(abnormalClosure, 'no answer'));
  }

  /** Sends when the line is live; false when it was not, and nothing was sent. */
  send(text: string): boolean {
    if (this.#state.value.state !== 'live' || !this.#socket) return false;
    this.#socket.send(text);
    return true;
  }

  /**
   * We may have slept, or the network changed: whatever the socket says of itself, it must prove soon that it
   * lives. A close event of a dead line can take minutes.
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

  #onText(data: string, mine: () => boolean): void {
    this.#lastFrameAt = this.#deps.clock.now();
    this.#missedPings = 0;
    this.#endProbe();
    const frame = parseFrame(data);
    if (!frame) return;
    this.#deps.onFrame(frame);
    // Who takes the frame may have asked for another line meanwhile.
    if (frame.type === 'hello' && mine()) this.#onLive();
  }

  #onLive(): void {
    this.#liveSince = this.#lastFrameAt;
    this.#wasLive = true;
    this.#state.value = { state: 'live' };
    this.#watchSilence(pingAfterMs);
  }

  /** One timer for the whole life of a line: frames only note the time. */
  #watchSilence(ms: number): void {
    this.#setTimer(ms, () => {
      const now = this.#deps.clock.now();
      this.#lastFrameAt = Math.min(this.#lastFrameAt, now); // the clock was put back
      const rest = this.#lastFrameAt + pingAfterMs - now;
      if (rest > 0) return this.#watchSilence(rest);
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
    const wait = reconnectDelayMs(code, this.#tries++, random);
    this.#state.value = { state: 'waiting', until: now + wait };
    this.#setTimer(wait, () => this.connect());
  }

  #abandon(): void {
    const wire = this.#socket;
    this.#socket = undefined;
    this.#endProbe();
    this.#cancelTimer();
    wire?.close();
  }

  #setTimer(ms: number, ring: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.clock.after(ms, ring);
  }
}

/** The browser's WebSocket as a `Wire`. */

export function openWebSocket(url: URL, events: SocketEvents): Socket {
  const socket = new WebSocket(url, JSON_SUBPROTOCOL);
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') events.onText(data);
  };
  socket.onclose = ({ code, reason }) => events.onClosed(code, reason);
  return {
    send: (text) => socket.send(text),
    close: () => socket.close(),
  };
}

/** Where to open: resumes at `after` when we know where we are, else asks for the latest. */
export function socketUrl(page: URL, room: string, place?: { after: number; epoch: string }): URL {
  const url = new URL(`/ws/${encodeURIComponent(room)}`, page);
  url.protocol = page.protocol === 'https:' ? 'wss:' : 'ws:';
  if (place) {
    url.searchParams.set('after', String(place.after));
    url.searchParams.set('epoch', place.epoch);
  }
  return url;
}
