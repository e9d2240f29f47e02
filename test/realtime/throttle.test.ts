import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config.js';
import { Scheduler } from '../../src/realtime/scheduler.js';
import {
  messageCost,
  queueLimits,
  sustainedBucket,
  type ThrottledUser,
  Throttler,
  TokenBucket,
  UserThrottle,
} from '../../src/realtime/throttle.js';

const MIB = 1024 * 1024;

describe('a token bucket', () => {
  it('holds its burst, and refills at its rate', () => {
    const bucket = new TokenBucket(5, 10);
    const taken = (now: number): number => {
      let count = 0;
      while (bucket.take(now)) count++;
      return count;
    };
    expect([1000, 1000, 1199, 1200, 2200, 60_000].map(taken)).toEqual([10, 0, 0, 1, 5, 10]);
  });

  it('gives more than its burst only when it is full, and is below zero then', () => {
    const bucket = new TokenBucket(5, 10);
    bucket.take(1000);
    expect(bucket.take(1100, 16)).toBe(false);
    expect(bucket.take(1200, 16)).toBe(true);
    expect([2399, 2600].map((now) => bucket.take(now))).toEqual([false, true]); // 6 below zero
  });

  it('has no limit with a rate or a burst of 0', () => {
    for (const bucket of [new TokenBucket(0, 10), new TokenBucket(5, 0)]) {
      for (let n = 0; n < 100; n++) expect(bucket.take(0, 100)).toBe(true);
      expect(bucket.isFull(0)).toBe(true);
    }
  });
});

describe('the cost of a message', () => {
  it('is one token for each started KiB of its text', () => {
    const texts = ['', 'x', 'x'.repeat(1024), 'x'.repeat(1025), '😀'.repeat(4000)];
    expect(texts.map(messageCost)).toEqual([1, 1, 1, 2, 16]);
  });
});

/** A throttle at the default limits whose bursts are used up at 0, and the runs of what it queued. */
function usedUp() {
  const log: string[] = [];
  const throttle = new UserThrottle(readConfig({}).limits);
  while (throttle.takeFrameToken(0));
  while (throttle.takeMessageTokens(0, 1));
  const queueFrames = (count: number, bytes = 60): void => {
    for (let n = 0; n < count; n++) throttle.queueFrame(bytes, () => log.push('frame'));
  };
  const queueMessages = (count: number, bytes = 60, cost = 1): void => {
    for (let n = 0; n < count; n++) throttle.queueMessage(bytes, cost, () => log.push('message'));
  };
  return { throttle, log, queueFrames, queueMessages };
}

describe('the throttle of a user', () => {
  it('takes 200 frames at once and 50 a second, and 10 messages at once and 5 a second', () => {
    const { limits } = readConfig({});
    const count = (take: (throttle: UserThrottle, now: number) => boolean): number[] => {
      const throttle = new UserThrottle(limits);
      return [0, 1000].map((now) => {
        let taken = 0;
        while (take(throttle, now)) taken++;
        return taken;
      });
    };
    expect(count((throttle, now) => throttle.takeFrameToken(now))).toEqual([200, 50]);
    expect(count((throttle, now) => throttle.takeMessageTokens(now, 1))).toEqual([10, 5]);
  });

  it('takes 10,000 tokens over the hours, and then one a second, at the default limits', () => {
    const { limits } = readConfig({});
    const throttle = new UserThrottle(limits);
    let now = 0;
    const postFor = (hours: number): number => {
      let posted = 0;
      for (const end = now + hours * 3_600_000; now < end; now += 1000)
        for (; throttle.takeMessageTokens(now, 1); posted++);
      return posted;
    };
    expect(postFor(1)).toBeGreaterThan(13_000);
    expect(postFor(1)).toBe(3600);
  });

  it('takes nothing over the limit of its address, which all its users share', () => {
    const { limits } = readConfig({});
    const address = sustainedBucket('address', limits);
    const [ann, bob] = [new UserThrottle(limits), new UserThrottle(limits)];
    expect(address.take(0, 49_999)).toBe(true);
    expect([ann.takeMessageTokens(0, 1, address), bob.takeMessageTokens(0, 1, address)]).toEqual([
      true,
      false,
    ]);
    const log: string[] = [];
    bob.queueMessage(60, 1, () => log.push('message'), address);
    for (const now of [100, 200]) bob.runQueued(now);
    expect([log, bob.takeMessageTokens(200, 1)]).toEqual([['message'], true]);
  });

  it('takes at least twice as many frames as messages', () => {
    const throttle = new UserThrottle(readConfig({ MESSAGE_RATE: '100', MESSAGE_BURST: '1000' }).limits);
    for (let n = 0; n < 2000; n++) expect(throttle.takeFrameToken(0)).toBe(true);
    expect(throttle.takeFrameToken(0)).toBe(false);
    for (let n = 0; n < 200; n++) expect(throttle.takeFrameToken(1000)).toBe(true);
  });

  it('has no limit for frames where there is none for messages', () => {
    const throttle = new UserThrottle(readConfig({ MESSAGE_RATE: '0' }).limits);
    for (let n = 0; n < 10_000; n++) expect(throttle.takeFrameToken(0)).toBe(true);
  });

  it('lets nothing overtake what waits, and no frame wait behind a message', () => {
    const { throttle, log, queueFrames, queueMessages } = usedUp();
    queueMessages(2);
    expect(throttle.takeMessageTokens(1000, 1)).toBe(false);
    expect(throttle.takeFrameToken(1000)).toBe(true);
    queueFrames(1);
    expect(throttle.takeFrameToken(2000)).toBe(false);
    throttle.runQueued(2000);
    expect(log).toEqual(['frame', 'message', 'message']);
    expect([throttle.takeFrameToken(2000), throttle.takeMessageTokens(2000, 1)]).toEqual([true, true]);
  });

  it('runs a message when the bucket has the tokens that it costs', () => {
    const { throttle, log, queueMessages } = usedUp();
    queueMessages(1, 4000, 4);
    queueMessages(1);
    for (const now of [600, 800, 1000]) {
      throttle.runQueued(now);
      log.push(`at ${now}`);
    }
    expect(log).toEqual(['at 600', 'message', 'at 800', 'message', 'at 1000']);
  });

  it('pauses reading when frames have waited for two seconds, and resumes when none waits', () => {
    const { throttle, queueFrames } = usedUp();
    queueFrames(150);
    expect([0, 1999, 2000, 9000].map((now) => throttle.shouldPause(now))).toEqual([false, false, true, true]);
    throttle.runQueued(2000);
    expect([throttle.count, throttle.mayResume()]).toEqual([50, false]);
    throttle.runQueued(3000);
    expect([throttle.count, throttle.mayResume()]).toEqual([0, true]);
    expect(throttle.shouldPause(3000)).toBe(false);
  });

  it('pauses reading two seconds after 1,000 messages wait, and resumes below half of that', () => {
    const { throttle, queueMessages } = usedUp();
    queueMessages(999);
    expect(throttle.shouldPause(0)).toBe(false);
    queueMessages(1);
    expect([0, 1999, 2000].map((now) => throttle.shouldPause(now))).toEqual([false, false, true]);
    for (let now = 200; now <= 100_000; now += 200) throttle.runQueued(now);
    expect([throttle.count, throttle.mayResume(), throttle.shouldPause(100_000)]).toEqual([
      500,
      false,
      false,
    ]);
    queueMessages(500);
    expect(throttle.shouldPause(100_000)).toBe(true); // reading has not resumed
    for (let now = 100_200; now <= 200_200; now += 200) throttle.runQueued(now);
    expect([throttle.count, throttle.mayResume()]).toEqual([499, true]);
    queueMessages(600);
    expect([throttle.shouldPause(201_000), throttle.shouldPause(203_000)]).toEqual([false, true]);
  });

  it('pauses reading when 64 KiB wait', () => {
    const { throttle, queueMessages } = usedUp();
    queueMessages(4, 16_384);
    expect([throttle.shouldPause(0), throttle.shouldPause(2000)]).toEqual([false, true]);
  });

  it('is over the limit with 2,000 frames and messages, or 2 MiB', () => {
    const [many, long] = [usedUp(), usedUp()];
    many.queueFrames(queueLimits.disconnectCount - 1000);
    many.queueMessages(999);
    long.queueFrames(31, 64 * 1024);
    expect([many.throttle.isOverLimit, long.throttle.isOverLimit]).toEqual([false, false]);
    many.queueMessages(1);
    long.queueFrames(1, 64 * 1024);
    expect([many.throttle.isOverLimit, long.throttle.isOverLimit]).toEqual([true, true]);
    many.throttle.clear();
    many.throttle.runQueued(60_000);
    expect([many.log, many.throttle.count, many.throttle.bytes]).toEqual([[], 0, 0]);
  });
});

const passMs = 50;

/** A user with `bytes` waiting for `passes` passes. */
function userOf(bytes: number, passes: number): ThrottledUser & { disconnected: boolean; visits: number } {
  return {
    queuedBytes: bytes,
    disconnected: false,
    visits: 0,
    runQueued() {
      return ++this.visits >= passes;
    },
    disconnect() {
      this.disconnected = true;
    },
  };
}

function many<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

describe('the throttler', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('visits each user in every pass until nothing of theirs waits, then stops its timer', () => {
    const throttler = new Throttler(new Scheduler());
    const [one, two] = [userOf(1000, 1), userOf(1000, 3)];
    for (const user of [one, two]) throttler.add(user);
    vi.advanceTimersByTime(10 * passMs);
    expect([one.visits, two.visits]).toEqual([1, 3]);
    expect(vi.getTimerCount()).toBe(0);
    throttler.add(one);
    vi.advanceTimersByTime(passMs);
    expect(one.visits).toBe(2);
  });

  it('disconnects the users with the longest queues when all queues together exceed 64 MiB', () => {
    const throttler = new Throttler(new Scheduler());
    const [floods, others] = [many(32, () => userOf(1.9 * MIB, 100)), many(8, () => userOf(1000, 100))];
    for (const user of [...floods, ...others]) throttler.add(user);
    vi.advanceTimersByTime(passMs);
    expect([...floods, ...others].some(({ disconnected }) => disconnected)).toBe(false); // 61 MiB
    floods.push(...many(8, () => userOf(1.9 * MIB, 100)));
    for (const user of floods) throttler.add(user);
    vi.advanceTimersByTime(2 * passMs);
    expect(floods.every(({ disconnected }) => disconnected)).toBe(true);
    expect(others.some(({ disconnected }) => disconnected)).toBe(false);
    throttler.stop();
  });

  it('does nothing after it was stopped', () => {
    const throttler = new Throttler(new Scheduler());
    const [one, two] = [userOf(1, 9), userOf(1, 9)];
    throttler.add(one);
    throttler.stop();
    throttler.add(two);
    vi.advanceTimersByTime(10 * passMs);
    expect([one.visits, two.visits]).toEqual([0, 0]);
  });
});
