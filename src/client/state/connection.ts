/**
 * The life of the page's socket: opens, listens, notices a dead line, comes back. Knows frames only as far as it
 * must (`hello` makes it live); everything comes in by hand, so that tests turn the clock. At any time at most one
 * socket counts: what an abandoned one still says is not heard.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import { mayReconnect } from '../../shared/protocol.js';
import { waitAfterClose } from './backoff.js';
import type { Clock } from './clock.js';
import { type Frame, parseFrame } from './frames.js';

/** A socket that was opened; `close` lets go of it without waiting for the other side. */
export interface Wire {
  send(text: string): void;
  close(): void;
}
export interface WireEvents {
  text(data: string): void;
  closed(code: number, reason: string): void;
}

export type Link =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'waiting'; readonly until: number }
  | { readonly state: 'ended'; readonly code: number; readonly reason: string };

export interface ConnectionParts {
  /** Opens a socket at the place where we want to go on (asked anew for each attempt). */
  readonly open: (events: WireEvents) => Wire;
  readonly clock: Clock;
  readonly random: () => number;
  readonly frame: (frame: Frame) => void;
  /** Before anything else is done about a close, also of one that we gave up. */
  readonly closed: (code: number) => void;
}

/** Silence after which we ask, and the number of questions without any answer that make a line dead. */
const QUIET_MS = 15_000;
const MISSED = 2;
/** How long a line may take to answer when we have a reason to doubt it. */
const PROBE_MS = 1_500;
const CONNECT_MS = 10_000;
/** A line that lived so long was a good one: the next failure is the first again. */
const GOOD_MS = 5_000;
/** What browsers report when a line went away without a word (RFC 6455, 7.1.5). */
const LOST = 1006;

const PING = JSON.stringify({ type: 'ping' });

export class Connection {
  readonly #parts: ConnectionParts;
  readonly #link = signal<Link>({ state: 'connecting' });
  #wire: Wire | undefined;
  #tries = 0;
  #liveSince = 0;
  #met = false;
  #heardAt = 0;
  #missed = 0;
  #cancelTimer = () => {};
  #cancelProbe: (() => void) | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  get link(): ReadonlySignal<Link> {
    return this.#link;
  }

  /** It was live once. */
  get met(): boolean {
    return this.#met;
  }

  /** Opens a line now, in place of whatever there is. */
  connect(): void {
    this.#abandon();
    this.#link.value = { state: 'connecting' };
    // A socket may call back before `open` returns; until then nothing it says is for us.
    let wire: Wire | undefined;
    const mine = () => wire !== undefined && wire === this.#wire;
    wire = this.#parts.open({
      text: (data) => mine() && this.#heard(data, mine),
      closed: (code, reason) => mine() && this.#lost(code, reason),
    });
    this.#wire = wire;
    this.#timer(CONNECT_MS, () => this.#lost(LOST, 'no answer'));
  }

  /** Sends when the line is live; false when it was not, and nothing was sent. */
  send(text: string): boolean {
    if (this.#link.value.state !== 'live' || !this.#wire) return false;
    this.#wire.send(text);
    return true;
  }

  /**
   * We may have slept, or the network changed: whatever the socket says of itself, it must prove soon that it
   * lives. A close event of a dead line can take minutes.
   */
  wake(): void {
    const { state } = this.#link.value;
    if (state === 'waiting') this.connect();
    if (state === 'live') this.#ask();
    if (state === 'live' || state === 'connecting') this.#probe();
  }

  stop(): void {
    this.#abandon();
    this.#link.value = { state: 'ended', code: 1000, reason: 'stopped' };
  }

  #heard(data: string, mine: () => boolean): void {
    this.#heardAt = this.#parts.clock.now();
    this.#missed = 0;
    this.#endProbe();
    const frame = parseFrame(data);
    if (!frame) return;
    this.#parts.frame(frame);
    // Who takes the frame may have asked for another line meanwhile.
    if (frame.type === 'hello' && mine()) this.#live();
  }

  #live(): void {
    this.#liveSince = this.#heardAt;
    this.#met = true;
    this.#link.value = { state: 'live' };
    this.#listen(QUIET_MS);
  }

  /** One timer for the whole life of a line: frames only note the time. */
  #listen(ms: number): void {
    this.#timer(ms, () => {
      const now = this.#parts.clock.now();
      this.#heardAt = Math.min(this.#heardAt, now); // the clock was put back
      const rest = this.#heardAt + QUIET_MS - now;
      if (rest > 0) return this.#listen(rest);
      if (this.#missed >= MISSED) return this.#lost(LOST, 'no answer');
      this.#missed++;
      this.#ask();
      this.#listen(QUIET_MS);
    });
  }

  #ask(): void {
    this.#wire?.send(PING);
  }

  #probe(): void {
    this.#cancelProbe ??= this.#parts.clock.after(PROBE_MS, () => {
      this.#parts.closed(LOST);
      this.connect();
    });
  }

  #endProbe(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
  }

  #lost(code: number, reason: string): void {
    this.#abandon();
    this.#parts.closed(code);
    if (!mayReconnect(code)) {
      this.#link.value = { state: 'ended', code, reason };
      return;
    }
    const { clock, random } = this.#parts;
    const now = clock.now();
    if (this.#liveSince > 0 && now - this.#liveSince >= GOOD_MS) this.#tries = 0;
    this.#liveSince = 0;
    const wait = waitAfterClose(code, this.#tries++, random);
    this.#link.value = { state: 'waiting', until: now + wait };
    this.#timer(wait, () => this.connect());
  }

  #abandon(): void {
    const wire = this.#wire;
    this.#wire = undefined;
    this.#endProbe();
    this.#cancelTimer();
    wire?.close();
  }

  #timer(ms: number, ring: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#parts.clock.after(ms, ring);
  }
}
