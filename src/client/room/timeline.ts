/**
 * The page's window of a room's log. A pure reducer.
 *
 * Invariants:
 * 1. `events` is contiguous and at most `maxWindowEvents` long.
 * 2. Every event up to `seen` has been received; sockets resume there, wherever the window is.
 * 3. Events beyond a gap wait in `ahead` until the gap is filled.
 * 4. A message in `events` reflects all changes up to `seen`. Once `seen` is the room's last number, it
 * equals the server's state. A page holds messages as of its `last`: live changes after `last` are applied to
 * it, and changes still to come may be applied twice, which reducer.ts allows.
 * 5. Text is kept in messages only, so a deleted message leaves no text behind.
 */
import type { ChangeEvent, ChatEvent } from '../../shared/protocol.js';
import { applyChange, applyToReply } from '../../shared/reducer.js';
import type { LogEvent } from '../decode.js';

/** Length of `events` while the end is shown, and while the user reads further up. */
export const windowEvents = 400;
const maxWindowEvents = 600;
/** Beyond this only the last event is kept, and the rest is loaded with the gap. */
const maxAheadEvents = 1000;

export interface Timeline {
  readonly epoch: string | undefined;
  readonly seen: number | undefined;
  /** newest number in the room */
  readonly last: number;
  readonly events: readonly LogEvent[];
  readonly ahead: readonly LogEvent[];
  /** the end is shown, and the window follows it */
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

/** `hello`: resumes the known log or starts over. */
export function afterHello(
  t: Timeline,
  resume: { epoch: string; last: number; complete: boolean },
): Timeline {
  const { epoch, last } = resume;
  if (canResume(t, resume)) return t.last === last ? t : { ...t, last: Math.max(last, t.seen ?? 0) };
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

/** A window known before the connection. It resumes at `seen`, wherever the window is. */
export function fromCache(cached: Pick<Timeline, 'epoch' | 'events'> & { seen: number }): Timeline {
  const { epoch, events, seen } = cached;
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

/** Applies live events. Returns the same object for repeated events. */
export function receiveEvents(t: Timeline, events: readonly LogEvent[]): Timeline {
  const first = events[0];
  if (!first) return t;
  const { seen = first.id - 1 } = t;
  const newEvents = events.filter(({ id }) => id > seen);
  const newest = newEvents.at(-1);
  if (!newest) return t;
  const run = contiguousAfter(newEvents, seen);
  const ahead = mergeAhead(t.ahead, newEvents.slice(run.length));
  const open = t.seen === undefined ? startAt(t, seen) : t;
  return closeGap(appendEvents({ ...open, last: Math.max(t.last, newest.id), ahead }, run));
}

/** Begins receiving at `seen`. */
function startAt(t: Timeline, seen: number): Timeline {
  return { ...t, seen, changes: { since: seen + 1, seen: [] } };
}

function mergeAhead(ahead: readonly LogEvent[], more: readonly LogEvent[]): readonly LogEvent[] {
  if (more.length === 0) return ahead;
  if (ahead.length + more.length > maxAheadEvents) return more.slice(-1); // enough to know of the gap
  const cached = new Map([...ahead, ...more].map((event) => [event.id, event]));
  return [...cached.values()].sort((a, b) => a.id - b.id);
}

/** Moves events that are now contiguous out of `ahead`. */
function closeGap(t: Timeline): Timeline {
  if (t.ahead.length === 0 || t.seen === undefined) return t;
  const next = contiguousAfter(t.ahead, t.seen);
  const seen = t.seen + next.length;
  return appendEvents({ ...t, ahead: t.ahead.filter(({ id }) => id > seen) }, next);
}

/** `run` continues at `seen`. The window follows, unless the user reads further up and it is full. */
function appendEvents(t: Timeline, run: readonly LogEvent[]): Timeline {
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

/** The window ends with the newest received event. */
export function isAttached(t: Timeline): boolean {
  return t.events.length === 0 || lastId(t) === t.seen;
}

/** The number to load after, when events are missing. */
export function gapAfter(t: Timeline): number | undefined {
  return t.seen !== undefined && t.ahead.length > 0 ? t.seen : undefined;
}

export function setPinned(t: Timeline, pinned: boolean): Timeline {
  if (t.pinned === pinned) return t;
  return pinned ? { ...t, pinned, events: t.events.slice(-windowEvents) } : { ...t, pinned };
}

/** The first and last number in the window, or 0. */
export function firstId(t: Timeline): number {
  return t.events[0]?.id ?? 0;
}
export function lastId(t: Timeline): number {
  return t.events.at(-1)?.id ?? 0;
}

export function containsId(t: Timeline, id: number): boolean {
  return t.events.length > 0 && firstId(t) <= id && id <= lastId(t);
}

export function findMessage(t: Timeline, id: number): ChatEvent | undefined {
  const event = t.events[id - firstId(t)];
  return event?.type === 'chat' ? event : undefined;
}

/** The message that a number leads to: itself, the target of a change, or the message before it. */
export function messageIdAt(t: Timeline, id: number): number | undefined {
  const event = t.events[id - firstId(t)];
  if (event?.type === 'chat') return id;
  if (event && isChange(event)) return event.target;
  const before = t.events.slice(0, Math.max(0, id - firstId(t))).findLast(({ type }) => type === 'chat');
  return (before ?? t.events.find(({ type }) => type === 'chat'))?.id;
}

export function hasOlder(t: Timeline): boolean {
  return firstId(t) > 1;
}

/**
 * Changes of messages, remembered for pages that were read before them. Invariant: `seen` holds every
 * received change from number `since` on, except those of messages that were deleted later; so no deleted
 * text is kept here.
 */

/** More than arrive between the reading of a page and its receipt. */
const maxRememberedChanges = 500;

interface ChangeLog {
  readonly since: number;
  readonly seen: readonly ChangeEvent[];
}

export function isChange(event: LogEvent): event is ChangeEvent {
  return event.type !== 'chat' && event.type !== 'other';
}

/** The form of an event in the window: an edit without its text (invariant 5). */
export function withoutEditText(event: LogEvent): LogEvent {
  if (event.type !== 'edit' || (event.data === '' && event.mentions === undefined)) return event;
  const { mentions: _mentions, ...following } = event;
  return { ...following, data: '' };
}

/** `run` must be contiguous, because targets are found by their index. */
export function applyChanges(run: readonly LogEvent[], changes: readonly ChangeEvent[]): readonly LogEvent[] {
  const first = run[0]?.id ?? 0;
  let changed: LogEvent[] | undefined;
  const update = (index: number, change: ChangeEvent, apply: typeof applyChange) => {
    const before = (changed ?? run)[index];
    const after = before?.type === 'chat' ? apply(before, change) : before;
    if (!after || after === before) return;
    changed ??= [...run];
    changed[index] = after;
  };
  for (const change of changes) {
    update(change.target - first, change, applyChange);
    if (change.type === 'edit' || change.type === 'delete')
      for (const index of repliesTo(change.target, run)) update(index, change, applyToReply);
  }
  return changed ?? run;
}

function repliesTo(id: number, run: readonly LogEvent[]): readonly number[] {
  return run.flatMap((event, index) => (event.type === 'chat' && event.reply?.id === id ? [index] : []));
}

function rememberChanges(before: ChangeLog, more: readonly ChangeEvent[]): ChangeLog {
  if (more.length === 0) return before;
  const deletedTargets = new Set(more.filter(({ type }) => type === 'delete').map(({ target }) => target));
  const remembered = [...before.seen, ...more].filter(
    ({ type, target }) => type === 'delete' || !deletedTargets.has(target),
  );
  const forgotten = remembered.slice(0, -maxRememberedChanges).at(-1);
  if (!forgotten) return { ...before, seen: remembered };
  return { since: forgotten.id + 1, seen: remembered.slice(-maxRememberedChanges) };
}

/**
 * The changes that a page as of `last` lacks; undefined when they are not remembered and the page is too old
 * to use.
 */
export function changesAfter(last: number, { since, seen }: ChangeLog): readonly ChangeEvent[] | undefined {
  return last + 1 < since ? undefined : seen.filter(({ id }) => id > last);
}

/** The contiguous part of an ascending list that follows a number. */
function contiguousAfter(events: readonly LogEvent[], boundary: number): readonly LogEvent[] {
  const following = events.filter(({ id }) => id > boundary);
  const gapIndex = following.findIndex(({ id }, index) => id !== boundary + 1 + index);
  return gapIndex < 0 ? following : following.slice(0, gapIndex);
}

/** The contiguous part of an ascending list that ends before a number. */
function contiguousBefore(events: readonly LogEvent[], boundary: number): readonly LogEvent[] {
  const following = events.filter(({ id }) => id < boundary);
  const start = following.findLastIndex(({ id }, index) => id !== boundary - (following.length - index));
  return following.slice(start + 1);
}

/** A page of the log, read when the room's newest number was `last`. */
export interface LoadedPage {
  readonly last: number;
  readonly messages: readonly LogEvent[];
}

/** The page lacks changes that are not remembered, so it has to be loaded again. */
export function isStale(t: Timeline, page: LoadedPage): boolean {
  return changesAfter(page.last, t.changes) === undefined;
}

/** A page loaded with `after=seen`. */
export function fillGap(t: Timeline, page: LoadedPage): Timeline {
  if (t.seen === undefined) return t;
  return closeGap(
    appendEvents({ ...t, last: Math.max(t.last, page.last) }, contiguousAfter(page.messages, t.seen)),
  );
}

/** Adds older events. The window's end is dropped when it is too long; scrolling down loads it again. */
export function prependPage(t: Timeline, page: LoadedPage): Timeline {
  const run = withLaterChanges(t, page, contiguousBefore(page.messages, firstId(t)));
  return { ...t, events: [...run, ...t.events].slice(0, maxWindowEvents) };
}

/** Adds newer events. The page may contain events that the socket has not delivered yet. */
export function appendPage(t: Timeline, page: LoadedPage): Timeline {
  const run = contiguousAfter(page.messages, lastId(t));
  const cached = run.filter(({ id }) => id <= (t.seen ?? 0));
  const events = [...t.events, ...withLaterChanges(t, page, cached)].slice(-maxWindowEvents);
  const last = Math.max(t.last, page.last);
  return closeGap(appendEvents({ ...t, events, last }, run.slice(cached.length)));
}

export function jumpToLatest(t: Timeline, page: LoadedPage): Timeline {
  return replaceWindow({ ...t, pinned: true }, page);
}

/** Replaces the window by a page from anywhere. */
export function replaceWindow(t: Timeline, page: LoadedPage): Timeline {
  const first = page.messages[0]?.id;
  if (first === undefined) return t;
  const run = contiguousAfter(page.messages, first - 1);
  const last = Math.max(t.last, page.last);
  const end = run.at(-1)?.id ?? 0;
  if (t.seen !== undefined && end <= t.seen) return { ...t, last, events: withLaterChanges(t, page, run) };
  // The page lies beyond all received events and contains the changes between. Before the first event,
  // everything
  // up to the `last` of `hello` counts as received, because the page is not older.
  const seen = t.seen === undefined ? Math.max(t.last, end) : end;
  return closeGap({ ...startAt(t, seen), last, events: run.map(withoutEditText) });
}

function withLaterChanges(t: Timeline, { last }: LoadedPage, run: readonly LogEvent[]): readonly LogEvent[] {
  return applyChanges(run.map(withoutEditText), changesAfter(last, t.changes) ?? []);
}
