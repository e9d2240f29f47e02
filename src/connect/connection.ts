/**
 * The connection to a room: connects, notices a dead link, reconnects, and changes the transport. `hello` makes it live.
 *
 * A transport that does not get through is followed by the next one at once; when none does, the connection waits and
 * begins again. On a fallback it tries the better ones now and then, beside the live link, which stays until the new one
 * has said `hello`.
 *
 * Invariants: frames come from one link at a time; events of an abandoned one are ignored. Numbers only grow until a
 * `hello` that is not complete, whatever links they came over. An `ack` follows the event that it names.
 */
import { type ClientCommand, mayReconnect } from '../shared/protocol.js';
import {
  type Clock,
  type CreateObservable,
  type Observable,
  reconnectDelayMs,
  type Writable,
} from './clock.js';
import {
  brokenCode,
  type Frame,
  type Link,
  type LinkEvents,
  type Position,
  type TransportName,
} from './transport.js';

export type ConnectionState =
  | { readonly state: 'connecting' }
  | { readonly state: 'live'; readonly transport: TransportName }
  | { readonly state: 'waiting'; readonly until: number }
  | { readonly state: 'ended'; readonly code: number; readonly reason: string };

/** Which transport got through last. It may forget, so that the best one has the first try again. */
export interface TransportMemory {
  get(): TransportName | undefined;
  set(name: TransportName): void;
}

export interface ConnectionDeps {
  /** The best first. */
  readonly transports: readonly TransportName[];
  readonly open: (name: TransportName, events: LinkEvents) => Link;
  readonly memory: TransportMemory;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observable: CreateObservable;
  /** Where a new link begins; undefined: at the latest events. */
  readonly position: () => Position | undefined;
  readonly onFrame: (frame: Frame) => void;
  /**
   * Called first for every link that is closed or given up: what it had not answered is lost. 1000: another one takes over.
   */
  readonly onClosed: (code: number) => void;
}

/** After this silence a ping is sent; after `maxMissedPings` without an answer the link counts as dead. One that sends by
 * itself has half the time. */
const pingAfterMs = 15_000;
const maxMissedPings = 2;
/** Time to answer after a wake-up or network change. */
const probeTimeoutMs = 1_500;
/** Time to say hello, while another transport can be tried, and when none is left. */
const connectTimeoutMs = { beforeFallback: 4_000, last: 10_000 } as const;
/** Time from the answer to a POST until its event has come. Then a proxy holds the stream back. */
const echoTimeoutMs = 4_000;
/** A connection that lived this long resets the back-off. */
const stableAfterMs = 5_000;
/** A transport that broke so often soon after hello counts as blocked. */
const maxShortLives = 2;
/** Time on a fallback until a better transport is tried; doubles with each try. */
const firstTrialMs = 15_000;
const maxTrialMs = 300_000;
const replacedCode = 1000;

interface Attempt {
  /** index of the transport */
  readonly choice: number;
  link?: Link;
  isLive: boolean;
}

export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #state: Writable<ConnectionState>;
  readonly state: Observable<ConnectionState>;
  wasLive = false;
  #attempt: Attempt | undefined;
  /** a better transport that is tried beside the live link */
  #trial: Attempt | undefined;
  #trials = 0;
  #tries = 0;
  #liveSince = 0;
  #lastFrameAt = 0;
  #missedPings = 0;
  /** newest number that was passed on */
  #delivered = 0;
  /** of a number that has not come yet; one message is in flight at a time */
  #ack: Frame | undefined;
  #cancelTimer = () => {};
  #cancelTrial = () => {};
  #cancelEcho = () => {};
  #cancelProbe: (() => void) | undefined;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    this.#state = deps.observable<ConnectionState>({ state: 'connecting' });
    this.state = this.#state;
  }

  /** Replaces the current link. */
  connect(): void {
    this.#connect(this.#preferred);
  }

  /** Returns false, and sends nothing, unless the connection is live. */
  send(command: ClientCommand): boolean {
    const link = this.#attempt?.link;
    if (this.#state.peek().state !== 'live' || !link) return false;
    link.send(command);
    return true;
  }

  /**
   * After sleep or a network change the link must answer within `probeTimeoutMs`, because the close event of a dead
   * connection can take minutes. One that answers no pings is replaced.
   */
  checkAlive(): void {
    const { state } = this.#state.peek();
    const link = this.#attempt?.link;
    if (state === 'waiting' || (state === 'live' && !link?.answersPings)) this.connect();
    else if (state === 'live') link?.send({ type: 'ping' });
    if (state === 'connecting' || (state === 'live' && link?.answersPings)) this.#startProbe();
  }

  stop(): void {
    this.#abandon();
    this.#state.value = { state: 'ended', code: 1000, reason: 'stopped' };
  }

  get #preferred(): number {
    const name = this.#deps.memory.get();
    return name === undefined ? 0 : Math.max(0, this.#deps.transports.indexOf(name));
  }

  #connect(choice: number): void {
    this.#abandon();
    this.#state.value = { state: 'connecting' };
    this.#delivered = this.#deps.position()?.after ?? 0;
    this.#attempt = this.#open(choice);
    const isLast = choice === this.#deps.transports.length - 1;
    const timeoutMs = isLast ? connectTimeoutMs.last : connectTimeoutMs.beforeFallback;
    this.#setTimer(timeoutMs, () => this.#onLost(brokenCode, 'no answer'));
  }

  /** The link may call back before this returns; such calls are ignored. */
  #open(choice: number): Attempt {
    const { transports, open, position } = this.#deps;
    const attempt: Attempt = { choice, isLive: false };
    attempt.link = open(transports[choice] ?? 'websocket', {
      position,
      onFrame: (frame) => this.#onFrame(attempt, frame),
      onAlive: () => attempt === this.#attempt && this.#onAlive(),
      onClosed: (code, reason) => {
        if (attempt === this.#attempt) this.#onLost(code, reason);
        else if (attempt === this.#trial) this.#endTrial();
      },
    });
    return attempt;
  }

  #onFrame(attempt: Attempt, frame: Frame): void {
    const { type, id, complete } = frame;
    if (attempt === this.#trial && type === 'hello') this.#replaceWith(attempt);
    if (attempt !== this.#attempt) return;
    this.#onAlive();
    if (type === 'ack') {
      this.#onAck(attempt, frame);
      return;
    }
    if (complete === false) this.#delivered = 0;
    if (typeof id === 'number') {
      if (id <= this.#delivered) return; // the link before had it too
      this.#delivered = id;
    }
    this.#deps.onFrame(frame);
    // The receiver may have reconnected.
    if (type === 'hello' && attempt === this.#attempt) this.#onLive(attempt);
    this.#releaseAck();
  }

  #onAlive(): void {
    this.#lastFrameAt = this.#deps.clock.now();
    this.#missedPings = 0;
    this.#endProbe();
  }

  /** A POST may be answered before its event comes. */
  #onAck({ link }: Attempt, ack: Frame): void {
    this.#ack = ack;
    this.#releaseAck();
    if (this.#ack && !link?.answersPings)
      this.#cancelEcho = this.#deps.clock.after(echoTimeoutMs, () =>
        this.#onLost(brokenCode, 'held back', true),
      );
  }

  #releaseAck(): void {
    const ack = this.#ack;
    if (!ack || Number(ack['id']) > this.#delivered) return;
    this.#ack = undefined;
    this.#cancelEcho();
    if (ack['cid'] !== undefined) this.#deps.onFrame(ack);
  }

  #onLive(attempt: Attempt): void {
    if (attempt.isLive) return;
    attempt.isLive = true;
    this.#liveSince = this.#lastFrameAt;
    this.wasLive = true;
    const transport = this.#deps.transports[attempt.choice] ?? 'websocket';
    this.#deps.memory.set(transport);
    this.#state.value = { state: 'live', transport };
    this.#watchSilence(pingAfterMs);
    if (attempt.choice > 0) this.#scheduleTrial(attempt.choice);
    else this.#trials = 0;
  }

  /** One timer per connection; frames only record the time. */
  #watchSilence(ms: number): void {
    this.#setTimer(ms, () => {
      const now = this.#deps.clock.now();
      this.#lastFrameAt = Math.min(this.#lastFrameAt, now); // the clock was set back
      const remainingMs = this.#lastFrameAt + pingAfterMs - now;
      if (remainingMs > 0) return this.#watchSilence(remainingMs);
      const { answersPings = false } = this.#attempt?.link ?? {};
      if (this.#missedPings >= (answersPings ? maxMissedPings : maxMissedPings / 2))
        return this.#onLost(brokenCode, 'no answer', !answersPings);
      this.#missedPings++;
      if (answersPings) this.#attempt?.link?.send({ type: 'ping' });
      this.#watchSilence(pingAfterMs);
    });
  }

  #startProbe(): void {
    this.#cancelProbe ??= this.#deps.clock.after(probeTimeoutMs, () => {
      this.#deps.onClosed(brokenCode);
      this.connect();
    });
  }

  #endProbe(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
  }

  /** `isBlocked`: the transport does not work here, although it said hello. */
  #onLost(code: number, reason: string, isBlocked = false): void {
    const { choice = 0, isLive = false } = this.#attempt ?? {};
    this.#abandon();
    this.#deps.onClosed(code);
    if (!mayReconnect(code)) {
      this.#state.value = { state: 'ended', code, reason };
      return;
    }
    const { clock, random, transports } = this.#deps;
    const now = clock.now();
    if (this.#liveSince > 0 && now - this.#liveSince >= stableAfterMs) this.#tries = 0;
    this.#liveSince = 0;
    const isBroken = code === brokenCode && (!isLive || isBlocked || this.#tries >= maxShortLives);
    if (isBroken && choice + 1 < transports.length) this.#connect(choice + 1);
    else this.#wait(reconnectDelayMs(code, this.#tries++, random));
  }

  #wait(delayMs: number): void {
    this.#state.value = { state: 'waiting', until: this.#deps.clock.now() + delayMs };
    this.#setTimer(delayMs, () => this.connect());
  }

  /** `choice`: the fallback in use. Of several better transports each has its turn. */
  #scheduleTrial(choice: number): void {
    const { clock, random } = this.#deps;
    const delayMs = Math.min(maxTrialMs, firstTrialMs * 2 ** Math.min(this.#trials++, 10));
    this.#cancelTrial = clock.after((delayMs * (1 + random())) / 2, () => {
      this.#trial = this.#open(this.#trials % choice);
      this.#cancelTrial = clock.after(connectTimeoutMs.last, () => this.#endTrial());
    });
  }

  #endTrial(): void {
    this.#abandonTrial();
    if (this.#attempt?.isLive) this.#scheduleTrial(this.#attempt.choice);
  }

  #abandonTrial(): void {
    this.#cancelTrial();
    const trial = this.#trial;
    this.#trial = undefined;
    trial?.link?.close();
  }

  #replaceWith(attempt: Attempt): void {
    this.#trial = undefined;
    this.#abandon();
    this.#attempt = attempt;
    this.#deps.onClosed(replacedCode);
  }

  #abandon(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#ack = undefined;
    this.#abandonTrial();
    this.#endProbe();
    this.#cancelEcho();
    this.#cancelTimer();
    attempt?.link?.close();
  }

  #setTimer(ms: number, callback: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.clock.after(ms, callback);
  }
}
