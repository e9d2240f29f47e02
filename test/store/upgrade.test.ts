/** A database of the first version, taken over. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import { MIGRATIONS } from '../../src/store/schema.js';
import { verify } from '../../src/store/verify.js';
import { startChat, temporaryFolder } from '../harness.js';

/** As the first version wrote it: so many messages of one who has not signed in since. */
function firstVersion(messages: number): string {
  const folder = temporaryFolder();
  const db = new Database(databaseFile(folder));
  db.exec(MIGRATIONS[0] ?? '');
  db.exec(`PRAGMA user_version = 1;
    INSERT INTO people (id, name, skeleton, seen) VALUES ('oldoldoldold', 'Old Hand', 'old', ${Date.now()});
    INSERT INTO rooms (name, last, at) VALUES ('lobby', ${messages}, ${messages})`);
  const say = db.prepare(`INSERT INTO events (room, id, type, person, name, data, at, cid)
    VALUES (1, ?, 'chat', 1, 'Old Hand', ?, ?, ?)`);
  db.transaction(() => {
    for (let n = 1; n <= messages; n++) say.run(n, `old message number ${n}`, n, `c${n}`);
  })();
  db.close();
  return folder;
}

describe('a database of the first version', () => {
  it('is as it was, and its messages can be found and reacted to', async () => {
    const dataDir = firstVersion(3000);
    const chat = await startChat({ dataDir });
    const ann = await chat.signIn('Ann');
    const room = await ann.enters('lobby', { query: '?after=2998' });
    await room.sees({
      id: 3000,
      type: 'chat',
      user: { id: 'oldoldoldold', name: 'Old Hand' },
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

function isComplete(page: unknown): boolean {
  return (page as { complete: boolean }).complete;
}
