/** Progress of long work on stderr: nothing in the first second, then at most a line a second. */
import type { Writable } from 'node:stream';

const PAUSE = 1000;

/** The returned function may be called as often as one likes; the text is only made when it is shown. */
export function progressOn(err: Writable, now: () => number): (text: () => string) => void {
  let shown = now();
  return (text) => {
    const at = now();
    if (at - shown < PAUSE) return;
    shown = at;
    err.write(`${text()}\n`);
  };
}

/** "42% of 3,000,000 events" */
export function share(done: number, total: number, what: string): string {
  const percent = total === 0 ? 100 : Math.floor((Math.min(done, total) / total) * 100);
  return `${percent}% of ${total.toLocaleString('en')} ${what}`;
}

/** The same for work in steps: each is named when it begins; those with parts say how far they are. */
export function stepsOn(
  err: Writable,
  now: () => number,
  what: string,
): (step: string, done?: number, total?: number) => void {
  const progress = progressOn(err, now);
  return (step, done, total) => {
    if (done === undefined || total === undefined) err.write(`${step} …\n`);
    else progress(() => `${step}: ${share(done, total, what)}`);
  };
}
