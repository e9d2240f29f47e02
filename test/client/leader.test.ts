import { expect, test } from 'vitest';
import { TabLeader } from '../../src/client/outbox/sender.js';

interface Holder {
  readonly reject: (error: Error) => void;
}

/** The parts of Web Locks that a leader uses: exclusive, first come first served, stealing. */
class Locks {
  #holder: Holder | undefined;
  #line: (() => void)[] = [];

  async request(_name: string, options: LockOptions, work: () => Promise<void>): Promise<void> {
    if (options.steal) this.#holder?.reject(new DOMException('stolen', 'AbortError'));
    else if (this.#holder) await this.#turn(options.signal);
    return this.#hold(work);
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#line.push(resolve);
      signal?.addEventListener('abort', () => {
        this.#line = this.#line.filter((one) => one !== resolve);
        reject(signal.reason);
      });
    });
  }

  async #hold(work: () => Promise<void>): Promise<void> {
    let holder: Holder | undefined;
    const stolen = new Promise<never>((_, reject) => {
      holder = { reject };
      this.#holder = holder;
    });
    try {
      await Promise.race([work(), stolen]);
    } finally {
      if (this.#holder === holder) {
        this.#holder = undefined;
        this.#line.shift()?.();
      }
    }
  }
}

function tab(locks: Locks | undefined, working: string[], name: string): TabLeader {
  // Only `request` is used.
  const manager = locks as unknown as LockManager | undefined;
  return new TabLeader(manager, 'outbox', (signal) => {
    working.push(name);
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        working.splice(working.indexOf(name), 1);
        resolve();
      });
    });
  });
}
const settle = () => new Promise(setImmediate);

test('runs the task in one tab, and in the next when it closes', async () => {
  const working: string[] = [];
  const locks = new Locks();
  const [one, two] = [tab(locks, working, 'one'), tab(locks, working, 'two')];
  one.start();
  two.start();
  await settle();
  expect([working, one.isLeader, two.isLeader]).toEqual([['one'], true, false]);
  one.stop();
  await settle();
  expect([working, two.isLeader]).toEqual([['two'], true]);
  two.stop();
});

test('can be stolen from a sleeping tab, which waits again', async () => {
  const working: string[] = [];
  const locks = new Locks();
  const [one, two] = [tab(locks, working, 'one'), tab(locks, working, 'two')];
  one.start();
  two.start();
  await settle();
  two.steal();
  await settle();
  expect([working, one.isLeader, two.isLeader]).toEqual([['two'], false, true]);
  two.stop();
  await settle();
  expect(working).toEqual(['one']);
  one.stop();
});

test('runs in every tab without Web Locks', async () => {
  const working: string[] = [];
  const tabs = [tab(undefined, working, 'one'), tab(undefined, working, 'two')];
  for (const leader of tabs) leader.start();
  await settle();
  expect(working).toEqual(['one', 'two']);
  for (const leader of tabs) leader.stop();
  await settle();
  expect(working).toEqual([]);
});
