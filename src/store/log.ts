/**
 * The rooms' numbered events in SQLite: append one, find one by its cid or number, read a page. Reads see what is
 * committed, and within a beat also what the beat has written so far.
 */
import type Database from 'better-sqlite3';
import type { EventBook, Kept, Made, Message, Person, Said } from '../chat/book.js';
import type { ChangeEvent, ChatEvent, RoomEvent } from '../protocol.js';
import type { Activity } from './activity.js';
import { Changes, type Outdate } from './changes.js';
import { LIMIT } from './limit.js';
import { type Numbered, Numbers } from './numbers.js';
import { Places } from './places.js';
import { NUMBERED, ROWS, type Row, toEvent } from './rows.js';

type Fields = [
  ...[room: number, id: number, type: string, person: number, name: string],
  ...[data: string | null, at: number, cid: string | null],
];

/** Reactions in one page: one that would hold more of them is shorter. */
const PAGE_REACTIONS = 5000;

export class Log implements EventBook {
  readonly changes: Changes;
  readonly places: Places;
  readonly #activity: Activity | undefined;
  readonly #numbers: Numbers;
  readonly #insert: Database.Statement<Fields>;
  readonly #bySeq: Database.Statement<[number], Row>;
  readonly #last: Database.Statement<[string], number>;
  readonly #after: Database.Statement<[number, number, number, number], Row>;
  readonly #before: Database.Statement<[number, number, number], Row>;

  /** `activity` and `outdate` are told of what happens; nobody is, where the log is only read. */
  constructor(db: Database.Database, activity?: Activity, outdate?: Outdate) {
    this.places = new Places(db);
    this.changes = new Changes(db, (room, id) => this.places.from(room, id), outdate);
    this.#activity = activity;
    this.#numbers = new Numbers(db);
    this.#insert = db.prepare(
      'INSERT INTO events (room, id, type, person, name, data, at, cid) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#bySeq = db.prepare(`${ROWS} WHERE e.seq = ?`);
    this.#last = db.prepare<[string], number>('SELECT last FROM rooms WHERE name = ?').pluck();
    this.#after = db.prepare(`${NUMBERED} WHERE n.room = ? AND n.id > ? AND n.id < ? ORDER BY n.id ${LIMIT}`);
    this.#before = db.prepare(`${NUMBERED} WHERE n.room = ? AND n.id < ? ORDER BY n.id DESC ${LIMIT}`);
  }

  append(room: string, person: Person, { user, data, at: saidAt, cid, mentions }: Said): ChatEvent {
    const { room: key, last: id, at } = this.#next(room, saidAt);
    const seq = this.#keep(key, id, 'chat', person.key, user.name, data, at, cid ?? null);
    const event: ChatEvent = { id, type: 'chat', user, data, at, ...(cid === undefined ? {} : { cid }) };
    if (mentions === undefined) return event;
    this.changes.call(seq, mentions);
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
    const seq = this.places.byCid(person.key, cid);
    const row = seq === undefined ? undefined : this.#bySeq.get(seq);
    if (!row) return undefined;
    const [event] = this.#events([row]);
    return event && { room: row.room, event, target: row.target ?? undefined, data: this.#asSent(row) };
  }

  message(room: string, id: number): Message | undefined {
    const row = this.#row(room, id);
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
    const key = this.#numbers.keyOf(room);
    if (key === undefined) return [];
    const newest = this.places.newest(key);
    const first = newest[0]?.id ?? Number.MAX_SAFE_INTEGER;
    const older = id + 1 < first ? this.#after.all(key, id, first, limit) : [];
    const from = (older.at(-1)?.id ?? id) + 1 - first; // below 0: those in between come with the next page
    const rest = from < 0 ? [] : newest.slice(from, from + limit - older.length);
    return this.#events(cut([...older, ...this.#rows(rest)]));
  }

  /** At most `limit` events right before number `id`, ascending; fewer as above. */
  before(room: string, id: number, limit: number): RoomEvent[] {
    const key = this.#numbers.keyOf(room);
    if (key === undefined) return [];
    const newest = this.places.newest(key);
    const first = newest[0]?.id ?? id;
    const end = Math.max(0, Math.min(id - first, newest.length));
    const late = newest.slice(Math.max(0, end - limit), end).reverse();
    const left = limit - late.length;
    const older = left > 0 ? this.#before.all(key, Math.min(id, first), left) : [];
    return this.#events(cut([...this.#rows(late), ...older]).reverse());
  }

  /** A beat begins; `rollback` takes back what is known of it in memory. */
  begin(): void {
    this.places.begin();
  }

  rollback(): void {
    this.places.rollback();
    this.#numbers.forget();
  }

  #next(room: string, at: number): Numbered {
    this.#activity?.moved(room);
    return this.#numbers.next(room, at);
  }

  /** @returns its place in the one order */
  #keep(...fields: Fields): number {
    const seq = Number(this.#insert.run(...fields).lastInsertRowid);
    const [room, id, , person, , , , cid] = fields;
    this.places.add({ seq, room, id, person, cid });
    return seq;
  }

  #row(room: string, id: number): Row | undefined {
    const key = this.#numbers.keyOf(room);
    const seq = key === undefined ? undefined : this.places.from(key, id);
    const row = seq === undefined ? undefined : this.#bySeq.get(seq);
    return row?.id === id ? row : undefined;
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
  #asSent({ type, room, data, deleted, target }: Row): string | undefined {
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

function cut(rows: Row[]): Row[] {
  let reactions = 0;
  const end = rows.findIndex(({ reacted }, n) => {
    reactions += reacted ?? 0;
    return n > 0 && reactions > PAGE_REACTIONS;
  });
  return end < 0 ? rows : rows.slice(0, end);
}
