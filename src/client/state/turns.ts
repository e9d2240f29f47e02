/**
 * Pages of the log put into a transcript: into a hole, on top, below, or in place of the window. Pure; what must stay
 * true is said in transcript.ts.
 */
import { applied, bare, missedBy } from './changes.js';
import type { LogEvent } from './events.js';
import { runAfter, runBefore } from './runs.js';
import { begun, bottom, closeUp, follow, STRETCHED, type Transcript, top } from './transcript.js';

/** Events of the log, each message as it was when the room's newest number was `last`. */
export interface Read {
  readonly last: number;
  readonly messages: readonly LogEvent[];
}

/** A page cannot be used: it was read before changes that we do not remember. It is to be asked for again. */
export function isTooOld(t: Transcript, page: Read): boolean {
  return missedBy(page.last, t.changes) === undefined;
}

/** A page asked for by `after=seen`, to fill a hole. */
export function filled(t: Transcript, page: Read): Transcript {
  if (t.seen === undefined) return t;
  return closeUp(follow({ ...t, last: Math.max(t.last, page.last) }, runAfter(page.messages, t.seen)));
}

/** A page of older ones on top. When it gets too long, the bottom is let go: it is loaded again on the way down. */
export function older(t: Transcript, page: Read): Transcript {
  const run = asOfNow(t, page, runBefore(page.messages, top(t)));
  return { ...t, events: [...run, ...t.events].slice(0, STRETCHED) };
}

/** A page of newer ones below, when the window had been let go. It may tell more than the socket has so far. */
export function newer(t: Transcript, page: Read): Transcript {
  const run = runAfter(page.messages, bottom(t));
  const known = run.filter(({ id }) => id <= (t.seen ?? 0));
  const events = [...t.events, ...asOfNow(t, page, known)].slice(-STRETCHED);
  const last = Math.max(t.last, page.last);
  return closeUp(follow({ ...t, events, last }, run.slice(known.length)));
}

/** The newest page instead of whatever was in view. */
export function jumped(t: Transcript, page: Read): Transcript {
  return placed({ ...t, pinned: true }, page);
}

/** A page from anywhere instead of whatever was in view. */
export function placed(t: Transcript, page: Read): Transcript {
  const first = page.messages[0]?.id;
  if (first === undefined) return t;
  const run = runAfter(page.messages, first - 1);
  const last = Math.max(t.last, page.last);
  const end = run.at(-1)?.id ?? 0;
  if (t.seen !== undefined && end <= t.seen) return { ...t, last, events: asOfNow(t, page, run) };
  // It lies beyond all we have: changes between were not seen, but it has them. Before anything came, all up to
  // what `hello` said counts as seen: the page is not older than that.
  const seen = t.seen === undefined ? Math.max(t.last, end) : end;
  return closeUp({ ...begun(t, seen), last, events: run.map(bare) });
}

/** Part of a page, with what was seen live after it was read. */
function asOfNow(t: Transcript, { last }: Read, run: readonly LogEvent[]): readonly LogEvent[] {
  return applied(run.map(bare), missedBy(last, t.changes) ?? []);
}
