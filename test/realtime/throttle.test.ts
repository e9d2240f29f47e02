import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Scheduler } from '../../src/realtime/scheduler.js';
import { type ThrottledUser, ThrottleQueue } from '../../src/realtime/throttle.js';

const MIB = 1024 * 1024;
const passMs = 50;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A user with `bytes` waiting for `passes` passes. */
function userOf(bytes: number, passes: number): ThrottledUser & { disconnected: boolean; visits: number } {
  return {
    queuedBytes: bytes,
    disconnected: false,
    visits: 0,
    postQueued() {
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

describe('the throttle queue', () => {
  it('visits each user in every pass until nothing of theirs waits, then stops its timer', () => {
    const queue = new ThrottleQueue(new Scheduler());
    const [one, two] = [userOf(1000, 1), userOf(1000, 3)];
    for (const user of [one, two]) queue.add(user);
    vi.advanceTimersByTime(10 * passMs);
    expect([one.visits, two.visits]).toEqual([1, 3]);
    expect(vi.getTimerCount()).toBe(0);
    queue.add(one);
    vi.advanceTimersByTime(passMs);
    expect(one.visits).toBe(2);
  });

  it('disconnects the users with the longest queues when all queues together exceed 64 MiB', () => {
    const queue = new ThrottleQueue(new Scheduler());
    const [floods, others] = [many(32, () => userOf(1.9 * MIB, 100)), many(8, () => userOf(1000, 100))];
    for (const user of [...floods, ...others]) queue.add(user);
    vi.advanceTimersByTime(passMs);
    expect([...floods, ...others].some(({ disconnected }) => disconnected)).toBe(false); // 61 MiB
    floods.push(...many(8, () => userOf(1.9 * MIB, 100)));
    for (const user of floods) queue.add(user);
    vi.advanceTimersByTime(2 * passMs);
    expect(floods.every(({ disconnected }) => disconnected)).toBe(true);
    expect(others.some(({ disconnected }) => disconnected)).toBe(false);
    queue.stop();
  });

  it('does nothing after it was stopped', () => {
    const queue = new ThrottleQueue(new Scheduler());
    const [one, two] = [userOf(1, 9), userOf(1, 9)];
    queue.add(one);
    queue.stop();
    queue.add(two);
    vi.advanceTimersByTime(10 * passMs);
    expect([one.visits, two.visits]).toEqual([0, 0]);
  });
});
