/**
 * The shape of the database. Migration k (from 1) brings version k-1 to k; one that has landed is never edited.
 * `PRAGMA user_version` holds the version.
 */
import type Database from 'better-sqlite3';
import { SKELETON_VERSION, skeleton } from '../chat/names.js';

/** `PRAGMA application_id` of our files, from schema 6 on: "Onep" in ASCII. */
export const APPLICATION_ID = 0x4f6e6570;

/**
 * Schema 6. SQLite enforces the two promises: a number of a room once, a cid of a person once. `events` is written anew
 * with the count of messages so far, so `numbers` and `cids` go.
 *
 * Invariant: a row of `events` never grows, and texts are in no other table. When a row grows, SQLite rebuilds its page and
 * leaves old copies of its neighbours in the gap, which `secure_delete` does not overwrite: deleted texts would stay. What
 * becomes of a message is therefore in `states`, as numbers only. Its current text is the one of its last edit.
 */
const REBUILD_EVENTS = `CREATE TEMP TABLE message_counts (seq INTEGER PRIMARY KEY, messages INTEGER NOT NULL);
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
     data TEXT                         -- text or emoji as sent; '' once deleted
   ) STRICT;
   INSERT INTO new_events SELECT e.seq, e.room, e.id, c.messages, e.type, e.person, e.name, e.at, e.cid,
       s.target, NULL, CASE e.type WHEN 'edit' THEN s.edited END, s.mentions, e.data
     FROM events e JOIN message_counts c USING (seq) LEFT JOIN states s ON s.event = e.seq ORDER BY e.seq;
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
   UPDATE rooms SET messages =
     coalesce((SELECT messages FROM events e WHERE e.room = rooms.room ORDER BY id DESC LIMIT 1), 0);
   DELETE FROM meta WHERE key = 'placed';`;

/** Schema 6. The search index has a file of its own, `search.db`. The pages of the old one are used again. */
const DROP_SEARCH_TABLES = `DROP TABLE words;
   DROP TABLE outdated;
   DROP TABLE frequent;
   DROP TABLE shorthand;
   DELETE FROM meta WHERE key IN ('words', 'indexed', 'frequent');`;

/** Schema 7: what unread counts are made of, beside `messages` of an event and of its room. */
const COUNT_UNREAD = `ALTER TABLE members ADD COLUMN own INTEGER NOT NULL DEFAULT 0;      -- own messages above the read mark
   ALTER TABLE members ADD COLUMN own_last INTEGER NOT NULL DEFAULT 0; -- number of the newest own message; 0: none
   -- who posted is a member; who signed out is not
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

/** Schema 8: sign-outs that people may come back from, links, and names that are free again after a day. */
const SIGN_OUT_AND_RETURN = `ALTER TABLE people ADD COLUMN generation INTEGER NOT NULL DEFAULT 0; -- count of sign-outs: older cookies are worthless
   ALTER TABLE people ADD COLUMN posted INTEGER NOT NULL DEFAULT 0;     -- 1: has posted a message
   UPDATE people SET posted = 1 WHERE person IN (SELECT person FROM events WHERE type = 'chat');
   UPDATE people SET seen = seen + 86400000 WHERE posted = 0; -- it was stored to the day

   CREATE TABLE links (                -- one-time links: to another device, or back after a sign-out
     hash TEXT PRIMARY KEY,            -- SHA-256 of the secret in the link
     person INTEGER NOT NULL UNIQUE REFERENCES people,
     expires INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX links_expires ON links (expires);`;

export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

   CREATE TABLE people (
     person INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     name TEXT NOT NULL,
     skeleton TEXT UNIQUE,             -- null: the name is free again
     seen INTEGER NOT NULL,
     signed_out INTEGER NOT NULL DEFAULT 0
   ) STRICT;

   CREATE TABLE rooms (
     room INTEGER PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     last INTEGER NOT NULL,            -- the newest number
     at INTEGER NOT NULL               -- its time: times never go back in a room
   ) STRICT;

   CREATE TABLE events (
     seq INTEGER PRIMARY KEY,          -- the one order of all rooms
     room INTEGER NOT NULL REFERENCES rooms,
     id INTEGER NOT NULL,
     type TEXT NOT NULL,
     person INTEGER NOT NULL REFERENCES people,
     name TEXT NOT NULL,               -- as it was then: history does not change when people do
     data TEXT,
     at INTEGER NOT NULL,
     cid TEXT
   ) STRICT;
   CREATE UNIQUE INDEX events_number ON events (room, id);
   CREATE UNIQUE INDEX events_cid ON events (person, cid) WHERE cid IS NOT NULL;`,

  // What becomes of messages. No row is written and no column added (to a STRICT table that reads all of it): a log of any
  // length opens at once.
  `CREATE TABLE states (               -- what there is to an event beyond what was said; most have none
     event INTEGER PRIMARY KEY REFERENCES events,
     target INTEGER,                   -- of a change: number of the message
     text TEXT,                        -- of an edited message: as it is now; events.data stays as it was said
     edited INTEGER,                   -- of a message: number of its last edit; of an edit: of the one before it
     deleted INTEGER,                  -- number of the deletion; its data and text are gone then
     mentions TEXT,                    -- whom the text calls, as JSON [{"id","name"}]
     reacted INTEGER                   -- how many reactions stand
   ) STRICT;

   CREATE TABLE reactions (            -- those that stand
     room INTEGER NOT NULL REFERENCES rooms,
     target INTEGER NOT NULL,          -- number of the message
     id INTEGER NOT NULL,              -- number of the react event
     person INTEGER NOT NULL REFERENCES people,
     name TEXT NOT NULL,
     data TEXT NOT NULL,
     PRIMARY KEY (room, target, id)
   ) STRICT, WITHOUT ROWID;
   CREATE UNIQUE INDEX reactions_once ON reactions (room, target, person, data);

   CREATE TABLE mentions (             -- who is called by which message, as it is now
     person INTEGER NOT NULL REFERENCES people,
     event INTEGER NOT NULL REFERENCES events,
     PRIMARY KEY (person, event)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX mentions_event ON mentions (event);

   CREATE TABLE members (              -- who has been in which room, and has read up to which number
     person INTEGER NOT NULL REFERENCES people,
     room INTEGER NOT NULL REFERENCES rooms,
     read INTEGER NOT NULL DEFAULT 0,
     PRIMARY KEY (person, room)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE outdated (             -- messages whose words in the index are theirs no more: to be taken out
     event INTEGER PRIMARY KEY REFERENCES events,
     words TEXT NOT NULL               -- what the index has
   ) STRICT;

   -- The search index. It keeps no text, so what it has of a message is taken out with its words in hand. The number of a
   -- row is the message's seq; up to which seq it reaches is in meta. Its texts are lists of words already
   -- (search/words.ts): the tokenizer has only to take them apart at the spaces.
   CREATE VIRTUAL TABLE words USING fts5 (text, content = '', columnsize = 0, tokenize = 'ascii');
   INSERT INTO words (words, rank) VALUES ('secure-delete', 1);`,

  // Where events are (places.ts): tables instead of indexes, since they follow behind the log. This reads all of it, once.
  // No REFERENCES: both hold what events say, and verify compares them.
  `CREATE TABLE numbers (
     room INTEGER NOT NULL,
     id INTEGER NOT NULL,
     event INTEGER NOT NULL,
     PRIMARY KEY (room, id)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO numbers SELECT room, id, seq FROM events ORDER BY room, id;
   DROP INDEX events_number;           -- its pages are used again

   CREATE TABLE cids (
     person INTEGER NOT NULL,
     cid TEXT NOT NULL,
     event INTEGER NOT NULL,
     PRIMARY KEY (person, cid)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO cids SELECT person, cid, seq FROM events WHERE cid IS NOT NULL ORDER BY person, cid;

   INSERT INTO meta SELECT 'placed', max(seq) FROM events HAVING max(seq) IS NOT NULL;  -- how far both reach
   DROP INDEX events_cid;`,

  // What makes searches of frequent words quick: made of the index, piece by piece (search/frequent.ts).
  `CREATE TABLE frequent (
     word TEXT PRIMARY KEY,            -- as the index has it, with its era
     bits BLOB NOT NULL                -- which messages of the era have it
   ) STRICT, WITHOUT ROWID;`,

  // What makes searches of phrases of frequent words quick: made likewise, for the eras that have those (search/shorthand.ts).
  `CREATE TABLE shorthand (
     part INTEGER PRIMARY KEY,         -- of so many messages one after the other
     shorts BLOB NOT NULL              -- their frequent words in their order, a byte for each (search/short.ts)
   ) STRICT;
   INSERT INTO words (words, rank) VALUES ('automerge', 0);  -- the index merges in pieces of its own (search/index.ts)`,

  `${DROP_SEARCH_TABLES}
   ${REBUILD_EVENTS}`,

  COUNT_UNREAD,

  SIGN_OUT_AND_RETURN,
];

/**
 * Names are owned by their skeleton (chat/name.ts), which the database keeps. When its rule has changed since the file was
 * written, they are made anew at the opening. No new shape: the file can be written by either.
 */

interface NameOwner {
  readonly person: number;
  readonly name: string;
  readonly skeleton: string;
  readonly seen: number;
}

export function rebuildNameKeys(db: Database.Database): void {
  const rule = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'skeletons'").pluck().get();
  if (rule === SKELETON_VERSION) return;
  db.transaction(() => {
    reassignNameKeys(db, outdatedOwners(db));
    db.prepare("REPLACE INTO meta VALUES ('skeletons', ?)").run(SKELETON_VERSION);
  }).immediate();
}

/** Who owns a name by a skeleton that it has no more; those seen last first, and of those of one day who came first. */
function outdatedOwners(db: Database.Database): NameOwner[] {
  const owners = db.prepare<[], NameOwner>(
    'SELECT person, name, skeleton, seen FROM people WHERE skeleton IS NOT NULL ORDER BY seen DESC, person',
  );
  const found: NameOwner[] = [];
  for (const owner of owners.iterate()) if (owner.skeleton !== skeleton(owner.name)) found.push(owner);
  return found;
}

/** Where two would now own the same, it belongs to the one seen last. The other is called so too, as after 30 days. */
function reassignNameKeys(db: Database.Database, people: readonly NameOwner[]): void {
  const set = db.prepare<[string | null, number]>('UPDATE people SET skeleton = ? WHERE person = ?');
  const ownerOf = db.prepare<[string], NameOwner>('SELECT * FROM people WHERE skeleton = ?');
  for (const { person } of people) set.run(null, person);
  for (const { person, name, seen } of people) {
    const shape = skeleton(name);
    const owner = ownerOf.get(shape);
    if (owner && owner.seen >= seen) continue;
    if (owner) set.run(null, owner.person);
    set.run(shape, person);
  }
}
