/** Rows of the log, and the events that they are on the wire: a message as it is now, a change as it was made. */
import type { ChangeEvent, ChatEvent, Reaction, RoomEvent, User } from '../shared/protocol.js';

export interface Row {
  readonly seq: number;
  readonly roomKey: number;
  readonly room: string;
  readonly id: number;
  readonly type: RoomEvent['type'];
  readonly userId: string;
  readonly name: string;
  readonly data: string | null;
  readonly at: number;
  readonly cid: string | null;
  readonly target: number | null;
  readonly text: string | null;
  readonly edited: number | null;
  readonly deleted: number | null;
  readonly mentions: string | null;
  readonly reacted: number | null;
}

const EVENT_COLUMNS = `SELECT e.seq, e.room AS roomKey, r.name AS room, e.id, e.type, p.id AS userId, e.name, e.data, e.at, e.cid,
  s.target, s.text, s.edited, s.deleted, s.mentions, s.reacted`;
const EVENT_JOINS = `JOIN people p ON p.person = e.person JOIN rooms r ON r.room = e.room
  LEFT JOIN states s ON s.event = e.seq`;

/** Events `e`, by their seq; and those of a room by their number, `n`. */
export const SELECT_BY_SEQ = `${EVENT_COLUMNS} FROM events e ${EVENT_JOINS}`;
export const SELECT_BY_NUMBER = `${EVENT_COLUMNS} FROM numbers n CROSS JOIN events e ON e.seq = n.event ${EVENT_JOINS}`;

export function toEvent(row: Row, reactions: readonly Reaction[] = []): RoomEvent {
  return row.type === 'chat' ? toChat(row, reactions) : toChange(row, row.type);
}

/** Field by field: a page of fifty made with spreads is garbage enough that collecting it is what a page waits for. */
export function toChat(row: Row, reactions: readonly Reaction[]): ChatEvent {
  const { id, at, cid, deleted, edited, mentions } = row;
  const gone = deleted !== null;
  const event: Writable<ChatEvent> = {
    id,
    type: 'chat',
    user: userOf(row),
    data: gone ? '' : (row.text ?? row.data ?? ''),
    at,
  };
  if (cid !== null) event.cid = cid;
  if (gone) {
    event.deleted = deleted;
    return event;
  }
  if (mentions !== null) event.mentions = parseMentions(mentions);
  if (edited !== null) event.edited = edited;
  if (reactions.length > 0) event.reactions = reactions;
  return event;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function toChange(row: Row, type: ChangeEvent['type']): ChangeEvent {
  const { id, at } = row;
  const made = { id, user: userOf(row), target: row.target ?? 0, at, ...cidOf(row) };
  if (type === 'delete') return { type, ...made };
  const data = row.data ?? '';
  return type === 'edit' ? { type, ...made, data, ...mentionsOf(row) } : { type, ...made, data };
}

function userOf({ userId, name }: Row): User {
  return { id: userId, name };
}

function cidOf({ cid }: Row): { readonly cid?: string } {
  return cid === null ? {} : { cid };
}

function mentionsOf({ mentions }: Row): { readonly mentions?: readonly User[] } {
  return mentions === null ? {} : { mentions: parseMentions(mentions) };
}

/** We wrote the column ourselves (`mentionsColumn`). */
function parseMentions(mentions: string): readonly User[] {
  return JSON.parse(mentions) as readonly User[];
}

export function mentionsColumn(mentions: readonly User[]): string {
  return JSON.stringify(mentions.map(({ id, name }) => ({ id, name })));
}
