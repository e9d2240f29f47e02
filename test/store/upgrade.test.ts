/** Databases of earlier schemas, as the servers of that time left them. */
import { describe, expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import { MIGRATIONS } from '../../src/store/schema.js';
import Database from '../../src/store/sqlite.js';
import { Store } from '../../src/store/store.js';
import { verify } from '../../src/store/verify.js';
import { startChat, temporaryFolder } from '../harness.js';

const OLD = { id: 'oldoldoldold', name: 'Old Hand' };

/** An empty database of an earlier schema with one person. */
function createDatabase(folder: string, schema: number): Database.Database {
  const db = new Database(databaseFile(folder));
  for (const migration of MIGRATIONS.slice(0, schema)) db.exec(migration);
  db.exec(`PRAGMA user_version = ${schema};
    INSERT INTO people (id, name, skeleton, seen) VALUES ('${OLD.id}', '${OLD.name}', 'oldhand', ${Date.now()})`);
  return db;
}

/** A database of the first schema with one room. */
function firstSchema(messages: number): string {
  const folder = temporaryFolder();
  const db = createDatabase(folder, 1);
  db.exec(`INSERT INTO rooms (name, last, at) VALUES ('lobby', ${messages}, ${messages})`);
  const say = db.prepare(`INSERT INTO events (room, id, type, person, name, data, at, cid)
    VALUES (1, ?, 'chat', 1, 'Old Hand', ?, ?, ?)`);
  db.transaction(() => {
    for (let n = 1; n <= messages; n++) say.run(n, `old message number ${n}`, n, `c${n}`);
  })();
  db.close();
  return folder;
}

/**
 * Two rooms of schemas 2 to 5. In the lobby: 1 and 2 are messages; 3 edits the first, which then mentions its author; 4
 * is a reaction to it; 5 and 6 edit and delete the second; 7 is the last message.
 */
function laterSchema(schema: number): string {
  const folder = temporaryFolder();
  const db = createDatabase(folder, schema);
  db.exec(`INSERT INTO rooms (name, last, at) VALUES ('other', 1, 1), ('lobby', 7, 8);
    INSERT INTO events (seq, room, id, type, person, name, data, at, cid) VALUES
      (1, 1, 1, 'chat', 1, 'Old Hand', 'alone', 1, 'c1'), (2, 2, 1, 'chat', 1, 'Old Hand', 'hi', 2, 'c2'),
      (3, 2, 2, 'chat', 1, 'Old Hand', '', 3, NULL), (4, 2, 3, 'edit', 1, 'Old Hand', 'hi @OldHand', 4, 'c4'),
      (5, 2, 4, 'react', 1, 'Old Hand', '👍', 5, NULL), (6, 2, 5, 'edit', 1, 'Old Hand', '', 6, NULL),
      (7, 2, 6, 'delete', 1, 'Old Hand', NULL, 7, NULL), (8, 2, 7, 'chat', 1, 'Old Hand', 'bye', 8, 'c8');
    INSERT INTO states (event, target, text, edited, deleted, mentions, reacted) VALUES
      (2, NULL, 'hi @OldHand', 3, NULL, '[{"id":"${OLD.id}","name":"${OLD.name}"}]', 1),
      (3, NULL, NULL, NULL, 6, NULL, NULL), (5, 1, NULL, NULL, NULL, NULL, NULL),
      (4, 1, NULL, NULL, NULL, '[{"id":"${OLD.id}","name":"${OLD.name}"}]', NULL),
      (6, 2, NULL, NULL, NULL, NULL, NULL), (7, 2, NULL, NULL, NULL, NULL, NULL);
    INSERT INTO reactions VALUES (2, 1, 4, 1, 'Old Hand', '👍');
    INSERT INTO mentions VALUES (1, 2);
    INSERT INTO members VALUES (1, 2, 7)`);
  if (schema > 2)
    db.exec(`INSERT INTO numbers SELECT room, id, seq FROM events;
      INSERT INTO cids SELECT person, cid, seq FROM events WHERE cid IS NOT NULL;
      INSERT INTO meta VALUES ('placed', '8')`);
  db.close();
  return folder;
}

describe('a database of the first schema', () => {
  it('keeps its messages, which can be found and reacted to', async () => {
    const dataDir = firstSchema(3000);
    const chat = await startChat({ dataDir });
    const ann = await chat.signIn('Ann');
    const room = await ann.enters('lobby', { query: '?after=2998' });
    await room.sees({
      id: 3000,
      type: 'chat',
      user: OLD,
      data: 'old message number 3000',
      at: 3000,
      cid: 'c3000',
    });
    room.sends({ type: 'react', target: 1, data: '👍' });
    await room.sees({ id: 3001, type: 'react' });
    room.sends({ type: 'edit', target: 1, data: 'mine' });
    expect(await room.sees({ type: 'error' })).toMatchObject({ data: { code: 'not_yours' } });
    const found = async (): Promise<unknown> => (await ann.get('/api/search?q=number+1')).json();
    let page = await found();
    for (const end = Date.now() + 15_000; Date.now() < end && !isComplete(page); ) page = await found();
    expect(page).toMatchObject({ complete: true, messages: [{ id: 1, reactions: [{ data: '👍' }] }] });
    await chat.stop();
    expect(verify(databaseFile(dataDir), () => {})).toMatchObject({ finding: undefined, events: 3001 });
  });
});

describe.each([2, 3, 4, 5])('a database of schema %i', (schema) => {
  it('keeps messages, changes, reactions, mentions and marks, and gains counts of messages', () => {
    const dataDir = laterSchema(schema);
    const migrated: unknown[] = [];
    const store = new Store(dataDir, {
      start: (from, to) => migrated.push(from, to),
      progress: () => {},
    });
    expect(migrated).toEqual([schema, MIGRATIONS.length]);
    const first = {
      id: 1,
      type: 'chat',
      user: OLD,
      data: 'hi @OldHand',
      at: 2,
      cid: 'c2',
      mentions: [OLD],
      edited: 3,
    };
    expect(store.events.after('lobby', 0, 9)).toEqual([
      { ...first, reactions: [{ id: 4, user: OLD, data: '👍' }] },
      { id: 2, type: 'chat', user: OLD, data: '', at: 3, deleted: 6 },
      { id: 3, type: 'edit', user: OLD, target: 1, data: 'hi @OldHand', at: 4, cid: 'c4', mentions: [OLD] },
      { id: 4, type: 'react', user: OLD, target: 1, data: '👍', at: 5 },
      { id: 5, type: 'edit', user: OLD, target: 2, data: '', at: 6 },
      { id: 6, type: 'delete', user: OLD, target: 2, at: 7 },
      { id: 7, type: 'chat', user: OLD, data: 'bye', at: 8, cid: 'c8' },
    ]);
    expect(store.listMentions(OLD, Number.MAX_SAFE_INTEGER, 9).messages).toMatchObject([
      { room: 'lobby', id: 1 },
    ]);
    expect(store.memberships.list(OLD, 9)).toMatchObject([
      { room: 'lobby', last: 7, read: 7, unread: 0 },
      { room: 'other', last: 1, read: 0, unread: 0 }, // who has posted is a member
    ]);
    store.close();
    expect(messagesIn(dataDir)).toEqual([
      ['lobby', 3, '1 2 2 2 2 2 3'],
      ['other', 1, '1'],
    ]);
    expect(verify(databaseFile(dataDir), () => {})).toMatchObject({ finding: undefined, events: 8 });
  });
});

/** The counts of messages: of each room, and of its events in their order. */
function messagesIn(dataDir: string): unknown {
  const db = new Database(databaseFile(dataDir), { readonly: true });
  const rows = db.prepare(`SELECT r.name, r.messages, group_concat(e.messages, ' ' ORDER BY e.id)
    FROM rooms r JOIN events e USING (room) GROUP BY room ORDER BY r.name`);
  const counts = rows.raw().all();
  db.close();
  return counts;
}

function isComplete(page: unknown): boolean {
  return (page as { complete: boolean }).complete;
}
