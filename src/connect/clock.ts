/** The time and values that change, both injected, so that tests control the one and the page brings its own other. */

export interface Clock {
  /** milliseconds since 1970 */
  now(): number;
  /** Calls back once after `ms`. Returns a function that cancels the call. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves when `start` calls back or the signal aborts. `start` returns a function that ends it. */
function unlessAborted(signal: AbortSignal, start: (done: () => void) => () => void): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const stop = start(done);
    signal.addEventListener('abort', done);
  });
}

/** Resolves after `ms` or when the signal aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return unlessAborted(signal, (done) => clock.after(ms, done));
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

/** A value that changes. The signals of `@preact/signals` are such values, and the page hands them in. */
export interface Observable<T> {
  readonly value: T;
  /** The value, without a dependency of the reader on it. */
  peek(): T;
  /** Calls back with the value now and after each change. Returns a function that ends this. */
  subscribe(listener: (value: T) => unknown): () => void;
}
export interface Writable<T> extends Observable<T> {
  value: T;
}
export type CreateObservable = <T>(value: T) => Writable<T>;

/** The observable of programs without signals. */
export const observable: CreateObservable = <T>(first: T): Writable<T> => {
  let current = first;
  const listeners = new Set<(value: T) => unknown>();
  return {
    get value() {
      return current;
    },
    set value(next) {
      if (next === current) return;
      current = next;
      for (const listener of [...listeners]) listener(next);
    },
    peek: () => current,
    subscribe(listener) {
      listeners.add(listener);
      listener(current);
      return () => listeners.delete(listener);
    },
  };
};

/** Resolves when the predicate holds or the signal aborts. */
export async function untilValue<T>(
  source: Observable<T>,
  predicate: (value: T) => boolean,
  signal: AbortSignal,
): Promise<void> {
  if (predicate(source.peek())) return;
  // A subscription must not end itself during its first call.
  await unlessAborted(signal, (done) =>
    source.subscribe((value) => predicate(value) && queueMicrotask(done)),
  );
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
