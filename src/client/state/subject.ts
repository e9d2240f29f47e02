/**
 * The message that is answered or edited, as it is now: it may be changed meanwhile. What must stay true: what was deleted
 * is not said again, wherever the window stands. Pure.
 */
import type { ChatEvent } from '../../shared/protocol.js';
import { applied, missedBy } from './changes.js';
import { chatAt, type Transcript } from './transcript.js';

/** As it was when it was taken up. */
export interface Subject {
  readonly event: ChatEvent;
  readonly epoch: string | undefined;
  readonly seen: number;
}

/** From the log: on the screen lies over it what I have asked for and nobody has yet. */
export function takenUp(event: ChatEvent, t: Transcript): Subject {
  return { event: chatAt(t, event.id) ?? event, epoch: t.epoch, seen: t.seen ?? 0 };
}

/** Without its words when they were deleted, or when nobody can say here whether they were. */
export function nowOf({ event, epoch, seen }: Subject, t: Transcript): ChatEvent {
  const missed = t.epoch === epoch ? missedBy(seen, t.changes) : undefined;
  const here = t.epoch === epoch ? chatAt(t, event.id) : undefined;
  const [now] = here ? [here] : missed ? applied([event], missed) : [];
  return now?.type === 'chat' ? now : wordless(event);
}

function wordless({ id, type, user, at }: ChatEvent): ChatEvent {
  return { id, type, user, at, data: '' };
}
