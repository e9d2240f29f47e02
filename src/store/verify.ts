/**
 * Checks a database: its pages and indexes; its references; that the numbers of each room run 1, 2, 3 … without a hole, in
 * the order of `seq`, and that its times never decrease; that a cid of a person is there once; and that the row of each
 * message agrees with its changes. It reads one snapshot while a server may write. It stops at the first finding.
 */

import { contentHash, eventHash, type NamedHead, readHeads, ZERO_HASH } from './chain.js';
import { openReadOnly } from './database.js';
import Database from './sqlite.js';

export interface VerifyResult {
  /** The first finding; undefined when the database is sound. */
  readonly finding: string | undefined;
  readonly rooms: number;
  readonly people: number;
  readonly events: number;
  /** the ends of all chains, when there is no finding */
  readonly heads: readonly NamedHead[];
}

/** Reports the current step, and how many of its events are done when it counts them. */
export type ReportProgress = (step: string, done?: number, total?: number) => void;

const rowsPerReport = 50_000;

/**
 * `noted` are heads of an earlier time, which the database must contain.
 * @throws OpenError when the file is not a database of Oneport
 */
export function verify(file: string, report: ReportProgress, noted: readonly NamedHead[] = []): VerifyResult {
  const db = openReadOnly(file);
  try {
    db.pragma('cache_size = -64000'); // 64 MB, because it does not read the file in order
    db.exec('BEGIN');
    return runChecks(db, report, noted);
  } catch (error) {
    if (!(error instanceof Database.SqliteError) || !/CORRUPT|NOTADB|IOERR/.test(error.code)) throw error;
    return { finding: `the file is damaged: ${error.message}`, rooms: 0, people: 0, events: 0, heads: [] };
  } finally {
    db.close();
  }
}

function runChecks(db: Database.Database, report: ReportProgress, noted: readonly NamedHead[]): VerifyResult {
  const count = (table: string): number =>
    db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0;
  const counts = { rooms: count('rooms'), people: count('people'), events: count('events') };
  const events = (): string | undefined => {
    const found = checkEvents(db, counts.events, report);
    hashFinding = found.hash;
    return found.place;
  };
  let hashFinding: string | undefined;
  const damage =
    checkPages(db, report) ??
    checkReferences(db, report) ??
    events() ??
    checkRooms(db) ??
    checkCids(db, report) ??
    checkChanges(db, report) ??
    hashFinding; // the last, because it says that an event was changed, and the others say in what
  const finding = damage ?? compareHeads(db, noted);
  return { finding, ...counts, heads: finding === undefined ? [...readHeads(db)] : [] };
}

/** A chain alone does not show that its end was cut off, or that somebody wrote all of it anew: heads kept elsewhere do. */
function compareHeads(db: Database.Database, noted: readonly NamedHead[]): string | undefined {
  const hashAt = db
    .prepare<[string, number], string>(
      'SELECT lower(hex(e.hash)) FROM events e JOIN rooms r USING (room) WHERE r.name = ? AND e.id = ?',
    )
    .pluck();
  const personHashAt = db
    .prepare<[number], string>('SELECT lower(hex(hash)) FROM people_chain WHERE number = ?')
    .pluck();
  for (const { room, last, hash } of noted) {
    if (last === 0) continue;
    const found = room === '*' ? personHashAt.get(last) : hashAt.get(room, last);
    const chain = room === '*' ? 'people' : `room ${room}`;
    if (found === undefined)
      return `${chain}: ends before number ${last}, which was noted. Restore a later backup`;
    if (found !== hash)
      return `${chain}: number ${last} does not have the noted hash. Restore another backup`;
  }
  return undefined;
}

function checkPages(db: Database.Database, report: ReportProgress): string | undefined {
  report('checking pages and indexes');
  const found = db.prepare<[], string>('PRAGMA integrity_check(1)').pluck().get();
  return found === 'ok' ? undefined : `the file is damaged: ${found}`;
}

interface OrphanRow {
  readonly table: string;
  readonly rowid: number;
  readonly parent: string;
}

function checkReferences(db: Database.Database, report: ReportProgress): string | undefined {
  report('checking references');
  const orphan = db.prepare<[], OrphanRow>('PRAGMA foreign_key_check').get();
  return (
    orphan && `${orphan.table} row ${orphan.rowid} refers to a row of ${orphan.parent} that is not there`
  );
}

/** An event with its place and its hash, in the order of the columns. Hashes and salts are in hex. */
type Row = [
  ...[seq: number, room: number, id: number, messages: number, type: string, person: number, name: string],
  ...[at: number, cid: string | null, target: number | null, reply: number | null, data: string | null],
  ...[content: string, hash: string],
];

/** A room, and how far the check has come in it. */
interface CheckedRoom {
  readonly room: number;
  readonly name: string;
  readonly last: number;
  /** the time of its newest event */
  readonly at: number;
  /** the number, the time, the count of messages and the hash of the event that was checked last */
  id: number;
  checkedAt: number;
  messages: number;
  hash: string;
}

/** What is wrong with the place of an event; what was changed in one. */
interface EventFindings {
  readonly place: string | undefined;
  readonly hash: string | undefined;
}

/** Reads the events once, in the one order, which is how they lie in the file. */
function checkEvents(db: Database.Database, total: number, report: ReportProgress): EventFindings {
  const rooms = new Map(
    db
      .prepare<[], Pick<CheckedRoom, 'room' | 'name' | 'last' | 'at'>>(
        'SELECT room, name, last, at FROM rooms',
      )
      .all()
      .map((row) => [row.room, { ...row, id: 0, checkedAt: 0, messages: 0, hash: ZERO_HASH }]),
  );
  const userIds = new Map(
    db.prepare<[], [number, string]>('SELECT person, id FROM people').raw().iterate() as Iterable<
      [number, string]
    >,
  );
  const rows = db.prepare<
    [],
    Row
  >(`SELECT seq, room, id, messages, type, person, name, at, cid, target, reply, data,
    lower(hex(content)), lower(hex(hash)) FROM events ORDER BY seq`);
  let [done, hash]: [number, string | undefined] = [0, undefined];
  for (const row of rows.raw().iterate() as Iterable<Row>) {
    const room = rooms.get(row[1]);
    if (!room) return { place: `event ${row[0]} belongs to no room`, hash };
    const place = checkPlace(room, row, db);
    if (place) return { place: `room ${room.name}: ${place}`, hash };
    hash ??= checkHash(room, row, userIds.get(row[5]) ?? '');
    if (++done % rowsPerReport === 0) report('checking numbers and hashes', done, total);
  }
  return { place: undefined, hash };
}

/** Compares the numbers, times and counts of an event with the previous event of its room. */
function checkPlace(room: CheckedRoom, row: Row, db: Database.Database): string | undefined {
  const [, , id, messages, type, , , at] = row;
  const expected = room.id + 1;
  if (id !== expected) return misplaced(id, expected, room.room, db);
  if (id > room.last) return `number ${id} is beyond its last, ${room.last}`;
  if (at < room.checkedAt) return `the time goes back at number ${id}`;
  if (at > room.at) return `number ${id} is later than the room itself`;
  const counted = room.messages + (type === 'chat' ? 1 : 0);
  if (messages !== counted) return `number ${id} counts ${messages} messages, not ${counted}`;
  room.id = id;
  room.checkedAt = at;
  room.messages = counted;
  return undefined;
}

function misplaced(id: number, expected: number, room: number, db: Database.Database): string {
  const exists = db
    .prepare<[number, number]>('SELECT 1 FROM events WHERE room = ? AND id = ?')
    .get(room, expected);
  if (id > expected && exists) return `number ${id} was stored before number ${expected}`;
  return `number ${expected} is missing, ${id} comes next`;
}

function checkHash(room: CheckedRoom, row: Row, userId: string): string | undefined {
  const [, , id, , type, , name, at, cid, target, reply, data, salt, hash] = row;
  const content = data === '' ? salt : contentHash(salt.slice(0, 32), data, reply);
  room.hash = eventHash(room.hash, { room: room.name, id, type, target, userId, name, at, cid, content });
  if (room.hash === hash) return undefined;
  return `room ${room.name}: number ${id} is not as it was written: its hash does not fit. Restore a backup from before that`;
}

interface RoomRow {
  readonly name: string;
  readonly last: number;
  readonly messages: number;
  readonly newest: number;
  readonly counted: number;
  /** 1: the hash is that of the newest event */
  readonly isHead: number;
}

function checkRooms(db: Database.Database): string | undefined {
  const room = db
    .prepare<
      [],
      RoomRow
    >(`SELECT r.name, r.last, r.messages, coalesce(e.id, 0) AS newest, coalesce(e.messages, 0) AS counted,
        r.hash IS coalesce(e.hash, zeroblob(32)) AS isHead
      FROM rooms r LEFT JOIN events e ON e.room = r.room AND e.id = (SELECT max(id) FROM events WHERE room = r.room)
      WHERE r.last <> newest OR r.messages <> counted OR NOT isHead LIMIT 1`)
    .get();
  if (!room) return undefined;
  const { name, last, messages, newest, counted } = room;
  if (last !== newest) return `room ${name}: its last is ${last}, but its newest event is ${newest}`;
  if (messages !== counted)
    return `room ${name}: it counts ${messages} messages, but its newest event ${counted}`;
  return `room ${name}: its hash is not that of its last event, ${last}`;
}

function checkChanges(db: Database.Database, report: ReportProgress): string | undefined {
  report('checking changes, reactions and marks');
  return findChangeProblem(db);
}

interface DuplicateCid {
  readonly id: string;
  readonly cid: string;
  readonly times: number;
}

/** Finds what the unique index forbids, because the file may have lost the index. */
function checkCids(db: Database.Database, report: ReportProgress): string | undefined {
  report('checking cids');
  const twice = db
    .prepare<
      [],
      DuplicateCid
    >(`SELECT p.id, e.cid, count(*) AS times FROM events e JOIN people p USING (person)
      WHERE e.cid IS NOT NULL GROUP BY e.cid, e.person HAVING times > 1 LIMIT 1`)
    .get();
  return twice && `cid ${twice.cid} of person ${twice.id} occurs ${twice.times} times`;
}

/** Checks of changes, reactions, mentions and read marks: a finding, and the query that selects the events it is true of. */

interface BadEvent {
  readonly room: string;
  readonly id: number;
}

/** `c` is a change, `m` its message. */
const CHANGES_WITH_TARGETS = `FROM events c LEFT JOIN current_events m ON m.room = c.room AND m.id = c.target AND m.id < c.id
  WHERE c.type <> 'chat'`;

const CHANGE_CHECKS: readonly (readonly [finding: string, query: string])[] = [
  [
    'is a change without a target',
    "SELECT c.room, c.id FROM events c WHERE c.type <> 'chat' AND c.target IS NULL",
  ],
  [
    'changes a message that does not exist',
    `SELECT c.room, c.id ${CHANGES_WITH_TARGETS} AND m.type IS NOT 'chat'`,
  ],
  [
    'deletes a message that does not name it as its deletion',
    `SELECT c.room, c.id ${CHANGES_WITH_TARGETS} AND c.type = 'delete' AND m.deleted IS NOT c.id`,
  ],
  ['was changed after it was deleted', `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND c.id > m.deleted`],
  [
    'was changed by somebody else',
    `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND c.type IN ('edit', 'delete') AND c.person <> m.person`,
  ],
  [
    'was deleted, but some of its text is still there',
    `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND m.deleted IS NOT NULL
      AND (m.data <> '' OR m.mentions IS NOT NULL
        OR c.type = 'edit' AND (c.data <> '' OR c.mentions IS NOT NULL))`,
  ],
  [
    'does not have the text of its last edit',
    `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND c.type = 'edit' AND m.deleted IS NULL
      AND (m.edited IS NULL OR c.id > m.edited)`,
  ],
  [
    'names as its last edit an event that is no edit of it',
    `SELECT m.room, m.id FROM current_events m LEFT JOIN events c ON c.room = m.room AND c.id = m.edited
      WHERE m.type = 'chat' AND m.edited IS NOT NULL AND (c.type IS NOT 'edit' OR c.target IS NOT m.id)`,
  ],
  [
    'names as its deletion an event that is no deletion of it',
    `SELECT m.room, m.id FROM current_events m LEFT JOIN events c ON c.room = m.room AND c.id = m.deleted
      WHERE m.deleted IS NOT NULL AND (c.type IS NOT 'delete' OR c.target IS NOT m.id)`,
  ],
  [
    'has a reaction without its event',
    `SELECT a.room, a.target AS id FROM reactions a LEFT JOIN events c ON c.room = a.room AND c.id = a.id
      WHERE c.type IS NOT 'react' OR c.target IS NOT a.target OR c.person <> a.person OR c.data <> a.data`,
  ],
  [
    'has other reactions than its events add up to',
    `SELECT room, target AS id FROM (
      SELECT c.room, c.target, c.person, c.data, max(m.deleted) AS deleted,
        sum(CASE c.type WHEN 'react' THEN 1 ELSE -1 END) AS given,
        (SELECT count(*) FROM reactions a
          WHERE a.room = c.room AND a.target = c.target AND a.person = c.person AND a.data = c.data) AS stand
      ${CHANGES_WITH_TARGETS} AND c.type IN ('react', 'unreact') GROUP BY c.room, c.target, c.person, c.data)
      WHERE stand <> CASE WHEN deleted IS NULL THEN given ELSE 0 END`,
  ],
  [
    'has a wrong count of reactions',
    `SELECT room, id FROM (SELECT m.room, m.id, m.reacted,
        (SELECT count(*) FROM reactions a WHERE a.room = m.room AND a.target = m.id) AS stand
      FROM current_events m WHERE m.type = 'chat') WHERE coalesce(reacted, 0) <> stand`,
  ],
  [
    'is listed as a mention but mentions nobody',
    `SELECT m.room, m.id FROM mentions n JOIN current_events m ON m.seq = n.seq
      WHERE m.type <> 'chat' OR m.mentions IS NULL AND m.reply IS NULL OR m.room <> n.room OR m.id <> n.id`,
  ],
  [
    'mentions somebody but is not listed as a mention',
    `SELECT m.room, m.id FROM current_events m WHERE m.type = 'chat'
      AND m.mentions IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mentions n WHERE n.room = m.room AND n.id = m.id)`,
  ],
  [
    'replies to an event that is no earlier message',
    `SELECT m.room, m.id FROM current_events m LEFT JOIN events t ON t.room = m.room AND t.id = m.reply
      WHERE m.reply IS NOT NULL AND (m.type <> 'chat' OR t.type IS NOT 'chat' OR t.id >= m.id)`,
  ],
  [
    'is deleted but not listed as deleted',
    `SELECT m.room, m.id FROM current_events m LEFT JOIN deletions d ON d.room = m.room AND d.id = m.id
      WHERE m.deleted IS NOT NULL AND d.person IS NOT m.person`,
  ],
  [
    'is listed as deleted but is not',
    `SELECT d.room, d.id FROM deletions d LEFT JOIN current_events m ON m.room = d.room AND m.id = d.id
      WHERE m.deleted IS NULL`,
  ],
  [
    "is the last, but the count of a member's own messages above their mark is wrong",
    `SELECT r.room, r.last AS id FROM members m JOIN rooms r USING (room)
      LEFT JOIN (SELECT e.person, e.room, sum(e.id > m.read) AS own, max(e.id) AS own_last
        FROM events e JOIN members m ON m.person = e.person AND m.room = e.room
        WHERE e.type = 'chat' GROUP BY e.person, e.room) t ON t.person = m.person AND t.room = m.room
      WHERE m.own <> coalesce(t.own, 0) OR m.own_last <> coalesce(t.own_last, 0)`,
  ],
  [
    'is the last, but a read mark is beyond it',
    'SELECT r.room, r.last AS id FROM members JOIN rooms r USING (room) WHERE read > r.last',
  ],
];

/** Returns the first finding, which names the event. */
export function findChangeProblem(db: Database.Database): string | undefined {
  for (const [finding, query] of CHANGE_CHECKS) {
    const found = db
      .prepare<[], BadEvent>(
        `SELECT r.name AS room, f.id FROM (${query} LIMIT 1) f JOIN rooms r USING (room)`,
      )
      .get();
    if (found) return `room ${found.room}: number ${found.id} ${finding}`;
  }
  return undefined;
}
