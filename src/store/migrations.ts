/**
 * The shape of the database. Migration k (from 1) brings version k-1 to k; one that has landed is never edited.
 * `PRAGMA user_version` holds the version.
 */
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
];
