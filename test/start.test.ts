/** The process at its edges: what stops the start and with which code, few file descriptors, nobody who reads its output. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Door, type Env, type Socket, temporaryFolder } from './harness.js';
import { spawnServer, startServer } from './process.js';

const isRoot = process.getuid?.() === 0;

async function refuses(
  env: Env,
  wrap: readonly string[] = [],
): Promise<[code: number | string, words: string]> {
  const server = spawnServer({ env: { DATA_DIR: temporaryFolder(), ...env }, wrap });
  return [await server.exited, server.errors()];
}

describe('the start', () => {
  it('on a taken port ends with 71 and names it', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const [code, words] = await refuses({ PORT: String(port) });
    expect(code).toBe(71);
    expect(words).toMatch(new RegExp(`^oneport: port ${port} .*\\n$`));
  });

  it.each<[variable: string, env: Env]>([
    ['PORT', { PORT: 'many' }],
    ['MESSAGE_RATE', { MESSAGE_RATE: '-1' }],
    ['SESSION_KEYS', { SESSION_KEYS: 'short' }],
    ['PUBLIC_ORIGIN', { PUBLIC_ORIGIN: 'chat.example.org' }],
    ['TRUSTED_PROXIES', { TRUSTED_PROXIES: 'everyone' }],
  ])('with a bad %s ends with 78 and names it in one line', async (variable, env) => {
    const [code, words] = await refuses(env);
    expect(code).toBe(78);
    expect(words).toMatch(new RegExp(`^oneport: [^\\n]*${variable}[^\\n]*\\n$`));
  });

  it('with the database of a newer version ends with 78 and leaves it as it is', async () => {
    const DATA_DIR = temporaryFolder();
    const file = join(DATA_DIR, 'oneport.db');
    const db = new Database(file);
    db.pragma('user_version = 9999');
    db.close();
    const [code, words] = await refuses({ DATA_DIR });
    expect(code).toBe(78);
    expect(words).toMatch(/newer Oneport/);
    const after = new Database(file, { readonly: true });
    expect(after.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()).toBe(0);
    after.close();
  });

  it.runIf(isRoot)('on a read-only folder ends with 73, naming folder and user', async () => {
    const DATA_DIR = temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', DATA_DIR]);
    onTestFinished(() => void execFileSync('umount', ['-l', DATA_DIR]));
    const [code, words] = await refuses({ DATA_DIR });
    expect(code).toBe(73);
    expect(words).toContain(DATA_DIR);
    expect(words).toContain('root');
  });

  it.runIf(isRoot)('on a port that needs rights ends with 77', async () => {
    const without = ['setpriv', '--bounding-set', '-net_bind_service', '--inh-caps', '-net_bind_service'];
    const [code, words] = await refuses({ PORT: '80' }, without);
    expect(code).toBe(77);
    expect(words).toMatch(/port 80 .*set PORT to 1024 or more/);
  });
});

describe('a server', () => {
  it('with few file descriptors answers 503 to new ones, keeps the old, and recovers', async () => {
    const wrap = ['sh', '-c', 'ulimit -n 300; exec "$@"', 'sh']; // 44 beyond those it keeps for itself
    const { port } = await startServer({ env: { DATA_DIR: temporaryFolder() }, wrap });
    const ann = await new Door(port).signIn('Ann');
    const sockets: Socket[] = [];
    for (let n = 0; n < 36; n++) sockets.push(await ann.enters('lobby'));
    const crowd = await Promise.all(
      Array.from({ length: 60 }, () => ann.knocks('/ws/lobby').closed).map(soon),
    );
    expect(crowd).toContain(503);
    const [first, second] = sockets as [Socket, Socket];
    const cid = first.says('still here');
    await second.sees({ type: 'chat', cid });
    for (const socket of sockets.splice(2)) await socket.leaves();
    const after = await ann.enters('lobby', { query: '?after=0' });
    await after.sees({ type: 'chat', cid, id: 1 });
  });

  it('goes on when nobody reads its output any more', async () => {
    const { child, port } = await startServer({
      env: { DATA_DIR: temporaryFolder(), LOG_LEVEL: 'trace' },
    });
    child.stdout?.destroy();
    child.stderr?.destroy();
    const ann = await new Door(port).signIn('Ann');
    const room = await ann.enters('lobby');
    for (let n = 0; n < 20; n++) await ann.get('/r/no%20room'); // each is logged, or not
    const cid = room.says('still here');
    expect(await room.sees({ type: 'chat', cid })).toMatchObject({ id: 1 });
  });
});

/** What it was closed with; 0 when it stays open. */
async function soon(closed: Promise<number>): Promise<number> {
  const open = new Promise<number>((resolve) => setTimeout(resolve, 1000, 0));
  return Promise.race([closed, open]);
}
