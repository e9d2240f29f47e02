/**
 * The numbered events of the rooms in SQLite: append, find by cid or number, read pages. Within a transaction, reads
 * include what it has written.
 */
import type Database from 'better-sqlite3';
import type { EventStorage, Message, NewChange, NewMessage, Person, StoredCommand } from '../chat/types.js';
import {
  type ChangeEvent,
  type ChatEvent,
  LIMITS,
  type Reply,
  type RoomEvent,
  type SearchHit,
  type User,
  type Writable,
} from '../shared/protocol.js';
import { excerpt } from '../shared/text.js';
import { contentHash, eventHash, type HashedEvent, type Head, zeroHash } from './chain.js';
import { Changes, type ReactionStore } from './changes.js';
import { limitClause } from './database.js';
import type { RecentRooms } from './memberships.js';
import { isExpired, mentionsColumn, type Row, selectEvents, toChat, toEvent } from './rows.js';

/** A new row of `events`. */
type EventFields = [
  ...[room: number, id: number, messageCount: number, person: number, name: string, at: number],
  ...[cid: string | null, mentions: string | null, data: string | null, salt: string, hash: string],
];

/** Reactions in one page. A page with more of them ends earlier. */
const maxPageReactions = 5000;

export class EventStore implements EventStorage {
  readonly changes: Changes;
  readonly replies: Replies;
  readonly #recentRooms: RecentRooms | undefined;
  readonly #counters: RoomCounters;
  readonly #insertMessage: Database.Statement<[...EventFields, reply: number | null]>;
  readonly #insertChange: Database.Statement<
    [...EventFields, type: string, target: number, previous: number | null]
  >;
  readonly #byNumber: Database.Statement<[number, number], Row>;
  readonly #seqByCid: Database.Statement<[string, number], number>;
  readonly #bySeq: Database.Statement<[number], Row>;
  readonly #last: Database.Statement<[string], number>;
  readonly #head: Database.Statement<[string], Head>;
  readonly #after: Database.Statement<[number, number, number], Row>;
  readonly #before: Database.Statement<[number, number, number], Row>;

  readonly #unexpired: Database.Statement<[], string>;
  readonly #expirable: Database.Statement<[string, number, number], number | null>;
  readonly #expired: Database.Statement<[number], number>;
  readonly #messagesBetween: Database.Statement<[number, number, number], Row>;
  readonly #setExpired: Database.Statement<[number, number]>;
  readonly #addExpiration: Database.Statement<[number, number, number]>;

  /** `recentRooms` is told of every event. Readers of the log need none. */
  constructor(db: Database.Database, recentRooms?: RecentRooms) {
    this.changes = new Changes(db);
    this.replies = new Replies(db);
    this.#recentRooms = recentRooms;
    this.#counters = new RoomCounters(db);
    const columns = 'room, id, messages, person, name, at, cid, mentions, data, content, hash';
    const values = `?, ?, ?, ?, ?, ?, ?, ?, ?, unhex(? || '${'0'.repeat(32)}'), unhex(?)`;
    this.#insertMessage = db.prepare(`INSERT INTO events (${columns}, reply, type)
      VALUES (${values}, ?, 'chat')`);
    this.#insertChange = db.prepare(`INSERT INTO events (${columns}, type, target, previous)
      VALUES (${values}, ?, ?, ?)`);
    this.#byNumber = db.prepare(`${selectEvents} WHERE e.room = ? AND e.id = ?`);
    this.#seqByCid = db
      .prepare<[string, number], number>('SELECT seq FROM events WHERE cid = ? AND person = ?')
      .pluck();
    this.#bySeq = db.prepare(`${selectEvents} WHERE e.seq = ?`);
    this.#last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
    this.#head = db.prepare('SELECT last, lower(hex(hash)) AS hash FROM rooms WHERE name = ?');
    this.#after = db.prepare(`${selectEvents} WHERE e.room = ? AND e.id > ? ORDER BY e.id ${limitClause}`);
    this.#before = db.prepare(
      `${selectEvents} WHERE e.room = ? AND e.id < ? ORDER BY e.id DESC ${limitClause}`,
    );
    this.#unexpired = db.prepare<[], string>('SELECT name FROM rooms WHERE expired < last').pluck();
    this.#expirable = db
      .prepare<[string, number, number], number | null>(`SELECT max(id) FROM (
        SELECT e.id, e.at FROM rooms r CROSS JOIN events e ON e.room = r.room AND e.id > r.expired
        WHERE r.name = ? ORDER BY e.id ${limitClause}) WHERE at < ?`)
      .pluck();
    this.#expired = db.prepare<[number], number>('SELECT expired FROM rooms WHERE room = ?').pluck();
    this.#messagesBetween = db.prepare(
      `${selectEvents} WHERE e.room = ? AND e.id > ? AND e.id <= ? AND e.type = 'chat'`,
    );
    this.#setExpired = db.prepare('UPDATE rooms SET expired = ? WHERE room = ?');
    this.#addExpiration = db.prepare('INSERT INTO expirations (room, through, at) VALUES (?, ?, ?)');
  }

  append(room: string, person: Person, message: NewMessage): ChatEvent {
    const { data, cid, mentions, reply, salt } = message;
    const counter = this.#counters.next(room, message.at, 1);
    const { key, last: id, messageCount, at } = counter;
    this.#recentRooms?.touch(room, person.id, id);
    const content = contentHash(salt, data, reply ?? null);
    const hashed = { type: 'chat', target: null, cid: cid ?? null, content };
    extendChain(counter, room, person, hashed);
    const [called, { name }, { hash }] = [mentionsColumn(mentions), person, counter];
    // biome-ignore format: one line for the columns of each kind
    const { lastInsertRowid: seq } = this.#insertMessage.run(
      key, id, messageCount, person.key, name, at, hashed.cid, called, data, salt, hash, reply ?? null,
    );
    if (mentions !== undefined || reply !== undefined)
      this.changes.mentions.add(key, id, Number(seq), mentions);
    const event: Writable<ChatEvent> = { id, type: 'chat', user: toUser(person), data, at };
    if (cid !== undefined) event.cid = cid;
    const shown = reply === undefined ? undefined : this.replies.find(key, reply);
    if (shown) event.reply = shown;
    if (mentions) event.mentions = mentions;
    return event;
  }

  appendChange(message: Message, person: Person, made: NewChange): ChangeEvent {
    const counter = this.#counters.next(message.room, made.at, 0);
    const { key, last: id, messageCount, at } = counter;
    this.#recentRooms?.touch(message.room, person.id, id);
    const { type, cid, mentions, salt } = made;
    const data = type === 'delete' ? null : made.data;
    const content = contentHash(salt, data, null);
    extendChain(counter, message.room, person, { type, target: message.id, cid: cid ?? null, content });
    const previousEdit = type === 'edit' ? (message.edited ?? null) : null;
    this.#insertChange.run(
      ...([key, id, messageCount, person.key, person.name, at, cid ?? null] as const),
      ...([mentionsColumn(mentions), data, salt, counter.hash, type, message.id, previousEdit] as const),
    );
    this.changes.apply(message, person, made, id);
    const event = { id, user: toUser(person), target: message.id, at, ...(cid === undefined ? {} : { cid }) };
    if (type === 'delete') return { type, ...event };
    return type === 'edit'
      ? { type, ...event, data: made.data, ...(mentions && { mentions }) }
      : { type, ...event, data: made.data };
  }

  /** Does nothing for numbers that have expired before. */
  expire(room: string, through: number, at: number): void {
    const key = this.#counters.keyOf(room);
    if (key === undefined) return;
    const from = this.#expired.get(key) ?? 0;
    const to = Math.min(through, this.last(room));
    if (to <= from) return;
    for (const row of this.#messagesBetween.all(key, from, to)) this.changes.expire(toMessage(row));
    this.#setExpired.run(to, key);
    this.#addExpiration.run(key, to, at);
  }

  /** Rooms with messages that have not expired. */
  roomsWithTexts(): string[] {
    return this.#unexpired.all();
  }

  /** Returns the last of the next `limit` numbers to expire that are older than `before` (milliseconds since 1970). */
  expirableThrough(room: string, before: number, limit: number): number | undefined {
    return this.#expirable.get(room, limit, before) ?? undefined;
  }

  findByCid(person: Person, cid: string): StoredCommand | undefined {
    const seq = this.#seqByCid.get(cid, person.key); // reads the index only, because nearly every cid is new
    const row = seq === undefined ? undefined : this.#bySeq.get(seq);
    if (!row) return undefined;
    const [event] = this.#events([row]);
    if (!event) return undefined;
    const [target, reply] = [row.target ?? undefined, row.reply ?? undefined];
    return { room: row.room, event, target, reply, data: this.#originalData(row) };
  }

  message(room: string, id: number): Message | undefined {
    const row = this.#row(room, id);
    return row?.type === 'chat' ? toMessage(row) : undefined;
  }

  roomKey(room: string): number | undefined {
    return this.#counters.keyOf(room);
  }

  messageCount(room: string): number {
    return this.#counters.messageCount(room);
  }

  mentionedBy({ roomKey, id }: Message): readonly string[] {
    return this.changes.mentions.of(roomKey, id);
  }

  hasReaction(message: Message, person: Person, emoji: string): boolean {
    return this.changes.reactions.has(message, person, emoji);
  }

  /** Returns the newest number of the room, 0 for a room without events. */
  last(room: string): number {
    return this.#last.get(room) ?? 0;
  }

  /** The newest time of any event. */
  get newestTime(): number {
    return this.#counters.newestTime;
  }

  /** The end of the room's chain. */
  head(room: string): Head {
    return this.#head.get(room) ?? { last: 0, hash: zeroHash };
  }

  /**
   * Returns at most `limit` events after number `id`, ascending. Stops once their texts have reached `maxBytes`, or when
   * they have too many reactions.
   */
  after(room: string, id: number, limit: number, maxBytes = Number.POSITIVE_INFINITY): RoomEvent[] {
    const key = this.#counters.keyOf(room);
    if (key === undefined) return [];
    return this.#events(limitReactions(takeBytes(this.#after.iterate(key, id, limit), maxBytes)));
  }

  /** Returns at most `limit` events right before number `id`, ascending; fewer as above. */
  before(room: string, id: number, limit: number, maxBytes = Number.POSITIVE_INFINITY): RoomEvent[] {
    const key = this.#counters.keyOf(room);
    if (key === undefined) return [];
    const rows = limitReactions(takeBytes(this.#before.iterate(key, id, limit), maxBytes));
    return this.#events(rows.reverse());
  }

  /** Writes the changed rows of the rooms. Call it before the commit. */
  flush(): void {
    this.#counters.flush();
  }

  /** Call it after a rollback, because the cached rows may be wrong. */
  clearCache(): void {
    this.#counters.clearCache();
  }

  #row(room: string, id: number): Row | undefined {
    const key = this.#counters.keyOf(room);
    return key === undefined ? undefined : this.#byNumber.get(key, id);
  }

  /** `rows` are of one room, ascending. */
  #events(rows: readonly Row[]): RoomEvent[] {
    const [first, last] = [rows[0], rows.at(-1)];
    if (!first || !last) return [];
    const reactions = rows.some(({ reacted }) => reacted)
      ? this.changes.reactions.between(first.roomKey, first.id, last.id)
      : undefined;
    const replies = rows.some(({ reply }) => reply !== null) ? this.replies.of(rows) : undefined;
    return rows.map((row) =>
      toEvent(row, { reactions: reactions?.get(row.id), reply: replies?.get(row.reply ?? 0) }),
    );
  }

  /** Returns the text or emoji as it was sent; undefined when its message was deleted or has expired. */
  #originalData(row: Row): string | undefined {
    const { type, room, data, deleted, target } = row;
    if ((type === 'chat' || type === 'edit') && isExpired(row)) return undefined;
    const isGone = type === 'chat' ? deleted !== null : type === 'edit' && this.#isDeleted(room, target ?? 0);
    return isGone ? undefined : (data ?? '');
  }

  #isDeleted(room: string, id: number): boolean {
    return (this.#row(room, id)?.deleted ?? null) !== null;
  }
}

/** Makes the hash of the newest event of a room, and keeps it in the room's counter. */
function extendChain(
  counter: RoomCounter,
  room: string,
  { id: userId, name }: Person,
  { type, target, cid, content }: Pick<HashedEvent, 'type' | 'target' | 'cid' | 'content'>,
): void {
  const { last: id, at, hash } = counter;
  counter.hash = eventHash(hash, { room, id, type, target, userId, name, at, cid, content });
}

function toUser({ id, name }: Person): User {
  return { id, name };
}

/** Reads what a reply shows of the message that it replies to. */
export class Replies {
  readonly #find: Database.Statement<[number, number], ReplyRow>;

  constructor(db: Database.Database) {
    // longer than the excerpt, because a grapheme may go on beyond its end
    this.#find = db.prepare(`SELECT p.id AS userId, e.name, e.deleted,
        substr(coalesce(e.text, e.data), 1, ${4 * LIMITS.replyCodePoints}) AS data
      FROM current_events e CROSS JOIN people p ON p.person = e.person
      WHERE e.room = ? AND e.id = ? AND e.type = 'chat'`);
  }

  find(room: number, id: number): Reply | undefined {
    const row = this.#find.get(room, id);
    if (!row) return undefined;
    const { userId, name, deleted, data } = row;
    const beginning = deleted === null ? excerpt(data ?? '', LIMITS.replyCodePoints) : '';
    return { id, user: { id: userId, name }, data: beginning };
  }

  /** Returns the replied messages of `rows`, which are of one room, by number. */
  of(rows: readonly Pick<Row, 'roomKey' | 'reply'>[]): ReadonlyMap<number, Reply> {
    const found = new Map<number, Reply>();
    for (const { roomKey, reply: id } of rows) {
      if (id === null || found.has(id)) continue;
      const reply = this.find(roomKey, id);
      if (reply) found.set(id, reply);
    }
    return found;
  }
}

interface ReplyRow {
  readonly userId: string;
  readonly name: string;
  readonly deleted: number | null;
  readonly data: string | null;
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
    expired: isExpired(row),
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
    return n > 0 && reactions > maxPageReactions;
  });
  return end < 0 ? rows : rows.slice(0, end);
}

/** A row of `rooms`. */
interface RoomCounter {
  /** Key of the room. */
  readonly key: number;
  readonly last: number;
  readonly at: number;
  readonly messageCount: number;
  /** hash of the newest event */
  hash: string;
}

type CachedCounter = Writable<RoomCounter> & { changed?: boolean };

const maxCachedCounters = 1000;

/**
 * The newest number, time and count of messages of each room. They change in memory with each event; `flush` writes each
 * changed row once per batch. Invariant: after a rollback the cache is empty, because it may be wrong.
 */
export class RoomCounters {
  readonly #cache = new Map<string, CachedCounter>();
  /** The counters that differ from their rows. */
  #changed: CachedCounter[] = [];
  readonly #find: Database.Statement<[string], RoomCounter>;
  readonly #add: Database.Statement<[string, number]>;
  readonly #update: Database.Statement<[number, number, number, string, number]>;
  readonly #newest: Database.Statement<[], number>;
  #newestTime: number | undefined;

  constructor(db: Database.Database) {
    this.#find = db.prepare(
      'SELECT room AS key, last, at, messages AS messageCount, lower(hex(hash)) AS hash FROM rooms WHERE name = ?',
    );
    this.#newest = db.prepare<[], number>('SELECT coalesce(max(at), 0) FROM rooms').pluck();
    this.#add = db.prepare('INSERT INTO rooms (name, last, at) VALUES (?, 0, ?)');
    this.#update = db.prepare(
      'UPDATE rooms SET last = ?, at = ?, messages = ?, hash = unhex(?) WHERE room = ?',
    );
  }

  /** The newest time of any room. */
  get newestTime(): number {
    this.#newestTime ??= this.#newest.get() ?? 0;
    return this.#newestTime;
  }

  /** Counts one more event in the room, and `messages` (0 or 1) more messages. The time of a room never decreases. */
  next(name: string, at: number, messages: number): RoomCounter {
    const counter = this.#cache.get(name) ?? this.#load(name, at);
    counter.last++;
    counter.messageCount += messages;
    if (at > counter.at) counter.at = at;
    if (at > this.newestTime) this.#newestTime = at;
    if (!counter.changed) {
      counter.changed = true;
      this.#changed.push(counter);
    }
    return counter;
  }

  /** Writes the changed rows. Call it before the commit. */
  flush(): void {
    for (const counter of this.#changed) {
      counter.changed = false;
      this.#update.run(counter.last, counter.at, counter.messageCount, counter.hash, counter.key);
    }
    this.#changed = [];
  }

  #load(name: string, at: number): CachedCounter {
    if (this.#cache.size >= maxCachedCounters) {
      this.flush();
      this.#cache.clear();
    }
    const counter = this.#find.get(name) ?? this.#create(name, at);
    this.#cache.set(name, counter);
    return counter;
  }

  #create(name: string, at: number): CachedCounter {
    const key = Number(this.#add.run(name, at).lastInsertRowid);
    return { key, last: 0, at, messageCount: 0, hash: zeroHash };
  }

  /** Returns the key of a room; undefined for a room without events. */
  keyOf(name: string): number | undefined {
    return (this.#cache.get(name) ?? this.#find.get(name))?.key;
  }

  messageCount(name: string): number {
    return (this.#cache.get(name) ?? this.#find.get(name))?.messageCount ?? 0;
  }

  clearCache(): void {
    this.#cache.clear();
    this.#changed = [];
    this.#newestTime = undefined;
  }
}

/** Bytes of most messages with their reactions: a page is closed when another one might not fit. */
const maxHitBytes = 64 * 1024;

/** Loads messages of any rooms in their current state by seq, for lists and searches. */
export class MessageLoader {
  readonly #bySeq: Database.Statement<[number], Row>;
  readonly #seqOf: Database.Statement<[number, number], number>;
  readonly #reactions: ReactionStore;
  readonly #replies: Replies;

  constructor(db: Database.Database, { changes, replies }: Pick<EventStore, 'changes' | 'replies'>) {
    this.#bySeq = db.prepare(`${selectEvents} WHERE e.seq = ?`);
    this.#seqOf = db
      .prepare<[number, number], number>('SELECT seq FROM events WHERE room = ? AND id = ?')
      .pluck();
    this.#reactions = changes.reactions;
    this.#replies = replies;
  }

  /**
   * Loads messages until their JSON fills a page. `stoppedAt` is then the position of the last loaded one. Leaves out messages
   * that were deleted, or edited after the event `position`. `seqs` are newest first.
   */
  loadPage(
    seqs: readonly number[],
    position = Number.MAX_SAFE_INTEGER,
  ): { messages: SearchHit[]; stoppedAt?: number } {
    const messages: SearchHit[] = [];
    let bytes = 0;
    for (const [n, seq] of seqs.entries()) {
      const hit = this.#load(seq, position);
      if (!hit) continue;
      messages.push(hit);
      bytes += Buffer.byteLength(JSON.stringify(hit));
      if (bytes >= LIMITS.pageBytes - maxHitBytes && n < seqs.length - 1) return { messages, stoppedAt: seq };
    }
    return { messages };
  }

  #load(seq: number, position: number): SearchHit | undefined {
    const row = this.#bySeq.get(seq);
    if (row?.type !== 'chat' || row.deleted !== null || isExpired(row)) return undefined;
    const { roomKey, room, id, edited, reacted } = row;
    if (edited !== null && (this.#seqOf.get(roomKey, edited) ?? 0) > position) return undefined;
    const reactions = reacted ? this.#reactions.between(roomKey, id, id).get(id) : undefined;
    const reply = row.reply === null ? undefined : this.#replies.find(roomKey, row.reply);
    return { ...toChat(row, { reactions, reply }), room };
  }
}
