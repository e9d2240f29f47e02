/**
 * The promise, checked on the file itself: every room counts 1, 2, 3 … to its last without a hole, in the one order,
 * its times never go back; every cid of a person once; every reference leads somewhere; the pages and indexes are sound;
 * and every message is what its changes come to (soundness.ts).
 * It reads one snapshot, so a server may go on writing. The first fault ends it, in words that name the place.
 */
import Database from 'better-sqlite3';
import { openReadOnly } from './database.js';
import { faultOfFrequent, faultOfShorthand } from './search/sound.js';

export interface VerifyResult {
  /** undefined: sound */
  readonly finding: string | undefined;
  readonly rooms: number;
  readonly people: number;
  readonly events: number;
}

/** What is being done: so much of the events, or a step that has no parts. */
export type ReportProgress = (step: string, done?: number, total?: number) => void;

interface Row {
  readonly seq: number;
  readonly room: number;
  readonly name: string;
  readonly last: number;
  readonly latest: number;
  readonly id: number;
  readonly at: number;
  /** the event says the same of itself */
  readonly right: number;
}

/** Up to which seq the tables of places reach (places.ts). */
const INDEXED_TO = "(SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'placed')";

/** Rows between two reports. */
const PROGRESS_ROWS = 50_000;

/** @throws OpenError when the file is none of ours */
export function verify(file: string, report: ReportProgress): VerifyResult {
  const db = openReadOnly(file);
  try {
    db.pragma('cache_size = -64000'); // 64 MB: it goes through the file in other orders than it lies there
    db.exec('BEGIN');
    return runChecks(db, report);
  } catch (error) {
    if (!(error instanceof Database.SqliteError) || !/CORRUPT|NOTADB|IOERR/.test(error.code)) throw error;
    return { finding: `the file is damaged: ${error.message}`, rooms: 0, people: 0, events: 0 };
  } finally {
    db.close();
  }
}

function runChecks(db: Database.Database, report: ReportProgress): VerifyResult {
  const count = (table: string): number =>
    db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0;
  const counts = { rooms: count('rooms'), people: count('people'), events: count('events') };
  createLateTable(db);
  const fault =
    checkPages(db, report) ??
    checkReferences(db, report) ??
    checkNumbers(db, counts.events, report) ??
    checkNumberIndex(db, report) ??
    checkRooms(db) ??
    checkCids(db, report) ??
    checkChanges(db, report);
  return { finding: fault, ...counts };
}

/** The places of the events that the tables do not reach. */
function createLateTable(db: Database.Database): void {
  db.exec(`CREATE TEMP TABLE late (room INTEGER, id INTEGER, event INTEGER);
    INSERT INTO late SELECT room, id, seq FROM events WHERE seq > ${INDEXED_TO};
    CREATE INDEX temp.late_number ON late (room, id)`);
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

function checkNumbers(db: Database.Database, total: number, report: ReportProgress): string | undefined {
  const rows = db.prepare<[], Row>(`SELECT e.seq, p.room, r.name, r.last, r.at AS latest, p.id, e.at,
      e.room = p.room AND e.id = p.id AS right
    FROM (SELECT room, id, event FROM numbers WHERE event <= ${INDEXED_TO} UNION ALL SELECT room, id, event FROM late) p
    JOIN events e ON e.seq = p.event JOIN rooms r ON r.room = p.room ORDER BY p.room, p.id`);
  let done = 0;
  let before: Row | undefined;
  for (const row of rows.iterate()) {
    const fault = checkFollows(before?.room === row.room ? before : undefined, row);
    if (fault) return `room ${row.name}: ${fault}`;
    before = row;
    if (++done % PROGRESS_ROWS === 0) report('checking numbers', done, total);
  }
  return done < total ? `${total - done} of ${total} events have no number` : undefined;
}

/** What is wrong with an event after the one before it in its room. */
function checkFollows(before: Row | undefined, row: Row): string | undefined {
  if (!row.right) return `number ${row.id} leads to another event`;
  const expected = (before?.id ?? 0) + 1;
  if (row.id !== expected) return `number ${expected} is missing, ${row.id} comes next`;
  if (row.id > row.last) return `number ${row.id} is beyond its last, ${row.last}`;
  if (before && row.seq <= before.seq) return `number ${row.id} was kept before number ${before.id}`;
  if (before && row.at < before.at) return `the time goes back at number ${row.id}`;
  if (row.at > row.latest) return `number ${row.id} is later than the room itself`;
  return undefined;
}

interface MisplacedRow {
  readonly name: string;
  readonly id: number;
}

/** Beyond its reach the table may have events already, or not: then the right ones. */
function checkNumberIndex(db: Database.Database, report: ReportProgress): string | undefined {
  report('checking places');
  const wrong = db
    .prepare<[], MisplacedRow>(`SELECT r.name, n.id FROM numbers n JOIN rooms r USING (room)
      LEFT JOIN events e ON e.seq = n.event
      WHERE n.event > ${INDEXED_TO} AND (e.room IS NOT n.room OR e.id IS NOT n.id) LIMIT 1`)
    .get();
  return wrong && `room ${wrong.name}: number ${wrong.id} leads to another event, or to none`;
}

interface RoomRow {
  readonly name: string;
  readonly last: number;
  readonly most: number;
}

function checkRooms(db: Database.Database): string | undefined {
  const room = db
    .prepare<[], RoomRow>(`SELECT name, last, most FROM (
      SELECT name, last, coalesce((SELECT max(id) FROM late l WHERE l.room = r.room),
        (SELECT max(id) FROM numbers n WHERE n.room = r.room), 0) AS most FROM rooms r)
      WHERE last <> most LIMIT 1`)
    .get();
  return room && `room ${room.name}: its last is ${room.last}, but its newest event is ${room.most}`;
}

function checkChanges(db: Database.Database, report: ReportProgress): string | undefined {
  report('checking changes, reactions and marks');
  return findChangeProblem(db) ?? faultOfFrequent(db) ?? faultOfShorthand(db);
}

interface DuplicateCid {
  readonly id: string;
  readonly cid: string;
  readonly times: number;
}

function checkCids(db: Database.Database, report: ReportProgress): string | undefined {
  report('checking cids');
  const twice = DUPLICATE_CID_QUERIES.map((query) => db.prepare<[], DuplicateCid>(query).get()).find(
    (found) => found,
  );
  return twice && `cid ${twice.cid} of person ${twice.id} is there ${twice.times} times`;
}

/** Each cid leads to its event; among those that the table does not reach, none is there twice. */
const DUPLICATE_CID_QUERIES = [
  `SELECT p.id, e.cid, 2 AS times FROM events e JOIN people p USING (person)
    LEFT JOIN cids c ON c.person = e.person AND c.cid = e.cid
    WHERE e.cid IS NOT NULL AND c.event IS NOT e.seq AND (c.event IS NOT NULL OR e.seq <= ${INDEXED_TO}) LIMIT 1`,
  `SELECT p.id, e.cid, count(*) AS times FROM events e JOIN people p USING (person)
    WHERE e.seq > ${INDEXED_TO} AND e.cid IS NOT NULL GROUP BY e.person, e.cid HAVING times > 1 LIMIT 1`,
];

/**
 * What must be true of changes, reactions, mentions, marks and the index: each a fault in words and the query that finds
 * its first case. A message's row has to be what its changes come to.
 */

interface BadEvent {
  readonly room: string;
  readonly id: number;
}

/** The seq of a room's event by its number; `late` is what the table does not reach (verify.ts). */
const eventByNumber = (room: string, id: string): string =>
  `coalesce((SELECT event FROM late WHERE late.room = ${room} AND late.id = ${id}),
    (SELECT event FROM numbers n WHERE n.room = ${room} AND n.id = ${id}))`;

/** `c` is a change with its state `d`, `m` the message with its own, `s`. */
const CHANGES_WITH_TARGETS = `FROM states d JOIN events c ON c.seq = d.event
  LEFT JOIN events m ON m.seq = ${eventByNumber('c.room', 'd.target')} AND m.id < c.id
  LEFT JOIN states s ON s.event = m.seq WHERE c.type <> 'chat'`;

const CHANGE_CHECKS: readonly (readonly [fault: string, query: string])[] = [
  [
    'is a change of nothing',
    "SELECT c.room, c.id FROM events c LEFT JOIN states d ON d.event = c.seq WHERE c.type <> 'chat' AND d.target IS NULL",
  ],
  [
    'changes a message that is not there',
    `SELECT c.room, c.id ${CHANGES_WITH_TARGETS} AND m.type IS NOT 'chat'`,
  ],
  [
    'deletes a message that is not deleted by it',
    `SELECT c.room, c.id ${CHANGES_WITH_TARGETS} AND c.type = 'delete' AND s.deleted IS NOT c.id`,
  ],
  ['was changed after it was deleted', `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND c.id > s.deleted`],
  [
    'was changed by somebody else',
    `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND c.type IN ('edit', 'delete') AND c.person <> m.person`,
  ],
  [
    'was deleted, and some of its text is still there',
    `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND s.deleted IS NOT NULL
      AND (m.data <> '' OR s.text IS NOT NULL OR s.mentions IS NOT NULL
        OR c.type = 'edit' AND (c.data <> '' OR d.mentions IS NOT NULL))`,
  ],
  [
    'does not have the text of its last edit',
    `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND c.type = 'edit' AND s.deleted IS NULL
      AND (s.edited IS NULL OR c.id > s.edited OR c.id = s.edited AND s.text IS NOT c.data)`,
  ],
  [
    'is said to be edited by what is no edit of it',
    `SELECT m.room, m.id FROM states s JOIN events m ON m.seq = s.event
      LEFT JOIN events c ON c.seq = ${eventByNumber('m.room', 's.edited')} LEFT JOIN states d ON d.event = c.seq
      WHERE m.type = 'chat' AND s.edited IS NOT NULL AND (c.type IS NOT 'edit' OR d.target IS NOT m.id)`,
  ],
  [
    'is said to be deleted by what is no deletion of it',
    `SELECT m.room, m.id FROM states s JOIN events m ON m.seq = s.event
      LEFT JOIN events c ON c.seq = ${eventByNumber('m.room', 's.deleted')} LEFT JOIN states d ON d.event = c.seq
      WHERE s.deleted IS NOT NULL AND (c.type IS NOT 'delete' OR d.target IS NOT m.id)`,
  ],
  [
    'has a reaction that nobody gave',
    `SELECT a.room, a.target AS id FROM reactions a LEFT JOIN events c ON c.seq = ${eventByNumber('a.room', 'a.id')}
      LEFT JOIN states d ON d.event = c.seq
      WHERE c.type IS NOT 'react' OR d.target IS NOT a.target OR c.person <> a.person OR c.data <> a.data`,
  ],
  [
    'has other reactions than were given and not taken back',
    `SELECT room, target AS id FROM (
      SELECT c.room, d.target, c.person, c.data, max(s.deleted) AS deleted,
        sum(CASE c.type WHEN 'react' THEN 1 ELSE -1 END) AS given,
        (SELECT count(*) FROM reactions a
          WHERE a.room = c.room AND a.target = d.target AND a.person = c.person AND a.data = c.data) AS stand
      ${CHANGES_WITH_TARGETS} AND c.type IN ('react', 'unreact') GROUP BY c.room, d.target, c.person, c.data)
      WHERE stand <> CASE WHEN deleted IS NULL THEN given ELSE 0 END`,
  ],
  [
    'counts its reactions wrongly',
    `SELECT room, id FROM (SELECT m.room, m.id, s.reacted,
        (SELECT count(*) FROM reactions a WHERE a.room = m.room AND a.target = m.id) AS stand
      FROM states s JOIN events m ON m.seq = s.event WHERE m.type = 'chat') WHERE coalesce(reacted, 0) <> stand`,
  ],
  [
    'is in a list of mentions, and calls nobody',
    `SELECT m.room, m.id FROM mentions n JOIN events m ON m.seq = n.event LEFT JOIN states s ON s.event = m.seq
      WHERE m.type <> 'chat' OR s.mentions IS NULL`,
  ],
  [
    'calls somebody, and is in no list of mentions',
    `SELECT m.room, m.id FROM states s JOIN events m ON m.seq = s.event WHERE m.type = 'chat'
      AND s.mentions IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mentions n WHERE n.event = m.seq)`,
  ],
  [
    'is the last, and somebody has read further',
    'SELECT r.room, r.last AS id FROM members JOIN rooms r USING (room) WHERE read > r.last',
  ],
  [
    'is outdated in the index, which does not reach that far',
    `SELECT m.room, m.id FROM outdated o JOIN events m ON m.seq = o.event
      WHERE m.seq > (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'indexed')`,
  ],
];

/** The first fault, in words that name the place; undefined: sound. */
export function findChangeProblem(db: Database.Database): string | undefined {
  for (const [fault, query] of CHANGE_CHECKS) {
    const found = db
      .prepare<[], BadEvent>(
        `SELECT r.name AS room, f.id FROM (${query} LIMIT 1) f JOIN rooms r USING (room)`,
      )
      .get();
    if (found) return `room ${found.room}: number ${found.id} ${fault}`;
  }
  const reach = db
    .prepare<[], number>(
      "SELECT 1 FROM meta WHERE key = 'indexed' AND CAST(value AS INTEGER) > (SELECT coalesce(max(seq), 0) FROM events)",
    )
    .get();
  return reach === undefined ? undefined : 'the index reaches further than the log';
}
