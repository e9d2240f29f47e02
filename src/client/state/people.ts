/**
 * Who is here, as far as the server says: up to a hundred by name, more only as a number. A pure reducer.
 */
import type { User } from '../../shared/protocol.js';
import type { Frame } from './frames.js';

export interface People {
  /** by name; at most those whom a `list` named and who came since */
  readonly users: readonly User[];
  readonly count: number;
}

export const NOBODY: People = { users: [], count: 0 };

export function people(before: People, frame: Frame): People {
  switch (frame.type) {
    case 'list':
      return { users: byName(frame.data), count: Math.max(frame.count, frame.data.length) };
    case 'join':
      return joined(before, frame.user);
    case 'left':
      return left(before, frame.user);
    case 'count':
      return { ...before, count: frame.data };
    default:
      return before;
  }
}

function joined({ users, count }: People, user: User): People {
  if (users.some(({ id }) => id === user.id)) return { users, count };
  return { users: byName([...users, user]), count: count + 1 };
}

function left({ users, count }: People, user: User): People {
  const rest = users.filter(({ id }) => id !== user.id);
  return { users: rest, count: Math.max(rest.length, count - 1) };
}

/** The same person under the same name. */
export function isSame(a: User | undefined, b: User): boolean {
  return a?.id === b.id && a.name === b.name;
}

/** Made when needed, for it takes its time. */
let collator: Intl.Collator | undefined;

function byName(users: readonly User[]): readonly User[] {
  if (users.length < 2) return users;
  collator ??= new Intl.Collator();
  const order = collator;
  return users.toSorted((a, b) => order.compare(a.name, b.name) || order.compare(a.id, b.id));
}
