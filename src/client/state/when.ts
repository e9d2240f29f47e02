/** Waiting for a signal to be so. */
import { effect, type ReadonlySignal } from '@preact/signals';

/** Resolves when `so` holds (at once if it does), or when `abort` fires: who waits looks at it afterwards. */
export function when<T>(
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
