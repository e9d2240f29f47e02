/** What the proof reads of the server's frames and answers. It takes nothing for granted: the server is on trial. */
import { field, isObject, parseObject } from '../../parse.js';
import type { Told } from './witness.js';

export type Heard =
  | { readonly kind: 'hello'; readonly epoch: string; readonly last: number; readonly complete: boolean }
  | { readonly kind: 'told'; readonly told: Told; readonly cid: string | undefined }
  | { readonly kind: 'ack'; readonly cid: string; readonly id: number }
  | {
      readonly kind: 'error';
      readonly cid: string | undefined;
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: 'other' };

type Fields = Readonly<Record<string, unknown>>;

export function hear(frame: string): Heard {
  const fields = parseObject(frame) ?? {};
  switch (field(fields, 'type')) {
    case 'hello':
      return {
        kind: 'hello',
        epoch: text(fields, 'epoch'),
        last: whole(fields, 'last'),
        complete: field(fields, 'complete') === true,
      };
    case 'chat':
      return { kind: 'told', told: toldOf(fields), cid: textOrNone(fields, 'cid') };
    case 'ack':
      return { kind: 'ack', cid: text(fields, 'cid'), id: whole(fields, 'id') };
    case 'error':
      return { kind: 'error', cid: textOrNone(fields, 'cid'), ...problemOf(field(fields, 'data')) };
    default:
      return { kind: 'other' };
  }
}

export function toldOf(event: unknown): Told {
  const fields = isObject(event) ? event : {};
  const user = field(fields, 'user');
  return {
    id: whole(fields, 'id'),
    author: isObject(user) ? text(user, 'id') : '',
    data: text(fields, 'data'),
  };
}

function problemOf(problem: unknown): { readonly code: string; readonly message: string } {
  const fields = isObject(problem) ? problem : {};
  return { code: text(fields, 'code'), message: text(fields, 'message') };
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
