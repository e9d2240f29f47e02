/** Somebody types: told to the others in the room, never kept. In a large room nobody would look, so nobody is told. */
import { LIMITS } from '../protocol.js';
import type { Connection } from './connection.js';
import { textFrame } from './frame.js';
import type { Member } from './room.js';

/** Milliseconds between two of one connection. */
const EVERY = 1000;

/** `now` in milliseconds, from a clock that does not go back. */
export function tellTyping(connection: Connection, now: number): void {
  const { room, person } = connection;
  if (room.presence.count > LIMITS.list || now - (connection.typedAt ?? Number.NEGATIVE_INFINITY) < EVERY)
    return;
  connection.typedAt = now;
  const own = new Set<Member>(person.connections);
  const bytes = textFrame({ type: 'typing', user: person.user });
  for (const member of room.members) if (!own.has(member)) member.write(bytes);
}
