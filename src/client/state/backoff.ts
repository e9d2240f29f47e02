/**
 * How long to wait before trying again: full jitter, so that ten thousand pages cut at once do not come back at
 * once. (Exponential back-off without jitter only moves the crowd: AWS Architecture Blog, 2015.)
 */
const FIRST_MS = 500;
const CAP_MS = 15_000;
/** A server that called us too fast (4429) is left alone for at least so long. */
const CALM_DOWN_MS = 5_000;

/** `tries`: failures in a row before this one. The first wait is always under half a second. */
export function backoff(tries: number, random: () => number): number {
  return random() * Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(tries, 10));
}

export function waitAfterClose(code: number, tries: number, random: () => number): number {
  return (code === 4429 ? CALM_DOWN_MS : 0) + backoff(tries, random);
}
