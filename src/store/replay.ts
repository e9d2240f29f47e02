/**
 * Replays the log: applies all events and all entries of the chain of people by the rules, in memory. Reports where they
 * break a rule, where a hash is wrong, and where a derived table differs from the result. It can also rebuild the derived
 * tables.
 */
import type Database from 'better-sqlite3';
import { findMentions } from '../chat/rules.js';
import { LIMITS, type User } from '../shared/protocol.js';
import {
  contentHash,
  eventHash,
  type PersonEntryType,
  type PersonRow,
  personHash,
  readPeopleHead,
  zeroHash,
} from './chain.js';
import { mentionsColumn, parseMentions } from './rows.js';
import { rulesSince } from './schema.js';

export interface Finding {
  readonly text: string;
  /** Whether only data that can be rebuilt from the log differs. */
  readonly isDerived: boolean;
}

/** A row of `events`. `content` and `hash` are in hex. */
interface EventFields {
  readonly seq: number;
  readonly room: number;
  readonly id: number;
  readonly messages: number;
  readonly type: string;
  readonly person: number;
  readonly name: string;
  readonly at: number;
  readonly cid: string | null;
  readonly target: number | null;
  readonly reply: number | null;
  readonly previous: number | null;
  readonly mentions: string | null;
  readonly data: string | null;
  readonly content: string;
  readonly hash: string;
}

/** A message that was changed. */
interface ChangedMessage {
  edits: number[];
  deleted: number | undefined;
  /** by person and emoji */
  readonly reactions: Map<string, Reaction>;
}

interface Reaction {
  readonly id: number;
  readonly person: number;
  readonly name: string;
  readonly data: string;
}

interface RoomFields {
  readonly room: number;
  readonly name: string;
  readonly last: number;
  readonly at: number;
  readonly messages: number;
  readonly hash: string;
  /** texts of messages up to this number were dropped */
  readonly expired: number;
}

/** The state of a room after its events. */
class RoomReplay {
  readonly row: RoomFields;
  id = 0;
  at = 0;
  messages = 0;
  hash = zeroHash;
  /** by number: the author of a message, 0 for a change; and the position in the one order */
  readonly authors: number[] = [0];
  readonly seqs: number[] = [0];
  readonly changed = new Map<number, ChangedMessage>();
  /** people that the current text of a message mentions or replies to */
  readonly mentioned = new Map<number, readonly number[]>();
  readonly repliedTo = new Map<number, number>();
  /** by person */
  readonly members = new Map<number, Membership>();
  /** numbers of messages and edits without a text */
  readonly erased = new Set<number>();

  constructor(row: RoomFields) {
    this.row = row;
  }

  isMessage(id: number | null): boolean {
    return id !== null && (this.authors[id] ?? 0) > 0;
  }

  change(id: number): ChangedMessage {
    const known = this.changed.get(id);
    if (known) return known;
    const made: ChangedMessage = { edits: [], deleted: undefined, reactions: new Map() };
    this.changed.set(id, made);
    return made;
  }
}

interface PersonState {
  readonly id: string;
  name: string;
  skeleton: string | null;
  signedOut: boolean;
  generation: number;
  link: string | null;
}

interface EntryRow extends PersonRow {
  readonly number: number;
  readonly seq: number;
  readonly type: PersonEntryType;
  readonly person: number;
  readonly at: number;
  readonly hash: string;
}

/** The state of all people after the entries of their chain. */
class PeopleReplay {
  readonly states = new Map<number, PersonState>();
  /** Up to this position the log is older than the chain of people, so the owners of names are unknown. */
  readonly startsAt: number;
  finding: Finding | undefined;
  readonly #owners = new Map<string, number>();
  readonly #entries: readonly EntryRow[];
  #next = 0;
  #hash = zeroHash;

  constructor(db: Database.Database) {
    this.#entries = db
      .prepare<[], EntryRow>(`SELECT c.number, c.seq, c.type, c.person, p.id AS userId, c.name, c.skeleton,
        c.signed_out AS signedOut, c.generation, c.link, c.at, lower(hex(c.hash)) AS hash
      FROM people_chain c JOIN people p USING (person) ORDER BY number`)
      .all();
    const migrated = db.prepare<[], number>("SELECT max(seq) FROM people_chain WHERE type = 'migrate'");
    this.startsAt = migrated.pluck().get() ?? 0;
  }

  /** Applies the entries before an event. */
  advance(seq: number): void {
    for (let entry = this.#entries[this.#next]; entry && entry.seq < seq; entry = this.#entries[this.#next]) {
      this.#next++;
      this.finding ??= this.#check(entry);
      this.#apply(entry);
    }
  }

  ownerOf(skeleton: string): (User & PersonState & { readonly key: number }) | undefined {
    const key = this.#owners.get(skeleton);
    const state = key === undefined ? undefined : this.states.get(key);
    return key === undefined || !state ? undefined : { key, ...state };
  }

  /** Call it when all entries are applied. */
  end(db: Database.Database, lastSeq: number): Finding | undefined {
    const [head, last] = [readPeopleHead(db), this.#entries.at(-1)];
    if (this.finding) return this.finding;
    if (last && last.seq > lastSeq)
      return damage(
        `the log ends at position ${lastSeq}, but entry ${last.number} of people was made at ${last.seq}`,
      );
    if (head.last === (last?.number ?? 0) && head.hash === this.#hash) return undefined;
    return damage(`people: the chain ends at entry ${last?.number ?? 0}, but its head is ${head.last}`);
  }

  #check(entry: EntryRow): Finding | undefined {
    const { number, signedOut, hash } = entry;
    const expected = this.#next;
    if (number !== expected) return damage(`people: entry ${expected} is missing, ${number} comes next`);
    this.#hash = personHash(this.#hash, { ...entry, signedOut: signedOut === 1 });
    return this.#hash === hash
      ? undefined
      : damage(`people: entry ${number} is not as it was written: its hash does not fit`);
  }

  #apply({ person, userId, name, skeleton, signedOut, generation, link }: EntryRow): void {
    const before = this.states.get(person);
    if (before?.skeleton) this.#owners.delete(before.skeleton);
    const owner = skeleton === null ? undefined : this.#owners.get(skeleton);
    const displaced = owner === undefined ? undefined : this.states.get(owner);
    if (displaced) displaced.skeleton = null;
    if (skeleton !== null) this.#owners.set(skeleton, person);
    this.states.set(person, { id: userId, name, skeleton, signedOut: signedOut === 1, generation, link });
  }
}

function damage(text: string): Finding {
  return { text: `${text}. Restore a backup from before that`, isDerived: false };
}

function derived(text: string): Finding {
  return { text: `${text}. Make a backup and restore it, which rebuilds that`, isDerived: true };
}

interface Membership {
  readonly person: number;
  readonly room: number;
  readonly read: number;
  own: number;
  ownLast: number;
}

/** Expected values of an event's derived columns. */
type Correction = [messages: number, previous: number | null, mentions: string | null, seq: number];

export class Replay {
  /** The first event that breaks a rule, or the first difference. */
  finding: Finding | undefined;
  readonly #db: Database.Database;
  readonly #rooms: ReadonlyMap<number, RoomReplay>;
  readonly #people: PeopleReplay;
  readonly #userIds: ReadonlyMap<number, string>;
  readonly #personKeys: ReadonlyMap<string, number>;
  readonly #posters = new Set<number>();
  /** Up to this position, the owners of names or the rules of mentions are unknown. */
  readonly #mentionsStartAt: number;
  readonly #corrections: Correction[] = [];
  #seq = 0;
  /** Kept apart, because other findings say more about the same event. */
  #hashFinding: Finding | undefined;

  constructor(db: Database.Database) {
    this.#db = db;
    const rooms = db.prepare<[], RoomFields>(
      'SELECT room, name, last, at, messages, lower(hex(hash)) AS hash, expired FROM rooms',
    );
    this.#rooms = new Map(rooms.all().map((row) => [row.room, new RoomReplay(row)]));
    this.#people = new PeopleReplay(db);
    this.#mentionsStartAt = Math.max(this.#people.startsAt, rulesSince(db));
    const people = db.prepare<[], { readonly person: number; readonly id: string }>(
      'SELECT person, id FROM people',
    );
    const rows = people.all();
    this.#userIds = new Map(rows.map(({ person, id }) => [person, id]));
    this.#personKeys = new Map(rows.map(({ person, id }) => [id, person]));
    const members = db.prepare<[], Membership>(
      'SELECT person, room, read, 0 AS own, 0 AS ownLast FROM members',
    );
    for (const member of members.iterate()) this.#rooms.get(member.room)?.members.set(member.person, member);
  }

  /** Replays everything. Stops at the first event whose place is wrong. `report` gets the number of events done. */
  run(report: (done: number) => void): void {
    const rows = this.#db.prepare<
      [],
      EventFields
    >(`SELECT seq, room, id, messages, type, person, name, at, cid, target,
      reply, previous, mentions, data, lower(hex(content)) AS content, lower(hex(hash)) AS hash
      FROM events ORDER BY seq`);
    let done = 0;
    for (const event of rows.iterate()) {
      const room = this.#rooms.get(event.room);
      if (!room) this.finding = damage(`event ${event.seq} belongs to no room`);
      else this.#replay(room, event);
      if (this.finding?.isDerived === false) {
        this.finding = this.#people.finding ?? this.finding; // a wrong entry makes events look wrong
        return;
      }
      report(++done);
    }
    this.#people.advance(Number.POSITIVE_INFINITY);
    const found =
      this.#checkErased() ??
      this.#people.finding ??
      this.#hashFinding ??
      this.#checkHeads() ??
      this.#people.end(this.#db, this.#seq);
    this.finding = found ?? this.finding ?? this.#checkCounters() ?? this.#checkTables();
  }

  #replay(room: RoomReplay, event: EventFields): void {
    const place = checkPlace(room, event, this.#seq, this.#db);
    this.#seq = event.seq;
    this.#people.advance(event.seq);
    const problem = place ?? this.#checkAuthor(event) ?? checkFields(event) ?? this.#apply(room, event);
    if (problem !== undefined) this.finding = damage(`room ${room.row.name}: ${problem}`);
    else this.#checkColumns(room, event);
    this.#hashFinding ??= checkHash(room, event, this.#userIds.get(event.person) ?? '');
  }

  #checkAuthor({ seq, id, person, name }: EventFields): string | undefined {
    if (seq <= this.#people.startsAt) return undefined;
    const author = this.#people.states.get(person);
    if (!author) return `number ${id} has an author without an entry in the chain of people`;
    if (author.name !== name) return `number ${id} has another name than its author had`;
    if (author.signedOut) return `number ${id} is by somebody who was signed out`;
    return author.skeleton === null ? `number ${id} is by somebody without a name` : undefined;
  }

  #apply(room: RoomReplay, event: EventFields): string | undefined {
    const { id, type, person } = event;
    room.authors[id] = type === 'chat' ? person : 0;
    room.seqs[id] = event.seq;
    if (event.data === '') room.erased.add(id);
    return type === 'chat' ? this.#applyMessage(room, event) : applyChange(room, event);
  }

  #applyMessage(room: RoomReplay, { id, person, reply }: EventFields): string | undefined {
    if (reply !== null) {
      if (!room.isMessage(reply) || reply >= id)
        return `number ${id} replies to an event that is no earlier message`;
      if (room.changed.get(reply)?.deleted !== undefined) return `number ${id} replies to a deleted message`;
      const author = room.authors[reply] ?? 0;
      if (author !== person) room.repliedTo.set(id, author);
    }
    this.#posters.add(person);
    countOwn(room, person, id);
    return undefined;
  }

  /** Compares the columns that are derived from the log. */
  #checkColumns(room: RoomReplay, event: EventFields): void {
    const { seq, id, type, data, messages } = event;
    const edits = type === 'edit' ? room.changed.get(event.target ?? 0)?.edits : undefined;
    const previous = edits?.at(-2) ?? null;
    const mentions = this.#mentionsOf(event);
    const called = mentions === null ? [] : this.#keysOf(parseMentions(mentions));
    const message = type === 'chat' ? id : type === 'edit' ? (event.target ?? 0) : undefined;
    if (message !== undefined && (called.length > 0 || type === 'edit')) room.mentioned.set(message, called);
    if (messages === room.messages && event.previous === previous && event.mentions === mentions) return;
    this.#corrections.push([room.messages, previous, mentions, seq]);
    const words =
      messages !== room.messages
        ? `counts ${messages} messages, not ${room.messages}`
        : event.previous !== previous
          ? 'names another previous edit than its message has'
          : data === ''
            ? 'was deleted, but some of its text is still there'
            : 'does not mention those whom its text mentions';
    this.finding ??= derived(`room ${room.row.name}: number ${id} ${words}`);
  }

  #keysOf(users: readonly User[]): number[] {
    return users.flatMap(({ id }) => this.#personKeys.get(id) ?? []);
  }

  /** Checks the column `mentions`. Of older events its value is unknown, but it must be readable. */
  #mentionsOf({ seq, type, data, mentions }: EventFields): string | null {
    if (data === '' || data === null || (type !== 'chat' && type !== 'edit')) return null;
    if (seq <= this.#mentionsStartAt) {
      const users = parseMentions(mentions ?? '[]');
      return users.length > 0 ? mentionsColumn(users) : null;
    }
    if (mentions === null && !/[@＠]/.test(data)) return null;
    return mentionsColumn(findMentions(data, { ownerOf: (skeleton) => this.#owner(skeleton) }));
  }

  #owner(skeleton: string) {
    const owner = this.#people.ownerOf(skeleton);
    return owner && { ...owner, ownsName: true, hasPosted: true, lastSeen: 0 };
  }

  #checkHeads(): Finding | undefined {
    for (const { row, id, hash } of this.#rooms.values()) {
      const where = `room ${row.name}`;
      if (row.last !== id) return damage(`${where}: its last is ${row.last}, but its newest event is ${id}`);
      if (row.hash !== hash) return damage(`${where}: its hash is not that of its last event, ${id}`);
    }
    return undefined;
  }

  #checkCounters(): Finding | undefined {
    for (const { row, id, at, messages } of this.#rooms.values()) {
      const where = `room ${row.name}`;
      if (row.messages !== messages)
        return derived(`${where}: it counts ${row.messages} messages, but its newest event ${messages}`);
      if (row.at !== at && id > 0) return derived(`${where}: its time is not that of its last event, ${id}`);
    }
    return undefined;
  }

  /** Checks that a text is missing exactly when its message is deleted or has expired. */
  #checkErased(): Finding | undefined {
    for (const { row, changed, erased, authors } of this.#rooms.values()) {
      const expired = new Set<number>();
      for (let id = 1; id <= row.expired; id++) {
        if ((authors[id] ?? 0) === 0) continue;
        for (const number of [id, ...(changed.get(id)?.edits ?? [])]) expired.add(number);
      }
      const kept = [...expired].find((id) => !erased.has(id));
      if (kept !== undefined)
        return damage(`room ${row.name}: number ${kept} has expired, but some of its text is still there`);
      const gone = new Set<number>(expired);
      for (const [id, { edits, deleted }] of changed)
        if (deleted !== undefined) for (const number of [id, ...edits]) gone.add(number);
      const undeleted = [...gone].find((id) => !erased.has(id));
      if (undeleted !== undefined)
        return damage(
          `room ${row.name}: number ${undeleted} was deleted, but some of its text is still there`,
        );
      const lost = [...erased].find((id) => !gone.has(id));
      if (lost !== undefined)
        return damage(`room ${row.name}: number ${lost} has no text, but is neither deleted nor expired`);
    }
    return undefined;
  }

  #checkTables(): Finding | undefined {
    for (const table of this.#tables()) {
      const finding = compareTable(this.#db, table);
      if (finding) return finding;
    }
    return undefined;
  }

  /** Rebuilds the derived tables. Call it after `run` has found no damage. */
  rebuild(): void {
    const write = this.#db.prepare<Correction>(
      'UPDATE events SET messages = ?, previous = ?, mentions = ? WHERE seq = ?',
    );
    const writeRoom = this.#db.prepare<[number, number, number]>(
      'UPDATE rooms SET at = ?, messages = ? WHERE room = ?',
    );
    this.#db.transaction(() => {
      for (const correction of this.#corrections) write.run(...correction);
      for (const { row, at, messages } of this.#rooms.values())
        if (row.last > 0) writeRoom.run(at, messages, row.room);
      for (const table of this.#tables()) writeTable(this.#db, table);
    })();
  }

  *#tables(): Generator<DerivedTable> {
    yield this.#stateTable();
    yield this.#reactionTable();
    yield this.#deletionTable();
    yield this.#mentionTable();
    yield this.#memberTable();
    yield this.#peopleTable();
    yield this.#linkTable();
  }

  #stateTable(): DerivedTable {
    const rows = this.#changedMessages().map(({ seq, message: { edits, deleted, reactions } }) =>
      deleted === undefined ? [seq, edits.at(-1) ?? null, null, reactions.size] : [seq, null, deleted, 0],
    );
    return {
      name: 'states',
      columns: 'event, edited, deleted, coalesce(reacted, 0)',
      where: 'coalesce(edited, deleted, nullif(reacted, 0)) IS NOT NULL',
      order: 'event',
      insert: 'INSERT INTO states (event, edited, deleted, reacted) VALUES (?, ?, ?, ?)',
      rows: rows.filter(([, edited, deleted, reacted]) => (edited ?? deleted ?? reacted) !== 0),
      problem: ([seq]) => `${this.#placeOf(seq)} has another state than its changes add up to`,
    };
  }

  #reactionTable(): DerivedTable {
    const rows = this.#changedMessages().flatMap(({ room, id, message: { reactions } }) =>
      [...reactions.values()].map((given) => [
        room.row.room,
        id,
        given.id,
        given.person,
        given.name,
        given.data,
      ]),
    );
    return {
      name: 'reactions',
      columns: 'room, target, id, person, name, data',
      order: 'room, target, id',
      insert: 'INSERT INTO reactions (room, target, id, person, name, data) VALUES (?, ?, ?, ?, ?, ?)',
      rows: rows.sort(compareRows),
      problem: ([room, id]) => `${this.#numberIn(room, id)} has other reactions than its events add up to`,
    };
  }

  #deletionTable(): DerivedTable {
    const rows = this.#changedMessages().flatMap(({ room, id, message }) =>
      message.deleted === undefined ? [] : [[room.row.room, id, room.authors[id] ?? 0]],
    );
    return {
      name: 'deletions',
      columns: 'room, id, person',
      order: 'room, id',
      insert: 'INSERT INTO deletions (room, id, person) VALUES (?, ?, ?)',
      rows: rows.sort(compareRows),
      problem: ([room, id]) =>
        `${this.#numberIn(room, id)} is deleted but not listed as deleted, or the reverse`,
    };
  }

  #mentionTable(): DerivedTable {
    const rows: number[][] = [];
    for (const room of this.#rooms.values())
      for (const id of new Set([...room.mentioned.keys(), ...room.repliedTo.keys()])) {
        if (room.changed.get(id)?.deleted !== undefined) continue;
        const people = new Set([...(room.mentioned.get(id) ?? []), ...[room.repliedTo.get(id) ?? []].flat()]);
        for (const person of people) rows.push([person, room.row.room, id, room.seqs[id] ?? 0]);
      }
    return {
      name: 'mentions',
      columns: 'person, room, id, seq',
      order: 'person, room, id',
      insert: 'INSERT INTO mentions (person, room, id, seq) VALUES (?, ?, ?, ?)',
      rows: rows.sort(compareRows),
      problem: ([, room, id]) =>
        `${this.#numberIn(room, id)} is listed as a mention of other people than it mentions`,
    };
  }

  #memberTable(): DerivedTable {
    const rows = [...this.#rooms.values()].flatMap((replay) =>
      [...replay.members.values()].flatMap(({ person, room, read, own, ownLast }) =>
        this.#mayBeMember(person, room) ? [[person, room, clampMark(read, replay), own, ownLast]] : [],
      ),
    );
    return {
      name: 'members',
      columns: 'person, room, read, own, own_last',
      order: 'person, room',
      insert: `INSERT INTO members (person, room, read, own, own_last) VALUES (?, ?, ?, ?, ?)`,
      rows: rows.sort(compareRows),
      problem: ([person, room]) =>
        `room ${this.#roomName(room)}: the read mark or the own messages of person ${this.#idOf(person)} are counted wrongly`,
    };
  }

  /** A person who signed out without a link has no memberships. With a link, they may have been deleted. */
  #mayBeMember(person: number, room: number): boolean {
    const state = this.#people.states.get(person);
    return !state?.signedOut || (state.link !== null && this.#isStored(person, room));
  }

  #isStored(person: number, room: number): boolean {
    const row = this.#db.prepare<[number, number]>('SELECT 1 FROM members WHERE person = ? AND room = ?');
    return row.get(person, room) !== undefined;
  }

  #peopleTable(): DerivedTable {
    const rows = [...this.#people.states].map(([person, state]) => [
      ...[person, state.name, state.skeleton, Number(state.signedOut), state.generation],
      Number(this.#posters.has(person)),
    ]);
    return {
      name: 'people',
      columns: 'person, name, skeleton, signed_out, generation, posted',
      order: 'person',
      clear: `UPDATE people SET skeleton = NULL;
        DELETE FROM people WHERE person NOT IN (SELECT person FROM people_chain)`,
      insert: `UPDATE people SET (name, skeleton, signed_out, generation, posted) = (v.b, v.c, v.d, v.e, v.f)
        FROM (SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f) v WHERE person = v.a`,
      rows: rows.sort(compareRows),
      problem: ([person]) => `person ${this.#idOf(person)} is not as the chain of people has them`,
    };
  }

  /** Allows a link that has expired to be missing. */
  #linkTable(): DerivedTable {
    const links = this.#db
      .prepare<[], [number, string]>('SELECT person, hash FROM links ORDER BY person')
      .raw()
      .all();
    return {
      name: 'links',
      columns: 'person, hash',
      order: 'person',
      clear: '',
      insert: 'DELETE FROM links WHERE person = ? AND hash <> ?',
      rows: links.map(([person]) => [person, this.#people.states.get(person)?.link ?? '']),
      problem: ([person]) => `person ${this.#idOf(person)} has a link that the chain of people does not have`,
    };
  }

  /** In the one order. */
  #changedMessages() {
    const found = [...this.#rooms.values()].flatMap((room) =>
      [...room.changed].map(([id, message]) => ({ room, id, message, seq: room.seqs[id] ?? 0 })),
    );
    return found.sort((a, b) => a.seq - b.seq);
  }

  #placeOf(seq: unknown): string {
    const row = this.#db
      .prepare<[number], { readonly room: number; readonly id: number }>(
        'SELECT room, id FROM events WHERE seq = ?',
      )
      .get(Number(seq));
    return row ? this.#numberIn(row.room, row.id) : `event ${String(seq)}`;
  }

  #numberIn(room: unknown, id: unknown): string {
    return `room ${this.#roomName(room)}: number ${String(id)}`;
  }

  #roomName(room: unknown): string {
    return this.#rooms.get(Number(room))?.row.name ?? `with key ${String(room)}`;
  }

  #idOf(person: unknown): string {
    return this.#userIds.get(Number(person)) ?? String(person);
  }
}

/** Compares the number and the time of an event with the previous event of its room. */
function checkPlace(
  room: RoomReplay,
  { seq, id, type, at }: EventFields,
  previousSeq: number,
  db: Database.Database,
): string | undefined {
  const expected = room.id + 1;
  if (id !== expected) return misplaced(id, expected, room.row.room, db);
  if (id > room.row.last) return `number ${id} is beyond its last, ${room.row.last}`;
  if (at < room.at) return `the time goes back at number ${id}`;
  if (at > room.row.at) return `number ${id} is later than the room itself`;
  if (seq !== previousSeq + 1) return `position ${previousSeq + 1}, before number ${id}, is missing`;
  room.id = id;
  room.at = at;
  if (type === 'chat') room.messages++;
  return undefined;
}

function misplaced(id: number, expected: number, room: number, db: Database.Database): string {
  const exists = db
    .prepare<[number, number]>('SELECT 1 FROM events WHERE room = ? AND id = ?')
    .get(room, expected);
  if (id > expected && exists) return `number ${id} was stored before number ${expected}`;
  return `number ${expected} is missing, ${id} comes next`;
}

function checkHash(room: RoomReplay, event: EventFields, userId: string): Finding | undefined {
  const { id, type, target, name, at, cid, data } = event;
  const content = data === '' ? event.content : contentHash(event.content.slice(0, 32), data, event.reply);
  const fields = { room: room.row.name, id, type, target, userId, name, at, cid, content };
  room.hash = eventHash(room.hash, fields);
  if (room.hash === event.hash) return undefined;
  return damage(`room ${room.row.name}: number ${id} is not as it was written: its hash does not fit`);
}

const changeTypes: ReadonlySet<string> = new Set(['edit', 'delete', 'react', 'unreact']);

/** Checks which fields a type of event must and must not have. */
function checkFields({ id, type, target, cid, reply, data }: EventFields): string | undefined {
  if (cid !== null && !/^[\w-]*$/.test(cid)) return `number ${id} has a cid that nobody could send`;
  if (type !== 'chat' && !changeTypes.has(type)) return `number ${id} has the unknown type ${type}`;
  if (type === 'chat' && target !== null) return `number ${id} is a message, but has a target`;
  if (type !== 'chat' && target === null) return `number ${id} is a change without a target`;
  if (type !== 'chat' && reply !== null) return `number ${id} is a change, but replies`;
  if (type === 'delete' ? data !== null : data === null)
    return type === 'delete' ? `number ${id} is a deletion, but has a text` : `number ${id} has no text`;
  if (data === '' && reply !== null) return `number ${id} was deleted, but some of its text is still there`;
  return undefined;
}

/** The rules of chat/rules.ts for changes. */
function applyChange(room: RoomReplay, event: EventFields): string | undefined {
  const { id, type, person } = event;
  const target = event.target ?? 0;
  if (!room.isMessage(target) || target >= id) return `number ${id} changes a message that does not exist`;
  const message = room.change(target);
  if (message.deleted !== undefined) return `number ${target} was changed after it was deleted`;
  if ((type === 'edit' || type === 'delete') && room.authors[target] !== person)
    return `number ${target} was changed by somebody else`;
  if (type === 'edit') message.edits.push(id);
  else if (type === 'delete') {
    message.deleted = id;
    message.reactions.clear();
  } else return applyReaction(message, event);
  return undefined;
}

function applyReaction({ reactions }: ChangedMessage, event: EventFields): string | undefined {
  const { id, type, person, name } = event;
  const data = event.data ?? '';
  const key = `${person} ${data}`;
  if (type === 'unreact')
    return reactions.delete(key) ? undefined : `number ${id} removes a reaction that is not there`;
  if (reactions.has(key)) return `number ${id} adds a reaction that is already there`;
  if (reactions.size >= LIMITS.reactionsPerMessage) return `number ${id} adds one reaction too many`;
  reactions.set(key, { id, person, name, data });
  return undefined;
}

function countOwn({ row, members }: RoomReplay, person: number, id: number): void {
  let member = members.get(person);
  if (!member) {
    member = { person, room: row.room, read: 0, own: 0, ownLast: 0 };
    members.set(person, member);
  }
  member.ownLast = id;
  if (id > Math.min(member.read, row.last)) member.own++;
}

function clampMark(read: number, { row }: RoomReplay): number {
  return Math.max(0, Math.min(read, row.last));
}

type Cell = string | number | null;

/** A table that the log determines, with its expected rows in the order of its primary key. */
interface DerivedTable {
  readonly name: string;
  readonly columns: string;
  readonly where?: string;
  readonly order: string;
  /** empties the table before `insert` fills it; DELETE by default */
  readonly clear?: string;
  readonly insert: string;
  readonly rows: readonly (readonly Cell[])[];
  readonly problem: (row: readonly Cell[]) => string;
}

function compareTable(db: Database.Database, table: DerivedTable): Finding | undefined {
  const { name, columns, where = '1', order, rows, problem } = table;
  const stored = db
    .prepare<[], Cell[]>(`SELECT ${columns} FROM ${name} WHERE ${where} ORDER BY ${order}`)
    .raw();
  let n = 0;
  for (const row of stored.iterate() as Iterable<Cell[]>) {
    const expected = rows[n++];
    if (expected?.every((cell, i) => cell === row[i])) continue;
    const first = expected && compareRows(expected, row) < 0 ? expected : row;
    return derived(problem(first));
  }
  const missing = rows[n];
  return missing && derived(problem(missing));
}

function writeTable(
  db: Database.Database,
  { name, clear = `DELETE FROM ${name}`, insert, rows }: DerivedTable,
): void {
  if (clear !== '') db.exec(clear);
  const write = db.prepare<Cell[]>(insert);
  for (const row of rows) write.run(...row);
}

function compareRows(a: readonly Cell[], b: readonly Cell[]): number {
  for (const [i, cell] of a.entries()) {
    const difference = Number(cell) - Number(b[i]);
    if (difference !== 0) return Number.isNaN(difference) ? 0 : difference;
  }
  return 0;
}
