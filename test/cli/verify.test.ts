import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../harness.js';
import { chatWith, databaseOf, folderWith, oneport, tamper } from './commands.js';

describe('verify', { timeout: 60_000 }, () => {
  it('reports a sound log, while the server runs and after', async () => {
    const chat = await chatWith(30);
    const sound = { code: 0, out: expect.stringMatching(/^sound: 31 events in 2 rooms, 1 people\n/) };
    expect(await oneport(['verify'], chat.dataDir)).toMatchObject(sound);
    await chat.stop();
    expect(await oneport(['verify'], chat.dataDir)).toMatchObject(sound);
    expect(await oneport(['verify', databaseOf(chat.dataDir)], temporaryFolder())).toMatchObject(sound);
  });

  const faults: readonly (readonly [fault: string, sql: string, words: string])[] = [
    ['a hole', 'DELETE FROM events WHERE id = 7', 'room lobby: number 7 is missing, 8 comes next'],
    ['a missing first number', "DELETE FROM events WHERE data = 'm1'", 'number 1 is missing, 2 comes next'],
    ['a missing end', "DELETE FROM events WHERE data = 'm20'", 'position 20, before number 1, is missing'],
    ['a number beyond the last', "UPDATE rooms SET last = 19 WHERE name = 'lobby'", 'is beyond its last, 19'],
    ['a room that lost all', "DELETE FROM events WHERE data = 'alone'", 'room köln: its last is 1'],
    ['time that goes back', "UPDATE events SET at = 5 WHERE data = 'm9'", 'the time goes back at number 9'],
    [
      'an order that differs from the numbers',
      "UPDATE events SET seq = 1000 WHERE data = 'm4'",
      'number 5 was stored before number 4',
    ],
    ['a nobody', 'DELETE FROM people', 'has an author without an entry in the chain of people'],
    [
      'a cid twice',
      "DROP INDEX events_cid; UPDATE events SET cid = 'c3' WHERE cid = 'c12'",
      'cid c3 of person',
    ],
    [
      'a number twice',
      "DROP INDEX events_number; UPDATE events SET id = 3 WHERE data = 'm4'",
      'room lobby: number 4',
    ],
  ];
  it.each(faults)('reports %s and exits with 1', async (_, sql, words) => {
    const folder = await folderWith(20);
    tamper(folder, sql);
    const { code, out, err } = await oneport(['verify'], folder);
    expect(err).toContain(words);
    expect(code).toBe(1);
    expect(out).toBe('');
  });

  it('reports damaged pages', async () => {
    const folder = await folderWith(20);
    tamper(folder, 'VACUUM');
    const bytes = readFileSync(databaseOf(folder));
    bytes.fill(0xff, 4096 * 3, 4096 * 8);
    writeFileSync(databaseOf(folder), bytes);
    const { code, err } = await oneport(['verify'], folder);
    expect(err).toContain('the file is damaged');
    expect(code).toBe(1);
  });

  it('prints the heads, and compares them with those noted earlier', async () => {
    const chat = await chatWith(5);
    const noted = join(temporaryFolder(), 'noted');
    const { out } = await oneport(['backup', `${noted}.db`], chat.dataDir);
    writeFileSync(noted, out);
    const ann = await chat.signIn('Bea');
    const head = await (await ann.get('/api/rooms/lobby/head')).json();
    expect(out).toContain(`lobby 5 ${(head as { hash: string }).hash}\n`);
    expect(head).toMatchObject({ room: 'lobby', epoch: chat.server.epoch, last: 5 });
    expect(await (await ann.get('/api/rooms/nowhere/head')).json()).toMatchObject({
      last: 0,
      hash: '0'.repeat(64),
    });
    await ann.post('/api/rooms/lobby/messages', { data: 'after the note' });
    await chat.stop();
    const later = await oneport(['verify', '--heads', noted], chat.dataDir);
    expect(later).toMatchObject({ code: 0, out: expect.stringMatching(/^köln 1 [0-9a-f]{64}\nlobby 6 /m) });
    expect(later.out).toMatch(/^\* 2 [0-9a-f]{64}\n$/m);
    const laterNoted = join(temporaryFolder(), 'noted');
    writeFileSync(laterNoted, `{"heads":["${later.out.split('\n').slice(1, -1).join('","')}"]}`);
    expect(await oneport(['verify', '--heads', laterNoted, `${noted}.db`], chat.dataDir)).toMatchObject({
      code: 1,
      err: expect.stringContaining('room lobby: ends before number 6, which was noted'),
    });
    writeFileSync(
      noted,
      out.replace(/lobby 5 (.)/, (_, digit) => `lobby 5 ${digit === '0' ? 1 : 0}`),
    );
    expect(await oneport(['verify', '--heads', noted], chat.dataDir)).toMatchObject({
      code: 1,
      err: expect.stringContaining('room lobby: number 5 does not have the noted hash'),
    });
    writeFileSync(noted, out.replace('* 1', '* 7'));
    expect(await oneport(['verify', '--heads', noted], chat.dataDir)).toMatchObject({
      code: 1,
      err: expect.stringContaining('people: ends before number 7, which was noted'),
    });
    writeFileSync(noted, 'nothing');
    expect(await oneport(['verify', '--heads', noted], chat.dataDir)).toMatchObject({ code: 65 });
    expect(await oneport(['verify', '--heads'], chat.dataDir)).toMatchObject({ code: 64 });
  });

  it('reports a missing, a foreign and a newer database', async () => {
    const empty = temporaryFolder();
    const none = await oneport(['verify'], empty);
    expect(none).toMatchObject({ code: 78, err: expect.stringContaining('there is no database') });
    writeFileSync(databaseOf(empty), 'this is a text, and not short enough to be taken for nothing at all');
    expect(await oneport(['verify'], empty)).toMatchObject({ code: 78 });
    const newer = await folderWith(1);
    tamper(newer, 'PRAGMA user_version = 99');
    expect(await oneport(['verify'], newer)).toMatchObject({
      code: 78,
      err: expect.stringContaining('newer Oneport'),
    });
  });
});
