/** A backup of this folder's database. */
import { chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { restore } from '../../src/store/backup.js';
import { verify } from '../../src/store/verify.js';
import { startChat, temporaryFolder } from '../harness.js';
import { chatWith, databaseOf, folderWith, oneport, tamper } from './commands.js';

async function backupOf(dataDir: string): Promise<string> {
  const file = join(temporaryFolder(), 'backup.db');
  expect(await oneport(['backup', file], dataDir)).toMatchObject({ code: 0 });
  return file;
}

describe('restore', { timeout: 60_000 }, () => {
  it('restores an older log under a new epoch, so that clients that saw more load again', async () => {
    const chat = await chatWith(5);
    const ann = await chat.signIn('Bob');
    const room = await ann.enters('lobby', { query: '?after=0' });
    const backup = await backupOf(chat.dataDir);
    room.says('after the backup');
    await room.sees({ id: 6 });
    const before = chat.server.epoch;
    await chat.stop();

    const { code, out } = await oneport(['restore', backup], chat.dataDir);
    expect(code).toBe(0);
    expect(out).toMatch(/restored: 6 events in 2 rooms, new epoch \S+/);
    expect(await oneport(['verify'], chat.dataDir)).toMatchObject({ code: 0 });
    const next = await startChat({ dataDir: chat.dataDir });
    expect(next.server.epoch).not.toBe(before);
    const back = await next.visitor(ann.cookie).enters('lobby', { query: `?after=6&epoch=${before}` });
    expect(await back.sees({ type: 'hello' })).toMatchObject({ complete: false, last: 5 });
    back.says('again');
    await back.sees({ id: 6, data: 'again' });
  });

  it.runIf(process.getuid?.() === 0)('gives every file to the owner of the folder', async () => {
    const nobody = 65_534;
    const backup = await backupOf(await folderWith(2));
    const folder = await folderWith(1);
    for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))])
      chownSync(path, nobody, nobody);
    expect(await oneport(['restore', backup], folder)).toMatchObject({ code: 0 });
    const owners = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).uid]);
    expect(owners).toContainEqual(['oneport.db', nobody]);
    expect(owners.filter(([, uid]) => uid !== nobody)).toEqual([]);
  });

  it('keeps the previous database, with the content of its write-ahead log', async () => {
    const backup = await backupOf(await folderWith(2));
    const chat = await chatWith(7); // never closed cleanly: its log is beside it
    const folder = temporaryFolder();
    for (const end of ['', '-wal']) {
      writeFileSync(databaseOf(folder) + end, readFileSync(databaseOf(chat.dataDir) + end));
    }
    expect(await oneport(['restore', backup], folder)).toMatchObject({ code: 0 });
    const previous = readdirSync(folder).filter((name) => name.includes('before-restore'));
    expect(previous).toHaveLength(1);
    expect(await oneport(['verify', join(folder, previous[0] ?? '')], folder)).toMatchObject({
      out: expect.stringMatching(/^sound: 8 events in 2 rooms, 1 people\n/),
    });
    expect(await oneport(['verify'], folder)).toMatchObject({
      out: expect.stringMatching(/^sound: 3 events in 2 rooms, 1 people\n/),
    });
  });

  it('keeps the previous database of each restore, also of two with the same suffix', async () => {
    const [backup, folder] = [await backupOf(await folderWith(2)), await folderWith(7)];
    for (let n = 0; n < 2; n++) restore(backup, folder, 'before', () => {});
    expect(readdirSync(folder).filter((name) => name.includes('before'))).toEqual([
      'oneport.db.before',
      'oneport.db.before-2',
    ]);
    expect(verify(join(folder, 'oneport.db.before'), () => {})).toMatchObject({ events: 8 });
    expect(verify(join(folder, 'oneport.db.before-2'), () => {})).toMatchObject({ events: 3 });
  });

  it('does nothing while a server runs', async () => {
    const chat = await chatWith(3);
    const backup = await backupOf(chat.dataDir);
    const { code, err } = await oneport(['restore', backup], chat.dataDir);
    expect(code).toBe(75);
    expect(err).toContain('another Oneport server is running');
    expect(readdirSync(chat.dataDir).filter((name) => /restor/.test(name))).toEqual([]);
  });

  it('refuses a damaged, a foreign and a missing file, and changes nothing', async () => {
    const folder = await folderWith(3);
    const before = readFileSync(databaseOf(folder));
    const holed = await backupOf(folder);
    const elsewhere = await folderWith(9);
    tamper(elsewhere, 'DELETE FROM events WHERE id = 2');
    const text = join(temporaryFolder(), 'text');
    writeFileSync(
      text,
      'not a database, and long enough that nobody takes it for an empty one: so many words',
    );
    for (const [file, words] of [
      [databaseOf(elsewhere), 'number 2 is missing'],
      [text, 'not a'],
      [join(folder, 'none'), 'there is no file'],
    ] as const) {
      const { code, err } = await oneport(['restore', file], folder);
      expect(err).toContain(words);
      expect(err).not.toContain('restoring');
      expect(code).toBe(78);
    }
    expect(readFileSync(databaseOf(folder))).toEqual(before);
    expect(readdirSync(folder).filter((name) => /restor/.test(name))).toEqual([]);
    expect(await oneport(['verify', holed], folder)).toMatchObject({ code: 0 });
  });

  it('restores into an empty folder', async () => {
    const backup = await backupOf(await folderWith(3));
    const folder = join(temporaryFolder(), 'new');
    expect(await oneport(['restore', backup], folder)).toMatchObject({ code: 0 });
    expect(await oneport(['verify'], folder)).toMatchObject({
      out: expect.stringMatching(/^sound: 4 events in 2 rooms, 1 people\n/),
    });
  });
});
