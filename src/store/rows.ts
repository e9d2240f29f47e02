/** Converts rows of `events` to events on the wire: a message in its current state, a change as it was sent. */
import { isObject } from '../shared/parse.js';
import type {
  ChangeEvent,
  ChatEvent,
  Reaction,
  Reply,
  RoomEvent,
  User,
  Writable,
} from '../shared/protocol.js';

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
  readonly reply: number | null;
  readonly text: string | null;
  readonly edited: number | null;
  readonly deleted: number | null;
  readonly mentions: string | null;
  readonly reacted: number | null;
  /** texts of messages of the room up to this number were dropped */
  readonly expiredThrough: number;
}

/** Selects `Row`s of events `e` with the current state of each message. */
export const selectEvents = `SELECT e.seq, e.room AS roomKey, r.name AS room, e.id, e.type, p.id AS userId, e.name,
    e.data, e.at, e.cid, e.target, e.reply, e.text, e.edited, e.deleted, e.mentions, e.reacted,
    r.expired AS expiredThrough
  FROM current_events e CROSS JOIN people p ON p.person = e.person CROSS JOIN rooms r ON r.room = e.room`;

/** Parts of a message that are not in its row. */
interface MessageExtras {
  readonly reactions?: readonly Reaction[] | undefined;
  readonly reply?: Reply | undefined;
}

export function toEvent(row: Row, extras: MessageExtras): RoomEvent {
  return row.type === 'chat' ? toChat(row, extras) : toChange(row, row.type);
}

/** Builds the event field by field: spreads would spend most of a page's time in garbage collection. */
export function toChat(row: Row, { reactions, reply }: MessageExtras): ChatEvent {
  const { id, at, cid, deleted, edited, mentions } = row;
  const expired = deleted === null && isExpired(row);
  const gone = deleted !== null || expired;
  const event: Writable<ChatEvent> = {
    id,
    type: 'chat',
    user: userOf(row),
    data: gone ? '' : (row.text ?? row.data ?? ''),
    at,
  };
  if (cid !== null) event.cid = cid;
  if (deleted !== null) event.deleted = deleted;
  if (expired) event.expired = true;
  if (gone) return event;
  if (reply) event.reply = reply;
  if (mentions !== null) event.mentions = parseMentions(mentions);
  if (edited !== null) event.edited = edited;
  if (reactions && reactions.length > 0) event.reactions = reactions;
  return event;
}

function toChange(row: Row, type: ChangeEvent['type']): ChangeEvent {
  const { id, at } = row;
  const made = { id, user: userOf(row), target: row.target ?? 0, at, ...cidOf(row) };
  if (type === 'delete') return { type, ...made };
  const data = row.data ?? '';
  const expired = data === '' && isExpired(row) ? { expired: true as const } : {};
  return type === 'edit' ? { type, ...made, data, ...mentionsOf(row), ...expired } : { type, ...made, data };
}

/** Whether retention has dropped the text of a message, or of the message of an edit. */
export function isExpired({ type, id, target, expiredThrough }: Row): boolean {
  return (type === 'edit' ? (target ?? id) : id) <= expiredThrough;
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

/** Parses what `mentionsColumn` wrote. A damaged row mentions nobody, because its room must stay readable. */
export function parseMentions(mentions: string): readonly User[] {
  try {
    const users: unknown = JSON.parse(mentions);
    return Array.isArray(users) ? users.filter(isUser) : [];
  } catch {
    return [];
  }
}

function isUser(value: unknown): value is User {
  return isObject(value) && typeof value['id'] === 'string' && typeof value['name'] === 'string';
}

export function mentionsColumn(mentions: readonly User[] | undefined): string | null {
  return mentions ? JSON.stringify(mentions.map(({ id, name }) => ({ id, name }))) : null;
}
