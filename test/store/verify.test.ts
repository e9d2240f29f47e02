/** Plants faults in what changes write, one by one. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import Database from '../../src/store/sqlite.js';
import { Store } from '../../src/store/store.js';
import { verify } from '../../src/store/verify.js';
import { startChat, temporaryFolder } from '../harness.js';

/** 1 to 5 are messages, 6 edits and 7 deletes the second, 8 edits the first, 9 is a reaction to the third. */
async function changedDatabase(): Promise<string> {
  const chat = await startChat();
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  const path = '/api/rooms/lobby/messages';
  for (let n = 1; n <= 5; n++) await ann.post(path, { data: `m${n}` });
  await ann.post(path, { type: 'edit', target: 2, data: 'to be deleted' });
  await ann.post(path, { type: 'delete', target: 2 });
  await ann.post(path, { type: 'edit', target: 1, data: 'hi @Bob' });
  await bob.post(path, { type: 'react', target: 3, data: '👍' });
  await ann.put('/api/rooms/lobby/read', { id: 5 });
  await chat.stop();
  return databaseFile(chat.dataDir);
}

const FAULTS: readonly (readonly [sql: string, words: string])[] = [
  ['UPDATE events SET target = NULL WHERE target = 2', 'number 6 is a change without a target'],
  ['UPDATE events SET target = 6 WHERE target = 1', 'number 8 changes a message that does not exist'],
  ['UPDATE events SET target = 9 WHERE target = 1', 'number 8 changes a message that does not exist'],
  ['UPDATE states SET deleted = NULL', 'number 7 deletes a message that does not name it as its deletion'],
  ["UPDATE events SET person = 2 WHERE type = 'edit'", 'was changed by somebody else'],
  ["UPDATE events SET data = 'm2' WHERE id = 2", 'number 2 was deleted, but some of its text'],
  ["UPDATE events SET data = 'x' WHERE id = 6", 'number 2 was deleted, but some of its text'],
  ['UPDATE states SET edited = NULL WHERE edited = 8', 'number 1 does not have the text'],
  [
    "INSERT INTO states (event, edited) SELECT seq, 8 FROM events WHERE data = 'm4'",
    'number 4 names as its last edit an event that is no edit of it',
  ],
  [
    "INSERT INTO states (event, deleted) SELECT seq, 7 FROM events WHERE data = 'm4'",
    'number 4 names as its deletion an event that is no deletion of it',
  ],
  ["UPDATE reactions SET data = '🎉'", 'number 3 has a reaction without its event'],
  ['DELETE FROM reactions', 'number 3 has other reactions than its events add up to'],
  ['UPDATE states SET reacted = 2 WHERE reacted = 1', 'number 3 has a wrong count of reactions'],
  ['DELETE FROM mentions', 'number 1 mentions somebody but is not listed as a mention'],
  ['UPDATE mentions SET seq = 4', 'number 4 is listed as a mention but mentions nobody'],
  ['UPDATE mentions SET id = 4', 'number 1 is listed as a mention but mentions nobody'],
  ['UPDATE mentions SET seq = 4, id = 4', 'number 4 is listed as a mention but mentions nobody'],
  ['UPDATE events SET messages = 9 WHERE id = 4', 'room lobby: number 4 counts 9 messages, not 4'],
  ['UPDATE rooms SET messages = 6', 'room lobby: it counts 6 messages, but its newest event 5'],
  ['DELETE FROM deletions', 'number 2 is deleted but not listed as deleted'],
  ['UPDATE deletions SET person = 2', 'number 2 is deleted but not listed as deleted'],
  ['INSERT INTO deletions VALUES (1, 3, 1)', 'number 3 is listed as deleted but is not'],
  ['UPDATE members SET own = 1', "the count of a member's own messages above their mark is wrong"],
  ['UPDATE members SET own_last = 0', "the count of a member's own messages above their mark is wrong"],
  [
    "UPDATE events SET reply = 4 WHERE data = 'm3'",
    'number 3 replies to an event that is no earlier message',
  ],
  [
    "UPDATE events SET reply = 6 WHERE data = 'm3'",
    'number 3 replies to an event that is no earlier message',
  ],
  ['UPDATE members SET read = 100', 'number 9 is the last, but a read mark is beyond it'],
  [
    `PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = rootpage + 1 WHERE name = 'events'`,
    'the file is damaged',
  ],
];

describe('verify', () => {
  it('reports each planted fault of changes, reactions, mentions and marks', async () => {
    const sound = await changedDatabase();
    expect(verify(sound, () => {}).finding).toBeUndefined();
    for (const [sql, words] of FAULTS) {
      const file = join(temporaryFolder(), 'oneport.db');
      copyFileSync(sound, file);
      const db = new Database(file);
      db.pragma('foreign_keys = OFF');
      db.unsafeMode().exec(sql);
      db.close();
      expect([sql, verify(file, () => {}).finding]).toEqual([sql, expect.stringContaining(words)]);
    }
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
