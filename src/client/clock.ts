/** The time, injected so that tests can control it. */
import { effect, type ReadonlySignal } from '@preact/signals';

export interface Clock {
  /** milliseconds since 1970 */
  now(): number;
  /** Calls back once after `ms`. Returns a function that cancels the call. */
  after(ms: number, callback: () => void): () => void;
}

export const browserClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms` or when the signal aborts. */
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

/** Resolves when the promise settles either way, or after `ms`. */
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

/** Resolves when the predicate holds or `abort` fires. */
export function untilSignal<T>(
  source: ReadonlySignal<T>,
  predicate: (value: T) => boolean,
  abort: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (abort.aborted || predicate(source.peek())) return resolve();
    const done = () => {
      stop();
      abort.removeEventListener('abort', done);
      resolve();
    };
    const stop = effect(() => {
      // An effect must not dispose itself during its first run.
      if (predicate(source.value)) queueMicrotask(done);
    });
    abort.addEventListener('abort', done, { once: true });
  });
}

/**
 * Delays between retries use full jitter, so that ten thousand clients that were cut at once do not return at
 * once (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
 */
const firstRetryMs = 500;
const maxRetryMs = 15_000;
/** Minimum wait after close code 4429. */
const tooFastDelayMs = 5_000;

/** `tries` counts consecutive failures. The first delay is under half a second. */
export function backoffMs(tries: number, random: () => number): number {
  return random() * Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(tries, 10));
}

export function reconnectDelayMs(code: number, tries: number, random: () => number): number {
  return (code === 4429 ? tooFastDelayMs : 0) + backoffMs(tries, random);
}
