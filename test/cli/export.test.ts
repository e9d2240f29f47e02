import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../harness.js';
import { chatWith, folderWith, oneport, start, tamper } from './commands.js';

describe('export', { timeout: 60_000 }, () => {
  it('prints the events as on the wire, ascending, while the server runs', async () => {
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
       INSERT INTO events (room, id, messages, type, person, name, data, at)
       SELECT 1, i, i, 'chat', 1, 'Ann', hex(zeroblob(200)), 9e12 FROM n;
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

  it('is refused by name when it is unknown', async () => {
    const { code, err } = await oneport(['dance', 'wildly'], temporaryFolder());
    expect(code).toBe(64);
    expect(err).toContain('unknown command: dance');
  });
});
