/**
 * Builds the rows of a room's timeline: messages grouped by author, day headings and the unread divider.
 * Pending changes are overlaid on their messages. Invariant: a row whose content has not changed is the same
 * object, so that it is not rendered again.
 */

import type { ChangeEvent, ChatEvent, Reaction, User } from '../../shared/protocol.js';
import { applyChange, isGone } from '../../shared/reducer.js';
import type { LogEvent } from '../decode.js';
import type { PendingMessage } from '../outbox/outbox.js';

export interface MessageRow {
  readonly kind: 'message';
  readonly key: string;
  /** the stored message with pending changes applied */
  readonly event: ChatEvent;
  /** first of its author's group: shows avatar and name */
  readonly startsGroup: boolean;
  /** time of the last edit, if the edit is in the window */
  readonly editedAt: number | undefined;
  /** waiting or rejected changes of this message */
  readonly pendingChanges: readonly PendingMessage[];
}
export interface PendingRow {
  readonly kind: 'pending';
  readonly key: string;
  readonly message: PendingMessage;
  readonly data: string;
  /** as the stored message will, so that nothing moves when it arrives */
  readonly startsGroup: boolean;
  /** the message that it replies to, if that is in the window */
  readonly answered: ChatEvent | undefined;
}
export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | { readonly kind: 'new'; readonly key: string }
  | MessageRow
  | PendingRow;

export interface RowsInput {
  readonly events: readonly LogEvent[];
  readonly pending: readonly PendingMessage[];
  /** number that the unread divider follows; undefined shows no divider */
  readonly readPosition: number | undefined;
  readonly me: User | undefined;
  /** the window ends with the newest message, so pending messages follow it */
  readonly atEnd: boolean;
}

/** A longer pause starts a new group. */
const groupGapMs = 5 * 60_000;
/** Sorts pending changes after all numbered ones. */
const pendingChangeId = Number.MAX_SAFE_INTEGER;
/** Until the server has named the user. */
export const unknownUser: User = { id: '', name: '' };
const noPending: readonly PendingMessage[] = [];

/** Builds the rows of one room and reuses those of the previous build. */
export class RowBuilder {
  #previous: ReadonlyMap<string, Row> = new Map();
  #overlays = new WeakMap<
    ChatEvent,
    { readonly pending: readonly PendingMessage[]; readonly event: ChatEvent }
  >();

  build(input: RowsInput): readonly Row[] {
    const rows = [...this.#messages(input), ...(input.atEnd ? pendingRows(input) : [])];
    const reused = rows.map((row) => reuseRow(this.#previous.get(row.key), row));
    this.#previous = new Map(reused.map((row) => [row.key, row]));
    return reused;
  }

  #messages({ events, pending, readPosition, me }: RowsInput): readonly Row[] {
    const changesByTarget = groupByTarget(pending);
    const firstUnread = readPosition === undefined ? undefined : firstUnreadId(events, readPosition, me);
    const rows: Row[] = [];
    let previous: ChatEvent | undefined;
    for (const event of events) {
      if (event.type !== 'chat') continue;
      const isFirst = startsGroupAfter(previous, event, event.id, rows);
      if (event.id === firstUnread) rows.push({ kind: 'new', key: 'new' });
      const startsGroup = isFirst || event.id === firstUnread;
      const changes = changesByTarget.get(event.id) ?? noPending;
      rows.push({
        kind: 'message',
        key: `m-${event.id}`,
        event: this.#overlay(event, changes, me),
        startsGroup,
        editedAt: editTimeOf(event, events),
        pendingChanges: changes,
      });
      previous = event;
    }
    return rows;
  }

  /** Returns the same object for the same message and changes. */
  #overlay(event: ChatEvent, pending: readonly PendingMessage[], me: User | undefined): ChatEvent {
    if (pending.length === 0 || !me) return event;
    const previous = this.#overlays.get(event);
    if (previous && isSameList(previous.pending, pending)) return previous.event;
    const overlaid = applyPendingChanges(event, pending, me);
    this.#overlays.set(event, { pending, event: overlaid });
    return overlaid;
  }
}

/** A message as its row shows it. */
export function applyPendingChanges(
  event: ChatEvent,
  pending: readonly PendingMessage[],
  me: User | undefined,
): ChatEvent {
  if (!me) return event;
  return pending
    .filter(({ posting }) => posting.type !== 'chat' && posting.target === event.id)
    .reduce((message, change) => applyPending(message, change, me), event);
}

/** A rejected change has no effect on the message. */
function applyPending(message: ChatEvent, { posting, at, problem }: PendingMessage, me: User): ChatEvent {
  if (posting.type === 'chat' || problem) return message;
  const change: ChangeEvent = { ...posting, id: pendingChangeId, user: me, at };
  return applyChange(message, change);
}

function groupByTarget(pending: readonly PendingMessage[]): ReadonlyMap<number, readonly PendingMessage[]> {
  const targets = new Map<number, PendingMessage[]>();
  for (const message of pending) {
    if (message.posting.type === 'chat') continue;
    const list = targets.get(message.posting.target);
    if (list) list.push(message);
    else targets.set(message.posting.target, [message]);
  }
  return targets;
}

function pendingRows({ pending, events, me }: RowsInput): readonly Row[] {
  const rows: Row[] = [];
  let previous: Authored | undefined = events.findLast((event) => event.type === 'chat');
  for (const message of pending) {
    const { posting, cid } = message;
    if (posting.type !== 'chat') continue;
    const next = { user: me ?? unknownUser, at: Math.max(message.at, previous?.at ?? 0) }; // it may be older, but comes last
    const startsGroup = startsGroupAfter(previous, next, cid, rows);
    const { data, reply } = posting;
    const answered = reply === undefined ? undefined : events[reply - (events[0]?.id ?? 0)];
    const isMessage = answered?.type === 'chat';
    rows.push({
      kind: 'pending',
      key: cid,
      message,
      data,
      startsGroup,
      answered: isMessage ? answered : undefined,
    });
    previous = next;
  }
  return rows;
}

/**
 * First message after the read position. None when the window begins later, or when nothing new is by others.
 */
function firstUnreadId(
  events: readonly LogEvent[],
  readPosition: number,
  me: User | undefined,
): number | undefined {
  if ((events[0]?.id ?? 0) > readPosition + 1) return undefined;
  if (unreadAfter(readPosition, events, me).length === 0) return undefined;
  return events.find((event) => event.type === 'chat' && event.id > readPosition)?.id;
}

/** Messages of others after a number, without deleted ones. */
export function unreadAfter(
  readPosition: number,
  events: readonly LogEvent[],
  me: User | undefined,
): readonly LogEvent[] {
  return events.filter(
    (event) => event.type === 'chat' && event.id > readPosition && event.user.id !== me?.id && !isGone(event),
  );
}

/** The window is contiguous, so the edit's index follows from its number. */
function editTimeOf({ edited }: ChatEvent, events: readonly LogEvent[]): number | undefined {
  if (edited === undefined) return undefined;
  const edit = events[edited - (events[0]?.id ?? 0)];
  return edit?.type === 'edit' ? edit.at : undefined;
}

/** Rows of one key have the same kind. */
function reuseRow(previous: Row | undefined, row: Row): Row {
  if (!previous) return row;
  for (const name in row) {
    const before: unknown = Reflect.get(previous, name);
    const now: unknown = Reflect.get(row, name);
    const isSame = now === before || (Array.isArray(now) && Array.isArray(before) && isSameList(now, before));
    if (!isSame) return row;
  }
  return previous;
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

type Authored = Pick<ChatEvent, 'user' | 'at'>;

/** Adds the heading of a new day. */
function startsGroupAfter(
  previous: Authored | undefined,
  { user, at }: Authored,
  key: number | string,
  rows: Row[],
): boolean {
  if (!previous || !isSameDay(previous.at, at)) {
    rows.push({ kind: 'day', key: `day-${key}`, at });
    return true;
  }
  const { id, name } = previous.user;
  return id !== user.id || name !== user.name || at - previous.at >= groupGapMs;
}

/** Caches the bounds of one day, because every pair of neighbours asks at every build. */
function isSameDay(a: number, b: number): boolean {
  if (a < dayStart || a >= dayEnd) {
    const date = new Date(a);
    dayStart = date.setHours(0, 0, 0, 0);
    dayEnd = date.setDate(date.getDate() + 1);
  }
  return b >= dayStart && b < dayEnd;
}
let dayStart = 0;
let dayEnd = 0;

/** Picks a user's colour by a hash of the id. */
export function toneIndexOf(id: string, tones: number): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const char of id) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 8) % tones;
}

/** Reactions grouped by emoji, in the order of each emoji's first reaction. */

interface ReactionGroup {
  readonly emoji: string;
  readonly users: readonly User[];
  /** includes the user's own */
  readonly mine: boolean;
}

export function groupReactions(
  reactions: readonly Reaction[],
  me: string | undefined,
): readonly ReactionGroup[] {
  const usersByEmoji = new Map<string, User[]>();
  for (const { data, user } of reactions) {
    const users = usersByEmoji.get(data);
    if (users) users.push(user);
    else usersByEmoji.set(data, [user]);
  }
  return [...usersByEmoji].map(([emoji, users]) => ({
    emoji,
    users,
    mine: users.some(({ id }) => id === me),
  }));
}
