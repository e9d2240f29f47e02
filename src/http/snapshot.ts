/**
 * What a room's page is delivered with (protocol.ts, Snapshot), so that it has something to read before it has asked for
 * anything. What must stay true: all of it is as of one moment, so nothing waits between its parts; and as it is written
 * into the HTML, no text in it can end the element it stands in.
 */
import { LIMITS, type RoomSummary, type Snapshot, type User } from '../protocol.js';
import { type LogParts, pageOf } from './messages.js';
import { type ListedParts, roomsOf } from './rooms.js';

export interface SnapshotParts extends LogParts, ListedParts {}

/** Events around a read mark, as many before it as after. */
const AROUND = 100;

export async function snapshotOf(user: User, room: string, parts: SnapshotParts): Promise<Snapshot> {
  await parts.hub.settled(user);
  const rooms = roomsOf(user, parts);
  const mark = markIn(rooms, room);
  const where =
    mark === undefined ? { limit: LIMITS.defaultPage } : { before: mark + AROUND / 2 + 1, limit: AROUND };
  return { user, room, page: pageOf(room, where, parts), rooms };
}

/** My read mark, when the room opens there and not at its end. */
function markIn(rooms: readonly RoomSummary[], name: string): number | undefined {
  const { read = 0, last = 0 } = rooms.find(({ room }) => room === name) ?? {};
  return read > 0 && last - read > LIMITS.unread ? read : undefined;
}

/** JSON for the inside of a script element, where only `<` could mean something to HTML. */
export function inHtml(snapshot: Snapshot): string {
  return JSON.stringify(snapshot).replaceAll('<', '\\u003c');
}
