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
import type { ChangeEvent, ChatEvent } from '../../shared/protocol.js';
import { applyChange } from '../../shared/reducer.js';
import type { LogEvent } from '../decode.js';

/** Events kept while the newest are in view, and so messages in the DOM; half as many more while someone reads up. */
export const windowEvents = 400;
export const maxWindowEvents = 600;
/** Events kept beyond a hole; when there are more, they are loaded with it. */
const maxAheadEvents = 1000;

export interface Timeline {
  readonly epoch: string | undefined;
  readonly seen: number | undefined;
  /** the newest number that exists, as far as we know */
  readonly last: number;
  readonly events: readonly LogEvent[];
  readonly ahead: readonly LogEvent[];
  /** the newest are in view: the window moves on with them */
  readonly pinned: boolean;
  readonly changes: ChangeLog;
}

export const emptyTimeline: Timeline = {
  epoch: undefined,
  seen: undefined,
  last: 0,
  events: [],
  ahead: [],
  pinned: true,
  changes: { since: 1, seen: [] },
};

/** `hello`: the log is the one we know and goes on where we stopped, or we start over. */
export function afterHello(t: Timeline, hello: { epoch: string; last: number; complete: boolean }): Timeline {
  const { epoch, last } = hello;
  if (canResume(t, hello)) return t.last === last ? t : { ...t, last: Math.max(last, t.seen ?? 0) };
  return {
    ...emptyTimeline,
    epoch,
    last,
    seen: last === 0 ? 0 : undefined,
    changes: { since: last + 1, seen: [] },
  };
}

export function canResume(t: Timeline, { epoch, complete }: { epoch: string; complete: boolean }): boolean {
  return complete && t.epoch === epoch && t.seen !== undefined;
}

/** A window that is known before the socket says anything: it goes on at `seen`, wherever the window stands. */
export function fromCache(known: Pick<Timeline, 'epoch' | 'events'> & { seen: number }): Timeline {
  const { epoch, events, seen } = known;
  const pinned = (events.at(-1)?.id ?? 0) >= seen;
  return {
    ...emptyTimeline,
    epoch,
    seen,
    last: seen,
    events,
    pinned,
    changes: { since: seen + 1, seen: [] },
  };
}

/** Events from the socket, in their order. Repeats change nothing: the very same transcript comes back. */
export function receiveEvents(t: Timeline, events: readonly LogEvent[]): Timeline {
  const first = events[0];
  if (!first) return t;
  const { seen = first.id - 1 } = t;
  const fresh = events.filter(({ id }) => id > seen);
  const newest = fresh.at(-1);
  if (!newest) return t;
  const run = contiguousAfter(fresh, seen);
  const ahead = mergeAhead(t.ahead, fresh.slice(run.length));
  const open = t.seen === undefined ? startAt(t, seen) : t;
  return closeGap(appendEvents({ ...open, last: Math.max(t.last, newest.id), ahead }, run));
}

/** The live edge is here now, with nothing seen before. */
export function startAt(t: Timeline, seen: number): Timeline {
  return { ...t, seen, changes: { since: seen + 1, seen: [] } };
}

function mergeAhead(ahead: readonly LogEvent[], more: readonly LogEvent[]): readonly LogEvent[] {
  if (more.length === 0) return ahead;
  if (ahead.length + more.length > maxAheadEvents) return more.slice(-1); // one is enough to know of the hole
  const known = new Map([...ahead, ...more].map((event) => [event.id, event]));
  return [...known.values()].sort((a, b) => a.id - b.id);
}

/** Takes up from `ahead` what follows now. */
export function closeGap(t: Timeline): Timeline {
  if (t.ahead.length === 0 || t.seen === undefined) return t;
  const next = contiguousAfter(t.ahead, t.seen);
  const seen = t.seen + next.length;
  return appendEvents({ ...t, ahead: t.ahead.filter(({ id }) => id > seen) }, next);
}

/** `run` continues at `seen`. The window moves with it, unless someone reads further up and it is full. */
export function appendEvents(t: Timeline, run: readonly LogEvent[]): Timeline {
  if (run.length === 0) return t;
  const seen = run.at(-1)?.id ?? t.seen;
  const attached = isAttached(t) && (t.pinned || t.events.length + run.length <= maxWindowEvents);
  const events = attached ? [...t.events, ...run.map(withoutEditText)] : t.events;
  const changes = run.filter(isChange);
  return {
    ...t,
    seen,
    events: trimTop(t, applyChanges(events, changes)),
    changes: rememberChanges(t.changes, changes),
  };
}

function trimTop(t: Timeline, events: readonly LogEvent[]): readonly LogEvent[] {
  return t.pinned && events.length > windowEvents ? events.slice(-windowEvents) : events;
}

/** The window ends with the newest event we have. */
export function isAttached(t: Timeline): boolean {
  return t.events.length === 0 || lastId(t) === t.seen;
}

/** The first number of a hole (what came is further on), as the `after` to ask for; undefined when there is none. */
export function gapAfter(t: Timeline): number | undefined {
  return t.seen !== undefined && t.ahead.length > 0 ? t.seen : undefined;
}

export function setPinned(t: Timeline, pinned: boolean): Timeline {
  if (t.pinned === pinned) return t;
  return pinned ? { ...t, pinned, events: t.events.slice(-windowEvents) } : { ...t, pinned };
}

/** The first and the last number in the window; 0 when it is empty. */
export function firstId(t: Timeline): number {
  return t.events[0]?.id ?? 0;
}
export function lastId(t: Timeline): number {
  return t.events.at(-1)?.id ?? 0;
}

export function containsId(t: Timeline, id: number): boolean {
  return t.events.length > 0 && firstId(t) <= id && id <= lastId(t);
}

/** The message of this number, if it is in the window. */
export function findMessage(t: Timeline, id: number): ChatEvent | undefined {
  const event = t.events[id - firstId(t)];
  return event?.type === 'chat' ? event : undefined;
}

/** The message that a number of the window leads to: itself, what a change is of, else the one before it. */
export function messageIdAt(t: Timeline, id: number): number | undefined {
  const event = t.events[id - firstId(t)];
  if (event?.type === 'chat') return id;
  if (event && isChange(event)) return event.target;
  const before = t.events.slice(0, Math.max(0, id - firstId(t))).findLast(({ type }) => type === 'chat');
  return (before ?? t.events.find(({ type }) => type === 'chat'))?.id;
}

/** There are older ones than the window shows. */
export function hasOlder(t: Timeline): boolean {
  return firstId(t) > 1;
}

/**
 * Changes of messages, applied to a run of events, and remembered for pages that were read before them. What must stay
 * true: `seen` holds every change from number `since` on that has passed the live edge, but for those of a message that
 * was deleted after them; so texts that were deleted are not kept here either.
 */

/** More than pass between the reading of a page and its arrival. */
const maxRememberedChanges = 500;

export interface ChangeLog {
  readonly since: number;
  readonly seen: readonly ChangeEvent[];
}

export function isChange(event: LogEvent): event is ChangeEvent {
  return event.type !== 'chat' && event.type !== 'other';
}

/** An event as it is kept in a window. Texts live in messages only: an edit is without its own, which may be deleted. */
export function withoutEditText(event: LogEvent): LogEvent {
  if (event.type !== 'edit' || (event.data === '' && event.mentions === undefined)) return event;
  const { mentions: _mentions, ...rest } = event;
  return { ...rest, data: '' };
}

/** A run without holes after these changes, in their order: each finds its target by number. */
export function applyChanges(run: readonly LogEvent[], changes: readonly ChangeEvent[]): readonly LogEvent[] {
  const first = run[0]?.id ?? 0;
  let copy: LogEvent[] | undefined;
  for (const change of changes) {
    const index = change.target - first;
    const before = (copy ?? run)[index];
    if (before?.type !== 'chat') continue;
    const after = applyChange(before, change);
    if (after === before) continue;
    copy ??= [...run];
    copy[index] = after;
  }
  return copy ?? run;
}

export function rememberChanges(before: ChangeLog, more: readonly ChangeEvent[]): ChangeLog {
  if (more.length === 0) return before;
  const gone = new Set(more.filter(({ type }) => type === 'delete').map(({ target }) => target));
  const all = [...before.seen, ...more].filter(({ type, target }) => type === 'delete' || !gone.has(target));
  const forgotten = all.slice(0, -maxRememberedChanges).at(-1);
  if (!forgotten) return { ...before, seen: all };
  return { since: forgotten.id + 1, seen: all.slice(-maxRememberedChanges) };
}

/** What a page as of `last` does not know yet; undefined when that is not remembered: the page is too old to be used. */
export function changesAfter(last: number, { since, seen }: ChangeLog): readonly ChangeEvent[] | undefined {
  return last + 1 < since ? undefined : seen.filter(({ id }) => id > last);
}

/** Runs: lists of events whose numbers go up by one. */

/** The part of an ascending list that goes on after `number` without a hole. */
export function contiguousAfter(list: readonly LogEvent[], number: number): readonly LogEvent[] {
  const rest = list.filter(({ id }) => id > number);
  const hole = rest.findIndex(({ id }, index) => id !== number + 1 + index);
  return hole < 0 ? rest : rest.slice(0, hole);
}

/** The part of an ascending list that leads up to `number` without a hole. */
export function contiguousBefore(list: readonly LogEvent[], number: number): readonly LogEvent[] {
  const rest = list.filter(({ id }) => id < number);
  const start = rest.findLastIndex(({ id }, index) => id !== number - (rest.length - index));
  return rest.slice(start + 1);
}

/**
 * Pages of the log put into a transcript: into a hole, on top, below, or in place of the window. Pure; what must stay
 * true is said in transcript.ts.
 */

/** Events of the log, each message as it was when the room's newest number was `last`. */
export interface LoadedPage {
  readonly last: number;
  readonly messages: readonly LogEvent[];
}

/** A page cannot be used: it was read before changes that we do not remember. It is to be asked for again. */
export function isStale(t: Timeline, page: LoadedPage): boolean {
  return changesAfter(page.last, t.changes) === undefined;
}

/** A page asked for by `after=seen`, to fill a hole. */
export function fillGap(t: Timeline, page: LoadedPage): Timeline {
  if (t.seen === undefined) return t;
  return closeGap(
    appendEvents({ ...t, last: Math.max(t.last, page.last) }, contiguousAfter(page.messages, t.seen)),
  );
}

/** A page of older ones on top. When it gets too long, the bottom is let go: it is loaded again on the way down. */
export function prependPage(t: Timeline, page: LoadedPage): Timeline {
  const run = withLaterChanges(t, page, contiguousBefore(page.messages, firstId(t)));
  return { ...t, events: [...run, ...t.events].slice(0, maxWindowEvents) };
}

/** A page of newer ones below, when the window had been let go. It may tell more than the socket has so far. */
export function appendPage(t: Timeline, page: LoadedPage): Timeline {
  const run = contiguousAfter(page.messages, lastId(t));
  const known = run.filter(({ id }) => id <= (t.seen ?? 0));
  const events = [...t.events, ...withLaterChanges(t, page, known)].slice(-maxWindowEvents);
  const last = Math.max(t.last, page.last);
  return closeGap(appendEvents({ ...t, events, last }, run.slice(known.length)));
}

/** The newest page instead of whatever was in view. */
export function jumpToLatest(t: Timeline, page: LoadedPage): Timeline {
  return replaceWindow({ ...t, pinned: true }, page);
}

/** A page from anywhere instead of whatever was in view. */
export function replaceWindow(t: Timeline, page: LoadedPage): Timeline {
  const first = page.messages[0]?.id;
  if (first === undefined) return t;
  const run = contiguousAfter(page.messages, first - 1);
  const last = Math.max(t.last, page.last);
  const end = run.at(-1)?.id ?? 0;
  if (t.seen !== undefined && end <= t.seen) return { ...t, last, events: withLaterChanges(t, page, run) };
  // It lies beyond all we have: changes between were not seen, but it has them. Before anything came, all up to
  // what `hello` said counts as seen: the page is not older than that.
  const seen = t.seen === undefined ? Math.max(t.last, end) : end;
  return closeGap({ ...startAt(t, seen), last, events: run.map(withoutEditText) });
}

/** Part of a page, with what was seen live after it was read. */
function withLaterChanges(t: Timeline, { last }: LoadedPage, run: readonly LogEvent[]): readonly LogEvent[] {
  return applyChanges(run.map(withoutEditText), changesAfter(last, t.changes) ?? []);
}
