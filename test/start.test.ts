/** The process: exit codes of a start that fails, few file descriptors, closed output pipes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { APPLICATION_ID } from '../src/store/schema.js';
import Database from '../src/store/sqlite.js';
import { Door, type Env, type Socket, temporaryFolder } from './harness.js';
import { ROOT, spawnServer, startServer } from './process.js';
import { exchange } from './raw.js';

const isRoot = process.getuid?.() === 0;

/** Starts a server that cannot run. Returns its exit code and what it wrote to stderr. */
async function failToStart(
  env: Env,
  wrap: readonly string[] = [],
): Promise<[code: number | string, message: string]> {
  const server = spawnServer({ env: { DATA_DIR: temporaryFolder(), ...env }, wrap });
  return [await server.exited, server.errors()];
}

describe('the start', () => {
  it('ends with 71 and names the port when it is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const [code, message] = await failToStart({ PORT: String(port) });
    expect(code).toBe(71);
    expect(message).toMatch(new RegExp(`^oneport: port ${port} .*\\n$`));
  });

  it.each<[variable: string, env: Env]>([
    ['PORT', { PORT: 'many' }],
    ['MESSAGE_RATE', { MESSAGE_RATE: '-1' }],
    ['SESSION_KEYS', { SESSION_KEYS: 'short' }],
    ['PUBLIC_ORIGIN', { PUBLIC_ORIGIN: 'chat.example.org' }],
    ['TRUSTED_PROXIES', { TRUSTED_PROXIES: 'everyone' }],
  ])('ends with 78 and one line that names an invalid %s', async (variable, env) => {
    const [code, message] = await failToStart(env);
    expect(code).toBe(78);
    expect(message).toMatch(new RegExp(`^oneport: [^\\n]*${variable}[^\\n]*\\n$`));
  });

  it('ends with 78 for the database of a newer version, and leaves the file unchanged', async () => {
    const DATA_DIR = temporaryFolder();
    const file = join(DATA_DIR, 'oneport.db');
    const db = new Database(file);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma('user_version = 9999');
    db.close();
    const [code, message] = await failToStart({ DATA_DIR });
    expect(code).toBe(78);
    expect(message).toMatch(/newer Oneport/);
    const after = new Database(file, { readonly: true });
    expect(after.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()).toBe(0);
    after.close();
  });

  it('ends with 78 and names the version of Node when no SQLite driver fits it', async () => {
    const root = temporaryFolder();
    cpSync(join(ROOT, 'dist'), join(root, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
    mkdirSync(join(root, 'node_modules'));
    for (const name of readdirSync(join(ROOT, 'node_modules')).filter((name) => !name.includes('sqlite')))
      symlinkSync(join(ROOT, 'node_modules', name), join(root, 'node_modules', name));
    const server = spawnServer({ env: { DATA_DIR: temporaryFolder() }, root });
    expect(await server.exited).toBe(78);
    expect(server.errors()).toMatch(
      /^oneport: no SQLite driver fits this Node: .* This is Node \d+\.\d+\.\d+\.\n$/,
    );
  });

  it.runIf(isRoot)('ends with 73 and names folder and user when the data folder is read-only', async () => {
    const DATA_DIR = temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', DATA_DIR]);
    onTestFinished(() => void execFileSync('umount', ['-l', DATA_DIR]));
    const [code, message] = await failToStart({ DATA_DIR });
    expect(code).toBe(73);
    expect(message).toContain(DATA_DIR);
    expect(message).toContain('root');
  });

  it.runIf(isRoot)('ends with 74 and one line when the disk is full', async () => {
    const DATA_DIR = temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', DATA_DIR]);
    onTestFinished(() => void execFileSync('umount', ['-l', DATA_DIR]));
    spawnSync('dd', ['if=/dev/zero', `of=${join(DATA_DIR, 'fill')}`, 'bs=1k', 'count=290']);
    const [code, words] = await failToStart({ DATA_DIR });
    expect(code).toBe(74);
    expect(words).toMatch(/^oneport: the disk of DATA_DIR \S+ is full or failing: .*\n$/);
  });

  it('ends with 73 when the folder cannot be created', async () => {
    const [code, message] = await failToStart({ DATA_DIR: '/proc/no-folder' });
    expect(code).toBe(73);
    expect(message).toMatch(/^oneport: \S+ cannot write to DATA_DIR \/proc\/no-folder: .*\n$/);
  });

  it('warns when the database file is empty', async () => {
    const DATA_DIR = temporaryFolder();
    writeFileSync(join(DATA_DIR, 'oneport.db'), '');
    const server = await startServer({ env: { DATA_DIR } });
    await expect
      .poll(server.errors)
      .toMatch(/"level":"warn".*the database file is empty, so the chat begins anew/);
    const fresh = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    await expect.poll(fresh.errors).toContain('"msg":"started"');
    expect(fresh.errors()).not.toContain('empty');
  });

  it('keeps the database from other users, in a folder that they can read', async () => {
    const DATA_DIR = temporaryFolder();
    chmodSync(DATA_DIR, 0o755);
    const first = await startServer({ env: { DATA_DIR } });
    const modes = readdirSync(DATA_DIR).flatMap((name) => {
      const info = statSync(join(DATA_DIR, name), { throwIfNoEntry: false }); // SQLite may have removed it
      return info ? [(info.mode & 0o777).toString(8)] : [];
    });
    expect(new Set(modes)).toEqual(new Set(['600']));
    first.child.kill('SIGKILL');
    await first.exited;
    for (const name of readdirSync(DATA_DIR)) chmodSync(join(DATA_DIR, name), 0o644); // as older versions left it
    await startServer({ env: { DATA_DIR } });
    expect((statSync(join(DATA_DIR, 'oneport.db')).mode & 0o777).toString(8)).toBe('600');
    expect((statSync(join(DATA_DIR, 'oneport.db-wal')).mode & 0o777).toString(8)).toBe('600');
  });

  it.runIf(isRoot)('ends with 77 when it may not listen on the port', async () => {
    const without = ['setpriv', '--bounding-set', '-net_bind_service', '--inh-caps', '-net_bind_service'];
    const [code, message] = await failToStart({ PORT: '80' }, without);
    expect(code).toBe(77);
    expect(message).toMatch(/port 80\. Set PORT to 1024 or more/);
  });
});

describe('--version', () => {
  it('prints the version of package.json', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const result = spawnSync(process.execPath, [join(ROOT, 'dist/main.js'), '--version'], {
      encoding: 'utf8',
    });
    expect([result.status, result.stdout]).toEqual([0, `${version}\n`]);
  });
});

describe('a server', () => {
  it('answers new sockets with 503 when file descriptors run out, keeps the open ones, and recovers', async () => {
    const wrap = ['sh', '-c', 'ulimit -n 300; exec "$@"', 'sh']; // 44 more than it reserves
    const { port } = await startServer({ env: { DATA_DIR: temporaryFolder() }, wrap });
    const ann = await new Door(port).signIn('Ann');
    const sockets: Socket[] = [];
    for (let n = 0; n < 36; n++) sockets.push(await ann.enters('lobby'));
    const crowd = await Promise.all(Array.from({ length: 60 }, () => answerTo(ann.knocks('/ws/lobby'))));
    expect(crowd).toContain(503);
    const idle = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    expect((await ann.get('/healthz')).status).toBe(200); // a probe that fails would end a server that recovers by itself
    const ready = await ann.get('/readyz');
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { reasons: [expect.stringContaining('too many connections')] },
    ]);
    expect((await ann.get('/metrics')).status).toBe(200);
    for (const socket of idle) socket.destroy();
    const [first, second] = sockets as [Socket, Socket];
    const cid = first.says('still here');
    await second.sees({ type: 'chat', cid });
    for (const socket of sockets.splice(2)) await socket.leaves();
    const after = await ann.enters('lobby', { query: '?after=0' });
    await after.sees({ type: 'chat', cid, id: 1 });
  });

  it('keeps running when stdout and stderr are closed', async () => {
    const { child, port } = await startServer({
      env: { DATA_DIR: temporaryFolder(), LOG_LEVEL: 'trace' },
    });
    child.stdout?.destroy();
    child.stderr?.destroy();
    const ann = await new Door(port).signIn('Ann');
    const room = await ann.enters('lobby');
    for (let n = 0; n < 20; n++) await ann.get('/r/no%20room'); // each may write a log line
    const cid = room.says('still here');
    expect(await room.sees({ type: 'chat', cid })).toMatchObject({ id: 1 });
  });

  it('ends with 0 on SIGTERM when the reader of its log has gone', async () => {
    const { child, exited } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('ends with 0 on SIGTERM when the reader of its log has stopped reading', async () => {
    const { child, exited, port } = await startServer({
      env: { DATA_DIR: temporaryFolder(), LOG_LEVEL: 'trace' },
    });
    child.stderr?.pause();
    const healthz = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n';
    await exchange(port, `${`${healthz}\r\n`.repeat(2000)}${healthz}Connection: close\r\n\r\n`);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});

/** Returns the code with which a socket was closed or refused, or 0 when it was let in. */
function answerTo(socket: Socket): Promise<number> {
  return Promise.race([socket.closed, socket.sees({ type: 'hello' }).then(() => 0)]);
}
