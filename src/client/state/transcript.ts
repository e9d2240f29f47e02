/**
 * What this page knows of a room's log: a pure reducer. What must stay true:
 * 1. `events` is a run of numbers without a hole, at most STRETCHED long; the page shows exactly it.
 * 2. Everything up to `seen` has reached us: that is where a socket resumes, wherever the window stands.
 * 3. What came beyond a hole waits in `ahead` and is shown only when the hole has been filled.
 * 4. A message in `events` has every change up to `seen`, and maybe some after it: once `seen` is the room's last, it is
 *    what the log says, whichever way it came. (A page holds messages as of its `last`. Its own changes are not applied
 *    to it again, those that were seen live after its `last` are; and those still to come may be applied twice, which
 *    fold.ts bears.)
 * 5. Texts live in messages only: once a message is deleted, no event here holds what it said.
 */
import type { ChatEvent } from '../../shared/protocol.js';
import { applied, bare, type Changes, isChange, remembered } from './changes.js';
import type { LogEvent } from './events.js';
import { runAfter } from './runs.js';

/** Events kept while the newest are in view, and so messages in the DOM; half as many more while someone reads up. */
export const WINDOW = 400;
export const STRETCHED = 600;
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
  readonly changes: Changes;
}

export const EMPTY: Transcript = {
  epoch: undefined,
  seen: undefined,
  last: 0,
  events: [],
  ahead: [],
  pinned: true,
  changes: { since: 1, seen: [] },
};

/** `hello`: the log is the one we know and goes on where we stopped, or we start over. */
export function greeted(
  t: Transcript,
  hello: { epoch: string; last: number; complete: boolean },
): Transcript {
  const { epoch, last } = hello;
  if (goesOn(t, hello)) return t.last === last ? t : { ...t, last: Math.max(last, t.seen ?? 0) };
  return { ...EMPTY, epoch, last, seen: last === 0 ? 0 : undefined, changes: { since: last + 1, seen: [] } };
}

export function goesOn(t: Transcript, { epoch, complete }: { epoch: string; complete: boolean }): boolean {
  return complete && t.epoch === epoch && t.seen !== undefined;
}

/** A window that is known before the socket says anything: it goes on at `seen`, wherever the window stands. */
export function restored(known: Pick<Transcript, 'epoch' | 'events'> & { seen: number }): Transcript {
  const { epoch, events, seen } = known;
  const pinned = (events.at(-1)?.id ?? 0) >= seen;
  return { ...EMPTY, epoch, seen, last: seen, events, pinned, changes: { since: seen + 1, seen: [] } };
}

/** Events from the socket, in their order. Repeats change nothing: the very same transcript comes back. */
export function received(t: Transcript, events: readonly LogEvent[]): Transcript {
  const first = events[0];
  if (!first) return t;
  const { seen = first.id - 1 } = t;
  const fresh = events.filter(({ id }) => id > seen);
  const newest = fresh.at(-1);
  if (!newest) return t;
  const run = runAfter(fresh, seen);
  const ahead = waiting(t.ahead, fresh.slice(run.length));
  const open = t.seen === undefined ? begun(t, seen) : t;
  return closeUp(follow({ ...open, last: Math.max(t.last, newest.id), ahead }, run));
}

/** The live edge is here now, with nothing seen before. */
export function begun(t: Transcript, seen: number): Transcript {
  return { ...t, seen, changes: { since: seen + 1, seen: [] } };
}

function waiting(ahead: readonly LogEvent[], more: readonly LogEvent[]): readonly LogEvent[] {
  if (more.length === 0) return ahead;
  if (ahead.length + more.length > AHEAD) return more.slice(-1); // one is enough to know of the hole
  const known = new Map([...ahead, ...more].map((event) => [event.id, event]));
  return [...known.values()].sort((a, b) => a.id - b.id);
}

/** Takes up from `ahead` what follows now. */
export function closeUp(t: Transcript): Transcript {
  if (t.ahead.length === 0 || t.seen === undefined) return t;
  const next = runAfter(t.ahead, t.seen);
  const seen = t.seen + next.length;
  return follow({ ...t, ahead: t.ahead.filter(({ id }) => id > seen) }, next);
}

/** `run` continues at `seen`. The window moves with it, unless someone reads further up and it is full. */
export function follow(t: Transcript, run: readonly LogEvent[]): Transcript {
  if (run.length === 0) return t;
  const seen = run.at(-1)?.id ?? t.seen;
  const attached = isAttached(t) && (t.pinned || t.events.length + run.length <= STRETCHED);
  const events = attached ? [...t.events, ...run.map(bare)] : t.events;
  const changes = run.filter(isChange);
  return {
    ...t,
    seen,
    events: trimTop(t, applied(events, changes)),
    changes: remembered(t.changes, changes),
  };
}

function trimTop(t: Transcript, events: readonly LogEvent[]): readonly LogEvent[] {
  return t.pinned && events.length > WINDOW ? events.slice(-WINDOW) : events;
}

/** The window ends with the newest event we have. */
export function isAttached(t: Transcript): boolean {
  return t.events.length === 0 || bottom(t) === t.seen;
}

/** The first number of a hole (what came is further on), as the `after` to ask for; undefined when there is none. */
export function holeAfter(t: Transcript): number | undefined {
  return t.seen !== undefined && t.ahead.length > 0 ? t.seen : undefined;
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

export function holds(t: Transcript, id: number): boolean {
  return t.events.length > 0 && top(t) <= id && id <= bottom(t);
}

/** The message of this number, if it is in the window. */
export function chatAt(t: Transcript, id: number): ChatEvent | undefined {
  const event = t.events[id - top(t)];
  return event?.type === 'chat' ? event : undefined;
}

/** The message that a number of the window leads to: itself, what a change is of, else the one before it. */
export function messageAt(t: Transcript, id: number): number | undefined {
  const event = t.events[id - top(t)];
  if (event?.type === 'chat') return id;
  if (event && isChange(event)) return event.target;
  const before = t.events.slice(0, Math.max(0, id - top(t))).findLast(({ type }) => type === 'chat');
  return (before ?? t.events.find(({ type }) => type === 'chat'))?.id;
}

/** There are older ones than the window shows. */
export function hasOlder(t: Transcript): boolean {
  return top(t) > 1;
}
