/** Who I am, as the server said it last: for the time until it says it again. */
import { field, parseObject } from '../parse.js';
import type { User } from '../protocol.js';
import { shelf } from './shelf.js';

const KEY = 'oneport.me';

/** Undefined when it was somebody else, or nobody. */
export function recallMe(id: string): User | undefined {
  const kept = parseObject(shelf.get(KEY) ?? '') ?? {};
  const name = field(kept, 'name');
  return field(kept, 'id') === id && typeof name === 'string' ? { id, name } : undefined;
}

export function keepMe(me: User | undefined): void {
  shelf.set(KEY, me && JSON.stringify(me));
}
