/** When a room rests and when it does not, with a clock in the hand: each write takes as long as a member says. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Broadcaster } from '../../src/realtime/broadcaster.js';
import { Room } from '../../src/realtime/room.js';

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

/** Lets so many milliseconds pass. */
function pass(ms: number): void {
  for (let n = 0; n < ms; n++) {
    clock++;
    vi.advanceTimersByTime(1);
  }
}

/** A room of three; `heard` is what the first of them has read, write by write. */
function roomOf(outlet: Broadcaster, msPerWrite: number) {
  const room = new Room('r', { last: () => 0, after: () => [] });
  const heard: string[] = [];
  for (let n = 0; n < 3; n++) {
    const write = (bytes: Buffer): void => {
      clock += msPerWrite;
      if (n === 0) heard.push(bytes.toString('latin1').match(/m\d/g)?.join(' ') ?? '');
    };
    room.subscribe({ firstBatch: 0, write });
  }
  let id = 0;
  const say = (): void => {
    id++;
    room.publish({ id, type: 'chat', user: { id: 'a', name: 'Ann' }, data: `m${id}`, at: 0 });
    outlet.add(room);
    outlet.run();
  };
  return { say, heard };
}

describe('the outlet', () => {
  it('writes at once to a room that has rested', () => {
    const { say, heard } = roomOf(new Broadcaster(), 2);
    say();
    expect(heard).toEqual(['m1']);
    pass(20);
    say();
    expect(heard).toEqual(['m1', 'm2']);
  });

  it('lets a room rest twice as long as its batch took, and joins what is said meanwhile', () => {
    const { say, heard } = roomOf(new Broadcaster(), 2);
    say(); // took 6 ms
    say();
    say();
    pass(10);
    expect(heard).toEqual(['m1']);
    pass(4);
    expect(heard).toEqual(['m1', 'm2 m3']);
  });

  it('lets none rest longer than 25 ms', () => {
    const { say, heard } = roomOf(new Broadcaster(), 100);
    say();
    say();
    pass(28);
    expect(heard).toEqual(['m1', 'm2']);
  });

  it('does not let a small room rest, nor one wait for another', () => {
    const outlet = new Broadcaster();
    const [large, small] = [roomOf(outlet, 4), roomOf(outlet, 0.1)];
    large.say();
    large.say();
    for (let n = 0; n < 3; n++) small.say();
    expect(small.heard).toEqual(['m1', 'm2', 'm3']);
    expect(large.heard).toEqual(['m1']);
  });

  it('is busy while a room that has something to say rests', () => {
    const outlet = new Broadcaster();
    const { say } = roomOf(outlet, 2);
    say();
    expect(outlet.busy).toBe(false);
    say();
    expect(outlet.busy).toBe(true);
    pass(20);
    expect(outlet.busy).toBe(false);
  });
});
