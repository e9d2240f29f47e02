/**
 * What this page knows of a room's log: a pure reducer. What must stay true:
 * 1. `events` is a run of numbers without a hole, at most STRETCHED long; the page shows exactly it.
 * 2. Everything up to `seen` has reached us: that is where a socket resumes, wherever the window stands.
 * 3. What came beyond a hole waits in `ahead` and is shown only when the hole has been filled.
 */
import type { LogEvent } from './frames.js';

/** Events kept while the newest are in view, and so messages in the DOM; half as many more while someone reads up. */
export const WINDOW = 400;
const STRETCHED = 600;
/** Events kept beyond a hole; when there are more, they are loaded with it. */
const AHEAD = 1000;

export interface Transcript {
  readonly epoch: string | undefined;
  readonly seen: number | undefined;
  /** the newest number that exists, as far as we know */
  readonly last: number;
  readonly events: readonly LogEvent[];
  readonly ahead: readonly LogEvent[];
  /** the newest are in view: the window moves on with them */
  readonly pinned: boolean;
}

export const EMPTY: Transcript = {
  epoch: undefined,
  seen: undefined,
  last: 0,
  events: [],
  ahead: [],
  pinned: true,
};

/** `hello`: the log is the one we know and goes on where we stopped, or we start over. */
export function greeted(
  t: Transcript,
  hello: { epoch: string; last: number; complete: boolean },
): Transcript {
  const { epoch, last } = hello;
  const goesOn = hello.complete && t.epoch === epoch && t.seen !== undefined;
  if (goesOn) return { ...t, last: Math.max(last, t.seen ?? 0) };
  return { ...EMPTY, epoch, last, seen: last === 0 ? 0 : undefined };
}

/** One event from the socket. A repeat changes nothing: the very same transcript comes back. */
export function received(t: Transcript, event: LogEvent): Transcript {
  const last = Math.max(t.last, event.id);
  if (t.seen === undefined) return { ...t, last, seen: event.id, events: [event] };
  if (event.id <= t.seen) return t;
  if (event.id > t.seen + 1) return { ...t, last, ahead: waiting(t.ahead, event) };
  return closeUp(follow({ ...t, last }, [event]));
}

function waiting(ahead: readonly LogEvent[], event: LogEvent): readonly LogEvent[] {
  if (ahead.length >= AHEAD) return [event]; // one is enough to know of the hole
  if (ahead.some(({ id }) => id === event.id)) return ahead;
  return [...ahead, event].sort((a, b) => a.id - b.id);
}

/** Takes up from `ahead` what follows now. */
function closeUp(t: Transcript): Transcript {
  if (t.ahead.length === 0 || t.seen === undefined) return t;
  const next = runAfter(t.ahead, t.seen);
  const seen = t.seen + next.length;
  return follow({ ...t, ahead: t.ahead.filter(({ id }) => id > seen) }, next);
}

/** `run` continues at `seen`. The window moves with it, unless someone reads further up and it is full. */
function follow(t: Transcript, run: readonly LogEvent[]): Transcript {
  const seen = run.at(-1)?.id ?? t.seen;
  const attached = isAttached(t) && (t.pinned || t.events.length + run.length <= STRETCHED);
  return { ...t, seen, events: attached ? trimTop(t, [...t.events, ...run]) : t.events };
}

function trimTop(t: Transcript, events: readonly LogEvent[]): readonly LogEvent[] {
  return t.pinned ? events.slice(-WINDOW) : events;
}

/** The window ends with the newest event we have. */
export function isAttached(t: Transcript): boolean {
  return t.events.length === 0 ? t.seen === 0 || t.seen === undefined : bottom(t) === t.seen;
}

/** The first number of a hole (what came is further on), as the `after` to ask for; undefined when there is none. */
export function holeAfter(t: Transcript): number | undefined {
  return t.seen !== undefined && t.ahead.length > 0 ? t.seen : undefined;
}

/** A page asked for by `after=seen`, to fill a hole. */
export function filled(t: Transcript, page: readonly LogEvent[]): Transcript {
  if (t.seen === undefined) return t;
  return closeUp(follow({ ...t, last: Math.max(t.last, page.at(-1)?.id ?? 0) }, runAfter(page, t.seen)));
}

/** A page of older ones on top. When it gets too long, the bottom is let go: it is loaded again on the way down. */
export function older(t: Transcript, page: readonly LogEvent[]): Transcript {
  const run = runBefore(page, top(t));
  return { ...t, events: [...run, ...t.events].slice(0, STRETCHED) };
}

/** A page of newer ones below, when the window had been let go. It may tell more than the socket has so far. */
export function newer(t: Transcript, page: readonly LogEvent[]): Transcript {
  return shown(t, [...t.events, ...runAfter(page, bottom(t))].slice(-STRETCHED));
}

/** The newest page instead of whatever was in view. */
export function jumped(t: Transcript, page: readonly LogEvent[]): Transcript {
  const first = page[0]?.id;
  return first === undefined ? t : shown({ ...t, pinned: true }, runAfter(page, first - 1));
}

function shown(t: Transcript, events: readonly LogEvent[]): Transcript {
  const end = events.at(-1)?.id ?? 0;
  const seen = t.seen === undefined ? end : Math.max(t.seen, end);
  return closeUp({ ...t, events, seen, last: Math.max(t.last, end) });
}

export function pin(t: Transcript, pinned: boolean): Transcript {
  if (t.pinned === pinned) return t;
  return pinned ? { ...t, pinned, events: t.events.slice(-WINDOW) } : { ...t, pinned };
}

/** The first and the last number in the window; 0 when it is empty. */
export function top(t: Transcript): number {
  return t.events[0]?.id ?? 0;
}
export function bottom(t: Transcript): number {
  return t.events.at(-1)?.id ?? 0;
}

/** There are older ones than the window shows. */
export function hasOlder(t: Transcript): boolean {
  return top(t) > 1;
}

/** The part of an ascending list that goes on after `number` without a hole. */
function runAfter(list: readonly LogEvent[], number: number): readonly LogEvent[] {
  const rest = list.filter(({ id }) => id > number);
  const hole = rest.findIndex(({ id }, index) => id !== number + 1 + index);
  return hole < 0 ? rest : rest.slice(0, hole);
}

/** The part of an ascending list that leads up to `number` without a hole. */
function runBefore(list: readonly LogEvent[], number: number): readonly LogEvent[] {
  const rest = list.filter(({ id }) => id < number);
  const start = rest.findLastIndex(({ id }, index) => id !== number - (rest.length - index));
  return rest.slice(start + 1);
}
