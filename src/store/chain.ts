/**
 * Hash chains: one for each room, and one for the state of people. Each hash covers the previous one, so the last hash shows
 * whether an earlier entry was changed. Contract, with vectors: docs/protocol.md, "The chain".
 */
import { hash } from 'node:crypto';
import type Database from 'better-sqlite3';

/** The previous hash of the first entry. */
export const zeroHash = '0'.repeat(64);

/** The number and the hash of the last entry of a chain. */
export interface Head {
  readonly last: number;
  readonly hash: string;
}

/** `room` is `*` for the chain of people. */
export interface NamedHead extends Head {
  readonly room: string;
}

/** The fields that the hash of an event covers, besides the previous hash. */
export interface HashedEvent {
  readonly room: string;
  readonly id: number;
  readonly type: string;
  /** of a change: number of the message that it changes */
  readonly target: number | null;
  /** the author's id, and the name as shown */
  readonly userId: string;
  readonly name: string;
  readonly at: number;
  readonly cid: string | null;
  /** hash of the text or the emoji, which stays when the text is deleted */
  readonly content: string;
}

/** The salt protects deleted texts: without it, a guess could be hashed and compared. */
export function contentHash(salt: string, data: string | null, reply: number | null): string {
  return sha256(salt + JSON.stringify([data, reply]));
}

export function eventHash(previous: string, event: HashedEvent): string {
  const { room, id, type, target, userId, name, at, cid, content } = event;
  return sha256(JSON.stringify([previous, room, id, type, target, userId, name, at, cid, content]));
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** Reads the heads of all rooms, by name, and then that of people. */
export function* readHeads(db: Database.Database): Generator<NamedHead> {
  const rooms = db.prepare<[], NamedHead>(
    'SELECT name AS room, last, lower(hex(hash)) AS hash FROM rooms WHERE last > 0 ORDER BY name',
  );
  yield* rooms.iterate();
  yield { room: '*', ...readPeopleHead(db) };
}

/** The stored length of the chain of people. It shows when the end was cut off, as a room's `last` does. */
export function readPeopleHead(db: Database.Database): Head {
  const value = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'people_head'").pluck().get();
  const [last = '0', hash = zeroHash] = value?.split(' ') ?? [];
  return { last: Number(last), hash };
}

export function formatHead({ room, last, hash }: NamedHead): string {
  return `${room} ${last} ${hash}`;
}

/** Finds heads in any text: the output of `verify` or `backup`, or a log. */
export function parseHeads(text: string): NamedHead[] {
  return [...text.matchAll(/([^\s"]+) (\d{1,15}) ([0-9a-f]{64})(?![0-9a-f])/g)].map(
    ([, room = '', last, hash = '']) => ({ room, last: Number(last), hash }),
  );
}

/** One entry of the chain of people: the state of a person after it. */
interface PersonEntry {
  /** 1, 2, 3 … */
  readonly number: number;
  /** position in the one order: seq of the last event before the entry */
  readonly seq: number;
  readonly type: PersonEntryType;
  readonly userId: string;
  readonly name: string;
  /** null: somebody else has the name */
  readonly skeleton: string | null;
  readonly signedOut: boolean;
  readonly generation: number;
  /** hash of the link that signs in as this person */
  readonly link: string | null;
  readonly at: number;
}

export type PersonEntryType =
  | 'sign-in'
  | 'rename'
  | 'sign-out'
  | 'return'
  | 'link'
  /** the link was used or revoked */
  | 'unlink'
  /** a new version compares names differently */
  | 'rule'
  /** the person existed before Oneport kept this chain */
  | 'migrate';

export function personHash(previous: string, entry: PersonEntry): string {
  const { number, seq, type, userId, name, skeleton, signedOut, generation, link, at } = entry;
  return sha256(
    JSON.stringify([previous, number, seq, type, userId, name, skeleton, signedOut, generation, link, at]),
  );
}

/** The state of a person as SQLite has it. */
export interface PersonRow {
  readonly userId: string;
  readonly name: string;
  readonly skeleton: string | null;
  readonly signedOut: number;
  readonly generation: number;
  readonly link: string | null;
}

/** Appends to the chain of people. */
export class PeopleChain {
  readonly #state: Database.Statement<[number], PersonRow>;
  readonly #last: Database.Statement<[], Head>;
  readonly #lastSeq: Database.Statement<[], number>;
  readonly #insert: Database.Statement<[...PersonColumns]>;
  readonly #setHead: Database.Statement<[string]>;
  readonly #newest: Database.Statement<[], number>;
  #newestTime: number | undefined;

  constructor(db: Database.Database) {
    this.#state =
      db.prepare(`SELECT p.id AS userId, p.name, p.skeleton, p.signed_out AS signedOut, p.generation,
      l.hash AS link FROM people p LEFT JOIN links l USING (person) WHERE person = ?`);
    this.#last = db.prepare(
      'SELECT number AS last, lower(hex(hash)) AS hash FROM people_chain ORDER BY number DESC LIMIT 1',
    );
    this.#lastSeq = db.prepare<[], number>('SELECT coalesce(max(seq), 0) FROM events').pluck();
    this.#insert = db.prepare(`INSERT INTO people_chain
      (number, seq, type, person, name, skeleton, signed_out, generation, link, at, hash)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, unhex(?))`);
    this.#newest = db.prepare<[], number>('SELECT coalesce(max(at), 0) FROM people_chain').pluck();
    this.#setHead = db.prepare("REPLACE INTO meta VALUES ('people_head', ?)");
  }

  get newestTime(): number {
    this.#newestTime ??= this.#newest.get() ?? 0;
    return this.#newestTime;
  }

  /** Call it after a rollback. */
  clearCache(): void {
    this.#newestTime = undefined;
  }

  /** Call it within the transaction, after the row of the person was written. */
  append(type: PersonEntryType, person: number, at: number): void {
    const state = this.#state.get(person);
    if (!state) return;
    const previous = this.#last.get() ?? { last: 0, hash: zeroHash };
    const [number, seq] = [previous.last + 1, this.#lastSeq.get() ?? 0];
    const signedOut = state.signedOut === 1;
    const hash = personHash(previous.hash, { ...state, signedOut, number, seq, type, at });
    const { name, skeleton, generation, link } = state;
    this.#insert.run(
      ...([number, seq, type, person, name, skeleton] as const),
      ...([state.signedOut, generation, link, at, hash] as const),
    );
    this.#setHead.run(`${number} ${hash}`);
    if (at > this.newestTime) this.#newestTime = at;
  }
}

type PersonColumns = [
  ...[number: number, seq: number, type: string, person: number, name: string, skeleton: string | null],
  ...[signedOut: number, generation: number, link: string | null, at: number, hash: string],
];
