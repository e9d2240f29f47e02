/**
 * The limits that hold over all workers: messages of a user and of an address, connections of both, sign-ins and searches. A
 * worker has limited what one user sends over its sockets already. What is still too much, because the user has sockets at
 * other workers too, waits here in order.
 */
import type { Limits } from '../config.js';
import { createLimiters } from '../http/rate-limiter.js';
import { sustainedBucket, type TokenBucket, UserThrottle } from '../realtime/throttle.js';
import type { ConnectionOwner, ConnectionRefusal } from '../realtime/upgrade.js';
import { ConnectRate } from '../realtime/user.js';
import type { LimiterName, Questions } from './messages.js';

/** A message of a user. */
export interface Charge {
  readonly user: string;
  readonly cost: number;
  readonly address?: string | undefined;
}

/** Messages of one user that may wait. */
const maxWaiting = 1000;
const passIntervalMs = 50;

interface UserBudget {
  readonly throttle: UserThrottle;
  readonly connects: ConnectRate;
  connections: number;
}

export class Budgets {
  readonly #limits: Limits;
  readonly #limiters: ReturnType<typeof createLimiters>;
  readonly #users = new Map<string, UserBudget>();
  readonly #addresses = new Map<string, TokenBucket>();
  readonly #addressConnections = new Map<string, number>();
  /** Users with messages that wait. */
  readonly #waiting = new Set<UserThrottle>();
  #timer: NodeJS.Timeout | undefined;

  /** `now` is in milliseconds since 1970. */
  constructor(limits: Limits, now: () => number) {
    this.#limits = limits;
    this.#limiters = createLimiters(limits, now);
  }

  takeRate(limiter: LimiterName, key: string): number {
    return this.#limiters[limiter === 'signin' ? 'signinLimiter' : 'searchLimiter'].take(key);
  }

  /** Takes the tokens of a message that does not wait. Returns false when it is over a limit. */
  takeTokens({ user, cost, address }: Questions['tokens'][0]): boolean {
    if (this.#limits.messageRate === 0) return true;
    const { throttle } = this.#user(user);
    return throttle.takeMessageTokens(performance.now(), cost, this.#address(address));
  }

  /** Runs a message at once, or when there are tokens for it. Returns false when too many of the user wait. */
  run({ user, cost, address }: Charge, run: () => void): boolean {
    if (this.#limits.messageRate === 0) {
      run();
      return true;
    }
    const { throttle } = this.#user(user);
    const bucket = this.#address(address);
    if (throttle.takeMessageTokens(performance.now(), cost, bucket)) run();
    else if (throttle.count >= maxWaiting) return false;
    else {
      throttle.queueMessage(0, cost, run, bucket);
      this.#waiting.add(throttle);
      this.#timer ??= setInterval(this.#runWaiting, passIntervalMs);
    }
    return true;
  }

  /** Counts a connection, unless a limit refuses it. */
  open({ user, address, isPoll }: ConnectionOwner): ConnectionRefusal | null {
    const { connectionsPerAddress, connectionsPerPerson } = this.#limits;
    const ofAddress = address === undefined ? 0 : (this.#addressConnections.get(address) ?? 0);
    if (address !== undefined && connectionsPerAddress > 0 && ofAddress >= connectionsPerAddress)
      return 'address';
    if (user !== undefined && connectionsPerPerson > 0) {
      const budget = this.#user(user);
      if (!isPoll && !budget.connects.allow(performance.now())) return 'rate';
      if (budget.connections >= connectionsPerPerson) return 'person';
      budget.connections++;
    }
    if (address !== undefined) this.#addressConnections.set(address, ofAddress + 1);
    return null;
  }

  close({ user, address }: ConnectionOwner): void {
    const budget = user === undefined ? undefined : this.#users.get(user);
    if (budget) budget.connections = Math.max(0, budget.connections - 1);
    if (address === undefined) return;
    const others = (this.#addressConnections.get(address) ?? 0) - 1;
    if (others > 0) this.#addressConnections.set(address, others);
    else this.#addressConnections.delete(address);
  }

  /** Forgets limits that nobody uses. `now` is performance.now(). */
  everySecond(now: number): void {
    for (const [id, { throttle, connects, connections }] of this.#users)
      if (connections === 0 && connects.isIdle(now) && throttle.isIdle(now)) this.#users.delete(id);
    for (const [address, bucket] of this.#addresses) if (bucket.isFull(now)) this.#addresses.delete(address);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #user(id: string): UserBudget {
    const known = this.#users.get(id);
    if (known) return known;
    const budget = { throttle: new UserThrottle(this.#limits), connects: new ConnectRate(), connections: 0 };
    this.#users.set(id, budget);
    return budget;
  }

  #address(address: string | undefined): TokenBucket | undefined {
    if (address === undefined) return undefined;
    const bucket = this.#addresses.get(address) ?? sustainedBucket('address', this.#limits);
    this.#addresses.set(address, bucket);
    return bucket;
  }

  readonly #runWaiting = (): void => {
    const now = performance.now();
    for (const throttle of this.#waiting) {
      throttle.runQueued(now);
      if (throttle.count === 0) this.#waiting.delete(throttle);
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  };
}
