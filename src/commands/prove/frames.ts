/** What the proof reads of the server's frames and answers. It takes nothing for granted: the server is on trial. */
import { field, isObject, parseJsonObject } from '../../shared/parse.js';
import type { ChatEvent, Reaction, RoomEvent, User } from '../../shared/protocol.js';

export type Heard =
  | { readonly kind: 'hello'; readonly epoch: string; readonly last: number; readonly complete: boolean }
  | { readonly kind: 'told'; readonly event: RoomEvent }
  | { readonly kind: 'ack'; readonly cid: string; readonly id: number }
  | { readonly kind: 'error'; readonly cid: string | undefined; readonly problem: Trouble }
  | { readonly kind: 'other' };

/** A problem, of whatever code. */
export interface Trouble {
  readonly code: string;
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function hear(frame: string): Heard {
  const fields = parseJsonObject(frame) ?? {};
  switch (field(fields, 'type')) {
    case 'hello':
      return {
        kind: 'hello',
        epoch: text(fields, 'epoch'),
        last: whole(fields, 'last'),
        complete: field(fields, 'complete') === true,
      };
    case 'chat':
    case 'edit':
    case 'delete':
    case 'react':
    case 'unreact':
      return { kind: 'told', event: eventOf(fields) };
    case 'ack':
      return { kind: 'ack', cid: text(fields, 'cid'), id: whole(fields, 'id') };
    case 'error':
      return { kind: 'error', cid: textOrNone(fields, 'cid'), problem: troubleOf(field(fields, 'data')) };
    default:
      return { kind: 'other' };
  }
}

/** What is no change is taken for a message: a strange one is one that nobody sent. */
export function eventOf(value: unknown): RoomEvent {
  const fields = fieldsOf(value);
  const cid = textOrNone(fields, 'cid');
  const numbered = {
    ...{ id: whole(fields, 'id'), user: userOf(fields), at: whole(fields, 'at') },
    ...(cid === undefined ? {} : { cid }),
  };
  const [type, data] = [field(fields, 'type'), text(fields, 'data')];
  switch (type) {
    case 'edit':
    case 'react':
    case 'unreact':
      return { type, ...numbered, target: whole(fields, 'target'), data };
    case 'delete':
      return { type, ...numbered, target: whole(fields, 'target') };
    default:
      return { type: 'chat', ...numbered, data, ...becameOf(fields) };
  }
}

/** What became of a message. */
function becameOf(fields: Fields): Pick<ChatEvent, 'edited' | 'deleted' | 'reactions'> {
  const reactions = field(fields, 'reactions');
  return {
    ...(field(fields, 'edited') === undefined ? {} : { edited: whole(fields, 'edited') }),
    ...(field(fields, 'deleted') === undefined ? {} : { deleted: whole(fields, 'deleted') }),
    ...(Array.isArray(reactions) ? { reactions: reactions.map(reactionOf) } : {}),
  };
}

function reactionOf(value: unknown): Reaction {
  const fields = fieldsOf(value);
  return { id: whole(fields, 'id'), user: userOf(fields), data: text(fields, 'data') };
}

function userOf(fields: Fields): User {
  const user = fieldsOf(field(fields, 'user'));
  return { id: text(user, 'id'), name: text(user, 'name') };
}

export function troubleOf(problem: unknown): Trouble {
  const fields = fieldsOf(problem);
  return { code: text(fields, 'code'), message: text(fields, 'message') };
}

function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

/** NaN when it is no number: it equals nothing, so it is found out. */
function whole(fields: Fields, name: string): number {
  const value = field(fields, name);
  return typeof value === 'number' ? value : Number.NaN;
}

function text(fields: Fields, name: string): string {
  return textOrNone(fields, name) ?? '';
}

function textOrNone(fields: Fields, name: string): string | undefined {
  const value = field(fields, name);
  return typeof value === 'string' ? value : undefined;
}
