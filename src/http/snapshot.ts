/**
 * What a room's page is delivered with (protocol.ts, Snapshot), so that it has something to read before it has asked for
 * anything. What must stay true: all of it is as of one moment, so nothing waits between its parts; as it is written
 * into the HTML, no text in it can end the element it stands in; and long texts do not hold up the page.
 */
import {
  around,
  LIMITS,
  type MessagesPage,
  opensAt,
  type RoomEvent,
  type Snapshot,
  type User,
} from '../protocol.js';
import { type LogParts, pageOf } from './messages.js';
import { type ListedParts, roomsOf } from './rooms.js';

export interface SnapshotParts extends LogParts, ListedParts {}

export async function snapshotOf(user: User, room: string, parts: SnapshotParts): Promise<Snapshot> {
  await parts.hub.settled(user);
  const rooms = roomsOf(user, parts);
  const entry = rooms.find(({ room: name }) => name === room);
  const mark = entry && opensAt(entry);
  const page = pageOf(room, mark === undefined ? { limit: LIMITS.defaultPage } : around(mark), parts);
  return { user, room, page: light(page, mark ?? page.last), rooms };
}

/** With as many messages around a number as have room: as far down as up, while there are any. */
function light(page: MessagesPage, mark: number): MessagesPage {
  const { messages } = page;
  let room: number = LIMITS.snapshot;
  const fits = (event: RoomEvent | undefined): boolean => {
    if (event) room -= Buffer.byteLength(JSON.stringify(event));
    return event !== undefined && room >= 0;
  };
  const middle = messages.filter(({ id }) => id <= mark).length;
  let [from, to] = [middle, middle];
  for (let [up, down] = [true, true]; up || down; ) {
    down &&= fits(messages[to]);
    if (down) to++;
    up &&= fits(messages[from - 1]);
    if (up) from--;
  }
  return { ...page, messages: messages.slice(from, to) };
}

/** JSON for the inside of a script element, where only `<` could mean something to HTML. */
export function inHtml(snapshot: Snapshot): string {
  return JSON.stringify(snapshot).replaceAll('<', '\\u003c');
}
