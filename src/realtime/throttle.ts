/**
 * Limits how much one user may send, over all their sockets. Frames and messages over a limit wait in order, and after a
 * while we stop reading from the sockets that sent them: they are delayed, not lost. Contract: docs/protocol.md, "Limits".
 */
import type { Limits } from '../config.js';
import type { Scheduler } from './scheduler.js';
import type { ConnectedUser } from './user.js';

/** A token bucket. A rate or burst of 0 means no limit. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #refilledAt = 0;

  /** `rate` is in tokens per second. */
  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /**
   * Takes `cost` tokens. Needs a full bucket when the cost is above the burst, and leaves it below zero then.
   * `now` is in milliseconds, from a clock that does not go back.
   */
  take(now: number, cost = 1): boolean {
    if (!this.has(now, cost)) return false;
    if (this.#isLimited) this.#tokens -= cost;
    return true;
  }

  /** Returns whether `take` would succeed. */
  has(now: number, cost = 1): boolean {
    if (!this.#isLimited) return true;
    this.#refill(now);
    return this.#tokens >= Math.min(cost, this.#burst);
  }

  get #isLimited(): boolean {
    return this.#rate > 0 && this.#burst > 0;
  }

  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#burst;
  }

  #refill(now: number): void {
    const elapsedMs = Math.max(0, now - this.#refilledAt);
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#rate);
    this.#refilledAt = now;
  }
}

/** Frames per second of one user, and their burst. A higher message limit raises them; without one there is none. */
const frameLimit = { rate: 50, burst: 200, perMessage: 2 } as const;

function frameBucket({ messageRate, messageBurst }: Limits): TokenBucket {
  if (messageRate === 0 || messageBurst === 0) return new TokenBucket(0, 0);
  return new TokenBucket(
    Math.max(frameLimit.rate, frameLimit.perMessage * messageRate),
    Math.max(frameLimit.burst, frameLimit.perMessage * messageBurst),
  );
}

/**
 * What one user and one address may post for hours, so that nobody fills the disk in a night. A token of the limit of messages
 * is a token here. `rate` and `burst` are multiples of MESSAGE_RATE.
 */
const sustainedLimits = {
  user: { rate: 1 / 5, burst: 2_000 },
  address: { rate: 1, burst: 10_000 },
} as const;

/** Returns the bucket of a user's or an address's posts over hours. */
export function sustainedBucket(
  whose: keyof typeof sustainedLimits,
  { messageRate, messageBurst }: Limits,
): TokenBucket {
  if (messageRate === 0 || messageBurst === 0) return new TokenBucket(0, 0);
  const { rate, burst } = sustainedLimits[whose];
  return new TokenBucket(messageRate * rate, Math.max(messageRate * burst, messageBurst));
}

const bytesPerToken = 1024;

/** Returns the tokens that a message costs: one for each started KiB of its text. A change without a text costs one. */
export function messageCost(text: string): number {
  return Math.max(1, Math.ceil(Buffer.byteLength(text) / bytesPerToken));
}

/** A frame or a message that waits for tokens. It is processed even if its socket has closed meanwhile. */
interface Queued {
  readonly bytes: number;
  /** Takes its tokens. */
  readonly take: (now: number) => boolean;
  readonly run: () => void;
}

export const queueLimits = {
  /**
   * Pauses reading when a frame is queued, or this many bytes or messages. Resumes when no frame and less than half is
   * queued.
   */
  pauseBytes: 64 * 1024,
  pauseMessages: 1000,
  /** Pauses only after this time: data behind a paused socket is invisible, so a flood of any size would go undetected. */
  pauseAfterMs: 2000,
  /** Disconnects a user (4429) with this much queued. */
  disconnectBytes: 2 * 1024 * 1024,
  disconnectCount: 2000,
} as const;

/**
 * Messages of one user that a worker has sent to the primary, and that are not answered. Others wait here, so that those which
 * the primary holds back, because of other workers, are paused and disconnected for like all.
 */
const maxUnanswered = 100;

/**
 * Limits what one user sends. Every frame costs a token of one bucket; each message in it costs tokens of a second one.
 * Frames do not wait behind messages, so that a ping is answered while many messages wait.
 */
export class UserThrottle {
  readonly #frameBucket: TokenBucket;
  readonly #messageBucket: TokenBucket;
  readonly #sustainedBucket: TokenBucket;
  readonly #frames: Queued[] = [];
  readonly #messages: Queued[] = [];
  #bytes = 0;
  /** Messages that the primary has not answered. Always 0 where it decides nothing. */
  #unanswered = 0;
  /** When the queue became long enough to pause reading, as performance.now(). */
  #congestedSince: number | undefined;

  constructor(limits: Limits) {
    this.#frameBucket = frameBucket(limits);
    this.#messageBucket = new TokenBucket(limits.messageRate, limits.messageBurst);
    this.#sustainedBucket = sustainedBucket('user', limits);
  }

  /** Takes a token for a frame. Returns false while others wait, because frames are processed in order. */
  takeFrameToken(now: number): boolean {
    return this.#frames.length === 0 && this.#frameBucket.take(now);
  }

  /**
   * Takes the tokens for a message, also from the bucket of its address. Returns false while others wait, because messages
   * are processed in order.
   */
  takeMessageTokens(now: number, cost: number, address?: TokenBucket): boolean {
    return this.#messages.length === 0 && this.#takeAll(now, cost, address);
  }

  #takeAll(now: number, cost: number, address: TokenBucket | undefined): boolean {
    const [messages, sustained] = [this.#messageBucket, this.#sustainedBucket];
    if (this.#unanswered >= maxUnanswered) return false;
    if (!messages.has(now, cost) || !sustained.has(now, cost)) return false;
    if (address && !address.take(now, cost)) return false;
    return messages.take(now, cost) && sustained.take(now, cost);
  }

  /** Returns a function for the answer to a message that was sent to the primary. */
  awaitAnswer(): () => void {
    this.#unanswered++;
    return () => {
      this.#unanswered--;
    };
  }

  queueFrame(bytes: number, run: () => void): void {
    this.#frames.push({ bytes, run, take: this.#takeFrameToken });
    this.#bytes += bytes;
  }

  queueMessage(bytes: number, cost: number, run: () => void, address?: TokenBucket): void {
    this.#messages.push({ bytes, run, take: (now) => this.#takeAll(now, cost, address) });
    this.#bytes += bytes;
  }

  /** Runs queued items within the limits. */
  runQueued(now: number): void {
    this.#run(this.#frames, now);
    this.#run(this.#messages, now);
  }

  clear(): void {
    this.#frames.length = 0;
    this.#messages.length = 0;
    this.#bytes = 0;
  }

  get count(): number {
    return this.#frames.length + this.#messages.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isOverLimit(): boolean {
    return this.#bytes >= queueLimits.disconnectBytes || this.count >= queueLimits.disconnectCount;
  }

  /** Returns whether all buckets are full and nothing waits, so that a new throttle would behave the same. */
  isIdle(now: number): boolean {
    const buckets = [this.#frameBucket, this.#messageBucket, this.#sustainedBucket];
    return this.count + this.#unanswered === 0 && buckets.every((bucket) => bucket.isFull(now));
  }

  /** Returns whether reading must pause. Call it whenever something is queued. */
  shouldPause(now: number): boolean {
    if (!this.#exceeds(queueLimits.pauseBytes, queueLimits.pauseMessages)) return false;
    this.#congestedSince ??= now;
    return now - this.#congestedSince >= queueLimits.pauseAfterMs;
  }

  /** Returns whether reading may resume. Call it after `runQueued`. */
  mayResume(): boolean {
    if (this.#exceeds(queueLimits.pauseBytes / 2, queueLimits.pauseMessages / 2)) return false;
    this.#congestedSince = undefined;
    return true;
  }

  #exceeds(bytes: number, messages: number): boolean {
    return this.#frames.length > 0 || this.#bytes >= bytes || this.#messages.length >= messages;
  }

  readonly #takeFrameToken = (now: number): boolean => this.#frameBucket.take(now);

  #run(queue: Queued[], now: number): void {
    for (let next = queue[0]; next?.take(now); next = queue[0]) {
      queue.shift();
      this.#bytes -= next.bytes;
      next.run();
    }
  }
}

/** Limit of queued bytes of all users. It stops hundreds of users who each stay below their own limit. */
const maxQueuedBytes = 64 * 1024 * 1024;
/** Milliseconds between two passes over users with queued frames or messages. */
const passIntervalMs = 50;
/** Milliseconds of each turn for running queued items. */
const throttleBudgetMs = 2;

/** What the throttler needs of a user. */
export type ThrottledUser = Pick<ConnectedUser, 'queuedBytes' | 'runQueued' | 'disconnect'>;

/** The users with queued frames or messages. One timer serves them all, and runs only while there are any. */
export class Throttler {
  readonly #scheduler: Scheduler;
  readonly #users = new Set<ThrottledUser>();
  #timer: NodeJS.Timeout | undefined;
  /** Users that the current pass has still to visit. */
  #cursor: Iterator<ThrottledUser> = [].values();
  /** Queued bytes of the users visited in this pass. */
  #queuedBytes = 0;
  #stopped = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  add(user: ThrottledUser): void {
    this.#users.add(user);
    this.#startTimer();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #startTimer(): void {
    if (!this.#stopped) this.#timer ??= setTimeout(this.#startPass, passIntervalMs);
  }

  readonly #startPass = (): void => {
    this.#cursor = this.#users.values();
    this.#queuedBytes = 0;
    this.#scheduler.runSliced(this.#visitNext, throttleBudgetMs);
  };

  /** Runs queued items within the user's limits. Removes users whose queues are empty. */
  readonly #visitNext = (now: number): boolean => {
    const next = this.#cursor.next();
    if (next.done) {
      this.#endPass();
      return false;
    }
    const user = next.value;
    if (user.runQueued(now)) this.#users.delete(user);
    this.#queuedBytes += user.queuedBytes;
    return true;
  };

  #endPass(): void {
    this.#timer = undefined;
    if (this.#users.size === 0) return;
    if (this.#queuedBytes > maxQueuedBytes) this.#disconnectLargest(this.#queuedBytes / this.#users.size);
    this.#startTimer();
  }

  #disconnectLargest(averageBytes: number): void {
    for (const user of this.#users) if (user.queuedBytes >= averageBytes) user.disconnect();
  }
}
