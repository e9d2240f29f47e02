/** Who I am, as the server said it last: for the time until it says it again. */
import { field, parseJsonObject } from '../shared/parse.js';
import type { User } from '../shared/protocol.js';
import { shelf } from './shelf.js';

const KEY = 'oneport.me';

/** Undefined when it was somebody else, or nobody. */
export function recallMe(id: string): User | undefined {
  const kept = parseJsonObject(shelf.get(KEY) ?? '') ?? {};
  const name = field(kept, 'name');
  return field(kept, 'id') === id && typeof name === 'string' ? { id, name } : undefined;
}

export function keepMe(me: User | undefined): void {
  shelf.set(KEY, me && JSON.stringify(me));
}
