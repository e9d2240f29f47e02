/** Where one may go by what was typed: the rooms that match, best first, then a new one of this name. Pure. */
import { parseRoom } from '../../shared/parse.js';
import { fuzzy, type Match } from './fuzzy.js';
import type { RoomEntry } from './rooms.js';

export interface Destination {
  readonly room: string;
  /** undefined: it would be made */
  readonly entry: RoomEntry | undefined;
  readonly hits: Match['hits'];
}

/** No more than these: who wants another one types on. */
const MOST = 50;

export function destinations(
  query: string,
  list: readonly RoomEntry[],
  here: string,
): readonly Destination[] {
  const typed = query.trim();
  const found = list
    .flatMap((entry) => {
      const match = fuzzy(typed, entry.room);
      return match ? [{ entry, match, weight: match.score + bonus(entry, here, typed === '') }] : [];
    })
    .sort((a, b) => b.weight - a.weight)
    .slice(0, MOST)
    .map(({ entry, match }) => ({ room: entry.room, entry, hits: match.hits }));
  const made = roomOf(typed);
  const isNew = made !== undefined && !list.some(({ room }) => room === made);
  return isNew ? [...found, { room: made, entry: undefined, hits: [] }] : found;
}

/** What calls me first, then what is unread, then mine; where I am already comes last. A sort is stable: the list's order stays. */
function bonus(entry: RoomEntry, here: string, all: boolean): number {
  if (all)
    return entry.room === here
      ? -10_000
      : (entry.mentioned ? 4_000 : 0) + (entry.joined && entry.unread > 0 ? 2_000 : 0) + entry.room.length;
  return entry.joined ? 20 : 0;
}

/** Words with spaces between become one name. */
export function roomOf(typed: string): string | undefined {
  return parseRoom(typed.replace(/^#/, '').trim().replace(/\s+/gu, '-'));
}
