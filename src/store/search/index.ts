/**
 * The index of words, filled behind the log and beside the beats, so that saying something costs nothing more. What an
 * edit or a deletion makes wrong in it is noted within the beat, and put right likewise: to take a long text out of the
 * index takes as long as a hundred beats. Every piece of work is bounded; `behind` says what is still to do.
 */
import type Database from 'better-sqlite3';
import type { Message, Person } from '../../chat/types.js';
import { LIMIT } from '../database.js';
import { Frequent } from './frequent.js';
import { Shorthand } from './shorthand.js';
import { entryOf, VERSION } from './words.js';

interface Row {
  readonly seq: number;
  readonly person: number;
  readonly room: number;
  readonly type: string;
  readonly text: string;
  readonly deleted: number | null;
}

interface Outdated extends Row {
  readonly words: string;
}

/** Rows read at once. */
const ROWS = 64;
/** Pages that are merged between two looks at the clock. */
const MERGED = 16;

export class WordIndex {
  /** deleted messages whose words were taken out, since the start */
  erased = 0;
  readonly frequent: Frequent;
  readonly shorthand: Shorthand;
  /** the seq up to which it reaches */
  #reach: number;
  readonly #end: Database.Statement<[], number | null>;
  readonly #rows: Database.Statement<[number, number], Row>;
  readonly #outdated: Database.Statement<[number], Outdated>;
  readonly #note: Database.Statement<[number, string]>;
  readonly #noted: Database.Statement<[number], number>;
  readonly #forget: Database.Statement<[number]>;
  readonly #add: Database.Statement<[number, string]>;
  readonly #remove: Database.Statement<[number, string]>;
  readonly #merge: Database.Statement<[]>;
  readonly #changes: Database.Statement<[], number>;
  readonly #keepReach: Database.Statement<[string]>;

  constructor(db: Database.Database) {
    const row = "seq, person, room, type, coalesce(text, data, '') AS text, deleted";
    this.#end = db.prepare<[], number | null>('SELECT max(seq) FROM events').pluck();
    this.#rows = db.prepare(`SELECT ${row} FROM events WHERE seq > ? ORDER BY seq ${LIMIT}`);
    this.#outdated = db.prepare(`SELECT ${row}, words FROM outdated o JOIN events ON seq = o.event ${LIMIT}`);
    this.#note = db.prepare('INSERT OR IGNORE INTO outdated (event, words) VALUES (?, ?)');
    this.#noted = db.prepare<[number], number>('SELECT 1 FROM outdated WHERE event = ?').pluck();
    this.#forget = db.prepare('DELETE FROM outdated WHERE event = ?');
    this.#add = db.prepare('INSERT INTO words (rowid, text) VALUES (?, ?)');
    this.#remove = db.prepare("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)");
    this.#merge = db.prepare(`INSERT INTO words (words, rank) VALUES ('merge', ${MERGED})`);
    this.#changes = db.prepare<[], number>('SELECT total_changes()').pluck();
    this.#keepReach = db.prepare("REPLACE INTO meta (key, value) VALUES ('indexed', ?)");
    this.#reach = reachOf(db);
    this.frequent = new Frequent(db);
    this.shorthand = new Shorthand(db, this.frequent);
  }

  get reach(): number {
    return this.#reach;
  }

  /** Something in it is missing or wrong. */
  get behind(): boolean {
    return this.#reach < this.end() || this.#outdated.get(1) !== undefined;
  }

  /** The newest seq of the log. */
  end(): number {
    return this.#end.get() ?? 0;
  }

  /** Within a beat: the message is about to be changed; the person said it. */
  outdate(message: Pick<Message, 'key' | 'roomKey' | 'text'>, person: Pick<Person, 'key'>): void {
    if (message.key > this.#reach) return; // it will come in as it is by then
    const place = { seq: message.key, person: person.key, room: message.roomKey };
    this.#note.run(message.key, entryOf(place, message.text));
  }

  /** What it has of this message is not its text of now. */
  isOutdated(event: number): boolean {
    return this.#noted.get(event) !== undefined;
  }

  /** Within a transaction of its own: works until the time (performance.now()) has come. */
  work(until: number): () => void {
    if (!this.#merged(until)) return () => {};
    const erased = this.#correct(until);
    const reach = this.#extend(until);
    return () => {
      this.erased += erased;
      this.#reach = reach;
    };
  }

  /** What was written lately is merged into what was before, piece by piece: by itself FTS5 does it in a commit, much at once. */
  #merged(until: number): boolean {
    for (;;) {
      const before = this.#changes.get() ?? 0;
      this.#merge.run();
      if ((this.#changes.get() ?? 0) - before < 2) return true; // so it says that nothing is left
      if (performance.now() > until) return false;
    }
  }

  #correct(until: number): number {
    let erased = 0;
    for (let row = this.#outdated.get(1); row; row = this.#outdated.get(1)) {
      this.#remove.run(row.seq, row.words);
      this.#changed(row.seq, row.words, false);
      this.#forget.run(row.seq);
      if (row.deleted === null) this.#addAgain(row);
      else erased++;
      if (performance.now() > until) break;
    }
    return erased;
  }

  #addAgain(row: Row): void {
    const entry = entryOf(row, row.text);
    this.#add.run(row.seq, entry);
    this.#changed(row.seq, entry, true);
  }

  /** What is made of the index is made likewise. */
  #changed(seq: number, entry: string, there: boolean): void {
    this.frequent.change(seq, entry, there);
    this.shorthand.change(seq, entry, there);
  }

  #extend(until: number): number {
    let reach = this.#reach;
    do {
      const rows = this.#rows.all(reach, ROWS);
      for (const row of rows) {
        if (row.type === 'chat' && row.deleted === null) this.#add.run(row.seq, entryOf(row, row.text));
        reach = row.seq;
        if (performance.now() > until) break; // one text may take milliseconds
      }
      if (rows.length < ROWS) break;
    } while (performance.now() < until);
    if (reach > this.#reach) this.#keepReach.run(String(reach));
    return reach;
  }
}

/** Up to which seq the file is indexed, in the way of this version; else the index begins anew. */
function reachOf(db: Database.Database): number {
  const meta = db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck();
  if (meta.get('words') === VERSION) return Number(meta.get('indexed') ?? 0);
  db.transaction(() => {
    db.exec(
      `INSERT INTO words (words) VALUES ('delete-all'); DELETE FROM outdated; DELETE FROM frequent; DELETE FROM shorthand;
       DELETE FROM meta WHERE key IN ('indexed', 'frequent')`,
    );
    db.prepare("REPLACE INTO meta (key, value) VALUES ('words', ?)").run(VERSION);
  })();
  return 0;
}
