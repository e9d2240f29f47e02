/** The scheduler with a clock in the test's hand: each step takes as long as the test says. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Scheduler, type Step } from '../../src/realtime/scheduler.js';

let clock = 0;

beforeEach(() => {
  clock = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets the immediates of one iteration of the event loop run. */
const iteration = (): Promise<void> => new Promise(setImmediate);

/** A task of `steps` steps that writes its name into `log` at each. */
function taskOf(log: string[], name: string, steps: number, msPerStep: number): Step {
  let done = 0;
  return () => {
    clock += msPerStep;
    log.push(name);
    return ++done < steps;
  };
}

describe('the scheduler', () => {
  it('runs a short task at once', () => {
    const log: string[] = [];
    new Scheduler().runSliced(taskOf(log, 'a', 3, 1), 4);
    expect(log).toEqual(['a', 'a', 'a']);
  });

  it('returns to the event loop after 4 ms, and continues in its next iteration', async () => {
    const log: string[] = [];
    const scheduler = new Scheduler();
    scheduler.runSliced(taskOf(log, 'a', 10, 1), 4);
    expect(log).toHaveLength(4);
    await iteration();
    expect(log).toHaveLength(8);
    await iteration();
    expect(log).toHaveLength(10);
  });

  it('gives all tasks of one iteration 4 ms together', async () => {
    const log: string[] = [];
    const scheduler = new Scheduler();
    for (const name of ['a', 'b', 'c']) scheduler.runSliced(taskOf(log, name, 1, 3), 4);
    expect(log).toEqual(['a', 'b']);
    await iteration();
    expect(log).toEqual(['a', 'b', 'c']);
  });

  it('gives each task its budget in turn, whatever the others have left to do', async () => {
    const log: string[] = [];
    const scheduler = new Scheduler();
    scheduler.runSliced(taskOf(log, 'long', 1000, 1), 4);
    scheduler.runSliced(taskOf(log, 'longer', 2000, 1), 2);
    scheduler.runSliced(taskOf(log, 'short', 1, 1), 4);
    for (let n = 0; n < 2; n++) await iteration();
    const runs = (name: string, steps: number): string[] => Array.from({ length: steps }, () => name);
    expect(log).toEqual([...runs('long', 8), ...runs('longer', 2), 'short', ...runs('long', 4)]);
    for (let n = 0; n < 100; n++) await iteration();
    const share = (name: string): number => log.filter((one) => one === name).length;
    expect(share('long') / share('longer')).toBeCloseTo(2, 1);
  });

  it('adds a waiting task once, and again when it asks during its last step', async () => {
    const scheduler = new Scheduler();
    let steps = 0;
    const step: Step = () => {
      clock += 5;
      if (++steps === 2) scheduler.runSliced(step, 4);
      return steps === 1;
    };
    for (let n = 0; n < 5; n++) scheduler.runSliced(step, 4);
    expect(steps).toBe(1);
    for (let n = 0; n < 5; n++) await iteration();
    expect(steps).toBe(3);
  });

  it('gives a task that is first the first slice of each turn, and the others the rest', async () => {
    const log: string[] = [];
    const scheduler = new Scheduler();
    scheduler.runSliced(taskOf(log, 'other', 20, 1), 2);
    log.length = 0;
    scheduler.runSliced(taskOf(log, 'more', 20, 1), 2);
    scheduler.runSliced(taskOf(log, 'first', 20, 1), 2, true);
    for (let n = 0; n < 3; n++) await iteration();
    expect(log.join(' ')).toMatch(/^first first (?:other|more) \w+ first first \w+ \w+ first first/);
    expect(new Set(log)).toEqual(new Set(['first', 'other', 'more']));
  });

  it('does not run a task within the step of another', () => {
    const log: string[] = [];
    const scheduler = new Scheduler();
    scheduler.runSliced(() => {
      scheduler.runSliced(taskOf(log, 'inner', 1, 1), 4);
      log.push('outer');
      return false;
    }, 4);
    expect(log).toEqual(['outer', 'inner']);
  });

  it('goes on with the other tasks when one throws', async () => {
    const log: string[] = [];
    const scheduler = new Scheduler();
    const broken: Step = () => {
      scheduler.runSliced(taskOf(log, 'a', 8, 1), 4);
      throw new Error('a bug');
    };
    expect(() => scheduler.runSliced(broken, 4)).toThrow('a bug');
    for (let n = 0; n < 3; n++) await iteration();
    expect(log).toHaveLength(8);
  });
});
