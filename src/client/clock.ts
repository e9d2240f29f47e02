/** Time as the page's state sees it: handed in, so that tests can turn it. */
import { effect, type ReadonlySignal } from '@preact/signals';

export interface Clock {
  /** milliseconds since 1970 */
  now(): number;
  /** Calls `ring` once after `ms`; what it returns calls that off. */
  after(ms: number, ring: () => void): () => void;
}

export const browserClock: Clock = {
  now: () => Date.now(),
  after(ms, ring) {
    const timer = setTimeout(ring, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or as soon as the signal aborts: who waits looks at the signal afterwards. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Resolves when the work has ended, well or badly, and after `ms` at the latest: who waits looks at what came of it. */
export function withTimeout(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    const done = () => {
      cancel();
      resolve();
    };
    work.then(done, done);
  });
}

/** Waiting for a signal to be so. */

/** Resolves when `so` holds (at once if it does), or when `abort` fires: who waits looks at it afterwards. */
export function untilSignal<T>(
  source: ReadonlySignal<T>,
  so: (value: T) => boolean,
  abort: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (abort.aborted || so(source.peek())) return resolve();
    const done = () => {
      stop();
      abort.removeEventListener('abort', done);
      resolve();
    };
    const stop = effect(() => {
      // Not inside the effect: it may not stop itself while its first run is still on.
      if (so(source.value)) queueMicrotask(done);
    });
    abort.addEventListener('abort', done, { once: true });
  });
}

/**
 * How long to wait before trying again: full jitter, so that ten thousand pages cut at once do not come back at
 * once. (Exponential back-off without jitter only moves the crowd: AWS Architecture Blog, 2015.)
 */
const firstRetryMs = 500;
const maxRetryMs = 15_000;
/** A server that called us too fast (4429) is left alone for at least so long. */
const tooFastDelayMs = 5_000;

/** `tries`: failures in a row before this one. The first wait is always under half a second. */
export function backoffMs(tries: number, random: () => number): number {
  return random() * Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(tries, 10));
}

export function reconnectDelayMs(code: number, tries: number, random: () => number): number {
  return (code === 4429 ? tooFastDelayMs : 0) + backoffMs(tries, random);
}
