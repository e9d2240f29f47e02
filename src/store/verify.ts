/**
 * The promise, checked on the file itself: every room counts 1, 2, 3 … to its last without a hole, in the one order,
 * its times never go back; every cid of a person once; every reference leads somewhere; the pages and indexes are sound;
 * and every message is what its changes come to (soundness.ts).
 * It reads one snapshot, so a server may go on writing. The first fault ends it, in words that name the place.
 */

import { openReadOnly } from './database.js';
import Database from './sqlite.js';

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
  readonly messages: number;
  readonly isMessage: number;
}

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
  const fault =
    checkPages(db, report) ??
    checkReferences(db, report) ??
    checkNumbers(db, counts.events, report) ??
    checkRooms(db) ??
    checkCids(db, report) ??
    checkChanges(db, report);
  return { finding: fault, ...counts };
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
  const rows = db.prepare<[], Row>(`SELECT e.seq, e.room, r.name, r.last, r.at AS latest, e.id, e.at,
      e.messages, e.type = 'chat' AS isMessage
    FROM events e CROSS JOIN rooms r USING (room) ORDER BY e.room, e.id`);
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
  const expected = (before?.id ?? 0) + 1;
  if (row.id !== expected) return `number ${expected} is missing, ${row.id} comes next`;
  if (row.id > row.last) return `number ${row.id} is beyond its last, ${row.last}`;
  if (before && row.seq <= before.seq) return `number ${row.id} was kept before number ${before.id}`;
  if (before && row.at < before.at) return `the time goes back at number ${row.id}`;
  if (row.at > row.latest) return `number ${row.id} is later than the room itself`;
  const messages = (before?.messages ?? 0) + row.isMessage;
  if (row.messages !== messages) return `number ${row.id} counts ${row.messages} messages, not ${messages}`;
  return undefined;
}

interface RoomRow {
  readonly name: string;
  readonly last: number;
  readonly messages: number;
  readonly newest: number;
  readonly counted: number;
}

function checkRooms(db: Database.Database): string | undefined {
  const room = db
    .prepare<
      [],
      RoomRow
    >(`SELECT r.name, r.last, r.messages, coalesce(e.id, 0) AS newest, coalesce(e.messages, 0) AS counted
      FROM rooms r LEFT JOIN events e ON e.room = r.room AND e.id = (SELECT max(id) FROM events WHERE room = r.room)
      WHERE r.last <> newest OR r.messages <> counted LIMIT 1`)
    .get();
  if (!room) return undefined;
  const { name, last, messages, newest, counted } = room;
  if (last !== newest) return `room ${name}: its last is ${last}, but its newest event is ${newest}`;
  return `room ${name}: it counts ${messages} messages, but its newest event ${counted}`;
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

/** The index forbids it; a file in which somebody dropped the index is checked all the same. */
function checkCids(db: Database.Database, report: ReportProgress): string | undefined {
  report('checking cids');
  const twice = db
    .prepare<
      [],
      DuplicateCid
    >(`SELECT p.id, e.cid, count(*) AS times FROM events e JOIN people p USING (person)
      WHERE e.cid IS NOT NULL GROUP BY e.cid, e.person HAVING times > 1 LIMIT 1`)
    .get();
  return twice && `cid ${twice.cid} of person ${twice.id} is there ${twice.times} times`;
}

/**
 * What must be true of changes, reactions, mentions, marks and the index: each a fault in words and the query that finds
 * its first case. A message's row has to be what its changes come to.
 */

interface BadEvent {
  readonly room: string;
  readonly id: number;
}

/** `c` is a change, `m` its message. */
const CHANGES_WITH_TARGETS = `FROM events c LEFT JOIN current_events m ON m.room = c.room AND m.id = c.target AND m.id < c.id
  WHERE c.type <> 'chat'`;

const CHANGE_CHECKS: readonly (readonly [fault: string, query: string])[] = [
  ['is a change of nothing', "SELECT c.room, c.id FROM events c WHERE c.type <> 'chat' AND c.target IS NULL"],
  [
    'changes a message that is not there',
    `SELECT c.room, c.id ${CHANGES_WITH_TARGETS} AND m.type IS NOT 'chat'`,
  ],
  [
    'deletes a message that is not deleted by it',
    `SELECT c.room, c.id ${CHANGES_WITH_TARGETS} AND c.type = 'delete' AND m.deleted IS NOT c.id`,
  ],
  ['was changed after it was deleted', `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND c.id > m.deleted`],
  [
    'was changed by somebody else',
    `SELECT m.room, m.id ${CHANGES_WITH_TARGETS} AND c.type IN ('edit', 'delete') AND c.person <> m.person`,
  ],
  [
    'was deleted, and some of its text is still there',
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
    'is said to be edited by what is no edit of it',
    `SELECT m.room, m.id FROM current_events m LEFT JOIN events c ON c.room = m.room AND c.id = m.edited
      WHERE m.type = 'chat' AND m.edited IS NOT NULL AND (c.type IS NOT 'edit' OR c.target IS NOT m.id)`,
  ],
  [
    'is said to be deleted by what is no deletion of it',
    `SELECT m.room, m.id FROM current_events m LEFT JOIN events c ON c.room = m.room AND c.id = m.deleted
      WHERE m.deleted IS NOT NULL AND (c.type IS NOT 'delete' OR c.target IS NOT m.id)`,
  ],
  [
    'has a reaction that nobody gave',
    `SELECT a.room, a.target AS id FROM reactions a LEFT JOIN events c ON c.room = a.room AND c.id = a.id
      WHERE c.type IS NOT 'react' OR c.target IS NOT a.target OR c.person <> a.person OR c.data <> a.data`,
  ],
  [
    'has other reactions than were given and not taken back',
    `SELECT room, target AS id FROM (
      SELECT c.room, c.target, c.person, c.data, max(m.deleted) AS deleted,
        sum(CASE c.type WHEN 'react' THEN 1 ELSE -1 END) AS given,
        (SELECT count(*) FROM reactions a
          WHERE a.room = c.room AND a.target = c.target AND a.person = c.person AND a.data = c.data) AS stand
      ${CHANGES_WITH_TARGETS} AND c.type IN ('react', 'unreact') GROUP BY c.room, c.target, c.person, c.data)
      WHERE stand <> CASE WHEN deleted IS NULL THEN given ELSE 0 END`,
  ],
  [
    'counts its reactions wrongly',
    `SELECT room, id FROM (SELECT m.room, m.id, m.reacted,
        (SELECT count(*) FROM reactions a WHERE a.room = m.room AND a.target = m.id) AS stand
      FROM current_events m WHERE m.type = 'chat') WHERE coalesce(reacted, 0) <> stand`,
  ],
  [
    'is in a list of mentions, and calls nobody',
    `SELECT m.room, m.id FROM mentions n JOIN current_events m ON m.seq = n.seq
      WHERE m.type <> 'chat' OR m.mentions IS NULL AND m.reply IS NULL OR m.room <> n.room OR m.id <> n.id`,
  ],
  [
    'calls somebody, and is in no list of mentions',
    `SELECT m.room, m.id FROM current_events m WHERE m.type = 'chat'
      AND m.mentions IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mentions n WHERE n.room = m.room AND n.id = m.id)`,
  ],
  [
    'replies to what is no message before it',
    `SELECT m.room, m.id FROM current_events m LEFT JOIN events t ON t.room = m.room AND t.id = m.reply
      WHERE m.reply IS NOT NULL AND (m.type <> 'chat' OR t.type IS NOT 'chat' OR t.id >= m.id)`,
  ],
  [
    'is deleted, and not in the list of deletions',
    `SELECT m.room, m.id FROM current_events m LEFT JOIN deletions d ON d.room = m.room AND d.id = m.id
      WHERE m.deleted IS NOT NULL AND d.person IS NOT m.person`,
  ],
  [
    'is in the list of deletions, and not deleted',
    `SELECT d.room, d.id FROM deletions d LEFT JOIN current_events m ON m.room = d.room AND m.id = d.id
      WHERE m.deleted IS NULL`,
  ],
  [
    'is the last, and a member counts their own unread messages wrongly',
    `SELECT r.room, r.last AS id FROM members m JOIN rooms r USING (room)
      LEFT JOIN (SELECT e.person, e.room, sum(e.id > m.read) AS own, max(e.id) AS own_last
        FROM events e JOIN members m ON m.person = e.person AND m.room = e.room
        WHERE e.type = 'chat' GROUP BY e.person, e.room) t ON t.person = m.person AND t.room = m.room
      WHERE m.own <> coalesce(t.own, 0) OR m.own_last <> coalesce(t.own_last, 0)`,
  ],
  [
    'is the last, and somebody has read further',
    'SELECT r.room, r.last AS id FROM members JOIN rooms r USING (room) WHERE read > r.last',
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
  return undefined;
}
