/**
 * The rooms' numbered events in SQLite: append one, find one by its cid or number, read a page. The newest messages are
 * in the tail, all others in `events`. Reads see what is committed, and within a beat also what the beat has written so far.
 */
import type Database from 'better-sqlite3';
import type { EventBook, Kept, Made, Message, Person, Said } from '../chat/book.js';
import type { ChangeEvent, ChatEvent, RoomEvent } from '../protocol.js';
import type { Activity } from './activity.js';
import { Changes, type Outdate } from './changes.js';
import { type Numbered, Numbers } from './numbers.js';
import { ROWS, type Row, toEvent } from './rows.js';
import { type Entry, Tail } from './tail.js';

type Fields = [
  ...[room: number, id: number, type: string, person: number, name: string],
  ...[data: string | null, at: number, cid: string | null],
];

/** Reactions in one page: one that would hold more of them is shorter. */
const PAGE_REACTIONS = 5000;

export class Log implements EventBook {
  readonly changes: Changes;
  readonly tail: Tail;
  readonly #activity: Activity | undefined;
  readonly #numbers: Numbers;
  readonly #insert: Database.Statement<[seq: number, ...Fields]>;
  readonly #byCid: Database.Statement<[number, string], Row>;
  readonly #byNumber: Database.Statement<[string, number], Row>;
  readonly #last: Database.Statement<[string], number>;
  readonly #after: Database.Statement<[string, number, number], Row>;
  readonly #before: Database.Statement<[string, number, number], Row>;

  /** `activity` and `outdate` are told of what happens; nobody is, where the log is only read. */
  constructor(db: Database.Database, activity?: Activity, outdate?: Outdate) {
    this.changes = new Changes(db, outdate);
    this.tail = new Tail(db);
    this.#activity = activity;
    this.#numbers = new Numbers(db);
    this.#insert = db.prepare(
      'INSERT INTO events (seq, room, id, type, person, name, data, at, cid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#byCid = db.prepare(`${ROWS} WHERE e.person = ? AND e.cid = ?`);
    this.#last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
    const inRoom = `${ROWS} WHERE e.room = (SELECT room FROM rooms WHERE name = ?)`;
    this.#byNumber = db.prepare(`${inRoom} AND e.id = ?`);
    this.#after = db.prepare(`${inRoom} AND e.id > ? ORDER BY e.id LIMIT ?`);
    this.#before = db.prepare(`${inRoom} AND e.id < ? ORDER BY e.id DESC LIMIT ?`);
  }

  append(room: string, person: Person, { user, data, at: saidAt, cid, mentions }: Said): ChatEvent {
    const { room: key, last: id, at } = this.#next(room, saidAt);
    const event: ChatEvent = { id, type: 'chat', user, data, at, ...(cid === undefined ? {} : { cid }) };
    if (mentions === undefined) {
      this.tail.add(key, room, person.key, event);
      return event;
    }
    this.changes.call(this.#keep(key, id, 'chat', person.key, user.name, data, at, cid ?? null), mentions);
    return { ...event, mentions };
  }

  change(message: Message, person: Person, made: Made): ChangeEvent {
    const { room: key, last: id, at } = this.#next(message.room, made.at);
    const { type, user, data, cid, mentions } = made;
    const said = type === 'delete' ? null : data;
    const seq = this.#keep(key, id, type, person.key, user.name, said, at, cid ?? null);
    this.changes.apply(message, person, made, id, seq);
    const event = { id, user, target: message.id, at, ...(cid === undefined ? {} : { cid }) };
    if (type === 'delete') return { type, ...event };
    return type === 'edit'
      ? { type, ...event, data, ...(mentions && { mentions }) }
      : { type, ...event, data };
  }

  kept(person: Person, cid: string): Kept | undefined {
    const late = this.tail.byCid(person.key, cid);
    if (late) return { room: late.room, event: late.event, target: undefined, data: late.event.data };
    const row = this.#byCid.get(person.key, cid);
    if (!row) return undefined;
    const [event] = this.#events([row]);
    return event && { room: row.room, event, target: row.target ?? undefined, data: this.#asSent(row) };
  }

  message(room: string, id: number): Message | undefined {
    const late = this.tail.message(room, id);
    if (late) return fresh(late);
    const row = this.#byNumber.get(room, id);
    return row?.type === 'chat' ? toMessage(row) : undefined;
  }

  reacted(message: Message, person: Person, emoji: string): boolean {
    return this.changes.reactions.stands(message, person, emoji);
  }

  /** The room's newest number; 0 while nothing was said in it. */
  last(room: string): number {
    return this.#last.get(room) ?? 0;
  }

  /** At most `limit` events after number `id`, ascending; fewer, when they hold very many reactions. */
  after(room: string, id: number, limit: number): RoomEvent[] {
    const late = this.tail.of(room);
    const first = late[0]?.event.id ?? Number.POSITIVE_INFINITY;
    const events = id + 1 < first ? this.#events(cut(this.#after.all(room, id, limit))) : [];
    const from = (events.at(-1)?.id ?? id) + 1 - first; // below 0: those in between come with the next page
    const rest = from < 0 ? [] : late.slice(from, from + limit - events.length);
    return [...events, ...rest.map(({ event }) => event)];
  }

  /** At most `limit` events right before number `id`, ascending; fewer as above. */
  before(room: string, id: number, limit: number): RoomEvent[] {
    const late = this.tail.of(room);
    const first = late[0]?.event.id ?? id;
    const end = Math.max(0, id - first);
    const newest = late.slice(Math.max(0, end - limit), end).map(({ event }) => event);
    const left = limit - newest.length;
    if (left === 0) return newest;
    return [...this.#events(cut(this.#before.all(room, Math.min(id, first), left)).reverse()), ...newest];
  }

  /** A transaction begins; `commit` or `rollback` ends it. */
  begin(): void {
    this.tail.begin();
  }

  commit(): void {
    this.tail.commit();
  }

  rollback(): void {
    this.tail.rollback();
    this.#numbers.forget();
  }

  #next(room: string, at: number): Numbered {
    this.#activity?.moved(room);
    return this.#numbers.next(room, at);
  }

  /** Into `events`, and so behind all that is in the tail. @returns its place in the one order */
  #keep(...fields: Fields): number {
    this.tail.move();
    const seq = this.tail.next();
    this.#insert.run(seq, ...fields);
    return seq;
  }

  /** Of one room, ascending. */
  #events(rows: readonly Row[]): RoomEvent[] {
    const [first, last] = [rows[0], rows.at(-1)];
    if (!first || !last || !rows.some(({ reacted }) => reacted)) return rows.map((row) => toEvent(row));
    const reactions = this.changes.reactions.between(first.roomKey, first.id, last.id);
    return rows.map((row) => toEvent(row, reactions.get(row.id)));
  }

  /** What was sent under a cid; nothing any more, when the message it belongs to was deleted. */
  #asSent({ type, room, data, deleted, target }: Row): string | undefined {
    const gone = type === 'chat' ? deleted !== null : type === 'edit' && this.#isDeleted(room, target ?? 0);
    return gone ? undefined : (data ?? '');
  }

  #isDeleted(room: string, id: number): boolean {
    return (this.#byNumber.get(room, id)?.deleted ?? null) !== null;
  }
}

function fresh({ seq: key, roomKey, room, event: { id, user, data: text } }: Entry): Message {
  return { key, roomKey, room, id, author: user.id, text, edited: undefined, deleted: false, reactions: 0 };
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

function cut(rows: Row[]): Row[] {
  let reactions = 0;
  const end = rows.findIndex(({ reacted }, n) => {
    reactions += reacted ?? 0;
    return n > 0 && reactions > PAGE_REACTIONS;
  });
  return end < 0 ? rows : rows.slice(0, end);
}
