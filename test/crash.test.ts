/** Stop and go, for real: a process that is killed, told to stop, or whose disk is full. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Door, startChat, stopWallClock, temporaryFolder, type Visitor } from './harness.js';
import { freePort, spawnServer, startServer } from './process.js';

/** Until `check` holds; it is asked again every few milliseconds. */
async function until(check: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await check()); ) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The same person at the server's next port. */
async function again(visitor: Visitor, port: number): Promise<Visitor> {
  const door = new Door(port).visitor(visitor.cookie);
  expect((await door.get('/api/me')).status).toBe(200);
  return door;
}

describe('kill -9', () => {
  it('and start again: what was echoed is there, a retry gets its number, the next number follows', async () => {
    const env = { DATA_DIR: temporaryFolder() };
    const first = await startServer({ env });
    const ann = await new Door(first.port).signIn('Ann');
    const room = await ann.enters('lobby');
    for (let n = 1; n <= 20; n++) room.says(`m${n}`, `c${n}`);
    await room.seesAll({ type: 'chat' }, 20);
    first.child.kill('SIGKILL');
    expect(await room.closed).toBe(1006);

    const from = Date.now();
    const second = await startServer({ env });
    expect(Date.now() - from).toBeLessThan(15_000);
    const back = await (await again(ann, second.port)).enters('lobby', { query: '?after=15' });
    await back.seesAll({ type: 'chat' }, 5);
    back.says('m20', 'c20');
    await back.sees({ type: 'ack', cid: 'c20', id: 20 });
    back.says('new', 'c21');
    await back.sees({ type: 'chat', id: 21, data: 'new' });
    expect(back.numbered.map(({ id }) => id)).toEqual([16, 17, 18, 19, 20, 21]);
  });
});

describe('SIGTERM', () => {
  it('echoes what was said, says 1012 to all, and ends with 0', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const ann = await new Door(server.port).signIn('Ann');
    const rooms = await Promise.all(Array.from({ length: 50 }, () => ann.enters('lobby')));
    const [room] = rooms;
    if (!room) throw new Error('nobody came');
    for (let n = 0; n < 30; n++) room.says(`m${n}`);
    await room.sees({ type: 'chat', data: 'm0' });
    server.child.kill('SIGTERM');
    const codes = await Promise.all(rooms.map(({ closed }) => closed));
    expect(new Set(codes)).toEqual(new Set([1012]));
    expect(await server.exited).toBe(0);
    const chats = room.numbered.map(({ id }) => id);
    expect(chats).toEqual(chats.map((_, n) => n + 1)); // without a hole, as far as it went
  });

  it('is not ready and lets nobody in while it drains', async () => {
    const chat = await startChat();
    const ann = await chat.signIn('Ann');
    const mute = await ann.enters('lobby');
    mute.ws.pause(); // never answers our close: draining takes until the clock goes on
    const goOn = stopWallClock();
    const closed = chat.server.close(); // as on SIGTERM
    expect((await ann.get('/readyz')).status).toBe(503);
    expect(await ann.knocks('/ws/lobby').closed).toBe(503);
    expect((await ann.post('/api/rooms/lobby/messages', { data: 'too late' })).status).toBe(503);
    goOn();
    await closed;
  });

  it('twice ends at once, with all that was echoed on disk', async () => {
    const env = { DATA_DIR: temporaryFolder() };
    const slowLog =
      'import fs from "node:fs"; const { fsync } = fs; fs.fsync = (...args) => setTimeout(fsync, 300, ...args)';
    const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(slowLog)}`; // the first signal ends the log meanwhile
    const server = await startServer({ env: { ...env, NODE_OPTIONS } });
    const ann = await new Door(server.port).signIn('Ann');
    const mute = await ann.enters('lobby');
    mute.says('last words');
    await mute.sees({ type: 'chat', id: 1 });
    mute.ws.pause();
    server.child.kill('SIGTERM');
    await expect.poll(server.errors, { interval: 1 }).toContain('"stopping"');
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    const next = await startServer({ env });
    const { messages } = (await (
      await (await again(ann, next.port)).get('/api/rooms/lobby/messages')
    ).json()) as {
      messages: { data: string }[];
    };
    expect(messages.map(({ data }) => data)).toEqual(['last words']);
  });
});

describe('two servers on one folder', () => {
  it('the second says so and exits 75', async () => {
    const env = { DATA_DIR: temporaryFolder() };
    await startServer({ env });
    const second = spawnServer({ env });
    expect(await second.exited).toBe(75);
    expect(second.errors()).toMatch(/another Oneport server is running/);
  });
});

const isRoot = process.getuid?.() === 0;

describe.runIf(isRoot)('a full disk', () => {
  it.each(['0', '2'])(
    'refuses with "storage", goes on reading, is not ready, and recovers by itself, with WORKERS=%s',
    async (WORKERS) => {
      const dataDir = temporaryFolder();
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=7m', 'tmpfs', dataDir]);
      onTestFinished(() => {
        execFileSync('umount', ['-l', dataDir]);
      });
      const env = { DATA_DIR: dataDir, PORT: String(await freePort()), WORKERS };
      const server = await startServer({ env });
      const ann = await new Door(server.port).signIn('Ann');
      const room = await ann.enters('lobby');
      const ballast = join(dataDir, 'ballast'); // larger than the write-ahead log and the index will be
      writeFileSync(ballast, Buffer.alloc(5_000_000));
      // the search index shares the disk and may free some of it: then it is filled again
      let echoed = await fill(room);
      let answer = '';
      await until(async () => {
        const ready = await fetch(`${server.origin}/readyz`);
        answer = await ready.text();
        if (ready.ok) echoed = await fill(room);
        return ready.status === 503;
      });
      expect(echoed).toBeGreaterThan(0);
      expect(answer).toMatch(/SQLITE_FULL|the disk is nearly full/);
      const page = await ann.get('/api/rooms/lobby/messages?limit=1');
      expect(await page.json()).toMatchObject({ last: echoed });
      const bob = await ann.enters('lobby'); // presence and history go on
      await bob.sees({ type: 'list', count: 1 });

      rmSync(ballast);
      await until(async () => (await fetch(`${server.origin}/readyz`)).ok);
      const cid = room.says('there is space again');
      expect((await room.sees({ type: 'chat', cid }))['id']).toBe(echoed + 1);
      expect(room.numbered.map(({ id }) => id)).toEqual(Array.from({ length: echoed + 1 }, (_, n) => n + 1));
    },
  );
});

/** Says long things until the disk is full; how many of them came back. */
async function fill(room: Awaited<ReturnType<Visitor['enters']>>): Promise<number> {
  for (;;) {
    const cid = room.says('x'.repeat(3000));
    const answer = await Promise.race([room.sees({ cid, type: 'chat' }), room.sees({ cid, type: 'error' })]);
    if (answer['type'] === 'error') {
      expect(answer['data']).toMatchObject({ code: 'storage' });
      return room.numbered.length;
    }
  }
}
