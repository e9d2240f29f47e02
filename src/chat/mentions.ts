/** Whom a text mentions: `@Name` of people that the storage knows, compared by skeleton. */
import { mentionsIn } from '../shared/mentions.js';
import { LIMITS, type User } from '../shared/protocol.js';
import { skeleton } from './names.js';
import type { PeopleStorage } from './types.js';
import { maskUnassigned } from './unicode.js';

/** Each person once, in the order of the text, at most 20; undefined when there is nobody. */
export function findMentions(
  text: string,
  people: Pick<PeopleStorage, 'ownerOf'>,
): readonly User[] | undefined {
  const found = new Map<string, User>();
  for (const { user } of mentionsIn(maskUnassigned(text), (name) => people.ownerOf(skeleton(name)))) {
    found.set(user.id, { id: user.id, name: user.name });
    if (found.size === LIMITS.mentionsPerMessage) break;
  }
  return found.size > 0 ? [...found.values()] : undefined;
}
