/** Parses the server's frames and HTTP answers. Never throws and assumes nothing, because the server is under test. */
import { field, isObject, parseJsonObject } from '../shared/parse.js';
import type { ChatEvent, Reaction, RoomEvent, User } from '../shared/protocol.js';

export type ServerFrame =
  | { readonly kind: 'hello'; readonly epoch: string; readonly last: number; readonly complete: boolean }
  | { readonly kind: 'event'; readonly event: RoomEvent }
  | { readonly kind: 'ack'; readonly cid: string; readonly id: number }
  | { readonly kind: 'error'; readonly cid: string | undefined; readonly error: ErrorBody }
  | { readonly kind: 'other' };

/** An error with any code, also one that the protocol does not have. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function parseFrame(json: string): ServerFrame {
  const fields = parseJsonObject(json) ?? {};
  switch (field(fields, 'type')) {
    case 'hello':
      return {
        kind: 'hello',
        epoch: text(fields, 'epoch'),
        last: number(fields, 'last'),
        complete: field(fields, 'complete') === true,
      };
    case 'chat':
    case 'edit':
    case 'delete':
    case 'react':
    case 'unreact':
      return { kind: 'event', event: parseEvent(fields) };
    case 'ack':
      return { kind: 'ack', cid: text(fields, 'cid'), id: number(fields, 'id') };
    case 'error':
      return { kind: 'error', cid: optionalText(fields, 'cid'), error: parseError(field(fields, 'data')) };
    default:
      return { kind: 'other' };
  }
}

/** Treats an unknown type as a message: the checker then finds that nobody sent it. */
export function parseEvent(value: unknown): RoomEvent {
  const fields = toFields(value);
  const cid = optionalText(fields, 'cid');
  const common = {
    ...{ id: number(fields, 'id'), user: parseUser(fields), at: number(fields, 'at') },
    ...(cid === undefined ? {} : { cid }),
  };
  const [type, data] = [field(fields, 'type'), text(fields, 'data')];
  switch (type) {
    case 'edit':
    case 'react':
    case 'unreact':
      return { type, ...common, target: number(fields, 'target'), data };
    case 'delete':
      return { type, ...common, target: number(fields, 'target') };
    default:
      return { type: 'chat', ...common, data, ...parseChanges(fields) };
  }
}

function parseChanges(fields: Fields): Pick<ChatEvent, 'edited' | 'deleted' | 'reactions'> {
  const reactions = field(fields, 'reactions');
  return {
    ...(field(fields, 'edited') === undefined ? {} : { edited: number(fields, 'edited') }),
    ...(field(fields, 'deleted') === undefined ? {} : { deleted: number(fields, 'deleted') }),
    ...(Array.isArray(reactions) ? { reactions: reactions.map(parseReaction) } : {}),
  };
}

function parseReaction(value: unknown): Reaction {
  const fields = toFields(value);
  return { id: number(fields, 'id'), user: parseUser(fields), data: text(fields, 'data') };
}

function parseUser(fields: Fields): User {
  const user = toFields(field(fields, 'user'));
  return { id: text(user, 'id'), name: text(user, 'name') };
}

export function parseError(value: unknown): ErrorBody {
  const fields = toFields(value);
  return { code: text(fields, 'code'), message: text(fields, 'message') };
}

function toFields(value: unknown): Fields {
  return isObject(value) ? value : {};
}

/** Returns NaN for a missing number: it equals nothing, so the checker finds it. */
function number(fields: Fields, name: string): number {
  const value = field(fields, name);
  return typeof value === 'number' ? value : Number.NaN;
}

function text(fields: Fields, name: string): string {
  return optionalText(fields, name) ?? '';
}

function optionalText(fields: Fields, name: string): string | undefined {
  const value = field(fields, name);
  return typeof value === 'string' ? value : undefined;
}
