/**
 * The rooms' numbered events in SQLite: append one, find one by its cid or number, read a page. Reads see what is
 * committed, and within a beat also what the beat has written so far.
 */
import type Database from 'better-sqlite3';
import type { EventStorage, Message, NewChange, NewMessage, Person, StoredCommand } from '../chat/types.js';
import type { ChangeEvent, ChatEvent, RoomEvent, SearchHit } from '../shared/protocol.js';
import { Changes, type MarkDirty, type ReactionStore } from './changes.js';
import { LIMIT, openReadOnly } from './database.js';
import type { RecentRooms } from './memberships.js';
import { Places } from './places.js';
import { type Row, SELECT_BY_NUMBER, SELECT_BY_SEQ, toChat, toEvent } from './rows.js';

type EventFields = [
  ...[room: number, id: number, type: string, person: number, name: string],
  ...[data: string | null, at: number, cid: string | null],
];

/** Reactions in one page: one that would hold more of them is shorter. */
const MAX_PAGE_REACTIONS = 5000;

export class EventStore implements EventStorage {
  readonly changes: Changes;
  readonly places: Places;
  readonly #recentRooms: RecentRooms | undefined;
  readonly #counters: RoomCounters;
  readonly #insert: Database.Statement<EventFields>;
  readonly #bySeq: Database.Statement<[number], Row>;
  readonly #last: Database.Statement<[string], number>;
  readonly #after: Database.Statement<[number, number, number, number], Row>;
  readonly #before: Database.Statement<[number, number, number], Row>;

  /** `activity` and `outdate` are told of what happens; nobody is, where the log is only read. */
  constructor(db: Database.Database, activity?: RecentRooms, outdate?: MarkDirty) {
    this.places = new Places(db);
    this.changes = new Changes(db, (room, id) => this.places.from(room, id), outdate);
    this.#recentRooms = activity;
    this.#counters = new RoomCounters(db);
    this.#insert = db.prepare(
      'INSERT INTO events (room, id, type, person, name, data, at, cid) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#bySeq = db.prepare(`${SELECT_BY_SEQ} WHERE e.seq = ?`);
    this.#last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
    this.#after = db.prepare(
      `${SELECT_BY_NUMBER} WHERE n.room = ? AND n.id > ? AND n.id < ? ORDER BY n.id ${LIMIT}`,
    );
    this.#before = db.prepare(
      `${SELECT_BY_NUMBER} WHERE n.room = ? AND n.id < ? ORDER BY n.id DESC ${LIMIT}`,
    );
  }

  append(room: string, person: Person, { user, data, at: saidAt, cid, mentions }: NewMessage): ChatEvent {
    const { room: key, last: id, at } = this.#nextNumber(room, saidAt);
    const seq = this.#insertEvent(key, id, 'chat', person.key, user.name, data, at, cid ?? null);
    const event: ChatEvent = { id, type: 'chat', user, data, at, ...(cid === undefined ? {} : { cid }) };
    if (mentions === undefined) return event;
    this.changes.setMentions(seq, mentions);
    return { ...event, mentions };
  }

  appendChange(message: Message, person: Person, made: NewChange): ChangeEvent {
    const { room: key, last: id, at } = this.#nextNumber(message.room, made.at);
    const { type, user, data, cid, mentions } = made;
    const said = type === 'delete' ? null : data;
    const seq = this.#insertEvent(key, id, type, person.key, user.name, said, at, cid ?? null);
    this.changes.apply(message, person, made, id, seq);
    const event = { id, user, target: message.id, at, ...(cid === undefined ? {} : { cid }) };
    if (type === 'delete') return { type, ...event };
    return type === 'edit'
      ? { type, ...event, data, ...(mentions && { mentions }) }
      : { type, ...event, data };
  }

  findByCid(person: Person, cid: string): StoredCommand | undefined {
    const seq = this.places.byCid(person.key, cid);
    const row = seq === undefined ? undefined : this.#bySeq.get(seq);
    if (!row) return undefined;
    const [event] = this.#events([row]);
    return event && { room: row.room, event, target: row.target ?? undefined, data: this.#originalData(row) };
  }

  message(room: string, id: number): Message | undefined {
    const row = this.#row(room, id);
    return row?.type === 'chat' ? toMessage(row) : undefined;
  }

  hasReaction(message: Message, person: Person, emoji: string): boolean {
    return this.changes.reactions.has(message, person, emoji);
  }

  /** The room's newest number; 0 while nothing was said in it. */
  last(room: string): number {
    return this.#last.get(room) ?? 0;
  }

  /**
   * At most `limit` events after number `id`, ascending; none more once their texts have reached `maxBytes`, and fewer
   * when they hold very many reactions.
   */
  after(room: string, id: number, limit: number, maxBytes = Number.POSITIVE_INFINITY): RoomEvent[] {
    const key = this.#counters.keyOf(room);
    if (key === undefined) return [];
    return this.#events(limitReactions(takeBytes(this.#rowsAfter(key, id, limit), maxBytes)));
  }

  /** At most `limit` events right before number `id`, ascending; fewer as above. */
  before(room: string, id: number, limit: number): RoomEvent[] {
    const key = this.#counters.keyOf(room);
    if (key === undefined) return [];
    const newest = this.places.newest(key);
    const first = newest[0]?.id ?? id;
    const end = Math.max(0, Math.min(id - first, newest.length));
    const late = newest.slice(Math.max(0, end - limit), end).reverse();
    const left = limit - late.length;
    const older = left > 0 ? this.#before.all(key, Math.min(id, first), left) : [];
    return this.#events(limitReactions([...this.#rows(late), ...older]).reverse());
  }

  /** A beat begins; `rollback` takes back what is known of it in memory. */
  begin(): void {
    this.places.begin();
  }

  rollback(): void {
    this.places.rollback();
    this.#counters.clearCache();
  }

  #nextNumber(room: string, at: number): RoomCounter {
    this.#recentRooms?.touch(room);
    return this.#counters.next(room, at);
  }

  /** @returns its place in the one order */
  #insertEvent(...fields: EventFields): number {
    const seq = Number(this.#insert.run(...fields).lastInsertRowid);
    const [room, id, , person, , , , cid] = fields;
    this.places.add({ seq, room, id, person, cid });
    return seq;
  }

  #row(room: string, id: number): Row | undefined {
    const key = this.#counters.keyOf(room);
    const seq = key === undefined ? undefined : this.places.from(key, id);
    const row = seq === undefined ? undefined : this.#bySeq.get(seq);
    return row?.id === id ? row : undefined;
  }

  *#rowsAfter(room: number, id: number, limit: number): Generator<Row> {
    const newest = this.places.newest(room);
    const first = newest[0]?.id ?? Number.MAX_SAFE_INTEGER;
    let [last, left] = [id, limit];
    if (id + 1 < first) {
      for (const row of this.#after.iterate(room, id, first, limit)) {
        yield row;
        last = row.id;
        left--;
      }
    }
    const from = last + 1 - first; // below 0: those in between come with the next page
    if (from < 0) return;
    for (const { seq } of newest.slice(from, from + left)) {
      const row = this.#bySeq.get(seq);
      if (row) yield row;
    }
  }

  #rows(places: readonly { readonly seq: number }[]): Row[] {
    return places.flatMap(({ seq }) => this.#bySeq.get(seq) ?? []);
  }

  /** Of one room, ascending. */
  #events(rows: readonly Row[]): RoomEvent[] {
    const [first, last] = [rows[0], rows.at(-1)];
    if (!first || !last || !rows.some(({ reacted }) => reacted)) return rows.map((row) => toEvent(row));
    const reactions = this.changes.reactions.between(first.roomKey, first.id, last.id);
    return rows.map((row) => toEvent(row, reactions.get(row.id)));
  }

  /** What was sent under a cid; nothing any more, when the message it belongs to was deleted. */
  #originalData({ type, room, data, deleted, target }: Row): string | undefined {
    const gone = type === 'chat' ? deleted !== null : type === 'edit' && this.#isDeleted(room, target ?? 0);
    return gone ? undefined : (data ?? '');
  }

  #isDeleted(room: string, id: number): boolean {
    return (this.#row(room, id)?.deleted ?? null) !== null;
  }
}

function toMessage(row: Row): Message {
  const { seq: key, roomKey, room, id, userId: author } = row;
  const [text, edited] = [row.text ?? row.data ?? '', row.edited ?? undefined];
  return {
    key,
    roomKey,
    room,
    id,
    author,
    text,
    edited,
    deleted: row.deleted !== null,
    reactions: row.reacted ?? 0,
  };
}

/** Reads rows until their texts have reached `maxBytes`, at least one. */
function takeBytes(rows: Iterable<Row>, maxBytes: number): Row[] {
  const taken: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    taken.push(row);
    bytes += Buffer.byteLength(row.text ?? row.data ?? '');
    if (bytes >= maxBytes) break;
  }
  return taken;
}

function limitReactions(rows: Row[]): Row[] {
  let reactions = 0;
  const end = rows.findIndex(({ reacted }, n) => {
    reactions += reacted ?? 0;
    return n > 0 && reactions > MAX_PAGE_REACTIONS;
  });
  return end < 0 ? rows : rows.slice(0, end);
}

/**
 * The next number of each room, and its time. Of the rooms that spoke lately both are known here, so a message costs one
 * update by key; the row is what counts, and what is known is forgotten with every rollback.
 */

export interface RoomCounter {
  /** the room's key */
  readonly room: number;
  readonly last: number;
  readonly at: number;
}

const MAX_CACHED_COUNTERS = 1000;

export class RoomCounters {
  readonly #cache = new Map<string, RoomCounter>();
  readonly #find: Database.Statement<[string], RoomCounter>;
  readonly #add: Database.Statement<[string, number]>;
  readonly #move: Database.Statement<[number, number, number]>;

  constructor(db: Database.Database) {
    this.#find = db.prepare('SELECT room, last, at FROM rooms WHERE name = ?');
    this.#add = db.prepare('INSERT INTO rooms (name, last, at) VALUES (?, 1, ?)');
    this.#move = db.prepare('UPDATE rooms SET last = ?, at = ? WHERE room = ?');
  }

  /** One more in the room; its time never goes back. */
  next(name: string, at: number): RoomCounter {
    const before = this.#cache.get(name) ?? this.#find.get(name);
    const numbered = before
      ? { room: before.room, last: before.last + 1, at: Math.max(before.at, at) }
      : { room: Number(this.#add.run(name, at).lastInsertRowid), last: 1, at };
    if (before) this.#move.run(numbered.last, numbered.at, numbered.room);
    if (this.#cache.size >= MAX_CACHED_COUNTERS && !this.#cache.has(name)) this.clearCache();
    this.#cache.set(name, numbered);
    return numbered;
  }

  /** The key of a room; undefined while nothing was said in it. */
  keyOf(name: string): number | undefined {
    return (this.#cache.get(name) ?? this.#find.get(name))?.room;
  }

  clearCache(): void {
    this.#cache.clear();
  }
}

/** Messages of any room by their place in the one order: what a list or a search has found, as they are now. */

export class MessageLoader {
  readonly #bySeq: Database.Statement<[number], Row>;
  readonly #reactions: ReactionStore;

  constructor(db: Database.Database, reactions: ReactionStore) {
    this.#bySeq = db.prepare(`${SELECT_BY_SEQ} WHERE e.seq = ?`);
    this.#reactions = reactions;
  }

  load(seqs: readonly number[]): SearchHit[] {
    return seqs.flatMap((seq) => {
      const row = this.#bySeq.get(seq);
      return row?.type === 'chat' && row.deleted === null ? [this.#message(row)] : [];
    });
  }

  #message(row: Row): SearchHit {
    const { roomKey, room, id, reacted } = row;
    const reactions = reacted ? (this.#reactions.between(roomKey, id, id).get(id) ?? []) : [];
    return { ...toChat(row, reactions), room };
  }
}

/** The log for a reader in another process: each page sees what is committed by then; events never change. */

export interface ReadOnlyLog {
  last(room: string): number;
  after(room: string, id: number, limit: number): readonly RoomEvent[];
  close(): void;
}

/** @throws OpenError */
export function openReadOnlyLog(file: string): ReadOnlyLog {
  const db = openReadOnly(file);
  const log = new EventStore(db);
  const after = db.transaction((room: string, id: number, limit: number) => {
    log.places.read(); // the server brings its tables further meanwhile: all of one moment
    return log.after(room, id, limit);
  });
  return {
    last: (room) => log.last(room),
    after,
    close: () => db.close(),
  };
}
