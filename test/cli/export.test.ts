import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasTool, startChat, temporaryFolder } from '../harness.js';
import { chatWith, folderWith, oneport, start, tamper } from './commands.js';

describe('export', { timeout: 60_000 }, () => {
  it('prints the events as they were said, ascending, while the server runs', async () => {
    const chat = await chatWith(1200);
    const { code, out } = await oneport(['export', 'Lobby'], chat.dataDir);
    expect(code).toBe(0);
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: number; data: string });
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: 1200 }, (_, n) => n + 1));
    expect(events[6]).toMatchObject({ type: 'chat', user: { name: 'Ann' }, data: 'm7', cid: 'c7' });
    expect((await oneport(['export', 'köln'], chat.dataDir)).out).toContain('"alone"');
  });

  it('can be checked alone, and by the script of the docs', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const path = '/api/rooms/lobby/messages';
    await ann.post(path, { data: 'Grüße, 世界 "👍"\n\\ \u007f\u2028', cid: 'c-1' });
    await ann.post(path, { data: 'a reply to @Ann', reply: 1 });
    await ann.post(path, { type: 'edit', target: 1, data: 'edited' });
    await ann.post(path, { type: 'react', target: 1, data: '👍' });
    await ann.post(path, { data: 'to be deleted', reply: 1 });
    await ann.post(path, { type: 'delete', target: 5 });
    const head = (await (await ann.get('/api/rooms/lobby/head')).json()) as { hash: string };
    const file = join(temporaryFolder(), 'lobby.jsonl');
    const { out } = await oneport(['export', 'lobby'], chat.dataDir);
    writeFileSync(file, out);
    const lines = out.trim().split('\n');
    expect(lines.map((line) => Object.keys(JSON.parse(line)).includes('salt'))).toEqual([
      ...[true, true, true, true, false, true],
    ]);
    expect(out).not.toContain('to be deleted');
    const line = `lobby 6 ${head.hash}\n`;
    expect(await oneport(['verify', '--export', file], temporaryFolder())).toMatchObject({
      code: 0,
      out: `sound: 6 events in 1 rooms\n${line}`,
    });
    if (hasTool('python3')) {
      const [, script = ''] = /```python\n(.*?)```/s.exec(readFileSync('docs/protocol.md', 'utf8')) ?? [];
      const python = spawnSync('python3', ['-c', script], { input: out });
      expect([python.stdout.toString(), python.stderr.toString()]).toEqual([line, '']);
      const changed = spawnSync('python3', ['-c', script], {
        input: out.replace('reply to @', 'reply for @'),
      });
      expect(changed.stderr.toString()).toBe('lobby: number 2 does not fit\n');
    }
    for (const [changed, words] of [
      [out.replace('reply to @', 'reply for @'), 'room lobby: number 2 is not as it was written'],
      [out.replace('"name":"Ann"},"at"', '"name":"Bob"},"at"'), 'number 5 is not as it was written'],
      [lines.slice(1).join('\n'), 'room lobby: number 1 is missing, 2 comes next'],
      [`${lines[0]}\n{"id":2}`, 'line 2 is not an event'],
    ] as const) {
      writeFileSync(file, changed);
      expect(await oneport(['verify', '--export', file], temporaryFolder())).toMatchObject({
        code: 1,
        err: expect.stringContaining(words),
      });
    }
  });

  it('exits with 1 for a room without messages', async () => {
    const folder = await folderWith(1);
    expect(await oneport(['export', 'nowhere'], folder)).toEqual({
      code: 1,
      out: '',
      err: 'oneport: nothing was ever said in a room "nowhere".\n',
    });
  });

  it('exits quietly when its reader has closed the pipe', async () => {
    const folder = await folderWith(1);
    // far more than a pipe holds
    tamper(
      folder,
      `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
       INSERT INTO events (room, id, messages, type, person, name, data, at, content, hash)
       SELECT 1, i, i, 'chat', 1, 'Ann', hex(zeroblob(200)), 9e12, zeroblob(32), zeroblob(32) FROM n;
       UPDATE rooms SET last = 20000, messages = 20000, at = 9e12 WHERE room = 1`,
    );
    const child = start(['export', 'lobby'], folder);
    let err = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.stdout?.once('data', () => child.stdout?.destroy());
    const [code] = await once(child, 'close');
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });
});

describe('every command', { timeout: 60_000 }, () => {
  it.each(['backup', 'restore', 'verify', 'export', 'prove'])('%s prints its usage', async (name) => {
    const { code, out } = await oneport([name, '--help'], temporaryFolder());
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^oneport ${name} `));
    expect((await oneport(['--help'], temporaryFolder())).out).toContain(`main.js ${name}`);
  });

  it('has a space between its arguments and what it does in --help', async () => {
    const { out } = await oneport(['--help'], temporaryFolder());
    expect(out).toContain(' verify [FILE] [--heads NOTED] | --export EXPORT check ');
    expect(out).toContain(' export ROOM       print ');
  });

  it('is refused by name when it is unknown', async () => {
    const { code, err } = await oneport(['dance', 'wildly'], temporaryFolder());
    expect(code).toBe(64);
    expect(err).toContain('unknown command: dance');
  });
});
