/** What the commands answer to wrong arguments: the exit code, and one line that says what to do. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import Database from '../../src/store/sqlite.js';
import { temporaryFolder } from '../harness.js';
import { folderWith, oneport } from './commands.js';

const isRoot = process.getuid?.() === 0;

describe('a command', () => {
  it.each([
    [['verify', '--nope'], 64, /usage: oneport verify \[FILE\]/],
    [['backup', '--nope'], 64, /usage: oneport backup FILE$/],
    [['restore', '-x'], 64, /usage: oneport restore FILE$/],
    [['export', '--nope'], 64, /usage: oneport export ROOM$/],
    [['verify', 'a', 'b'], 64, /usage: oneport verify/],
    [['export'], 64, /usage: oneport export/],
    [['export', 'bad room'], 1, /"bad room" cannot be the name of a room\.$/],
    [['export', '--', '-nobody'], 1, /nothing was ever said in a room "-nobody"\.$/],
    [['verify', '/no/file'], 78, /there is no file \/no\/file\.$/],
    [['restore', '/no/file'], 78, /there is no file \/no\/file\.$/],
    [['backup', '/no/folder/b.db'], 73, /\/no\/folder\/b\.db cannot be written \(ENOENT\)\. Choose a folder/],
    [['--nope'], 64, /unknown command: --nope\. See --help\.$/],
  ])('%j ends with %i', async (args, expected, message) => {
    const { code, out, err } = await oneport(args, await folderWith(1));
    expect([code, out]).toEqual([expected, '']);
    expect(err).toMatch(/^oneport: [^\n]+\n$/);
    expect(err.trim()).toMatch(message);
  });

  it('names DATA_DIR only when no file was named', async () => {
    const empty = temporaryFolder();
    expect((await oneport(['verify'], empty)).err).toMatch(/there is no database at \S+: set DATA_DIR\.$/m);
    const [garbage, foreign] = [join(empty, 'garbage.db'), join(empty, 'foreign.db')];
    writeFileSync(garbage, 'no database '.repeat(1000));
    const db = new Database(foreign);
    db.exec('CREATE TABLE a (b)');
    db.close();
    for (const file of [garbage, foreign]) {
      const { code, err } = await oneport(['verify', file], empty);
      expect([code, err]).toEqual([78, expect.stringContaining(file)]);
      expect(err).not.toContain('DATA_DIR');
    }
  });

  it('writes its progress to people only, so that cron mails nothing', async () => {
    const folder = await folderWith(3);
    const backup = join(temporaryFolder(), 'b.db');
    expect(await oneport(['backup', backup], folder)).toMatchObject({ code: 0, err: '' });
    expect(await oneport(['verify', backup], folder)).toMatchObject({ code: 0, err: '' });
    expect(await oneport(['restore', backup], folder)).toMatchObject({ code: 0, err: '' });
  });

  it.runIf(isRoot)('says what to do with a database on a read-only disk', async () => {
    const [folder, disk] = [await folderWith(1), temporaryFolder()];
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk]);
    onTestFinished(() => void execFileSync('umount', ['-l', disk]));
    mkdirSync(join(disk, 'data'));
    cpSync(folder, join(disk, 'data'), { recursive: true });
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const { code, err } = await oneport(['verify'], join(disk, 'data'));
    expect([code, err]).toEqual([
      78,
      expect.stringMatching(/oneport\.db cannot be read, because .* Copy it, with its -wal, to a folder/),
    ]);
  });
});
