/** Durable before seen, as the kernel saw it: strace watches the server's system calls, and makes some of them fail. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FaultyDisk } from '../src/prove/disk.js';
import { seededRandom } from '../src/prove/generator.js';
import { Door, hasTool, type Socket, temporaryFolder, type Visitor } from './harness.js';
import { type RunningServer, startServer } from './process.js';

/** Attaches strace to the running server; resolves when it is attached. */
async function attach(server: RunningServer, args: readonly string[]): Promise<ChildProcess> {
  const strace = spawn('strace', ['-f', '-p', String(server.child.pid), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => {
    strace.kill('SIGKILL');
  });
  await once(strace.stderr, 'data'); // "Process … attached"
  return strace;
}

async function detach(strace: ChildProcess): Promise<void> {
  strace.kill('SIGINT');
  await once(strace, 'exit');
}

async function enter(server: RunningServer): Promise<Socket> {
  return (await new Door(server.port).signIn('Ann')).enters('lobby');
}

describe.runIf(hasTool('strace'))('a message', () => {
  it('is written to the log and synced before it is written to any socket', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const room = await enter(server);
    const trace = join(temporaryFolder(), 'trace');
    const calls = 'trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg';
    const strace = await attach(server, ['-yy', '-s', '65536', '-e', calls, '-o', trace]);
    const marks = Array.from({ length: 30 }, (_, n) => `mark-${n}-`);
    for (const mark of marks) {
      const cid = room.says(mark);
      await room.sees({ cid });
    }
    await detach(strace);
    const lines = readFileSync(trace, 'utf8').split('\n');
    for (const mark of marks) expect(storyOf(lines, mark)).toBe('logged synced sent');
  });

  it('is refused and never echoed while syncs fail', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const room = await enter(server);
    room.says('before', 'c-before');
    await room.sees({ type: 'chat', cid: 'c-before' });
    const strace = await attach(server, [
      '-e',
      'trace=fsync,fdatasync',
      '-e',
      'inject=fsync,fdatasync:error=EIO',
    ]);
    room.says('lost', 'c-lost');
    expect(await room.sees({ cid: 'c-lost' })).toMatchObject({ type: 'error', data: { code: 'storage' } });
    expect((await fetch(`${server.origin}/readyz`)).status).toBe(503);
    expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);
    await detach(strace);
    room.says('after', 'c-after');
    expect(await room.sees({ type: 'chat', cid: 'c-after' })).toMatchObject({ id: 2, data: 'after' });
    room.says('lost', 'c-lost'); // the sender tries again
    expect(await room.sees({ type: 'chat', cid: 'c-lost' })).toMatchObject({ id: 3, data: 'lost' });
    server.child.kill('SIGKILL');
    expect(room.numbered.map(({ data }) => data)).toEqual(['before', 'after', 'lost']);
  });

  it('does not exist after a kill when it was refused because of a failed sync', async () => {
    const dataDir = temporaryFolder();
    const server = await startServer({ env: { DATA_DIR: dataDir } });
    const room = await enter(server);
    room.says('before', 'c-before');
    await room.sees({ type: 'chat', cid: 'c-before' });
    await attach(server, ['-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO']);
    room.says('refused', 'c-refused');
    await room.sees({ cid: 'c-refused', type: 'error' });
    server.child.kill('SIGKILL');
    await server.exited;
    const again = await (
      await new Door((await startServer({ env: { DATA_DIR: dataDir } })).port).signIn('Bob')
    ).enters('lobby');
    await again.sees({ type: 'list' });
    expect(again.numbered.map(({ data }) => data)).toEqual(['before']);
  });

  it('is refused when its write fails, and accepted when writes work again', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const room = await enter(server);
    const strace = await attach(server, ['-e', 'trace=pwrite64', '-e', 'inject=pwrite64:error=ENOSPC']);
    room.says('no space', 'c1');
    expect(await room.sees({ cid: 'c1' })).toMatchObject({ type: 'error', data: { code: 'storage' } });
    await detach(strace);
    room.says('no space', 'c1');
    expect(await room.sees({ type: 'chat', cid: 'c1' })).toMatchObject({ id: 1 });
  });
});

describe.runIf(hasTool('cc'))('after a power cut', { timeout: 60_000 }, () => {
  /** A folder on a disk that fails, and what starts a server on it. */
  function faultyFolder() {
    const dataDir = realpathSync(temporaryFolder());
    const disk = FaultyDisk.create(dataDir);
    if (!disk) throw new Error('the library for a faulty disk does not compile');
    onTestFinished(() => disk.remove());
    const logBytes = (): number => statSync(join(dataDir, 'oneport.db-wal')).size;
    return { disk, logBytes, start: () => startServer({ env: { ...disk.env, DATA_DIR: dataDir } }) };
  }

  /** Reads the room over HTTP, which stores nothing. */
  async function textsOf(server: RunningServer, { cookie }: Visitor): Promise<unknown[]> {
    const page = await new Door(server.port).visitor(cookie).get('/api/rooms/lobby/messages');
    const { messages } = (await page.json()) as { messages: { data: string }[] };
    return messages.map(({ data }) => data);
  }

  const drops = { all: () => 0, 'some pages': seededRandom(1) };
  it.each(Object.entries(drops))('that drops %s, everything that was echoed is there', async (_, random) => {
    const { disk, start } = faultyFolder();
    const server = await start();
    expect(disk.isLoaded).toBe(true);
    const ann = await new Door(server.port).signIn('Ann');
    const room = await ann.enters('lobby');
    const texts = Array.from({ length: 20 }, (_, n) => `m${n}`);
    for (const text of texts) await room.sees({ cid: room.says(text) });
    server.child.kill('SIGKILL');
    await server.exited;
    disk.cutPower(random);
    expect(await textsOf(await start(), ann)).toEqual(texts);
  });

  it('everything that a restarted server has shown is there, also what its predecessor had not synced', async () => {
    const { disk, start, logBytes } = faultyFolder();
    const first = await start();
    const ann = await new Door(first.port).signIn('Ann');
    const room = await ann.enters('lobby');
    await expect.poll(logBytes).toBe(0); // emptied once, some seconds after the start, with a sync of its own
    await room.sees({ cid: room.says('synced') });
    await ann.get('/api/rooms'); // is answered when her membership is stored, too
    disk.setFault('stall');
    room.says('not synced');
    await expect.poll(() => disk.hasStalledCommit).toBe(true);
    first.child.kill('SIGKILL');
    await first.exited;
    disk.setFault('none');
    const second = await start();
    expect(await textsOf(second, ann)).toEqual(['synced', 'not synced']);
    second.child.kill('SIGKILL');
    await second.exited;
    disk.cutPower(() => 0); // drops all
    expect(await textsOf(await start(), ann)).toEqual(['synced', 'not synced']);
  });
});

/** In which order the text was logged, the log synced after that, and the text sent. */
function storyOf(lines: readonly string[], mark: string): string {
  const logged = lines.findIndex(
    (line) => line.includes('pwrite64') && line.includes('-wal') && line.includes(mark),
  );
  const synced = lines.findIndex(
    (line, n) => n > logged && /f(data)?sync\(/.test(line) && line.includes('-wal'),
  );
  const sent = lines.findIndex(
    (line) => /\b(write|writev|sendto|sendmsg)\(/.test(line) && line.includes('TCP') && line.includes(mark),
  );
  const story: [number, string][] = [
    [logged, 'logged'],
    [synced, 'synced'],
    [sent, 'sent'],
  ];
  return story
    .map(([line, what]): [number, string] => [line, line < 0 ? `never ${what}` : what])
    .sort(([a], [b]) => a - b)
    .map(([, what]) => what)
    .join(' ');
}
