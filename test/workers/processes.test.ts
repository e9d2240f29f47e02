/** The processes of a server with workers: killed, stuck, told to stop. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { oneport } from '../cli/commands.js';
import { Door, hasTool, type Socket, temporaryFolder, Visitor } from '../harness.js';
import { spawnServer } from '../process.js';
import {
  agentTo,
  entersAt,
  patience,
  pidsOf,
  send,
  startWorkers,
  type Workers,
  workerAt,
} from './workers.js';

vi.setConfig({ testTimeout: 120_000 }); // three processes start on one core

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function pidOf(server: Workers, worker: number): number {
  const pid = pidsOf(server).get(worker);
  if (pid === undefined) throw new Error(`there is no worker ${worker}`);
  return pid;
}

describe('kill -9', () => {
  it('of a worker: the others go on, its clients resume, and another takes its place', async () => {
    const server = await startWorkers();
    const [ann, bob] = [await server.door.signIn('Ann'), await server.door.signIn('Bob')];
    const [here, there] = [await entersAt(ann, 1, 'lobby'), await entersAt(bob, 2, 'lobby')];
    here.says('one');
    const { id } = await here.sees({ type: 'chat', data: 'one' });
    const { epoch } = await here.sees({ type: 'hello' });
    const killed = pidOf(server, 1);
    const killedAt = performance.now();
    process.kill(killed, 'SIGKILL');
    expect(await here.closed).toBe(1006);
    there.says('two');
    await there.sees({ type: 'chat', data: 'two' });
    const back = await ann.enters('lobby', { query: `?after=${String(id)}&epoch=${String(epoch)}` });
    expect(await back.sees({ type: 'hello' })).toMatchObject({ complete: true, last: 2 });
    const awayMs = performance.now() - killedAt;
    await back.sees({ type: 'chat', data: 'two', id: 2 });
    await vi.waitFor(() => expect(pidOf(server, 1)).not.toBe(killed), patience);
    const third = await entersAt(ann, 1, 'lobby'); // the new one
    there.says('three');
    await third.sees({ type: 'chat', data: 'three', id: 3 });
    // nobody is told of those who are back within five seconds, and a busy machine may need more
    if (awayMs < 3000) expect(there.frames.filter(({ type }) => type === 'left')).toEqual([]);
  });

  it('of the primary: no worker answers any more, and the next server has all that was acknowledged', async () => {
    const server = await startWorkers();
    const ann = await server.door.signIn('Ann');
    const rooms = [await entersAt(ann, 1, 'lobby'), await entersAt(ann, 2, 'lobby')];
    for (let n = 1; n <= 20; n++) rooms[n % 2]?.says(`m${n}`, `c${n}`);
    await rooms[0]?.seesAll({ type: 'chat' }, 20);
    server.child.kill('SIGKILL');
    expect(await Promise.all(rooms.map(({ closed }) => closed))).toEqual([1006, 1006]);
    const next = await startWorkers({ DATA_DIR: server.dataDir, PORT: String(server.port) });
    await vi.waitFor(() => expect([...pidsOf(server).values()].filter(isAlive)).toEqual([]), patience);
    const back = await new Door(next.port).visitor(ann.cookie).enters('lobby', { query: '?after=0' });
    await back.seesAll({ type: 'chat' }, 20);
    back.says('m20', 'c20');
    await back.sees({ type: 'ack', cid: 'c20' });
  });
});

describe('SIGTERM', () => {
  it('echoes what was said, says 1012 to all, and ends all processes with 0', async () => {
    const server = await startWorkers();
    const ann = await server.door.signIn('Ann');
    const rooms = [await entersAt(ann, 1, 'lobby'), await entersAt(ann, 2, 'lobby')];
    for (let n = 0; n < 30; n++) rooms[0]?.says(`m${n}`);
    await rooms[0]?.sees({ type: 'chat', data: 'm0' });
    server.child.kill('SIGTERM');
    expect(await Promise.all(rooms.map(({ closed }) => closed))).toEqual([1012, 1012]);
    expect(await server.exited).toBe(0);
    expect([...pidsOf(server).values()].filter(isAlive)).toEqual([]);
    // a reader at another worker may have less, and resumes
    const [echoed = 0, read = 0] = rooms.map(({ numbered }) => numbered.length);
    expect(read).toBeLessThanOrEqual(echoed);
    const next = await startWorkers({ DATA_DIR: server.dataDir, PORT: String(server.port) });
    const back = await new Door(next.port).visitor(ann.cookie).enters('lobby', { query: '?after=0' });
    await back.seesAll({ type: 'chat' }, echoed);
  });
});

describe('a second SIGTERM', () => {
  it('ends all processes at once, with all that was echoed on disk', async () => {
    const server = await startWorkers();
    const ann = await server.door.signIn('Ann');
    const room = await entersAt(ann, 1, 'lobby');
    room.ws.pause(); // does not answer the close
    expect((await ann.post('/api/rooms/lobby/messages', { data: 'one' })).status).toBe(201);
    server.child.kill('SIGTERM');
    await vi.waitFor(() => expect(server.errors()).toContain('"stopping"'), patience);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    await vi.waitFor(() => expect([...pidsOf(server).values()].filter(isAlive)).toEqual([]), patience);
    const verified = await oneport(['verify'], server.dataDir);
    expect([verified.code, verified.out]).toEqual([0, expect.stringContaining('lobby 1 ')]);
  });
});

/** Signs in over a connection of this worker, which is closed then. */
async function signInAt({ door }: Workers, worker: number, name: string): Promise<Visitor> {
  const agent = await agentTo(door.port, worker);
  const { headers, body } = await send(agent, door.port, '/signin', { method: 'POST', body: { name } });
  agent.destroy();
  const cookies = [headers['set-cookie'] ?? []].flat().map((cookie) => cookie.split(';')[0]);
  return new Visitor(door, JSON.parse(body) as Visitor['user'], cookies.join('; '));
}

describe('a worker that has no file descriptors left', () => {
  it('stops listening while another listens, and begins again when some are free', async () => {
    const wrap = ['sh', '-c', 'ulimit -n 300; exec "$@"', 'sh']; // 44 more than it reserves
    const server = await startWorkers({}, wrap);
    const ann = await signInAt(server, 2, 'Ann'); // any other connection of worker 1 would count
    const rooms: Socket[] = [];
    for (let n = 0; n < 42; n++) rooms.push(await entersAt(ann, 1, 'lobby'));
    await vi.waitFor(async () => {
      for (let n = 0; n < 10; n++) expect(await workerAt(server.port)).toBe(2);
    }, patience);
    const there = await ann.enters('lobby');
    there.says('from two');
    for (const room of rooms) await room.sees({ type: 'chat', data: 'from two' });
    for (const room of rooms.splice(20)) await room.leaves();
    await vi.waitFor(async () => expect(await workerAt(server.port)).toBe(1), patience);
  });
});

describe('SIGHUP', () => {
  it.runIf(hasTool('openssl'))('makes every worker read the certificate again', async () => {
    const folder = temporaryFolder();
    const [TLS_CERT, TLS_KEY] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const make = () =>
      spawnSync('openssl', [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'],
        ...['-keyout', TLS_KEY, '-out', TLS_CERT],
      ]);
    make();
    const server = await startWorkers({ TLS_CERT, TLS_KEY });
    make();
    server.child.kill('SIGHUP');
    const reloaded = (): number => server.errors().split('reloaded the certificate').length - 1;
    await vi.waitFor(() => expect(reloaded()).toBe(2), patience);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  });
});

describe('a port that is taken', () => {
  it('stops the start with one line and 71', async () => {
    const first = await startWorkers();
    const env = { WORKERS: '2', PORT: String(first.port), DATA_DIR: temporaryFolder() };
    const second = spawnServer({ env });
    expect(await second.exited).toBe(71);
    const lines = second.errors().trim().split('\n');
    expect(lines.filter((line) => !line.startsWith('{'))).toEqual([
      `oneport: port ${first.port} of 127.0.0.1 is in use. Stop the program that listens there, or set PORT.`,
    ]);
  });
});
