/**
 * What the page shows of the log: messages, grouped by writer, a line where a day begins and one where the news
 * begins; what is asked for and not in the log yet is laid over it. What must stay true: a row that shows nothing new
 * is the very same object as before, so that it is not drawn again.
 */
import type { ChangeEvent, ChatEvent, Reaction, User } from '../../shared/protocol.js';
import { applyChange } from '../../shared/reducer.js';
import type { LogEvent } from '../decode.js';
import type { PendingMessage } from '../outbox/outbox.js';

export interface MessageRow {
  readonly kind: 'message';
  readonly key: string;
  /** as it is in the log, with what is asked for laid over it */
  readonly event: ChatEvent;
  /** opens a group: shows who speaks */
  readonly startsGroup: boolean;
  /** when it was edited, as far as this page knows */
  readonly editedAt: number | undefined;
  /** changes of it that wait or were refused */
  readonly pendingChanges: readonly PendingMessage[];
}
export interface PendingRow {
  readonly kind: 'letter';
  readonly key: string;
  readonly letter: PendingMessage;
  readonly data: string;
}
export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | { readonly kind: 'new'; readonly key: string }
  | MessageRow
  | PendingRow;

export interface RowsInput {
  readonly events: readonly LogEvent[];
  readonly pending: readonly PendingMessage[];
  /** after this number the news begins; undefined: nothing is new */
  readonly readPosition: number | undefined;
  readonly me: User | undefined;
  /** the window ends with the newest: what I say now comes right after it */
  readonly atEnd: boolean;
}

/** A pause after which the name is said again. */
const groupGapMs = 5 * 60_000;
/** The number of a change that has none yet: after all others. */
const pendingChangeId = Number.MAX_SAFE_INTEGER;
const noPending: readonly PendingMessage[] = [];

/** Keeps the rows of one room from one time to the next. */
export class RowBuilder {
  #previous: ReadonlyMap<string, Row> = new Map();
  #overlays = new WeakMap<
    ChatEvent,
    { readonly letters: readonly PendingMessage[]; readonly event: ChatEvent }
  >();

  build(shown: RowsInput): readonly Row[] {
    const rows = [...this.#messages(shown), ...(shown.atEnd ? pendingRows(shown.pending) : [])];
    const kept = rows.map((row) => reuseRow(this.#previous.get(row.key), row));
    this.#previous = new Map(kept.map((row) => [row.key, row]));
    return kept;
  }

  #messages({ events, pending: letters, readPosition: mark, me }: RowsInput): readonly Row[] {
    const pending = groupByTarget(letters);
    const fresh = mark === undefined ? undefined : firstUnreadId(events, mark, me);
    const rows: Row[] = [];
    let before: ChatEvent | undefined;
    for (const event of events) {
      if (event.type !== 'chat') continue;
      if (!before || !isSameDay(before.at, event.at)) {
        rows.push({ kind: 'day', key: `day-${event.id}`, at: event.at });
        before = undefined;
      }
      if (event.id === fresh) rows.push({ kind: 'new', key: 'new' });
      const leads = !before || event.id === fresh || !continuesGroup(before, event);
      const mine = pending.get(event.id) ?? noPending;
      rows.push({
        kind: 'message',
        key: `m-${event.id}`,
        event: this.#overlay(event, mine, me),
        startsGroup: leads,
        editedAt: editTimeOf(event, events),
        pendingChanges: mine,
      });
      before = event;
    }
    return rows;
  }

  /** The same letters over the same message are the same message. */
  #overlay(event: ChatEvent, letters: readonly PendingMessage[], me: User | undefined): ChatEvent {
    if (letters.length === 0 || !me) return event;
    const before = this.#overlays.get(event);
    if (before && isSameList(before.letters, letters)) return before.event;
    const laid = letters.reduce((message, letter) => applyPending(message, letter, me), event);
    this.#overlays.set(event, { letters, event: laid });
    return laid;
  }
}

/** What is refused has not happened: it is only told of. */
function applyPending(message: ChatEvent, { posting, at, problem }: PendingMessage, me: User): ChatEvent {
  if (posting.type === 'chat' || problem) return message;
  const change: ChangeEvent = { ...posting, id: pendingChangeId, user: me, at };
  return applyChange(message, change);
}

function groupByTarget(letters: readonly PendingMessage[]): ReadonlyMap<number, readonly PendingMessage[]> {
  const targets = new Map<number, PendingMessage[]>();
  for (const letter of letters) {
    if (letter.posting.type === 'chat') continue;
    const list = targets.get(letter.posting.target);
    if (list) list.push(letter);
    else targets.set(letter.posting.target, [letter]);
  }
  return targets;
}

function pendingRows(letters: readonly PendingMessage[]): readonly PendingRow[] {
  return letters.flatMap((letter) =>
    letter.posting.type === 'chat'
      ? [{ kind: 'letter' as const, key: letter.cid, letter, data: letter.posting.data }]
      : [],
  );
}

/** The first message of somebody else after my mark; none when what came before the mark is not here. */
function firstUnreadId(events: readonly LogEvent[], mark: number, me: User | undefined): number | undefined {
  if ((events[0]?.id ?? 0) > mark + 1) return undefined;
  if (unreadAfter(mark, events, me).length === 0) return undefined;
  return events.find((event) => event.type === 'chat' && event.id > mark)?.id;
}

/** What others have said after a number, and stands. */
export function unreadAfter(
  mark: number,
  events: readonly LogEvent[],
  me: User | undefined,
): readonly LogEvent[] {
  return events.filter(
    (event) => event.type === 'chat' && event.id > mark && event.user.id !== me?.id && !event.deleted,
  );
}

/** Numbers in the window have no hole: where the edit is follows from its number. */
function editTimeOf({ edited }: ChatEvent, events: readonly LogEvent[]): number | undefined {
  if (edited === undefined) return undefined;
  const edit = events[edited - (events[0]?.id ?? 0)];
  return edit?.type === 'edit' ? edit.at : undefined;
}

function reuseRow(before: Row | undefined, row: Row): Row {
  if (before?.kind === 'day' && row.kind === 'day') return before.at === row.at ? before : row;
  if (before?.kind === 'new' && row.kind === 'new') return before;
  if (before?.kind === 'letter' && row.kind === 'letter') return before.letter === row.letter ? before : row;
  if (before?.kind !== 'message' || row.kind !== 'message') return row;
  const still =
    before.event === row.event &&
    before.startsGroup === row.startsGroup &&
    before.editedAt === row.editedAt &&
    isSameList(before.pendingChanges, row.pendingChanges);
  return still ? before : row;
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

function continuesGroup(before: ChatEvent, event: ChatEvent): boolean {
  return before.user.id === event.user.id && event.at - before.at < groupGapMs;
}

/** Asked for each pair of neighbours at each drawing: the day that was asked for last is remembered. */
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

/** One of a few colours for a person, always the same: their id decides. */
export function toneIndexOf(id: string, tones: number): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const char of id) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 8) % tones;
}

/** The reactions of a message, gathered by emoji in the order in which the first of each came. Pure. */

export interface ReactionGroup {
  readonly emoji: string;
  readonly users: readonly User[];
  /** I am among them */
  readonly mine: boolean;
}

export function groupReactions(
  reactions: readonly Reaction[],
  me: string | undefined,
): readonly ReactionGroup[] {
  const by = new Map<string, User[]>();
  for (const { data, user } of reactions) {
    const users = by.get(data);
    if (users) users.push(user);
    else by.set(data, [user]);
  }
  return [...by].map(([emoji, users]) => ({ emoji, users, mine: users.some(({ id }) => id === me) }));
}
