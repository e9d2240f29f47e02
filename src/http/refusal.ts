/** A refusal of the rules as a fault of HTTP. */
import type { Problem } from '../protocol.js';
import { HttpFault } from './fault.js';

export function refusal({ code, message }: Problem): HttpFault {
  return new HttpFault(STATUS[code] ?? 400, code, message);
}

const STATUS: Readonly<Record<string, number>> = {
  no_message: 404,
  not_there: 404,
  not_yours: 403,
  deleted: 410,
  already_there: 409,
  too_many_reactions: 409,
  cid_conflict: 409,
  signed_out: 401,
  storage: 503,
  stopping: 503,
  internal: 500,
};
