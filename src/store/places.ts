/**
 * Where events are: by room and number, and by person and cid. An index has another page for each room and each person,
 * and to write both with every beat cost four fifths of its time. So they follow behind the log, some hundred events at a
 * time; what they do not have yet is known here, in memory. What must stay true:
 * - Up to `reach` the tables `numbers` and `cids` have every event. Beyond it they may have some (a run that was not
 *   finished), and all are in memory: a start reads them there again.
 * - What memory has, it has of a room from some number to the last, without a hole. It is asked first.
 * - After every transaction, kept or taken back, memory and file say the same.
 */
import type Database from 'better-sqlite3';

/** An event's keys. */
export interface Place {
  readonly seq: number;
  readonly room: number;
  readonly id: number;
  readonly person: number;
  readonly cid: string | null;
}

/** Events that are brought into the tables in this run, by what they are sorted by, and how far it has come. */
interface Run {
  readonly count: number;
  readonly reach: number;
  readonly rooms: readonly (readonly Place[])[];
  readonly people: readonly (readonly Place[])[];
}

/** So many events beyond the reach are worth a run; with so many there is no time to lose. */
const WORTH = 10_000;
const MANY = 50_000;
/** Events that are placed between two looks at the clock, at most. */
const GROUP = 500;

export class Places {
  /** the newest events of each room, ascending */
  #rooms = new Map<number, Place[]>();
  readonly #cids = new Map<string, number>();
  #newest: Place[] = [];
  /** how many there were before this transaction */
  #before = 0;
  #run: Run | undefined;
  /** groups of the run that are done */
  #done = 0;
  readonly #late: Database.Statement<[number], Place>;
  readonly #reach: Database.Statement<[], string>;
  readonly #number: Database.Statement<[number, number], number>;
  readonly #cid: Database.Statement<[number, string], number>;
  readonly #addNumber: Database.Statement<[number, number, number]>;
  readonly #addCid: Database.Statement<[number, string, number]>;
  readonly #keepReach: Database.Statement<[string]>;

  constructor(db: Database.Database) {
    this.#late = db.prepare('SELECT seq, room, id, person, cid FROM events WHERE seq > ? ORDER BY seq');
    this.#reach = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'placed'").pluck();
    this.#number = db
      .prepare<[number, number], number>(
        'SELECT event FROM numbers WHERE room = ? AND id >= ? ORDER BY id LIMIT 1',
      )
      .pluck();
    this.#cid = db
      .prepare<[number, string], number>('SELECT event FROM cids WHERE person = ? AND cid = ?')
      .pluck();
    this.#addNumber = db.prepare(
      'INSERT INTO numbers (room, id, event) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#addCid = db.prepare(
      'INSERT INTO cids (person, cid, event) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#keepReach = db.prepare("REPLACE INTO meta (key, value) VALUES ('placed', ?)");
    this.read();
  }

  /** Reads from the file what is beyond the reach: at the start, and where another process writes. */
  read(): void {
    this.#rooms = new Map();
    this.#cids.clear();
    this.#newest = [];
    for (const place of this.#late.iterate(Number(this.#reach.get() ?? 0))) this.add(place);
  }

  /** A run is worth it, or under way. */
  get due(): boolean {
    return this.#run !== undefined || this.#newest.length >= WORTH;
  }

  get behind(): boolean {
    return this.#newest.length > 0;
  }

  get farBehind(): boolean {
    return this.#newest.length >= MANY;
  }

  add(place: Place): void {
    this.#newest.push(place);
    pushTo(this.#rooms, place.room, place);
    if (place.cid !== null) this.#cids.set(cidKey(place.person, place.cid), place.seq);
  }

  /** The newest events of a room, ascending, without a hole; those before them are in the table. */
  newest(room: number): readonly Place[] {
    return this.#rooms.get(room) ?? [];
  }

  /** The seq of the first event of a room from number `id` on. */
  from(room: number, id: number): number | undefined {
    const newest = this.newest(room);
    const first = newest[0]?.id ?? Number.POSITIVE_INFINITY;
    return id < first ? this.#number.get(room, id) : newest[id - first]?.seq;
  }

  byCid(person: number, cid: string): number | undefined {
    return this.#cids.get(cidKey(person, cid)) ?? this.#cid.get(person, cid);
  }

  /** A beat begins; `rollback` takes back what was added in it. */
  begin(): void {
    this.#before = this.#newest.length;
  }

  rollback(): void {
    for (const { room, person, cid } of this.#newest.splice(this.#before)) {
      this.#rooms.get(room)?.pop();
      if (this.#rooms.get(room)?.length === 0) this.#rooms.delete(room);
      if (cid !== null) this.#cids.delete(cidKey(person, cid));
    }
  }

  /**
   * Within a transaction of its own: brings the tables further, room by room and then person by person, until the time
   * (performance.now()) has come. What it returns is to be called after the commit.
   */
  work(until: number): () => void {
    const run = this.#run ?? this.#begin();
    if (!run) return () => {};
    const { rooms, people } = run;
    let done = this.#done;
    for (; done < rooms.length + people.length; done++) {
      for (const { room, id, seq } of rooms[done] ?? []) this.#addNumber.run(room, id, seq);
      for (const { person, cid, seq } of people[done - rooms.length] ?? [])
        if (cid !== null) this.#addCid.run(person, cid, seq);
      if (performance.now() > until) {
        done++;
        break;
      }
    }
    const ends = done === rooms.length + people.length;
    if (ends) this.#keepReach.run(String(run.reach));
    return () => {
      this.#done = done;
      if (ends) this.#end(run);
    };
  }

  #begin(): Run | undefined {
    const last = this.#newest.at(-1);
    if (!last) return undefined;
    this.#done = 0;
    this.#run = {
      count: this.#newest.length,
      reach: last.seq,
      rooms: grouped(this.#newest, ({ room }) => room),
      people: grouped(this.#newest, ({ person }) => person),
    };
    return this.#run;
  }

  /** What the tables have now is forgotten here. */
  #end({ count }: Run): void {
    this.#run = undefined;
    const newest = this.#newest.slice(count);
    for (const { person, cid } of this.#newest.slice(0, count))
      if (cid !== null) this.#cids.delete(cidKey(person, cid));
    this.#newest = newest;
    this.#rooms = new Map();
    for (const place of newest) pushTo(this.#rooms, place.room, place);
  }
}

/** In groups of one key each, not too large. */
function grouped(places: readonly Place[], key: (place: Place) => number): readonly (readonly Place[])[] {
  const groups = new Map<number, Place[]>();
  for (const place of places) pushTo(groups, key(place), place);
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / GROUP) }, (_, n) =>
      group.slice(n * GROUP, (n + 1) * GROUP),
    ),
  );
}

function pushTo(groups: Map<number, Place[]>, key: number, place: Place): void {
  const group = groups.get(key);
  if (group) group.push(place);
  else groups.set(key, [place]);
}

function cidKey(person: number, cid: string): string {
  return `${person} ${cid}`;
}
