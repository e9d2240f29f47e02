/**
 * Numbered events out of JSON. One that we do not know, or cannot make sense of, keeps its number: a newer server must
 * not look to us like a log with holes.
 */
import { field, isObject } from '../../shared/parse.js';
import type { ChangeEvent, ChatEvent, Reaction, RoomEvent, User } from '../../shared/protocol.js';
import { type Fields, list, number, optional, text } from './fields.js';

/** A numbered event of a kind this page does not know. */
export interface OtherEvent {
  readonly id: number;
  readonly type: 'other';
}
export type LogEvent = RoomEvent | OtherEvent;

/** One numbered event, or undefined when it has no number. */
export function parseEvent(value: unknown): LogEvent | undefined {
  if (!isObject(value)) return undefined;
  const id = number(value, 'id');
  if (id === undefined || id < 1 || field(value, 'type') === 'ack') return undefined;
  return parseChat(value) ?? parseChange(value) ?? { id, type: 'other' };
}

/** A message as it is now. */
export function parseChat(fields: Fields): ChatEvent | undefined {
  const facts = parseFacts(fields);
  const data = text(fields, 'data');
  if (field(fields, 'type') !== 'chat' || !facts || data === undefined) return undefined;
  return {
    ...facts,
    type: 'chat',
    data,
    ...optional('mentions', list(fields, 'mentions', parseUser)),
    ...optional('edited', number(fields, 'edited')),
    ...optional('deleted', number(fields, 'deleted')),
    ...optional('reactions', list(fields, 'reactions', parseReaction)),
  };
}

function parseChange(fields: Fields): ChangeEvent | undefined {
  const facts = parseFacts(fields);
  const target = number(fields, 'target');
  const type = field(fields, 'type');
  if (!facts || target === undefined) return undefined;
  if (type === 'delete') return { ...facts, type, target };
  const data = text(fields, 'data');
  if (data === undefined) return undefined;
  if (type === 'edit')
    return { ...facts, type, target, data, ...optional('mentions', list(fields, 'mentions', parseUser)) };
  return type === 'react' || type === 'unreact' ? { ...facts, type, target, data } : undefined;
}

/** What every numbered event has. */
function parseFacts(fields: Fields) {
  const id = number(fields, 'id');
  const user = parseUser(field(fields, 'user'));
  const at = number(fields, 'at');
  if (id === undefined || id < 1 || !user || at === undefined) return undefined;
  return { id, user, at, ...optional('cid', text(fields, 'cid')) };
}

function parseReaction(value: unknown): Reaction | undefined {
  if (!isObject(value)) return undefined;
  const id = number(value, 'id');
  const user = parseUser(field(value, 'user'));
  const data = text(value, 'data');
  return id === undefined || !user || data === undefined ? undefined : { id, user, data };
}

export function parseUser(value: unknown): User | undefined {
  if (!isObject(value)) return undefined;
  const id = text(value, 'id');
  const name = text(value, 'name');
  return id === undefined || name === undefined ? undefined : { id, name };
}
