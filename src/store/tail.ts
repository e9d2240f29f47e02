/**
 * The end of the log: messages that are committed, but not in the indexes yet. An index by room and number, and one by
 * person and cid, have another page for each of a hundred rooms and people: to write both with every beat was four fifths
 * of its time. So a plain message goes to a table without them, and is moved to `events` with hundreds of others.
 * Meanwhile it is found here, in memory. What must stay true:
 * - The table `tail` and this memory hold the same after every transaction, whether it was kept or taken back.
 * - The tail is the end of the one order: every seq in it is above every seq in `events`. So of each room it holds the
 *   last messages, without a hole.
 * - It holds nothing but messages as they were said. What changes one, or calls somebody, moves all of it first.
 */
import type Database from 'better-sqlite3';
import type { ChatEvent } from '../protocol.js';

export interface Entry {
  readonly seq: number;
  readonly roomKey: number;
  readonly room: string;
  readonly personKey: number;
  readonly event: ChatEvent;
}

interface Row {
  readonly seq: number;
  readonly roomKey: number;
  readonly room: string;
  readonly personKey: number;
  readonly userId: string;
  readonly name: string;
  readonly id: number;
  readonly data: string;
  readonly at: number;
  readonly cid: string | null;
}

/** What is in the tail, by room (ascending) and by person and cid. */
interface Memory {
  readonly rooms: Map<string, Entry[]>;
  readonly cids: Map<string, Entry>;
  readonly entries: Entry[];
}

/** Milliseconds that moving should take, and how many messages that may be. */
const MOVE_MS = 10;
const MOST = { first: 500, least: 250, most: 2000 } as const;

export class Tail {
  readonly #rows: Database.Statement<[], Row>;
  readonly #add: Database.Statement<[number, number, number, number, string, string, number, string | null]>;
  readonly #move: Database.Statement<[]>;
  readonly #clear: Database.Statement<[]>;
  #memory = emptyMemory();
  #seq: number;
  /** how many may gather before they are moved */
  #most: number = MOST.first;
  /** how it was before this transaction */
  #before: { readonly memory: Memory; readonly length: number; readonly seq: number } | undefined;

  constructor(db: Database.Database) {
    this.#rows =
      db.prepare(`SELECT t.seq, t.room AS roomKey, r.name AS room, t.person AS personKey, p.id AS userId,
        t.name, t.id, t.data, t.at, t.cid
      FROM tail t JOIN people p USING (person) JOIN rooms r USING (room) ORDER BY t.seq`);
    this.#add = db.prepare(
      'INSERT INTO tail (seq, room, id, person, name, data, at, cid) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#move = db.prepare(`INSERT INTO events (seq, room, id, type, person, name, data, at, cid)
      SELECT seq, room, id, 'chat', person, name, data, at, cid FROM tail ORDER BY seq`);
    this.#clear = db.prepare('DELETE FROM tail');
    this.#seq = db.prepare<[], number | null>('SELECT max(seq) FROM events').pluck().get() ?? 0;
    this.read();
  }

  get size(): number {
    return this.#memory.entries.length;
  }

  /** It is time to move them. */
  get full(): boolean {
    return this.size >= this.#most;
  }

  /** Reads it from the file: what another process has written there. */
  read(): void {
    this.#memory = emptyMemory();
    for (const row of this.#rows.iterate()) {
      this.#put(toEntry(row));
      this.#seq = row.seq;
    }
  }

  /** The place of the next event in the one order. */
  next(): number {
    return ++this.#seq;
  }

  add(roomKey: number, room: string, personKey: number, event: ChatEvent): void {
    const { id, user, data, at, cid } = event;
    const entry = { seq: this.next(), roomKey, room, personKey, event };
    this.#add.run(entry.seq, roomKey, id, personKey, user.name, data, at, cid ?? null);
    this.#put(entry);
  }

  /** Moves all of them into `events`, within a transaction. */
  move(): void {
    if (this.size === 0) return;
    this.#move.run();
    this.#clear.run();
    this.#memory = emptyMemory();
  }

  /** The last messages of a room, ascending, without a hole; none: all are in `events`. */
  of(room: string): readonly Entry[] {
    return this.#memory.rooms.get(room) ?? [];
  }

  message(room: string, id: number): Entry | undefined {
    const entries = this.of(room);
    const first = entries[0]?.event.id;
    return first === undefined ? undefined : entries[id - first];
  }

  byCid(personKey: number, cid: string): Entry | undefined {
    return this.#memory.cids.get(cidKey(personKey, cid));
  }

  /** A transaction begins; `commit` or `rollback` ends it. */
  begin(): void {
    this.#before = { memory: this.#memory, length: this.size, seq: this.#seq };
  }

  commit(): void {
    this.#before = undefined;
  }

  rollback(): void {
    if (!this.#before) return;
    const { memory, length, seq } = this.#before;
    this.#before = undefined;
    this.#seq = seq;
    for (const entry of memory.entries.splice(length)) drop(memory, entry);
    this.#memory = memory;
  }

  /** How long moving so many took: the next time as many as should take `MOVE_MS`. A few say nothing about many. */
  took(ms: number, moved: number): void {
    if (moved < MOST.least) return;
    const fitting = Math.min((moved * MOVE_MS) / ms, MOST.most);
    this.#most = Math.max(MOST.least, Math.round((this.#most + fitting) / 2));
  }

  #put(entry: Entry): void {
    const { rooms, cids, entries } = this.#memory;
    entries.push(entry);
    const room = rooms.get(entry.room);
    if (room) room.push(entry);
    else rooms.set(entry.room, [entry]);
    const { cid } = entry.event;
    if (cid !== undefined) cids.set(cidKey(entry.personKey, cid), entry);
  }
}

function emptyMemory(): Memory {
  return { rooms: new Map(), cids: new Map(), entries: [] };
}

/** The newest of its room. */
function drop({ rooms, cids }: Memory, { room, personKey, event }: Entry): void {
  const entries = rooms.get(room);
  entries?.pop();
  if (entries?.length === 0) rooms.delete(room);
  if (event.cid !== undefined) cids.delete(cidKey(personKey, event.cid));
}

function cidKey(personKey: number, cid: string): string {
  return `${personKey} ${cid}`;
}

function toEntry({ seq, roomKey, room, personKey, userId, name, id, data, at, cid }: Row): Entry {
  const user = { id: userId, name };
  const event: ChatEvent = { id, type: 'chat', user, data, at, ...(cid === null ? {} : { cid }) };
  return { seq, roomKey, room, personKey, event };
}
