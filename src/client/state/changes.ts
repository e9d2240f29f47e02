/**
 * Changes of messages, applied to a run of events, and remembered for pages that were read before them. What must stay
 * true: `seen` holds every change from number `since` on that has passed the live edge, but for those of a message that
 * was deleted after them; so texts that were deleted are not kept here either.
 */

import type { ChangeEvent } from '../../shared/protocol.js';
import { applyChange } from '../../shared/reducer.js';
import type { LogEvent } from './events.js';

/** More than pass between the reading of a page and its arrival. */
const REMEMBERED = 500;

export interface Changes {
  readonly since: number;
  readonly seen: readonly ChangeEvent[];
}

export function isChange(event: LogEvent): event is ChangeEvent {
  return event.type !== 'chat' && event.type !== 'other';
}

/** An event as it is kept in a window. Texts live in messages only: an edit is without its own, which may be deleted. */
export function bare(event: LogEvent): LogEvent {
  if (event.type !== 'edit' || (event.data === '' && event.mentions === undefined)) return event;
  const { mentions: _mentions, ...rest } = event;
  return { ...rest, data: '' };
}

/** A run without holes after these changes, in their order: each finds its target by number. */
export function applied(run: readonly LogEvent[], changes: readonly ChangeEvent[]): readonly LogEvent[] {
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

export function remembered(before: Changes, more: readonly ChangeEvent[]): Changes {
  if (more.length === 0) return before;
  const gone = new Set(more.filter(({ type }) => type === 'delete').map(({ target }) => target));
  const all = [...before.seen, ...more].filter(({ type, target }) => type === 'delete' || !gone.has(target));
  const forgotten = all.slice(0, -REMEMBERED).at(-1);
  if (!forgotten) return { ...before, seen: all };
  return { since: forgotten.id + 1, seen: all.slice(-REMEMBERED) };
}

/** What a page as of `last` does not know yet; undefined when that is not remembered: the page is too old to be used. */
export function missedBy(last: number, { since, seen }: Changes): readonly ChangeEvent[] | undefined {
  return last + 1 < since ? undefined : seen.filter(({ id }) => id > last);
}
