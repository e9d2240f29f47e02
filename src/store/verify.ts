/**
 * Checks a database: its pages and indexes; its references; that a cid of a person is there once; and its log, by a replay
 * (replay.ts). It reads one snapshot while a server may write. It stops at the first finding.
 */
import { type NamedHead, readHeads } from './chain.js';
import { openDatabase, openReadOnly } from './database.js';
import { type Finding, Replay } from './replay.js';
import Database from './sqlite.js';

export interface VerifyResult {
  /** The first finding; undefined when the database is sound. */
  readonly finding: string | undefined;
  /** Whether only derived tables differ from the log, which `restore` rebuilds. */
  readonly isDerived: boolean;
  readonly rooms: number;
  readonly people: number;
  readonly events: number;
  /** the ends of all chains, when there is no finding */
  readonly heads: readonly NamedHead[];
}

/** Reports the current step, and how many of its events are done when it counts them. */
export type ReportProgress = (step: string, done?: number, total?: number) => void;

const eventsPerReport = 50_000;

/**
 * `noted` are earlier heads, which the database must contain.
 * @throws OpenError when the file is not an Oneport database
 */
export function verify(file: string, report: ReportProgress, noted: readonly NamedHead[] = []): VerifyResult {
  const db = openReadOnly(file);
  try {
    db.pragma('cache_size = -64000'); // 64 MB, because it does not read the file in order
    db.exec('BEGIN');
    return runChecks(db, report, noted);
  } catch (error) {
    if (!(error instanceof Database.SqliteError) || !/CORRUPT|NOTADB|IOERR/.test(error.code)) throw error;
    const finding = `the file is damaged: ${error.message}`;
    return { finding, isDerived: false, rooms: 0, people: 0, events: 0, heads: [] };
  } finally {
    db.close();
  }
}

function runChecks(db: Database.Database, report: ReportProgress, noted: readonly NamedHead[]): VerifyResult {
  const count = (table: string): number =>
    db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0;
  const counts = { rooms: count('rooms'), people: count('people'), events: count('events') };
  const damage = checkPages(db, report) ?? checkSchema(db, ['table', 'view']) ?? checkCids(db, report);
  const log = damage === undefined ? checkLog(db, counts.events, report) : undefined;
  const finding =
    damage ??
    (log?.isDerived ? undefined : log?.text) ??
    compareHeads(db, noted) ??
    log?.text ??
    checkReferences(db, report) ??
    checkExpirations(db) ??
    checkSchema(db, ['index']);
  const heads = finding === undefined ? [...readHeads(db)] : [];
  const isDerived = log?.isDerived === true && finding === log.text;
  return { finding, isDerived, ...counts, heads };
}

/** Rebuilds the derived tables of a database. The log must be sound. */
export function rebuildDerived(file: string, report: ReportProgress): void {
  report('rebuilding what is derived from the log');
  const db = openDatabase(file);
  try {
    const replay = new Replay(db);
    replay.run(() => {});
    replay.rebuild();
    db.exec('VACUUM'); // a row that grew may have left copies of its neighbours, and so deleted texts
  } finally {
    db.close();
  }
}

function checkLog(db: Database.Database, total: number, report: ReportProgress): Finding | undefined {
  report('replaying the log');
  const replay = new Replay(db);
  replay.run((done) => {
    if (done % eventsPerReport === 0) report('replaying the log', done, total);
  });
  return replay.finding;
}

/** Compares the chains with heads kept elsewhere, because a chain alone shows neither a cut end nor a complete rewrite. */
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

/** Finds what a new database has and this one lacks. Without its indexes, SQLite would no longer refuse a second use of a cid. */
function checkSchema(db: Database.Database, types: readonly string[]): string | undefined {
  const sound = openDatabase(':memory:');
  const names = (of: Database.Database, type: string): string[] =>
    of.prepare<[string], string>('SELECT name FROM sqlite_schema WHERE type = ?').pluck().all(type);
  const missing = types.flatMap((type) => {
    const found = new Set(names(db, type));
    return names(sound, type).flatMap((name) => (found.has(name) ? [] : [`the ${type} ${name} is missing`]));
  });
  sound.close();
  return missing[0];
}

/** Compares where the texts of each room begin with the expirations that dropped the earlier ones. */
function checkExpirations(db: Database.Database): string | undefined {
  const wrong = db
    .prepare<
      [],
      { readonly name: string; readonly expired: number; readonly end: number }
    >(`SELECT r.name, r.expired, coalesce(max(x.through), 0) AS "end" FROM rooms r LEFT JOIN expirations x USING (room)
      GROUP BY r.room HAVING r.expired <> "end" LIMIT 1`)
    .get();
  return (
    wrong &&
    `room ${wrong.name}: its texts have expired up to ${wrong.expired}, but its last expiration ends at ${wrong.end}`
  );
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
