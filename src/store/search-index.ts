/**
 * The search index: FTS5 tables in `search.db`, which follow the log. All events up to `position` are applied, and their
 * tokens are written in the same transaction as `position`. It indexes the current text, which may be newer than
 * `position`, so applying a change twice is harmless. The file is derived from the log. It is rebuilt when it is missing
 * or damaged, or belongs to another log or version.
 */
import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { skeletonVersion } from '../chat/names.js';
import { databaseFile, limitClause, openReadOnly } from './database.js';
import {
  acceptsTokens,
  hasDates,
  type KeyResolver,
  nameTokens,
  parseQuery,
  type Query,
  toDay,
  toExpression,
} from './search-query.js';
import Database from './sqlite.js';
import { hasLink, keyToken, linkToken, messageToken, tokenizeMessage, tokenizerVersion } from './tokenize.js';

export interface SearchRequest {
  readonly q: string;
  readonly room: string | undefined;
  /** Finds only messages below this number of the room; without a room, below this seq. */
  readonly before: number | undefined;
  readonly limit: number;
}

export interface SearchAnswer {
  /** newest first */
  readonly seqs: readonly number[];
  /** the `before` of the next page */
  readonly next?: number;
  readonly complete: boolean;
  /** the seq up to which the index had applied the log */
  readonly position: number;
}

export interface IndexOptions {
  /** version of the Unicode tables, because another version may tokenize the same text differently */
  readonly unicode: string;
  /** milliseconds */
  readonly now?: () => number;
  /** events of one partition */
  readonly partitionSize?: number;
}

interface IndexedRow {
  readonly seq: number;
  readonly room: number;
  readonly id: number;
  readonly type: string;
  readonly person: number;
  readonly name: string;
  readonly at: number;
  readonly target: number | null;
  readonly text: string;
  readonly deleted: number | null;
  readonly expiredThrough: number;
}

interface State {
  readonly fingerprint: string;
  readonly position: number;
  /** number of the last expiration that is applied */
  readonly expiration: number;
}

/** Seqs, `to` exclusive. */
interface Range {
  readonly from: number;
  readonly to: number;
}

const indexVersion = 3;
const batchRows = 256;
const maxCachedNames = 10_000;
const selectIndexedEvents = `SELECT e.seq, e.room, e.id, e.type, e.person, e.name, e.at, e.target,
    coalesce(e.text, e.data, '') AS text, e.deleted, r.expired AS expiredThrough
  FROM current_events e CROSS JOIN rooms r ON r.room = e.room`;
const indexSchema = `CREATE TABLE state (stamp TEXT NOT NULL, position INTEGER NOT NULL, expiration INTEGER NOT NULL) STRICT;
  -- the first and the last message of each day
  CREATE TABLE days (day INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT`;

export class SearchIndex {
  readonly #log: Database.Database;
  readonly #db: Database.Database;
  readonly #now: () => number;
  readonly #partitionSize: number;
  readonly #partitions = new Map<number, Partition>();
  readonly #sql: ReturnType<typeof prepareStatements>;
  readonly #keys: KeyResolver;
  readonly #nameTokens = new Map<string, string>();
  #position: number;
  #expiration: number;
  /** The write-ahead log may hold removed texts; at the start those of a process that was killed. */
  #hasResidue = true;

  /** Invariant: one index at a time writes a data folder. The server's lock on the folder ensures it. */
  constructor(dataDir: string, { unicode, now, partitionSize = 32_768 }: IndexOptions) {
    this.#log = openReadOnly(databaseFile(dataDir));
    this.#db = openIndex(dataDir, unicode, this.#log);
    this.#now = now ?? (() => performance.now());
    this.#partitionSize = partitionSize;
    this.#sql = prepareStatements(this.#log, this.#db);
    const { ownerOf, room } = this.#sql;
    this.#keys = { person: (name) => ownerOf.get(name), room: (name) => room.get(name)?.key };
    const { position = 0, expiration = 0 } = readState(this.#db) ?? {};
    this.#position = position;
    this.#expiration = expiration;
  }

  /** The seq up to which the log is applied. */
  get position(): number {
    return this.#position;
  }

  /** The newest seq of the log. */
  get end(): number {
    return this.#sql.end.get() ?? 0;
  }

  /** Whether all events and expirations are applied. */
  get isCurrent(): boolean {
    return this.#position >= this.end && this.#sql.nextExpiration.get(this.#expiration) === undefined;
  }

  /** Applies events up to `end`, or until `deadline` (performance.now()). */
  follow(deadline: number, end = Number.MAX_SAFE_INTEGER): void {
    const start = this.#position;
    this.#db.transaction(() => {
      let rows: IndexedRow[];
      do {
        rows = this.#sql.next.all(this.#position, batchRows);
        for (const row of rows) {
          this.#apply(row);
          if (this.#now() > deadline) break;
        }
      } while (rows.length > 0 && this.#position < end && this.#now() <= deadline);
      if (this.#position > start) this.#sql.setPosition.run(this.#position);
      this.#followExpirations(deadline);
      for (const partition of this.#partitions.values()) partition.purgeRemoved();
    })();
  }

  /** Removes the texts that retention dropped: at least one step of it, then until `deadline`. */
  #followExpirations(deadline: number): void {
    const { nextExpiration, expiredSeqs, setExpiration } = this.#sql;
    for (let next = nextExpiration.get(this.#expiration); next; next = nextExpiration.get(this.#expiration)) {
      for (const seq of expiredSeqs.iterate(next)) this.#replaceTokens(seq, undefined);
      this.#expiration = next.number;
      setExpiration.run(next.number);
      if (this.#now() > deadline) return;
    }
  }

  /** Empties the write-ahead log after texts were removed, because it holds the previous pages. */
  truncateWal(): void {
    if (!this.#hasResidue) return;
    const [state] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]; // SQLite's own answer
    this.#hasResidue = state?.busy !== 0;
  }

  /** Finds messages, newest first, until `deadline`. @param end the seq that must be indexed for a complete answer */
  find({ q, room, before, limit }: SearchRequest, deadline: number, end = this.end): SearchAnswer {
    const position = this.#position;
    const query = parseQuery(q);
    const expression = toExpression(query, room, this.#keys);
    if (expression === undefined) return { seqs: [], complete: position >= end, position };
    const { seqs, continueBefore } = this.#scan(
      expression,
      query,
      this.#range(query, room, before),
      limit + 1,
      deadline,
    );
    const isFull = seqs.length > limit;
    const next = this.#toCursor(room, isFull ? (seqs[limit - 1] ?? 0) : continueBefore);
    const complete = position >= end && (isFull || next === undefined);
    return { seqs: seqs.slice(0, limit), ...(next === undefined ? {} : { next }), complete, position };
  }

  close(): void {
    this.#db.close();
    this.#log.close();
  }

  #apply(row: IndexedRow): void {
    if (row.type === 'chat') {
      this.#sql.addToDay.run(toDay(row.at), row.seq, row.seq);
      if (isFindable(row)) this.#partition(this.#partitionOf(row.seq)).insert(row.seq, this.#tokensOf(row));
    } else if (row.type === 'edit' || row.type === 'delete') this.#replace(row);
    this.#position = row.seq;
  }

  /** Replaces the tokens of a changed message by those of its current text. */
  #replace({ room, target }: IndexedRow): void {
    const row = target === null ? undefined : this.#sql.byNumber.get(room, target);
    if (!row) return;
    this.#replaceTokens(row.seq, isFindable(row) ? this.#tokensOf(row) : undefined);
  }

  #replaceTokens(seq: number, tokens: string | undefined): void {
    if (this.#partition(this.#partitionOf(seq)).replace(seq, tokens)) this.#hasResidue = true;
  }

  #tokensOf({ room, person, name, text }: IndexedRow): string {
    const author = [keyToken('person', person), this.#tokensOfName(name)];
    const link = hasLink(text) ? [linkToken] : [];
    return [messageToken, keyToken('room', room), ...author, ...link, tokenizeMessage(text)].join(' ').trim();
  }

  /** Caches name tokens, because computing a skeleton takes half of the time to index a message. */
  #tokensOfName(name: string): string {
    const known = this.#nameTokens.get(name);
    if (known !== undefined) return known;
    const tokens = nameTokens(name).join(' ');
    if (this.#nameTokens.size >= maxCachedNames) this.#nameTokens.clear();
    this.#nameTokens.set(name, tokens);
    return tokens;
  }

  #partitionOf(seq: number): number {
    return Math.floor(seq / this.#partitionSize);
  }

  #partition(number: number): Partition {
    const known = this.#partitions.get(number);
    if (known) return known;
    const partition = new Partition(this.#db, number);
    this.#partitions.set(number, partition);
    return partition;
  }

  /** Scans the partitions, newest first. `continueBefore` is the seq where the next page starts; 0 at the end of the range. */
  #scan(
    expression: string,
    query: Query,
    { from, to }: Range,
    count: number,
    deadline: number,
  ): { readonly seqs: number[]; readonly continueBefore: number } {
    const seqs: number[] = [];
    for (let number = this.#partitionOf(to - 1); number >= this.#partitionOf(from); number--) {
      for (const hit of this.#partition(number).match(expression, from, to)) {
        if (this.#accepts(query, hit)) seqs.push(hit.seq);
        if (seqs.length === count || this.#now() > deadline) return { seqs, continueBefore: hit.seq };
      }
      if (this.#now() > deadline)
        return { seqs, continueBefore: Math.max(number * this.#partitionSize, from) };
    }
    return { seqs, continueBefore: 0 };
  }

  #accepts(query: Query, { seq, tokens }: HitRow): boolean {
    const isInTime = !hasDates(query) || this.#sql.isBetween.get(seq, query.since, query.until) !== undefined;
    return isInTime && acceptsTokens(query, tokens);
  }

  /** Returns the range to scan. The days only limit it, because the clock may have gone back. */
  #range(query: Query, room: string | undefined, before: number | undefined): Range {
    const end = Math.min(this.#position + 1, before === undefined ? Infinity : this.#toSeq(room, before));
    if (!hasDates(query)) return { from: 0, to: end };
    const days = this.#sql.daysBetween.get(toDay(query.since), toDay(query.until));
    return { from: days?.first ?? 0, to: Math.min(end, (days?.last ?? -1) + 1) };
  }

  /** Converts a `before` cursor to a seq: in a room, to the seq after the newest event with a lower number. */
  #toSeq(room: string | undefined, before: number): number {
    if (room === undefined) return before;
    const { key, last } = this.#sql.room.get(room) ?? { key: 0, last: 0 };
    return (this.#sql.seqOf.get(key, Math.min(before - 1, last)) ?? -1) + 1;
  }

  /** Converts a seq to a `before` cursor: in a room, to its first number at or after the seq. */
  #toCursor(room: string | undefined, seq: number): number | undefined {
    if (seq === 0) return undefined;
    if (room === undefined) return seq;
    const { key, last } = this.#sql.room.get(room) ?? { key: 0, last: 0 };
    let [low, high] = [1, last + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#sql.seqOf.get(key, middle) ?? Infinity) < seq) low = middle + 1;
      else high = middle;
    }
    return low === 1 ? undefined : low;
  }
}

function prepareStatements(log: Database.Database, db: Database.Database) {
  return {
    end: log.prepare<[], number | null>('SELECT max(seq) FROM events').pluck(),
    next: log.prepare<[number, number], IndexedRow>(
      `${selectIndexedEvents} WHERE e.seq > ? ORDER BY e.seq ${limitClause}`,
    ),
    byNumber: log.prepare<[number, number], IndexedRow>(
      `${selectIndexedEvents} WHERE e.room = ? AND e.id = ?`,
    ),
    seqOf: log.prepare<[number, number], number>('SELECT seq FROM events WHERE room = ? AND id = ?').pluck(),
    room: log.prepare<[string], { key: number; last: number }>(
      'SELECT room AS key, last FROM rooms WHERE name = ?',
    ),
    ownerOf: log.prepare<[string], number>('SELECT person FROM people WHERE skeleton = ?').pluck(),
    isBetween: log
      .prepare<[number, number, number], number>('SELECT 1 FROM events WHERE seq = ? AND at >= ? AND at < ?')
      .pluck(),
    nextExpiration: log.prepare<[number], Expiration>(`SELECT number, room, through,
        coalesce((SELECT max(through) FROM expirations b WHERE b.room = a.room AND b.number < a.number), 0) AS after
      FROM expirations a WHERE number > ? ORDER BY number LIMIT 1`),
    expiredSeqs: log
      .prepare<[Expiration], number>(
        "SELECT seq FROM events WHERE room = @room AND id > @after AND id <= @through AND type = 'chat'",
      )
      .pluck(),
    setExpiration: db.prepare<[number]>('UPDATE state SET expiration = ?'),
    setPosition: db.prepare<[number]>('UPDATE state SET position = ?'),
    addToDay: db.prepare<[number, number, number]>(`INSERT INTO days (day, first, last) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET last = excluded.last`),
    daysBetween: db.prepare<[number, number], { first: number | null; last: number | null }>(
      'SELECT min(first) AS first, max(last) AS last FROM days WHERE day >= ? AND day < ?',
    ),
  };
}

/** Messages of one room, `after` exclusive, whose texts were dropped. */
interface Expiration {
  readonly number: number;
  readonly room: number;
  readonly after: number;
  readonly through: number;
}

function isFindable({ id, deleted, expiredThrough }: IndexedRow): boolean {
  return deleted === null && id > expiredThrough;
}

interface HitRow {
  readonly seq: number;
  readonly tokens: string;
}

/**
 * One FTS5 table for `partitionSize` consecutive events. FTS5 cannot be interrupted: a query for words that never occur
 * together reads the whole table, whatever the bounds of the rowid. So a search checks its deadline between partitions,
 * and a rebuild covers one partition.
 */
class Partition {
  readonly #sql: ReturnType<typeof preparePartition>;
  readonly #removed = new Set<string>();

  constructor(db: Database.Database, number: number) {
    const table = `words_${number}`;
    const exists = db.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(table) !== undefined;
    if (!exists) db.transaction(() => db.exec(partitionSchema(table)))();
    this.#sql = preparePartition(db, table);
  }

  match(expression: string, from: number, to: number): IterableIterator<HitRow> {
    return this.#sql.match.iterate(expression, from, to);
  }

  insert(seq: number, tokens: string): void {
    this.#sql.insert.run(seq, tokens);
  }

  /** @param tokens undefined for a deleted message @returns whether it removed any */
  replace(seq: number, tokens: string | undefined): boolean {
    const stored = this.#sql.tokens.get(seq);
    if (stored === tokens) return false;
    if (stored !== undefined) {
      this.#sql.delete.run(seq);
      for (const token of stored.split(' ')) this.#removed.add(token);
    }
    if (tokens !== undefined) this.insert(seq, tokens);
    return stored !== undefined;
  }

  /** Rebuilds the table if a removed token is still in the file. Call it before the commit. */
  purgeRemoved(): void {
    if (this.#removed.size > 0 && this.#stillContainsRemoved()) this.#sql.rebuild.run();
    this.#removed.clear();
  }

  /**
   * FTS5's secure-delete removes tokens from its pages. It keeps the segment index, which holds a prefix of the first token
   * of each page. A removed token could still be read there.
   */
  #stillContainsRemoved(): boolean {
    const segmentIndex = this.#sql.segmentIndex.all().map((start) => start.toString('latin1'));
    return [...this.#removed].some((token) => {
      const bytes = Buffer.from(token).toString('latin1');
      const isLongPrefix = (start: string): boolean =>
        start.length >= bytes.length * 0.75 && bytes.startsWith(start);
      return segmentIndex.some(isLongPrefix) && this.#sql.has.get(`"${token}"`) === undefined;
    });
  }
}

/** FTS5 only splits at spaces, because `tokenize.ts` has done the rest. */
function partitionSchema(table: string): string {
  return `CREATE VIRTUAL TABLE ${table} USING fts5 (tokens, columnsize = 0, prefix = '2 3', tokenize = 'ascii');
    INSERT INTO ${table} (${table}, rank) VALUES ('secure-delete', 1)`;
}

function preparePartition(db: Database.Database, table: string) {
  return {
    insert: db.prepare<[number, string]>(`INSERT INTO ${table} (rowid, tokens) VALUES (?, ?)`),
    delete: db.prepare<[number]>(`DELETE FROM ${table} WHERE rowid = ?`),
    tokens: db.prepare<[number], string>(`SELECT tokens FROM ${table} WHERE rowid = ?`).pluck(),
    has: db.prepare<[string], number>(`SELECT 1 FROM ${table} WHERE ${table} MATCH ? LIMIT 1`).pluck(),
    // the driver binds numbers as REAL, which FTS5 does not take for a bound of the rowid
    match: db.prepare<[string, number, number], HitRow>(`SELECT rowid AS seq, tokens FROM ${table}
      WHERE ${table} MATCH ? AND rowid >= CAST(? AS INTEGER) AND rowid < CAST(? AS INTEGER) ORDER BY rowid DESC`),
    segmentIndex: db
      .prepare<[], Buffer>(`SELECT substr(term, 2) FROM ${table}_idx WHERE length(term) > 1`)
      .pluck(),
    rebuild: db.prepare<[]>(`INSERT INTO ${table} (${table}) VALUES ('rebuild')`),
  };
}

export function searchFile(dataDir: string): string {
  return join(dataDir, 'search.db');
}

export function removeSearchFile(dataDir: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(searchFile(dataDir) + suffix, { force: true });
}

/** Whether SQLite has found the file to be damaged, and not merely unreadable for now. */
export function isDamage(error: unknown): boolean {
  return error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);
}

/** Opens the index. Replaces it with an empty one if it does not match the log and version. */
function openIndex(dataDir: string, unicode: string, log: Database.Database): Database.Database {
  const epoch = log.prepare<[], string>("SELECT value FROM meta WHERE key = 'epoch'").pluck().get();
  const fingerprint = [indexVersion, tokenizerVersion, skeletonVersion, unicode, epoch].join(' ');
  const end = log.prepare<[], number | null>('SELECT max(seq) FROM events').pluck().get() ?? 0;
  const file = searchFile(dataDir);
  const state = existsSync(file) ? readStateOf(file) : undefined;
  const isUsable = state?.fingerprint === fingerprint && state.position <= end;
  if (!isUsable) removeSearchFile(dataDir);
  closeSync(openSync(file, 'a', 0o600)); // readable by its owner only, because it has the texts of the messages
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL'); // a power cut may take the last transactions, and the position with them
  db.pragma('secure_delete = ON');
  db.pragma('cache_size = -8000'); // 8 MB
  if (isUsable) return db;
  db.transaction(() => {
    db.exec(indexSchema);
    db.prepare('INSERT INTO state (stamp, position, expiration) VALUES (?, 0, 0)').run(fingerprint);
  })();
  return db;
}

/** @returns undefined when the file is damaged or not an index */
function readStateOf(file: string): State | undefined {
  const db = new Database(file);
  try {
    return readState(db);
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  } finally {
    db.close();
  }
}

function readState(db: Database.Database): State | undefined {
  const exists = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'state'").get() !== undefined;
  return exists ? db.prepare<[], State>('SELECT *, stamp AS fingerprint FROM state').get() : undefined;
}
