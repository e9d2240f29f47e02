/**
 * The promise, checked on the file itself: every room counts 1, 2, 3 … to its last without a hole, in the one order,
 * its times never go back; every cid of a person once; every reference leads somewhere; the pages and indexes are sound;
 * and every message is what its changes come to (soundness.ts).
 * It reads one snapshot, so a server may go on writing. The first fault ends it, in words that name the place.
 */
import Database from 'better-sqlite3';
import { openForReading } from './open.js';
import { faultOfFrequent, faultOfShorthand } from './search/sound.js';
import { faultOfChanges } from './soundness.js';

export interface Verdict {
  /** undefined: sound */
  readonly fault: string | undefined;
  readonly rooms: number;
  readonly people: number;
  readonly events: number;
}

/** What is being done: so much of the events, or a step that has no parts. */
export type Report = (step: string, done?: number, total?: number) => void;

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
const REACH = "(SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'placed')";

/** Rows between two reports. */
const STEP = 50_000;

/** @throws OpenError when the file is none of ours */
export function verify(file: string, report: Report): Verdict {
  const db = openForReading(file);
  try {
    db.pragma('cache_size = -64000'); // 64 MB: it goes through the file in other orders than it lies there
    db.exec('BEGIN');
    return judge(db, report);
  } catch (error) {
    if (!(error instanceof Database.SqliteError) || !/CORRUPT|NOTADB|IOERR/.test(error.code)) throw error;
    return { fault: `the file is damaged: ${error.message}`, rooms: 0, people: 0, events: 0 };
  } finally {
    db.close();
  }
}

function judge(db: Database.Database, report: Report): Verdict {
  const count = (table: string): number =>
    db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0;
  const counts = { rooms: count('rooms'), people: count('people'), events: count('events') };
  placeLate(db);
  const fault =
    faultOfPages(db, report) ??
    faultOfReferences(db, report) ??
    faultOfNumbers(db, counts.events, report) ??
    faultOfPlaces(db, report) ??
    faultOfRooms(db) ??
    faultOfCids(db, report) ??
    faultOfWhatBecame(db, report);
  return { fault, ...counts };
}

/** The places of the events that the tables do not reach. */
function placeLate(db: Database.Database): void {
  db.exec(`CREATE TEMP TABLE late (room INTEGER, id INTEGER, event INTEGER);
    INSERT INTO late SELECT room, id, seq FROM events WHERE seq > ${REACH};
    CREATE INDEX temp.late_number ON late (room, id)`);
}

function faultOfPages(db: Database.Database, report: Report): string | undefined {
  report('checking pages and indexes');
  const found = db.prepare<[], string>('PRAGMA integrity_check(1)').pluck().get();
  return found === 'ok' ? undefined : `the file is damaged: ${found}`;
}

interface Orphan {
  readonly table: string;
  readonly rowid: number;
  readonly parent: string;
}

function faultOfReferences(db: Database.Database, report: Report): string | undefined {
  report('checking references');
  const orphan = db.prepare<[], Orphan>('PRAGMA foreign_key_check').get();
  return (
    orphan && `${orphan.table} row ${orphan.rowid} refers to a row of ${orphan.parent} that is not there`
  );
}

function faultOfNumbers(db: Database.Database, total: number, report: Report): string | undefined {
  const rows = db.prepare<[], Row>(`SELECT e.seq, p.room, r.name, r.last, r.at AS latest, p.id, e.at,
      e.room = p.room AND e.id = p.id AS right
    FROM (SELECT room, id, event FROM numbers WHERE event <= ${REACH} UNION ALL SELECT room, id, event FROM late) p
    JOIN events e ON e.seq = p.event JOIN rooms r ON r.room = p.room ORDER BY p.room, p.id`);
  let done = 0;
  let before: Row | undefined;
  for (const row of rows.iterate()) {
    const fault = faultBetween(before?.room === row.room ? before : undefined, row);
    if (fault) return `room ${row.name}: ${fault}`;
    before = row;
    if (++done % STEP === 0) report('checking numbers', done, total);
  }
  return done < total ? `${total - done} of ${total} events have no number` : undefined;
}

/** What is wrong with an event after the one before it in its room. */
function faultBetween(before: Row | undefined, row: Row): string | undefined {
  if (!row.right) return `number ${row.id} leads to another event`;
  const expected = (before?.id ?? 0) + 1;
  if (row.id !== expected) return `number ${expected} is missing, ${row.id} comes next`;
  if (row.id > row.last) return `number ${row.id} is beyond its last, ${row.last}`;
  if (before && row.seq <= before.seq) return `number ${row.id} was kept before number ${before.id}`;
  if (before && row.at < before.at) return `the time goes back at number ${row.id}`;
  if (row.at > row.latest) return `number ${row.id} is later than the room itself`;
  return undefined;
}

interface Misplaced {
  readonly name: string;
  readonly id: number;
}

/** Beyond its reach the table may have events already, or not: then the right ones. */
function faultOfPlaces(db: Database.Database, report: Report): string | undefined {
  report('checking places');
  const wrong = db
    .prepare<[], Misplaced>(`SELECT r.name, n.id FROM numbers n JOIN rooms r USING (room)
      LEFT JOIN events e ON e.seq = n.event
      WHERE n.event > ${REACH} AND (e.room IS NOT n.room OR e.id IS NOT n.id) LIMIT 1`)
    .get();
  return wrong && `room ${wrong.name}: number ${wrong.id} leads to another event, or to none`;
}

interface Room {
  readonly name: string;
  readonly last: number;
  readonly most: number;
}

function faultOfRooms(db: Database.Database): string | undefined {
  const room = db
    .prepare<[], Room>(`SELECT name, last, most FROM (
      SELECT name, last, coalesce((SELECT max(id) FROM late l WHERE l.room = r.room),
        (SELECT max(id) FROM numbers n WHERE n.room = r.room), 0) AS most FROM rooms r)
      WHERE last <> most LIMIT 1`)
    .get();
  return room && `room ${room.name}: its last is ${room.last}, but its newest event is ${room.most}`;
}

function faultOfWhatBecame(db: Database.Database, report: Report): string | undefined {
  report('checking changes, reactions and marks');
  return faultOfChanges(db) ?? faultOfFrequent(db) ?? faultOfShorthand(db);
}

interface Twice {
  readonly id: string;
  readonly cid: string;
  readonly times: number;
}

function faultOfCids(db: Database.Database, report: Report): string | undefined {
  report('checking cids');
  const twice = TWICE.map((query) => db.prepare<[], Twice>(query).get()).find((found) => found);
  return twice && `cid ${twice.cid} of person ${twice.id} is there ${twice.times} times`;
}

/** Each cid leads to its event; among those that the table does not reach, none is there twice. */
const TWICE = [
  `SELECT p.id, e.cid, 2 AS times FROM events e JOIN people p USING (person)
    LEFT JOIN cids c ON c.person = e.person AND c.cid = e.cid
    WHERE e.cid IS NOT NULL AND c.event IS NOT e.seq AND (c.event IS NOT NULL OR e.seq <= ${REACH}) LIMIT 1`,
  `SELECT p.id, e.cid, count(*) AS times FROM events e JOIN people p USING (person)
    WHERE e.seq > ${REACH} AND e.cid IS NOT NULL GROUP BY e.person, e.cid HAVING times > 1 LIMIT 1`,
];
