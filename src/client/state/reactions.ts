/** The reactions of a message, gathered by emoji in the order in which the first of each came. Pure. */
import type { Reaction, User } from '../../shared/protocol.js';

export interface Chip {
  readonly emoji: string;
  readonly users: readonly User[];
  /** I am among them */
  readonly mine: boolean;
}

export function chipsOf(reactions: readonly Reaction[], me: string | undefined): readonly Chip[] {
  const by = new Map<string, User[]>();
  for (const { data, user } of reactions) {
    const users = by.get(data);
    if (users) users.push(user);
    else by.set(data, [user]);
  }
  return [...by].map(([emoji, users]) => ({ emoji, users, mine: users.some(({ id }) => id === me) }));
}
