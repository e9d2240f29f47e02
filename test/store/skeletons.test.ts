/** Names in a database that was written under an older rule of the skeleton. */

import { expect, it } from 'vitest';
import { databaseFile, openDatabase } from '../../src/store/database.js';
import { startPeopleChain } from '../../src/store/schema.js';
import Database from '../../src/store/sqlite.js';
import { verify } from '../../src/store/verify.js';
import { startChat, temporaryFolder } from '../harness.js';

const DAY = 24 * 3600 * 1000;

type Row = readonly [id: string, name: string, skeleton: string | null, daysAgo: number];

/** As it was left by a server that took a space for a ~. */
function before(...people: readonly Row[]): string {
  const folder = temporaryFolder();
  const db = openDatabase(databaseFile(folder));
  db.exec("DELETE FROM meta WHERE key = 'skeletons'");
  const add = db.prepare('INSERT INTO people (id, name, skeleton, seen) VALUES (?, ?, ?, ?)');
  for (const [id, name, skeleton, daysAgo] of people) add.run(id, name, skeleton, Date.now() - daysAgo * DAY);
  startPeopleChain(db);
  db.close();
  return folder;
}

function skeletonsOf(folder: string): unknown {
  const db = new Database(databaseFile(folder), { readonly: true });
  const rows = db.prepare('SELECT id, name, skeleton FROM people ORDER BY person').raw().all();
  db.close();
  return rows;
}

it('are brought to the new one: of two that are one now, who was seen last owns it, and both keep their name', () => {
  const folder = before(
    ['late', 'Ann Lee', 'ann~lee', 1],
    ['early', 'AnnLee', 'annlee', 2],
    ['first', 'A B', 'a~b', 9],
    ['then', 'AB', 'ab', 3],
    ['both', 'C D E', 'c~d~e', 5],
    ['too', 'CD E', 'cd~e', 4],
    ['gone', 'A  B', null, 1],
    ['other', 'Bob', 'bob', 20],
    ['moves', 'C˜', 'c~~', 1],
  );
  openDatabase(databaseFile(folder)).close();
  const renewed = [
    ['late', 'Ann Lee', 'annlee'],
    ['early', 'AnnLee', null],
    ['first', 'A B', null],
    ['then', 'AB', 'ab'],
    ['both', 'C D E', null],
    ['too', 'CD E', 'cde'],
    ['gone', 'A  B', null],
    ['other', 'Bob', 'bob'],
    ['moves', 'C˜', 'c~'],
  ];
  expect(skeletonsOf(folder)).toEqual(renewed);
  openDatabase(databaseFile(folder)).close();
  expect(skeletonsOf(folder)).toEqual(renewed);
  expect(verify(databaseFile(folder), () => {}).finding).toBeUndefined();
});

it('call who is called, spaces or not, and are taken with and without them', async () => {
  const chat = await startChat({ dataDir: before(['annleeannlee', 'Ann Lee', 'ann~lee', 0]) });
  const bob = await chat.signIn('Bob');
  const room = await bob.enters('lobby');
  for (const text of ['@AnnLee', '@Ann  Lee', '@ann lee!']) {
    const said = await room.sees({ type: 'chat', cid: room.says(text) });
    expect(said['mentions']).toEqual([{ id: 'annleeannlee', name: 'Ann Lee' }]);
  }
  expect((await chat.post('/signin', { name: 'AnnLee' })).status).toBe(409);
  expect((await chat.post('/signin', { name: 'Ann~Lee' })).status).toBe(200);
  const found = await (await bob.get('/api/people?q=ann+l')).json();
  expect(found).toMatchObject({ people: [{ name: 'Ann Lee' }] });
});

it('let older mentions be as the older rule found them', async () => {
  const dataDir = temporaryFolder();
  const chat = await startChat({ dataDir });
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  const room = await bob.enters('lobby');
  for (const text of ['[@Ann](https://x.example)', '@Ann'])
    await room.sees({ type: 'chat', cid: room.says(text) });
  await chat.stop();
  const db = new Database(databaseFile(dataDir));
  db.prepare('UPDATE events SET mentions = ? WHERE id = 1').run(JSON.stringify([ann.user]));
  db.prepare(
    `INSERT INTO mentions (person, room, id, seq)
     SELECT (SELECT person FROM people WHERE name = 'Ann'), room, id, seq FROM events WHERE id = 1`,
  ).run();
  const finding = (): string | undefined => verify(databaseFile(dataDir), () => {}).finding;
  expect(finding()).toContain('number 1 does not mention those whom its text mentions');
  db.exec("UPDATE meta SET value = '4' WHERE key = 'skeletons'");
  expect(finding()).toBeUndefined();
  db.close();
  const again = await startChat({ dataDir });
  const later = await again.visitor(bob.cookie).enters('lobby');
  await later.sees({ type: 'chat', cid: later.says('[@Ann](https://x.example)') });
  await again.stop();
  expect(finding()).toBeUndefined();
});
