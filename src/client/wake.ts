/**
 * When this page may have slept or the network may have changed. A laptop whose lid was shut over a visible tab
 * fires no event at all: a clock that jumps tells it.
 */
const TICK_MS = 1_000;
const JUMP_MS = 3_000;

export function onWake(wake: () => void): void {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') wake();
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) wake();
  });
  for (const name of ['online', 'offline'] as const) addEventListener(name, wake);
  watchClock(wake);
}

function watchClock(wake: () => void): void {
  let before = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (Math.abs(now - before) > JUMP_MS) wake();
    before = now;
  }, TICK_MS);
}
