/**
 * When this page may have slept or the network may have changed. A laptop whose lid was shut over a visible tab
 * fires no event at all: a clock that jumps tells it.
 */
const clockCheckMs = 1_000;
const clockJumpMs = 3_000;

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
    if (Math.abs(now - before) > clockJumpMs) wake();
    before = now;
  }, clockCheckMs);
}

/**
 * The way to the sign-in form when the server does not know us any more, once: a server that signs us in and then
 * refuses us must not send the browser round in circles.
 */
const redirectedKey = 'oneport.sent-to-sign-in';

/** Closed from the server's side, by code: we are somebody else now, or nobody. */
export function isSessionOver(code: number): boolean {
  return code === 4001 || code === 4002;
}

/** True when the browser is on its way; false when it was there already since we were last let in. */
export function redirectToSignin(): boolean {
  if (readRedirected() !== null) return false;
  writeRedirected('1');
  location.assign(signInUrl());
  return true;
}

export function signInUrl(): string {
  return `/signin?next=${encodeURIComponent(location.pathname)}`;
}

/** We were let in. */
export function clearSigninRedirect(): void {
  writeRedirected(undefined);
}

// Storage may be forbidden in this browser; then the form is one click away, for we never dare to go by ourselves.
function readRedirected(): string | null {
  try {
    return sessionStorage.getItem(redirectedKey);
  } catch {
    return 'unknown';
  }
}

function writeRedirected(value: string | undefined): void {
  try {
    if (value === undefined) sessionStorage.removeItem(redirectedKey);
    else sessionStorage.setItem(redirectedKey, value);
  } catch {}
}
