/**
 * The way to the sign-in form when the server does not know us any more, once: a server that signs us in and then
 * refuses us must not send the browser round in circles.
 */
const MARK = 'oneport.sent-to-sign-in';

/** Closed from the server's side, by code: we are somebody else now, or nobody. */
export function isSessionOver(code: number): boolean {
  return code === 4001 || code === 4002;
}

/** True when the browser is on its way; false when it was there already since we were last let in. */
export function goToSignIn(): boolean {
  if (recall() !== null) return false;
  remember('1');
  location.assign(signInUrl());
  return true;
}

export function signInUrl(): string {
  return `/signin?next=${encodeURIComponent(location.pathname)}`;
}

/** We were let in. */
export function letIn(): void {
  remember(undefined);
}

// Storage may be forbidden in this browser; then the form is one click away, for we never dare to go by ourselves.
function recall(): string | null {
  try {
    return sessionStorage.getItem(MARK);
  } catch {
    return 'unknown';
  }
}

function remember(value: string | undefined): void {
  try {
    if (value === undefined) sessionStorage.removeItem(MARK);
    else sessionStorage.setItem(MARK, value);
  } catch {}
}
