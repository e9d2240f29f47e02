/**
 * What the page shows of the log: messages, grouped by writer, a line where a day begins and one where the news
 * begins; what is asked for and not in the log yet is laid over it. What must stay true: a row that shows nothing new
 * is the very same object as before, so that it is not drawn again.
 */

import type { ChangeEvent, ChatEvent, User } from '../../shared/protocol.js';
import { applyChange } from '../../shared/reducer.js';
import type { LogEvent } from './events.js';
import type { Letter } from './letter.js';

export interface MessageRow {
  readonly kind: 'message';
  readonly key: string;
  /** as it is in the log, with what is asked for laid over it */
  readonly event: ChatEvent;
  /** opens a group: shows who speaks */
  readonly leads: boolean;
  /** when it was edited, as far as this page knows */
  readonly editedAt: number | undefined;
  /** changes of it that wait or were refused */
  readonly letters: readonly Letter[];
}
export interface LetterRow {
  readonly kind: 'letter';
  readonly key: string;
  readonly letter: Letter;
  readonly data: string;
}
export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | { readonly kind: 'new'; readonly key: string }
  | MessageRow
  | LetterRow;

export interface Shown {
  readonly events: readonly LogEvent[];
  readonly letters: readonly Letter[];
  /** after this number the news begins; undefined: nothing is new */
  readonly mark: number | undefined;
  readonly me: User | undefined;
  /** the window ends with the newest: what I say now comes right after it */
  readonly atEnd: boolean;
}

/** A pause after which the name is said again. */
const GROUP_MS = 5 * 60_000;
/** The number of a change that has none yet: after all others. */
const LATER = Number.MAX_SAFE_INTEGER;
const NONE: readonly Letter[] = [];

/** Keeps the rows of one room from one time to the next. */
export class Rows {
  #before: ReadonlyMap<string, Row> = new Map();
  #laid = new WeakMap<ChatEvent, { readonly letters: readonly Letter[]; readonly event: ChatEvent }>();

  make(shown: Shown): readonly Row[] {
    const rows = [...this.#messages(shown), ...(shown.atEnd ? spoken(shown.letters) : [])];
    const kept = rows.map((row) => same(this.#before.get(row.key), row));
    this.#before = new Map(kept.map((row) => [row.key, row]));
    return kept;
  }

  #messages({ events, letters, mark, me }: Shown): readonly Row[] {
    const pending = byTarget(letters);
    const fresh = mark === undefined ? undefined : newsAt(events, mark, me);
    const rows: Row[] = [];
    let before: ChatEvent | undefined;
    for (const event of events) {
      if (event.type !== 'chat') continue;
      if (!before || !sameDay(before.at, event.at)) {
        rows.push({ kind: 'day', key: `day-${event.id}`, at: event.at });
        before = undefined;
      }
      if (event.id === fresh) rows.push({ kind: 'new', key: 'new' });
      const leads = !before || event.id === fresh || !goesOn(before, event);
      const mine = pending.get(event.id) ?? NONE;
      rows.push({
        kind: 'message',
        key: `m-${event.id}`,
        event: this.#overlaid(event, mine, me),
        leads,
        editedAt: editedAt(event, events),
        letters: mine,
      });
      before = event;
    }
    return rows;
  }

  /** The same letters over the same message are the same message. */
  #overlaid(event: ChatEvent, letters: readonly Letter[], me: User | undefined): ChatEvent {
    if (letters.length === 0 || !me) return event;
    const before = this.#laid.get(event);
    if (before && sameList(before.letters, letters)) return before.event;
    const laid = letters.reduce((message, letter) => over(message, letter, me), event);
    this.#laid.set(event, { letters, event: laid });
    return laid;
  }
}

/** What is refused has not happened: it is only told of. */
function over(message: ChatEvent, { posting, at, problem }: Letter, me: User): ChatEvent {
  if (posting.type === 'chat' || problem) return message;
  const change: ChangeEvent = { ...posting, id: LATER, user: me, at };
  return applyChange(message, change);
}

function byTarget(letters: readonly Letter[]): ReadonlyMap<number, readonly Letter[]> {
  const targets = new Map<number, Letter[]>();
  for (const letter of letters) {
    if (letter.posting.type === 'chat') continue;
    const list = targets.get(letter.posting.target);
    if (list) list.push(letter);
    else targets.set(letter.posting.target, [letter]);
  }
  return targets;
}

function spoken(letters: readonly Letter[]): readonly LetterRow[] {
  return letters.flatMap((letter) =>
    letter.posting.type === 'chat'
      ? [{ kind: 'letter' as const, key: letter.cid, letter, data: letter.posting.data }]
      : [],
  );
}

/** The first message of somebody else after my mark; none when what came before the mark is not here. */
function newsAt(events: readonly LogEvent[], mark: number, me: User | undefined): number | undefined {
  if ((events[0]?.id ?? 0) > mark + 1) return undefined;
  if (newsAfter(mark, events, me).length === 0) return undefined;
  return events.find((event) => event.type === 'chat' && event.id > mark)?.id;
}

/** What others have said after a number, and stands. */
export function newsAfter(
  mark: number,
  events: readonly LogEvent[],
  me: User | undefined,
): readonly LogEvent[] {
  return events.filter(
    (event) => event.type === 'chat' && event.id > mark && event.user.id !== me?.id && !event.deleted,
  );
}

/** Numbers in the window have no hole: where the edit is follows from its number. */
function editedAt({ edited }: ChatEvent, events: readonly LogEvent[]): number | undefined {
  if (edited === undefined) return undefined;
  const edit = events[edited - (events[0]?.id ?? 0)];
  return edit?.type === 'edit' ? edit.at : undefined;
}

function same(before: Row | undefined, row: Row): Row {
  if (before?.kind === 'day' && row.kind === 'day') return before.at === row.at ? before : row;
  if (before?.kind === 'new' && row.kind === 'new') return before;
  if (before?.kind === 'letter' && row.kind === 'letter') return before.letter === row.letter ? before : row;
  if (before?.kind !== 'message' || row.kind !== 'message') return row;
  const still =
    before.event === row.event &&
    before.leads === row.leads &&
    before.editedAt === row.editedAt &&
    sameList(before.letters, row.letters);
  return still ? before : row;
}

function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

function goesOn(before: ChatEvent, event: ChatEvent): boolean {
  return before.user.id === event.user.id && event.at - before.at < GROUP_MS;
}

/** Asked for each pair of neighbours at each drawing: the day that was asked for last is remembered. */
function sameDay(a: number, b: number): boolean {
  if (a < dayFrom || a >= dayTo) {
    const date = new Date(a);
    dayFrom = date.setHours(0, 0, 0, 0);
    dayTo = date.setDate(date.getDate() + 1);
  }
  return b >= dayFrom && b < dayTo;
}
let dayFrom = 0;
let dayTo = 0;

/** One of a few colours for a person, always the same: their id decides. */
export function toneOf(id: string, tones: number): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const char of id) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 8) % tones;
}
