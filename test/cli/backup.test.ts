import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBackup } from '../../src/store/backup.js';
import { verify } from '../../src/store/verify.js';
import { Door, startChat, temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { chatWith, databaseOf, folderWith, oneport } from './commands.js';

describe('backup', { timeout: 60_000 }, () => {
  it('copies the database of a running server, readable by its owner only', async () => {
    const chat = await chatWith(20);
    const file = join(temporaryFolder(), 'backup.db');
    const { code, out } = await oneport(['backup', file], chat.dataDir);
    expect(code).toBe(0);
    expect(out).toContain(chat.server.epoch);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await oneport(['verify', file], temporaryFolder())).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^sound: 21 events in 2 rooms, 1 people\n/),
    });
    expect(readdirSync(dirname(file))).toEqual(['backup.db']);
  });

  it('holds no deleted text, also right after the deletion', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const path = '/api/rooms/lobby/messages';
    for (let n = 1; n <= 100; n++) await ann.post(path, { data: `zebraquartzvex ${n} ${'.'.repeat(n)}` });
    await ann.post(path, { type: 'edit', target: 50, data: 'zebraquartzvex again, and longer than before' });
    for (let n = 1; n <= 100; n += 2) await ann.post(path, { type: 'delete', target: n });
    for (let n = 2; n <= 100; n += 2) await ann.post(path, { type: 'delete', target: n });
    const file = join(temporaryFolder(), 'backup.db');
    await createBackup(databaseOf(chat.dataDir), file, () => {});
    expect(readFileSync(file).includes('zebraquartzvex')).toBe(false);
    expect(verify(file, () => {}).finding).toBeUndefined();
  });

  it('ends with a complete copy while messages keep coming', async () => {
    const dataDir = temporaryFolder();
    const server = await startServer({ env: { DATA_DIR: dataDir } });
    const ann = await new Door(server.port).signIn('Ann');
    const room = await ann.enters('lobby');
    let [said, over] = [0, false];
    const talk = (): void => {
      for (let n = 0; n < 20; n++) room.says(`m${++said} ${'.'.repeat(500)}`);
      if (!over) setTimeout(talk, 2);
    };
    talk();
    await room.sees({ id: 200 });
    const folder = temporaryFolder();
    const before = room.numbered.length;
    const file = join(folder, 'backup.db');
    expect(await oneport(['backup', file], dataDir)).toMatchObject({ code: 0 });
    over = true;
    const { code, out } = await oneport(['verify', file], folder);
    expect(code).toBe(0);
    expect(Number(/^sound: (\d+)/.exec(out)?.[1])).toBeGreaterThanOrEqual(before);
    expect(room.numbered.length).toBeGreaterThan(before); // it was written meanwhile
  });

  it('never overwrites a file, and removes a copy that failed', async () => {
    const data = await folderWith(1);
    const folder = temporaryFolder();
    const file = join(folder, 'precious');
    writeFileSync(file, 'precious');
    expect(await oneport(['backup', file], data)).toMatchObject({
      code: 73,
      err: expect.stringContaining('exists already'),
    });
    expect(readFileSync(file, 'utf8')).toBe('precious');
    expect(await oneport(['backup', join(folder, 'no', 'where')], data)).toMatchObject({ code: 73 });
    expect(readdirSync(folder)).toEqual(['precious']);
  });

  it('requires exactly one file', async () => {
    expect(await oneport(['backup'], temporaryFolder())).toMatchObject({
      code: 64,
      err: 'oneport: usage: oneport backup FILE\n',
    });
  });
});
