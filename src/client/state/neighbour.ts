/** The room above or below another in the list, all around; with `unread`, of those only that have something unread. Pure. */
import type { RoomEntry } from './rooms.js';

export function neighbour(
  list: readonly RoomEntry[],
  here: string,
  step: 1 | -1,
  unread: boolean,
): string | undefined {
  const rooms = [...list.filter(({ joined }) => joined), ...list.filter(({ joined }) => !joined)];
  const start = rooms.findIndex(({ room }) => room === here);
  for (let n = 1; n <= rooms.length; n++) {
    const from = start < 0 && step < 0 ? 0 : start;
    const entry = rooms.at((from + n * step) % rooms.length);
    if (!entry || entry.room === here) continue;
    if (!unread || (entry.joined && entry.unread > 0)) return entry.room;
  }
  return undefined;
}
