/**
 * Detects wake-ups and network changes. A laptop that slept with the tab visible fires no event, so a jump of
 * the clock counts too.
 */
import { publicPath } from './site.js';

const clockCheckMs = 1_000;
const clockJumpMs = 3_000;

export function onWake(onWakeUp: () => void): void {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') onWakeUp();
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) onWakeUp();
  });
  for (const name of ['online', 'offline'] as const) addEventListener(name, onWakeUp);
  watchClock(onWakeUp);
}

function watchClock(onWakeUp: () => void): void {
  let before = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (Math.abs(now - before) > clockJumpMs) onWakeUp();
    before = now;
  }, clockCheckMs);
}

/**
 * Redirects to the sign-in form once per session, because a server that signs in and then refuses the socket
 * must not cause a redirect loop.
 */
const redirectedKey = 'oneport.sent-to-sign-in';

export function isSessionOver(code: number): boolean {
  return code === 4001 || code === 4002;
}

/** Returns false when this tab was redirected before and has not connected since. */
export function redirectToSignin(): boolean {
  if (readRedirected() !== null) return false;
  writeRedirected('1');
  location.assign(signInUrl());
  return true;
}

export function signInUrl(): string {
  return `${publicPath('/signin')}?next=${encodeURIComponent(location.pathname)}`;
}

/** The server accepted the connection. */
export function clearSigninRedirect(): void {
  writeRedirected(undefined);
}

// Without sessionStorage the page never redirects by itself; the form is one click away.
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
