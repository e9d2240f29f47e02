/**
 * The schema of the database. Migration k, counted from 1, brings schema k-1 to k. The statements of a released migration
 * never change. `PRAGMA user_version` holds the version of the schema.
 */
import { randomBytes } from 'node:crypto';
import type Database from 'better-sqlite3';
import { skeleton, skeletonVersion } from '../chat/names.js';
import { contentHash, eventHash, PeopleChain, zeroHash } from './chain.js';

/** `PRAGMA application_id` of our files, from schema 6 on: "Onep" in ASCII. */
export const APPLICATION_ID = 0x4f6e6570;

/**
 * Schema 6: unique indexes enforce one event for each (room, number) and each (cid, person). The new `events` has the count
 * of messages so far. `numbers` and `cids` are dropped.
 *
 * Invariant: a row of `events` never grows, and texts are in no other table. When a row grows, SQLite rebuilds its page and
 * leaves old copies of its neighbours in the gap, which `secure_delete` does not overwrite: deleted texts would stay. So
 * `states` holds the state of a message, as numbers only. Its current text is that of its last edit.
 */
const schema6Events = `CREATE TEMP TABLE message_counts (seq INTEGER PRIMARY KEY, messages INTEGER NOT NULL);
   INSERT INTO message_counts
     SELECT seq, sum(type = 'chat') OVER (PARTITION BY room ORDER BY seq) FROM events;

   CREATE TABLE new_events (
     seq INTEGER PRIMARY KEY,          -- position in the one order of all rooms
     room INTEGER NOT NULL REFERENCES rooms,
     id INTEGER NOT NULL,              -- number in the room: 1, 2, 3 …
     messages INTEGER NOT NULL,        -- chat messages in the room up to and including this event
     type TEXT NOT NULL,
     person INTEGER NOT NULL REFERENCES people,
     name TEXT NOT NULL,               -- the author's name when the event was made
     at INTEGER NOT NULL,              -- milliseconds; never decreases within a room
     cid TEXT,
     target INTEGER,                   -- of a change: number of the message that it changes
     reply INTEGER,                    -- of a message: number of the message that it replies to
     previous INTEGER,                 -- of an edit: number of the previous edit of that message
     mentions TEXT,                    -- people mentioned in the text as sent: JSON [{"id","name"}]
     data TEXT,                        -- text or emoji as sent; '' once deleted
     content BLOB NOT NULL,            -- 32 bytes: salt of the content's hash and 16 zeros; once deleted, that hash
     hash BLOB NOT NULL                -- extends the room's chain: 32 bytes (chain.ts)
   ) STRICT;
   -- chain_event extends a room's chain, so it must run once for each event, in order: the LIMIT keeps the query apart
   INSERT INTO new_events SELECT seq, room, id, messages, type, person, name, at, cid, target, NULL,
       CASE type WHEN 'edit' THEN edited END, mentions, data, substr(chain, 1, 32), substr(chain, 33)
     FROM (SELECT e.*, c.messages, s.target, s.edited, s.mentions,
         chain_event(r.name, e.id, e.type, s.target, p.id, e.name, e.at, e.cid, e.data) AS chain
       FROM events e CROSS JOIN message_counts c USING (seq) CROSS JOIN people p USING (person)
         CROSS JOIN rooms r USING (room) LEFT JOIN states s ON s.event = e.seq
       ORDER BY e.seq LIMIT -1);
   DROP TABLE message_counts;

   CREATE TABLE new_states (           -- messages that were edited, deleted or reacted to
     event INTEGER PRIMARY KEY REFERENCES events,
     edited INTEGER,                   -- number of the last edit
     deleted INTEGER,                  -- number of the deletion
     reacted INTEGER                   -- count of current reactions
   ) STRICT;
   INSERT INTO new_states SELECT s.event, s.edited, s.deleted, s.reacted FROM states s JOIN events e ON e.seq = s.event
     WHERE e.type = 'chat' AND coalesce(s.edited, s.deleted, s.reacted) IS NOT NULL ORDER BY s.event;

   CREATE TABLE new_mentions (         -- people mentioned in the current text of a message
     person INTEGER NOT NULL REFERENCES people,
     room INTEGER NOT NULL REFERENCES rooms,
     id INTEGER NOT NULL,
     seq INTEGER NOT NULL REFERENCES events,
     PRIMARY KEY (person, room, id)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO new_mentions SELECT m.person, e.room, e.id, e.seq FROM mentions m JOIN events e ON e.seq = m.event;

   ALTER TABLE rooms ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;  -- count of chat messages
   -- the end of the room's chain: the hash of its newest event
   ALTER TABLE rooms ADD COLUMN hash BLOB NOT NULL DEFAULT x'${zeroHash}';

   DROP TABLE mentions;
   DROP TABLE states;
   DROP TABLE numbers;
   DROP TABLE cids;
   DROP TABLE events;
   ALTER TABLE new_events RENAME TO events;
   ALTER TABLE new_mentions RENAME TO mentions;
   ALTER TABLE new_states RENAME TO states;
   CREATE UNIQUE INDEX events_number ON events (room, id);
   -- cid first: cids that begin with the time grow the index at its right edge
   CREATE UNIQUE INDEX events_cid ON events (cid, person) WHERE cid IS NOT NULL;
   CREATE UNIQUE INDEX mentions_newest ON mentions (person, seq);
   CREATE INDEX mentions_message ON mentions (room, id);
   CREATE VIEW current_events AS       -- events with what became of each message
     SELECT e.seq, e.room, e.id, e.messages, e.type, e.person, e.name, e.at, e.cid, e.target, e.reply, e.data,
       coalesce(s.edited, e.previous) AS edited, s.deleted, s.reacted,
       x.data AS text,                 -- of an edited message: its current text
       CASE WHEN s.edited IS NULL THEN e.mentions ELSE x.mentions END AS mentions
     FROM events e LEFT JOIN states s ON s.event = e.seq LEFT JOIN events x ON x.room = e.room AND x.id = s.edited;
   UPDATE rooms SET (messages, hash) = (SELECT messages, hash FROM events e WHERE e.room = rooms.room ORDER BY id DESC LIMIT 1)
     WHERE last > 0;
   DELETE FROM meta WHERE key = 'placed';`;

/** Schema 6: the search index moves to a file of its own, `search.db`. */
const schema6Search = `DROP TABLE words;
   DROP TABLE outdated;
   DROP TABLE frequent;
   DROP TABLE shorthand;
   DELETE FROM meta WHERE key IN ('words', 'indexed', 'frequent');`;

/** Schema 7: what unread counts need besides the counts of messages. */
const schema7 = `ALTER TABLE members ADD COLUMN own INTEGER NOT NULL DEFAULT 0;      -- own messages above the read mark
   ALTER TABLE members ADD COLUMN own_last INTEGER NOT NULL DEFAULT 0; -- number of the newest own message; 0: none
   -- people who posted are members, unless they signed out
   INSERT OR IGNORE INTO members (person, room)
     SELECT DISTINCT e.person, e.room FROM events e JOIN people p USING (person)
     WHERE e.type = 'chat' AND p.signed_out = 0;
   WITH posted AS (
     SELECT e.person, e.room, sum(e.id > m.read) AS own, max(e.id) AS own_last
     FROM events e JOIN members m ON m.person = e.person AND m.room = e.room
     WHERE e.type = 'chat' GROUP BY e.person, e.room)
   UPDATE members SET own = posted.own, own_last = posted.own_last
   FROM posted WHERE posted.person = members.person AND posted.room = members.room;

   CREATE TABLE deletions (            -- deleted messages
     room INTEGER NOT NULL REFERENCES rooms,
     id INTEGER NOT NULL,
     person INTEGER NOT NULL REFERENCES people,
     PRIMARY KEY (room, id)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO deletions SELECT e.room, e.id, e.person FROM states s JOIN events e ON e.seq = s.event
     WHERE s.deleted IS NOT NULL ORDER BY e.room, e.id;`;

/** Schema 8: reversible sign-outs, sign-in links, and the one-day reservation of names that never posted. */
const schema8 = `ALTER TABLE people ADD COLUMN generation INTEGER NOT NULL DEFAULT 0; -- count of sign-outs; cookies of an earlier generation are invalid
   ALTER TABLE people ADD COLUMN posted INTEGER NOT NULL DEFAULT 0;     -- 1: has posted a message
   UPDATE people SET posted = 1 WHERE person IN (SELECT person FROM events WHERE type = 'chat');
   UPDATE people SET seen = seen + 86400000 WHERE posted = 0; -- it had been stored to the day

   CREATE TABLE links (                -- one-time links: to another device, or back after a sign-out
     hash TEXT PRIMARY KEY,            -- SHA-256 of the secret in the link
     person INTEGER NOT NULL UNIQUE REFERENCES people,
     expires INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX links_expires ON links (expires);

   CREATE TABLE people_chain (         -- what decides the state of people: the state of a person after each change
     number INTEGER PRIMARY KEY,       -- 1, 2, 3 …
     seq INTEGER NOT NULL,             -- position in the one order: seq of the last event before it
     type TEXT NOT NULL,
     person INTEGER NOT NULL REFERENCES people,
     name TEXT NOT NULL,
     skeleton TEXT,
     signed_out INTEGER NOT NULL,
     generation INTEGER NOT NULL,
     link TEXT,                        -- hash of the link that signs in as this person
     at INTEGER NOT NULL,
     hash BLOB NOT NULL                -- extends the chain of people: 32 bytes (chain.ts)
   ) STRICT;

   ALTER TABLE rooms ADD COLUMN expired INTEGER NOT NULL DEFAULT 0; -- texts of messages up to this number were dropped
   CREATE TABLE expirations (          -- what dropped them
     number INTEGER PRIMARY KEY,       -- 1, 2, 3 …
     room INTEGER NOT NULL REFERENCES rooms,
     through INTEGER NOT NULL,         -- number of the last event
     at INTEGER NOT NULL
   ) STRICT;`;

type ChainArguments = [
  ...[room: string, id: number, type: string, target: number | null, userId: string, name: string],
  ...[at: number, cid: string | null, data: string | null],
];

/** Events between two reports of the migration. */
const progressEvents = 100_000;

/**
 * Defines what migration 6 calls for each event: `chain_event` returns the columns `content` and `hash`. `report` is told
 * how many events are done.
 */
export function defineChainFunction(db: Database.Database, report?: (events: number) => void): void {
  const heads = new Map<string, string>();
  let done = 0;
  db.function('chain_event', { varargs: true }, (...row: unknown[]) => {
    const [room, id, type, target, userId, name, at, cid, data] = row as ChainArguments; // as the migration calls it
    const salt = randomBytes(16).toString('hex');
    const content = contentHash(salt, data, null);
    const event = { room, id, type, target, userId, name, at, cid, content };
    const hash = eventHash(heads.get(room) ?? zeroHash, event);
    heads.set(room, hash);
    if (++done % progressEvents === 0) report?.(done);
    return Buffer.from((data === '' ? content : salt.padEnd(64, '0')) + hash, 'hex');
  });
}

/** Writes an entry for each person from before the chain of people. */
export function startPeopleChain(db: Database.Database): void {
  const people = db
    .prepare<[], number>(
      'SELECT person FROM people WHERE NOT EXISTS (SELECT 1 FROM people_chain) ORDER BY person',
    )
    .pluck();
  const at = db.prepare<[], number>('SELECT coalesce(max(at), 0) FROM rooms').pluck().get() ?? 0;
  const chain = new PeopleChain(db);
  for (const person of people.all()) chain.append('migrate', person, at);
}

export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

   CREATE TABLE people (
     person INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     name TEXT NOT NULL,
     skeleton TEXT UNIQUE,             -- key of the name; null: the name is free
     seen INTEGER NOT NULL,
     signed_out INTEGER NOT NULL DEFAULT 0
   ) STRICT;

   CREATE TABLE rooms (
     room INTEGER PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     last INTEGER NOT NULL,            -- the newest number
     at INTEGER NOT NULL               -- its time; times never decrease within a room
   ) STRICT;

   CREATE TABLE events (
     seq INTEGER PRIMARY KEY,          -- position in the one order of all rooms
     room INTEGER NOT NULL REFERENCES rooms,
     id INTEGER NOT NULL,
     type TEXT NOT NULL,
     person INTEGER NOT NULL REFERENCES people,
     name TEXT NOT NULL,               -- the author's name when the event was made
     data TEXT,
     at INTEGER NOT NULL,
     cid TEXT
   ) STRICT;
   CREATE UNIQUE INDEX events_number ON events (room, id);
   CREATE UNIQUE INDEX events_cid ON events (person, cid) WHERE cid IS NOT NULL;`,

  // A table of its own, because adding a column to a STRICT table reads every row.
  `CREATE TABLE states (               -- the current state of edited, deleted and other messages; targets of changes
     event INTEGER PRIMARY KEY REFERENCES events,
     target INTEGER,                   -- of a change: number of the message
     text TEXT,                        -- of an edited message: its current text; events.data keeps the text as sent
     edited INTEGER,                   -- of a message: number of its last edit; of an edit: of the previous edit
     deleted INTEGER,                  -- of a message: number of its deletion
     mentions TEXT,                    -- people mentioned in the current text: JSON [{"id","name"}]
     reacted INTEGER                   -- of a message: count of its current reactions
   ) STRICT;

   CREATE TABLE reactions (            -- the current reactions
     room INTEGER NOT NULL REFERENCES rooms,
     target INTEGER NOT NULL,          -- number of the message
     id INTEGER NOT NULL,              -- number of the react event
     person INTEGER NOT NULL REFERENCES people,
     name TEXT NOT NULL,
     data TEXT NOT NULL,
     PRIMARY KEY (room, target, id)
   ) STRICT, WITHOUT ROWID;
   CREATE UNIQUE INDEX reactions_once ON reactions (room, target, person, data);

   CREATE TABLE mentions (             -- people mentioned in the current text of a message
     person INTEGER NOT NULL REFERENCES people,
     event INTEGER NOT NULL REFERENCES events,
     PRIMARY KEY (person, event)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX mentions_event ON mentions (event);

   CREATE TABLE members (              -- members of rooms, and their read marks
     person INTEGER NOT NULL REFERENCES people,
     room INTEGER NOT NULL REFERENCES rooms,
     read INTEGER NOT NULL DEFAULT 0,
     PRIMARY KEY (person, room)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE outdated (             -- messages whose words must leave the search index
     event INTEGER PRIMARY KEY REFERENCES events,
     words TEXT NOT NULL               -- as they are in the index
   ) STRICT;

   -- The search index. It stores no text. A row is a list of words; its number is the seq of the message.
   CREATE VIRTUAL TABLE words USING fts5 (text, content = '', columnsize = 0, tokenize = 'ascii');
   INSERT INTO words (words, rank) VALUES ('secure-delete', 1);`,

  // The indexes of numbers and cids, as tables that followed behind the log.
  `CREATE TABLE numbers (
     room INTEGER NOT NULL,
     id INTEGER NOT NULL,
     event INTEGER NOT NULL,
     PRIMARY KEY (room, id)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO numbers SELECT room, id, seq FROM events ORDER BY room, id;
   DROP INDEX events_number;

   CREATE TABLE cids (
     person INTEGER NOT NULL,
     cid TEXT NOT NULL,
     event INTEGER NOT NULL,
     PRIMARY KEY (person, cid)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO cids SELECT person, cid, seq FROM events WHERE cid IS NOT NULL ORDER BY person, cid;

   INSERT INTO meta SELECT 'placed', max(seq) FROM events HAVING max(seq) IS NOT NULL;  -- seq up to which both were complete
   DROP INDEX events_cid;`,

  // A bitmap of each frequent word for the search index.
  `CREATE TABLE frequent (
     word TEXT PRIMARY KEY,
     bits BLOB NOT NULL
   ) STRICT, WITHOUT ROWID;`,

  // The order of the frequent words in each message for the search index.
  `CREATE TABLE shorthand (
     part INTEGER PRIMARY KEY,         -- of so many messages one after the other
     shorts BLOB NOT NULL
   ) STRICT;
   INSERT INTO words (words, rank) VALUES ('automerge', 0);`,

  `${schema6Search}
   ${schema6Events}`,

  schema7,

  schema8,
];

interface NameOwner {
  readonly person: number;
  readonly name: string;
  readonly skeleton: string;
  readonly seen: number;
}

/**
 * Recomputes the skeletons of all names if the file was written by a version that computed them differently
 * (chat/names.ts). The schema stays the same. `rules since` is the last event that was applied by the rules of that version.
 */
export function rebuildNameKeys(db: Database.Database): void {
  const version = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'skeletons'").pluck().get();
  if (version === skeletonVersion) return;
  db.transaction(() => {
    const changed = reassignNameKeys(db, outdatedOwners(db));
    const chain = new PeopleChain(db);
    const at = db.prepare<[], number>('SELECT coalesce(max(at), 0) FROM people_chain').pluck().get() ?? 0;
    for (const person of changed) chain.append('rule', person, at);
    db.prepare("REPLACE INTO meta VALUES ('skeletons', ?)").run(skeletonVersion);
    db.exec("REPLACE INTO meta SELECT 'rules since', coalesce(max(seq), 0) FROM events");
  }).immediate();
}

/** Returns the position of the last event whose mentions may have been found by the rules of another version. */
export function rulesSince(db: Database.Database): number {
  const meta = new Map(db.prepare<[], [string, string]>('SELECT key, value FROM meta').raw().all());
  return meta.get('skeletons') === skeletonVersion
    ? Number(meta.get('rules since') ?? 0)
    : Number.POSITIVE_INFINITY;
}

/** Returns the people whose stored skeleton is outdated, the most recently seen first. */
function outdatedOwners(db: Database.Database): NameOwner[] {
  const owners = db.prepare<[], NameOwner>(
    'SELECT person, name, skeleton, seen FROM people WHERE skeleton IS NOT NULL ORDER BY seen DESC, person',
  );
  const outdated: NameOwner[] = [];
  for (const owner of owners.iterate()) if (owner.skeleton !== skeleton(owner.name)) outdated.push(owner);
  return outdated;
}

/**
 * When two people would own the same skeleton, the most recently seen one owns it. The other keeps the name without it.
 * Returns the people whose skeleton may have changed.
 */
function reassignNameKeys(db: Database.Database, people: readonly NameOwner[]): ReadonlySet<number> {
  const changed = new Set(people.map(({ person }) => person));
  const set = db.prepare<[string | null, number]>('UPDATE people SET skeleton = ? WHERE person = ?');
  const ownerOf = db.prepare<[string], NameOwner>('SELECT * FROM people WHERE skeleton = ?');
  for (const { person } of people) set.run(null, person);
  for (const { person, name, seen } of people) {
    const key = skeleton(name);
    const owner = ownerOf.get(key);
    if (owner && owner.seen >= seen) continue;
    if (owner) {
      set.run(null, owner.person);
      changed.add(owner.person);
    }
    set.run(key, person);
  }
  return changed;
}
