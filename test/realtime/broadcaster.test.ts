/** When a room delays its next batch, with a clock in the test's hand: each write takes as long as the test says. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Broadcaster } from '../../src/realtime/broadcaster.js';
import type { Frames } from '../../src/realtime/frames.js';
import { Room } from '../../src/realtime/room.js';
import { Scheduler } from '../../src/realtime/scheduler.js';

let clock = 0;

beforeEach(() => {
  clock = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Advances the clock and the timers. */
function pass(ms: number): void {
  for (let n = 0; n < ms; n++) {
    clock++;
    vi.advanceTimersByTime(1);
  }
}

/** A room with three subscribers; `received` has one entry for each write to the first of them. */
function roomOf(broadcaster: Broadcaster, msPerWrite: number, peopleOfAllWorkers?: number) {
  const room = new Room('r', { last: () => 0, after: () => [] }, peopleOfAllWorkers !== undefined);
  if (peopleOfAllWorkers !== undefined)
    room.presence.settle({ type: 'list', data: [], count: peopleOfAllWorkers });
  const received: string[] = [];
  for (let n = 0; n < 3; n++) {
    const write = ({ webSocket: bytes }: Frames): void => {
      clock += msPerWrite;
      if (n === 0) received.push(bytes.toString('latin1').match(/m\d/g)?.join(' ') ?? '');
    };
    room.subscribe({ firstBatch: 0, write });
  }
  let id = 0;
  const say = (): void => {
    id++;
    room.publish({ id, type: 'chat', user: { id: 'a', name: 'Ann' }, data: `m${id}`, at: 0 });
    broadcaster.add(room);
    broadcaster.run();
  };
  return { say, received };
}

describe('the broadcaster', () => {
  it('writes at once to a room that did not write for a while', () => {
    const { say, received } = roomOf(new Broadcaster(new Scheduler()), 1);
    say();
    expect(received).toEqual(['m1']);
    pass(20);
    say();
    expect(received).toEqual(['m1', 'm2']);
  });

  it('delays the next batch by twice the time that the last one took, and joins the frames of the meantime', () => {
    const { say, received } = roomOf(new Broadcaster(new Scheduler()), 2);
    say(); // takes 6 ms
    say();
    say();
    pass(10);
    expect(received).toEqual(['m1']);
    pass(4);
    expect(received).toEqual(['m1', 'm2 m3']);
  });

  it('delays no batch by more than 25 ms', () => {
    const { say, received } = roomOf(new Broadcaster(new Scheduler()), 100);
    say();
    say();
    pass(28);
    expect(received).toEqual(['m1', 'm2']);
  });

  it('delays a batch of a worker as long as one process would that writes to the people of all workers', () => {
    const { say, received } = roomOf(new Broadcaster(new Scheduler()), 1, 6);
    say(); // takes 3 ms; one process would take 6 ms, and then wait for 12
    say();
    say();
    pass(13);
    expect(received).toEqual(['m1']);
    pass(4);
    expect(received).toEqual(['m1', 'm2 m3']);
  });

  it('delays no batch of a worker by more than 50 ms, however many workers there are', () => {
    const { say, received } = roomOf(new Broadcaster(new Scheduler()), 100, 300);
    say();
    say();
    pass(45);
    expect(received).toEqual(['m1']);
    pass(8);
    expect(received).toEqual(['m1', 'm2']);
  });

  it('delays neither a small room nor one room for another', () => {
    const broadcaster = new Broadcaster(new Scheduler());
    const [large, small] = [roomOf(broadcaster, 1), roomOf(broadcaster, 0.1)];
    large.say();
    large.say();
    for (let n = 0; n < 3; n++) small.say();
    expect(small.received).toEqual(['m1', 'm2', 'm3']);
    expect(large.received).toEqual(['m1']);
  });

  it('is idle only when no room has a delayed batch', async () => {
    const broadcaster = new Broadcaster(new Scheduler());
    const { say, received } = roomOf(broadcaster, 2);
    await broadcaster.whenIdle();
    say();
    say();
    let idle = false;
    const done = broadcaster.whenIdle().then(() => {
      idle = true;
    });
    await Promise.resolve();
    expect(idle).toBe(false);
    pass(20);
    await done;
    expect(received).toEqual(['m1', 'm2']);
  });
});
