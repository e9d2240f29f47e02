/** The members of rooms, their read marks and their unread counts. */
import type Database from 'better-sqlite3';
import type { MembershipStorage, Person, ReadMark, UnreadCounts } from '../chat/types.js';
import type { User } from '../shared/protocol.js';
import { limitClause } from './database.js';

/** A room with its unread counts for one person. `read` is 0 when they never read it. */
export interface UnreadRoom extends UnreadCounts {
  readonly room: string;
  readonly last: number;
  readonly read: number;
}

interface RoomRow {
  readonly room: string;
  readonly last: number;
  readonly messageCount: number;
  /** null: not a member */
  readonly read: number | null;
  readonly unread: number | null;
  readonly mentions: number;
}

interface Position {
  readonly roomKey: number;
  readonly last: number;
  /** null: not a member */
  readonly read: number | null;
  readonly own: number;
  readonly ownLast: number;
}

/**
 * Maximum number of rooms of one person in which they never posted. Above it, the least recently active one is deleted with
 * its read mark. Rooms with own posts are kept, because `own` could not be counted again.
 */
const maxSilentRooms = 1000;

/**
 * Columns of a `RoomRow`, for a person `p`, a room `r` and a membership `m` if there is one. The cost grows with unread
 * mentions and deletions, not with unread messages.
 */
const unreadColumns = `r.name AS room, r.last, r.messages AS messageCount, m.read,
  r.messages - coalesce((SELECT messages FROM events WHERE room = r.room AND id = m.read), 0) - m.own
    - (SELECT count(*) FROM deletions d WHERE d.room = r.room AND d.id > m.read AND d.person <> p.person) AS unread,
  (SELECT count(*) FROM mentions n JOIN events e ON e.seq = n.seq WHERE n.person = p.person AND n.room = r.room
    AND n.id > coalesce(m.read, 0) AND e.person <> p.person) AS mentions`;

/** What memberships need of the events' room counters. */
interface RoomAccess {
  /** Returns the key of a room from memory, because every message asks for it. */
  roomKey(room: string): number | undefined;
  /** Writes the changed rows of the rooms within a transaction. */
  flush(): void;
}

export class MembershipStore implements MembershipStorage {
  readonly #rooms: RoomAccess;
  readonly #enter: Database.Statement<[number, string]>;
  readonly #addPost: Database.Statement<[number, number, number]>;
  readonly #enterWithPost: Database.Statement<[number, number, number]>;
  readonly #count: Database.Statement<[number], number>;
  readonly #deleteOldest: Database.Statement<[number, number, number]>;
  readonly #position: Database.Statement<[number, string], Position>;
  readonly #countOwn: Database.Statement<[number, number, number, number], number>;
  readonly #setMark: Database.Statement<[number, number, number, number]>;
  readonly #leaveAll: Database.Statement<[number]>;
  readonly #roomNames: Database.Statement<[number, number], string>;
  readonly #list: Database.Statement<[string, number], RoomRow>;
  readonly #one: Database.Statement<[string, string], RoomRow>;
  readonly #nextMention: Database.Statement<[string, number], number>;
  readonly #notMember: Database.Statement<[string, number], RoomRow>;

  constructor(db: Database.Database, rooms: RoomAccess) {
    this.#rooms = rooms;
    this.#enter = db.prepare(
      'INSERT OR IGNORE INTO members (person, room) SELECT ?, room FROM rooms WHERE name = ?',
    );
    this.#addPost = db.prepare(
      'UPDATE members SET own = own + 1, own_last = ? WHERE person = ? AND room = ?',
    );
    this.#enterWithPost = db.prepare('INSERT INTO members (own_last, person, room, own) VALUES (?, ?, ?, 1)');
    this.#count = db
      .prepare<[number], number>('SELECT count(*) FROM members WHERE person = ? AND own_last = 0')
      .pluck();
    this.#deleteOldest = db.prepare(`DELETE FROM members WHERE person = ? AND room IN (
      SELECT room FROM members JOIN rooms USING (room) WHERE person = ? AND own_last = 0 ORDER BY at, room ${limitClause})`);
    this.#position = db.prepare(`SELECT r.room AS roomKey, r.last, m.read, coalesce(m.own, 0) AS own,
        coalesce(m.own_last, 0) AS ownLast
      FROM rooms r LEFT JOIN members m ON m.person = ? AND m.room = r.room WHERE r.name = ?`);
    this.#countOwn = db
      .prepare<[number, number, number, number], number>(
        "SELECT count(*) FROM events WHERE room = ? AND id > ? AND id <= ? AND person = ? AND type = 'chat'",
      )
      .pluck();
    this.#setMark = db.prepare(`INSERT INTO members (person, room, read, own) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET read = excluded.read, own = excluded.own`);
    this.#leaveAll = db.prepare('DELETE FROM members WHERE person = ?');
    this.#roomNames = db
      .prepare<[number, number], string>(
        `SELECT r.name FROM members m JOIN rooms r USING (room) WHERE m.person = ? ORDER BY r.at DESC ${limitClause}`,
      )
      .pluck();
    this.#list = db.prepare(`SELECT ${unreadColumns} FROM people p CROSS JOIN members m USING (person)
      CROSS JOIN rooms r USING (room) WHERE p.id = ? ORDER BY r.at DESC, r.room DESC ${limitClause}`);
    this.#one = db.prepare(`SELECT ${unreadColumns} FROM rooms r CROSS JOIN people p
      LEFT JOIN members m ON m.person = p.person AND m.room = r.room WHERE r.name = ? AND p.id = ?`);
    this.#nextMention = db
      .prepare<[string, number], number>(
        `SELECT room FROM mentions WHERE person = (SELECT person FROM people WHERE id = ?) AND room > ?
          ORDER BY room LIMIT 1`,
      )
      .pluck();
    this.#notMember = db.prepare(`SELECT ${unreadColumns} FROM people p CROSS JOIN rooms r
      LEFT JOIN members m ON m.person = p.person AND m.room = r.room
      WHERE p.id = ? AND r.room = ? AND m.read IS NULL`);
  }

  enter(room: string, person: Person): void {
    if (this.#enter.run(person.key, room).changes > 0) this.#enforceLimit(person);
  }

  addPost(room: string, person: Person, id: number): void {
    const key = this.#rooms.roomKey(room) ?? 0;
    if (this.#addPost.run(id, person.key, key).changes === 0) this.#enterWithPost.run(id, person.key, key);
  }

  advanceReadMark(room: string, person: Person, id: number): ReadMark {
    this.#rooms.flush();
    const position = this.#position.get(person.key, room);
    if (!position) return { last: 0, read: 0, advanced: false, unread: 0, mentions: 0 };
    const before = position.read ?? 0;
    const read = Math.max(before, Math.min(id, position.last));
    if (position.read === null || read > before)
      this.#setMark.run(person.key, position.roomKey, read, this.#ownAbove(read, person, position));
    if (position.read === null) this.#enforceLimit(person);
    const { last, unread, mentions } = this.unread(person, room) ?? { ...position, unread: 0, mentions: 0 };
    return { last, read, advanced: read > before, unread, mentions };
  }

  /**
   * Counts own messages above a new mark, in the shorter of the two ranges below and above it. This bounds the total cost of
   * all marks of a person to one scan of the room.
   */
  #ownAbove(mark: number, person: Person, { roomKey, read, own, ownLast }: Position): number {
    if (own === 0 || mark >= ownLast) return 0;
    const before = read ?? 0;
    return mark - before <= ownLast - mark
      ? own - (this.#countOwn.get(roomKey, before, mark, person.key) ?? 0)
      : (this.#countOwn.get(roomKey, mark, ownLast, person.key) ?? 0);
  }

  leaveAll(person: Person): void {
    this.#leaveAll.run(person.key);
  }

  rooms(person: Person, limit: number): readonly string[] {
    this.#rooms.flush(); // the order is by the time of the newest event
    return this.#roomNames.all(person.key, limit);
  }

  /** Returns the unread counts of a person in a room. For non-members only mentions count as unread. */
  unread(
    { id }: Pick<User, 'id'>,
    room: string,
  ): (UnreadRoom & { readonly messageCount: number }) | undefined {
    const row = this.#one.get(room, id);
    return row && { ...toUnreadRoom(row), messageCount: row.messageCount };
  }

  /** The rooms of a member, the most recently active first. */
  list(user: User, limit: number): UnreadRoom[] {
    return this.#list.all(user.id, limit).map(toUnreadRoom);
  }

  /** Returns at most `limit` rooms that mention a user who is no member. */
  listMentioned({ id }: User, limit: number): UnreadRoom[] {
    const found: UnreadRoom[] = [];
    for (
      let room = this.#nextMention.get(id, 0);
      room !== undefined;
      room = this.#nextMention.get(id, room)
    ) {
      const row = this.#notMember.get(id, room);
      if (row && row.mentions > 0 && found.push(toUnreadRoom(row)) === limit) break;
    }
    return found;
  }

  #enforceLimit(person: Person): void {
    const over = (this.#count.get(person.key) ?? 0) - maxSilentRooms;
    if (over <= 0) return;
    this.#rooms.flush();
    this.#deleteOldest.run(person.key, person.key, over);
  }
}

function toUnreadRoom({ room, last, read, unread, mentions }: RoomRow): UnreadRoom {
  return { room, last, read: read ?? 0, unread: unread ?? mentions, mentions };
}

interface RecentRoom {
  readonly room: string;
  readonly last: number;
}

/** Rooms in each of the two lists. A list may grow to twice as many before the oldest half is dropped. */
const maxRecentRooms = 1000;
/** A room with more events, or with a second author, is in use. */
const maxEventsOfNewRoom = 20;

/**
 * The most recently active rooms. They are kept in memory, because an index on the time would be written with every message.
 * Rooms in use come first, so that somebody who makes rooms without end cannot push them out of the list.
 * A transaction that was rolled back may leave a room here. Then only its place in the list is wrong.
 */
export class RecentRooms {
  readonly #last: Database.Statement<[string], number>;
  /** The least recently active first. */
  #inUse = new Set<string>();
  /** The other rooms with their first author, the least recently active first. */
  #new = new Map<string, string>();

  constructor(db: Database.Database) {
    this.#last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
    const newest = db.prepare<
      [number, number, number],
      { key: number; name: string; last: number; at: number }
    >(
      `SELECT room AS key, name, last, at FROM rooms WHERE last BETWEEN ? AND ? ORDER BY at DESC, room DESC ${limitClause}`,
    );
    const authors = db
      .prepare<[number], string>(
        'SELECT p.id FROM events e JOIN people p USING (person) WHERE e.room = ? ORDER BY e.id',
      )
      .pluck();
    const rooms = [
      ...newest.all(maxEventsOfNewRoom + 1, Number.MAX_SAFE_INTEGER, maxRecentRooms),
      ...newest.all(1, maxEventsOfNewRoom, maxRecentRooms),
    ].sort((a, b) => a.at - b.at || a.key - b.key);
    for (const { key, name, last } of rooms)
      for (const author of last > maxEventsOfNewRoom ? [''] : authors.all(key))
        this.touch(name, author, last);
  }

  /** Call it for each event. `person`: id of its author. */
  touch(room: string, person: string, id: number): void {
    const author = this.#new.get(room) ?? person;
    this.#new.delete(room);
    if (this.#inUse.delete(room) || author !== person || id > maxEventsOfNewRoom) this.#inUse.add(room);
    else this.#new.set(room, author);
    if (this.#inUse.size > 2 * maxRecentRooms) this.#inUse = new Set([...this.#inUse].slice(maxRecentRooms));
    if (this.#new.size > 2 * maxRecentRooms) this.#new = new Map([...this.#new].slice(maxRecentRooms));
  }

  /** Returns at most `limit` rooms that are not in `excluded`: rooms in use, then others, the most recently active first. */
  list(limit: number, excluded: ReadonlySet<string>): RecentRoom[] {
    const found: RecentRoom[] = [];
    for (const room of [...this.#new.keys(), ...this.#inUse].reverse()) {
      if (found.length === limit) break;
      const last = excluded.has(room) ? undefined : this.#last.get(room);
      if (last !== undefined) found.push({ room, last });
    }
    return found;
  }
}
