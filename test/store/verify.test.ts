/** Plants faults in a database by SQL, one by one: verify names each, and restore rebuilds what is derived. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { restore } from '../../src/store/backup.js';
import { databaseFile } from '../../src/store/database.js';
import Database from '../../src/store/sqlite.js';
import { Store } from '../../src/store/store.js';
import { verify } from '../../src/store/verify.js';
import { startChat, temporaryFolder } from '../harness.js';

/**
 * The lobby: 1 to 5 are messages of Ann, the third replies to the first; 6 and 7 edit and 8 deletes the second; 9 edits the
 * first, which then mentions Bob; 10 and 11 are reactions of Bob to the third, 12 takes the second back; 13 mentions Ann,
 * and is by Bob. Another room, "other", has two messages of Cid, who then becomes Cyd. Dan posts there and signs out. Eve
 * makes a link. The keys of the people are 1 to 5 in this order.
 */
async function createDatabase(): Promise<string> {
  const chat = await startChat();
  const [ann, bob, cid] = [await chat.signIn('Ann'), await chat.signIn('Bob'), await chat.signIn('Cid')];
  const [dan, eve] = [await chat.signIn('Dan'), await chat.signIn('Eve')];
  const lobby = '/api/rooms/lobby/messages';
  for (let n = 1; n <= 5; n++)
    await ann.post(lobby, { data: `m${n}`, cid: `c${n}`, ...(n === 3 && { reply: 1 }) });
  await ann.post(lobby, { type: 'edit', target: 2, data: 'to be' });
  await ann.post(lobby, { type: 'edit', target: 2, data: 'to be deleted' });
  await ann.post(lobby, { type: 'delete', target: 2 });
  await ann.post(lobby, { type: 'edit', target: 1, data: 'hi @Bob' });
  await bob.post(lobby, { type: 'react', target: 3, data: '👍' });
  await bob.post(lobby, { type: 'react', target: 3, data: '🎉' });
  await bob.post(lobby, { type: 'unreact', target: 3, data: '🎉' });
  await bob.post(lobby, { data: 'hi @Ann' });
  await ann.put('/api/rooms/lobby/read', { id: 5 });
  const other = '/api/rooms/other/messages';
  await cid.post(other, { data: 'o1' });
  await cid.post(other, { data: 'o2' });
  await chat.post('/api/me', { name: 'Cyd' }, { cookie: cid.cookie }, 'PATCH');
  await dan.post(other, { data: 'bye' });
  await dan.post('/signout', { return: true });
  await eve.post('/api/me/link', {});
  await chat.stop();
  return databaseFile(chat.dataDir);
}

type Plant = readonly [sql: string, finding: string];

const REWRITTEN = 'is not as it was written: its hash does not fit';

/** What no table can give back. */
const DAMAGES: readonly Plant[] = [
  // texts, authors, times
  ["UPDATE events SET data = 'other' WHERE data = 'm4'", `room lobby: number 4 ${REWRITTEN}`],
  ["UPDATE events SET data = 'm4 ' WHERE data = 'm4'", `number 4 ${REWRITTEN}`],
  [
    "UPDATE events SET data = CASE data WHEN 'm4' THEN 'm5' ELSE 'm4' END WHERE data IN ('m4', 'm5')",
    `number 4 ${REWRITTEN}`,
  ],
  ['UPDATE events SET person = 2 WHERE id = 4', 'number 4 has another name than its author had'],
  ["UPDATE events SET person = 2, name = 'Bob' WHERE id = 4", `number 4 ${REWRITTEN}`],
  ["UPDATE events SET name = 'Bob' WHERE data = 'm4'", 'number 4 has another name than its author had'],
  ["UPDATE events SET name = 'Cyd' WHERE data = 'o1'", 'number 1 has another name than its author had'],
  ["UPDATE events SET at = at - 1 WHERE id = 1 AND data = 'm1'", `number 1 ${REWRITTEN}`],
  ["UPDATE events SET at = 5 WHERE data = 'm4'", 'the time goes back at number 4'],
  ['UPDATE rooms SET at = 5', 'number 1 is later than the room itself'],
  ["UPDATE events SET data = NULL WHERE data = 'm4'", 'number 4 has no text'],
  [
    "UPDATE events SET data = '' WHERE data = 'm4'",
    'number 4 has no text, but is neither deleted nor expired',
  ],
  ['UPDATE events SET content = zeroblob(32) WHERE id = 4', `number 4 ${REWRITTEN}`],
  ['UPDATE events SET hash = zeroblob(32) WHERE id = 4', `number 4 ${REWRITTEN}`],
  // cids
  ["UPDATE events SET cid = NULL WHERE cid = 'c4'", `number 4 ${REWRITTEN}`],
  ["UPDATE events SET cid = 'c9' WHERE cid = 'c4'", `number 4 ${REWRITTEN}`],
  ["UPDATE events SET cid = 'c9' WHERE data = 'hi @Ann'", `number 13 ${REWRITTEN}`],
  [`UPDATE events SET cid = 'c"4' WHERE cid = 'c4'`, 'number 4 has a cid that nobody could send'],
  ["DROP INDEX events_cid; UPDATE events SET cid = 'c3' WHERE cid = 'c4'", 'cid c3 of person'],
  // numbers and rooms
  ["DELETE FROM events WHERE data = 'm4'", 'number 4 is missing, 5 comes next'],
  ["DELETE FROM events WHERE data = 'm1'", 'number 1 is missing, 2 comes next'],
  ["UPDATE events SET seq = 1000 WHERE data = 'm4'", 'number 5 was stored before number 4'],
  [
    "DROP INDEX events_number; UPDATE events SET id = 3 WHERE data = 'm4'",
    'number 4 is missing, 3 comes next',
  ],
  [
    `DROP INDEX events_number; UPDATE events SET id = 9 - id WHERE data IN ('m4', 'm5')`,
    'number 5 was stored before number 4',
  ],
  ["DELETE FROM events WHERE data = 'hi @Ann'", 'position 13, before number 1, is missing'],
  ["DELETE FROM events WHERE data = 'bye'", 'room other: its last is 3, but its newest event is 2'],
  [
    `DELETE FROM events WHERE data = 'bye';
     UPDATE rooms SET (last, messages, at, hash) = (SELECT 2, 2, at, hash FROM events WHERE data = 'o2')
       WHERE name = 'other'`,
    'the log ends at position 15, but entry',
  ],
  ["UPDATE rooms SET last = 2 WHERE name = 'other'", 'number 3 is beyond its last, 2'],
  ["UPDATE rooms SET last = 4 WHERE name = 'other'", 'its last is 4, but its newest event is 3'],
  ["UPDATE rooms SET hash = zeroblob(32) WHERE name = 'other'", 'its hash is not that of its last event, 3'],
  [
    "DELETE FROM events WHERE room = 1; DELETE FROM rooms WHERE name = 'lobby'; DELETE FROM members WHERE room = 1; DELETE FROM mentions; DELETE FROM deletions; DELETE FROM reactions; DELETE FROM states",
    'position 1, before number 1, is missing',
  ],
  ["UPDATE rooms SET name = 'renamed' WHERE name = 'other'", `room renamed: number 1 ${REWRITTEN}`],
  [
    'UPDATE events SET room = 2, id = 4, messages = 4 WHERE data = $13',
    'number 4 was stored before number 1',
  ],
  // changes
  ['UPDATE events SET target = NULL WHERE id = 6', 'number 6 is a change without a target'],
  ["UPDATE events SET target = 1 WHERE data = 'm4'", 'number 4 is a message, but has a target'],
  ['UPDATE events SET target = 6 WHERE id = 9', 'number 9 changes a message that does not exist'],
  ['UPDATE events SET target = 10 WHERE id = 9', 'number 9 changes a message that does not exist'],
  ['UPDATE events SET target = 3 WHERE id = 9', `number 9 ${REWRITTEN}`],
  ['UPDATE events SET target = 2 WHERE id = 9', 'number 2 was changed after it was deleted'],
  ["UPDATE events SET person = 2, name = 'Bob' WHERE id = 9", 'number 1 was changed by somebody else'],
  ["UPDATE events SET type = 'vote' WHERE id = 10", 'number 10 has the unknown type vote'],
  ["UPDATE events SET type = 'edit' WHERE id = 10", 'number 3 was changed by somebody else'],
  ["UPDATE events SET type = 'unreact' WHERE id = 10", 'number 10 removes a reaction that is not there'],
  ["UPDATE events SET type = 'react' WHERE id = 12", 'number 12 adds a reaction that is already there'],
  ["UPDATE events SET data = '🎉' WHERE id = 10", 'number 11 adds a reaction that is already there'],
  ["UPDATE events SET data = 'text' WHERE type = 'delete'", 'number 8 is a deletion, but has a text'],
  [
    "UPDATE events SET reply = 4 WHERE data = 'm3'",
    'number 3 replies to an event that is no earlier message',
  ],
  [
    "UPDATE events SET reply = 6 WHERE data = 'm3'",
    'number 3 replies to an event that is no earlier message',
  ],
  ["UPDATE events SET reply = 2 WHERE data = 'm3'", `number 3 ${REWRITTEN}`],
  ["UPDATE events SET reply = NULL WHERE data = 'm3'", `number 3 ${REWRITTEN}`],
  ["UPDATE events SET reply = 2 WHERE data = 'hi @Ann'", 'number 13 replies to a deleted message'],
  ['UPDATE events SET reply = 1 WHERE id = 10', 'number 10 is a change, but replies'],
  // deleted texts
  ["UPDATE events SET data = 'm2' WHERE id = 2 AND room = 1", 'number 2 was deleted, but some of its text'],
  ["UPDATE events SET data = 'to be' WHERE id = 6", 'number 6 was deleted, but some of its text'],
  ['UPDATE events SET reply = 1 WHERE id = 2 AND room = 1', 'number 2 was deleted, but some of its text'],
  // people
  ["UPDATE people SET id = 'x' WHERE person = 2", 'people: entry 2 is not as it was written'],
  ["UPDATE people_chain SET skeleton = 'x' WHERE number = 2", 'people: entry 2 is not as it was written'],
  ["UPDATE people_chain SET link = 'x' WHERE type = 'link'", 'is not as it was written'],
  ['UPDATE people_chain SET at = at + 1 WHERE number = 2', 'people: entry 2 is not as it was written'],
  ['DELETE FROM people_chain WHERE number = 2', 'people: entry 2 is missing, 3 comes next'],
  [
    'DELETE FROM people_chain WHERE number = (SELECT max(number) FROM people_chain)',
    'people: the chain ends at entry',
  ],
  ['DELETE FROM people_chain', 'number 1 has an author without an entry in the chain of people'],
  ["UPDATE events SET name = 'Dan', person = 4 WHERE data = 'o1'", `number 1 ${REWRITTEN}`],
  ['DELETE FROM people WHERE person = 2', 'people: entry 2 is missing, 3 comes next'],
  // expirations
  ['UPDATE rooms SET expired = 3', 'number 1 has expired, but some of its text is still there'],
  ['UPDATE rooms SET expired = -1', 'its texts have expired up to -1, but its last expiration ends at 0'],
  ['INSERT INTO expirations (room, through, at) VALUES (1, 3, 5)', 'but its last expiration ends at 3'],
  // the schema
  ['DROP INDEX events_cid', 'the index events_cid is missing'],
  ['DROP INDEX reactions_once', 'the index reactions_once is missing'],
  ['DROP VIEW current_events', 'the view current_events is missing'],
  ['DROP TABLE links', 'the table links is missing'],
  [
    `PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = rootpage + 1 WHERE name = 'events'`,
    'the file is damaged',
  ],
];

/** What the log determines. */
const DERIVED: readonly Plant[] = [
  ['UPDATE events SET messages = 9 WHERE id = 4', 'room lobby: number 4 counts 9 messages, not 4'],
  ['UPDATE rooms SET messages = 7', 'room lobby: it counts 7 messages, but its newest event 6'],
  ['UPDATE rooms SET at = at + 1e9', 'room lobby: its time is not that of its last event, 13'],
  ['UPDATE events SET previous = NULL WHERE id = 7', 'number 7 names another previous edit'],
  ['UPDATE events SET previous = 7 WHERE id = 9', 'number 9 names another previous edit'],
  ['UPDATE events SET previous = 1 WHERE id = 4', 'number 4 names another previous edit'],
  [
    "UPDATE events SET mentions = '[' WHERE id = 13",
    'number 13 does not mention those whom its text mentions',
  ],
  [
    `UPDATE events SET mentions = (SELECT json_array(json_object('id', id, 'name', name)) FROM people WHERE person = 3)
     WHERE id = 13`,
    'number 13 does not mention those whom its text mentions',
  ],
  [
    'UPDATE events SET mentions = NULL WHERE id = 9',
    'number 9 does not mention those whom its text mentions',
  ],
  [
    "UPDATE events SET mentions = '[]' WHERE id = 2 AND room = 1",
    'number 2 was deleted, but some of its text',
  ],
  [
    "UPDATE events SET mentions = '[]' WHERE id = 4",
    'number 4 does not mention those whom its text mentions',
  ],
  ['UPDATE states SET deleted = NULL', 'number 2 has another state than its changes add up to'],
  ['UPDATE states SET edited = NULL WHERE edited = 9', 'number 1 has another state'],
  ['UPDATE states SET edited = 7 WHERE edited = 9', 'number 1 has another state'],
  ['UPDATE states SET reacted = 2 WHERE reacted = 1', 'number 3 has another state'],
  ['DELETE FROM states', 'number 1 has another state'],
  [
    "INSERT INTO states (event, edited) SELECT seq, 9 FROM events WHERE data = 'm4'",
    'number 4 has another state',
  ],
  [
    "INSERT INTO states (event, deleted) SELECT seq, 8 FROM events WHERE data = 'm4'",
    'number 4 has another state',
  ],
  ["UPDATE reactions SET data = '🎉'", 'number 3 has other reactions than its events add up to'],
  ['UPDATE reactions SET person = 1', 'number 3 has other reactions'],
  ["UPDATE reactions SET name = 'Ann'", 'number 3 has other reactions'],
  ['UPDATE reactions SET id = 11', 'number 3 has other reactions'],
  ['DELETE FROM reactions', 'number 3 has other reactions'],
  ["INSERT INTO reactions VALUES (1, 4, 10, 2, 'Bob', '👍')", 'number 4 has other reactions'],
  ['DELETE FROM mentions', 'is listed as a mention of other people than it mentions'],
  ['UPDATE mentions SET person = 3 WHERE id = 1', 'number 1 is listed as a mention of other people'],
  ['UPDATE mentions SET seq = 4 WHERE id = 1', 'number 1 is listed as a mention of other people'],
  ['UPDATE mentions SET id = 4 WHERE id = 1', 'is listed as a mention of other people'],
  ['INSERT INTO mentions VALUES (3, 1, 4, 4)', 'number 4 is listed as a mention of other people'],
  ['DELETE FROM deletions', 'number 2 is deleted but not listed as deleted'],
  ['UPDATE deletions SET person = 2', 'number 2 is deleted but not listed as deleted'],
  ['INSERT INTO states (event, reacted) VALUES (999, 1)', 'event 999 has another state'],
  [
    "INSERT INTO reactions VALUES (9, 4, 10, 2, 'Bob', '👍')",
    'room with key 9: number 4 has other reactions',
  ],
  ['INSERT INTO mentions VALUES (2, 1, 99, 99)', 'number 99 is listed as a mention of other people'],
  [
    'INSERT INTO deletions VALUES (1, 99, 1)',
    'number 99 is deleted but not listed as deleted, or the reverse',
  ],
  ['INSERT INTO deletions VALUES (1, 3, 1)', 'number 3 is deleted but not listed as deleted, or the reverse'],
  ['UPDATE members SET own = own + 1 WHERE person = 1', 'room lobby: the read mark or the own messages'],
  ['UPDATE members SET own_last = 0', 'the read mark or the own messages of person'],
  ['UPDATE members SET read = 100', 'the read mark or the own messages of person'],
  ['UPDATE members SET read = -3', 'the read mark or the own messages of person'],
  ['DELETE FROM members WHERE person = 1', 'the read mark or the own messages of person'],
  ["UPDATE people SET skeleton = 'x' WHERE person = 2", 'is not as the chain of people has them'],
  [
    `UPDATE people SET skeleton = 'x' WHERE person = 1; UPDATE people SET skeleton = 'ann' WHERE person = 2;
     UPDATE people SET skeleton = 'bob' WHERE person = 1`,
    'is not as the chain of people has them',
  ],
  ['UPDATE people SET skeleton = NULL WHERE person = 4', 'is not as the chain of people has them'],
  ['UPDATE people SET signed_out = 0', 'is not as the chain of people has them'],
  ['UPDATE people SET signed_out = 1', 'is not as the chain of people has them'],
  ['UPDATE people SET generation = 0', 'is not as the chain of people has them'],
  ["UPDATE people SET name = 'Ann' WHERE person = 2", 'is not as the chain of people has them'],
  [
    "INSERT INTO people (id, name, seen) VALUES ('ghost', 'Ghost', 0)",
    'is not as the chain of people has them',
  ],
  ['UPDATE people SET posted = 0', 'is not as the chain of people has them'],
  ["UPDATE links SET hash = 'x' WHERE person = 4", 'has a link that the chain of people does not have'],
  ["INSERT INTO links VALUES ('x', 1, 9e15)", 'has a link that the chain of people does not have'],
];

/** What may have come about by itself, or heals by itself; see docs/operations.md. */
const LEGAL: readonly string[] = [
  'UPDATE members SET read = 0, own = (SELECT count(*) FROM events e WHERE e.person = members.person AND e.room = members.room AND type = $chat)',
  'DELETE FROM members WHERE own_last = 0',
  'DELETE FROM links',
  "DELETE FROM meta WHERE key = 'skeletons'",
  "DELETE FROM meta WHERE key = 'session_keys'",
  "DELETE FROM meta WHERE key = 'epoch'", // the server makes a new one, and clients start over
  'UPDATE people SET seen = seen + 1000',
];

function plant(sound: string, sql: string): string {
  const file = join(temporaryFolder(), 'oneport.db');
  copyFileSync(sound, file);
  const db = new Database(file);
  db.pragma('foreign_keys = OFF');
  db.unsafeMode().exec(sql.replaceAll('$13', "'hi @Ann'").replaceAll('$chat', "'chat'"));
  db.close();
  return file;
}

const find = (file: string): string | undefined => verify(file, () => {}).finding;

describe('verify', () => {
  it('names each planted damage, and restore refuses it', async () => {
    const sound = await createDatabase();
    expect(find(sound)).toBeUndefined();
    for (const [sql, words] of DAMAGES) {
      const { finding, isDerived } = verify(plant(sound, sql), () => {});
      expect([sql, finding, isDerived]).toEqual([sql, expect.stringContaining(words), false]);
    }
    const [[sql = ''] = []] = DAMAGES;
    const refused = (): unknown => restore(plant(sound, sql), temporaryFolder(), 'before', () => {});
    expect(refused).toThrow(/is not restored/);
  }, 60_000);

  it('names each derived row that differs from the log, and restore rebuilds it', async () => {
    const sound = await createDatabase();
    for (const [sql, words] of DERIVED) {
      const file = plant(sound, sql);
      expect([sql, find(file)]).toEqual([sql, expect.stringContaining(words)]);
      const folder = temporaryFolder();
      restore(file, folder, 'before', () => {});
      expect([sql, find(databaseFile(folder))]).toEqual([sql, undefined]);
    }
  }, 60_000);

  it('does not blame what a server may have done', async () => {
    const sound = await createDatabase();
    for (const sql of LEGAL) expect([sql, find(plant(sound, sql))]).toEqual([sql, undefined]);
  });
});

it('reads a room whose mentions are damaged', async () => {
  const chat = await startChat();
  const ann = await chat.signIn('Ann');
  const path = '/api/rooms/lobby/messages';
  await ann.post(path, { data: 'hi @Ann' });
  await chat.stop();
  for (const damaged of ['{', 'null', '[1, {"id": 2}]']) {
    const db = new Database(databaseFile(chat.dataDir));
    db.prepare('UPDATE events SET mentions = ?').run(damaged);
    db.close();
    const store = new Store(chat.dataDir);
    expect(store.events.after('lobby', 0, 9)).toMatchObject([{ id: 1, data: 'hi @Ann', mentions: [] }]);
    store.close();
  }
});
