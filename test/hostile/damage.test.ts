/** A database of which any one page is damaged: what cannot be read is refused, and the server lives. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import Database from '../../src/store/sqlite.js';
import { eventually, startChat, temporaryFolder, type Visitor } from '../harness.js';
import { spawnServer } from '../process.js';
import { agentTo, send, startWorkers } from '../workers/workers.js';

const pageBytes = 4096;
const paths = [
  ...['/api/me', '/api/rooms', '/r/old', '/r/old/plain', '/api/mentions', '/api/people?q=b'],
  ...[
    '/api/search?q=number',
    '/api/rooms/old/messages?after=0',
    '/api/rooms/old/messages',
    '/api/rooms/old/head',
  ],
];
const posts: readonly (readonly [string, object])[] = [
  ['/api/rooms/old/messages', { data: 'hi @Bob', cid: 'c1' }],
  ['/api/rooms/new/messages', { data: 'hi' }],
  ['/api/rooms/old/messages', { type: 'edit', target: 2, data: 'x' }],
  ['/signin', { name: 'Cleo' }],
];

/** A data folder with every kind of row, and the cookie of Ann, who wrote most of them. */
async function fill(dataDir: string): Promise<string> {
  const chat = await startChat({ dataDir });
  const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
  const post = (visitor: Visitor, body: object) => visitor.post('/api/rooms/old/messages', body);
  for (let n = 1; n <= 60; n++) await post(ann, { data: `number-${n} @Bob ${'x'.repeat(300)}` });
  await post(bob, { type: 'react', target: 1, data: '👍' });
  await post(ann, { type: 'edit', target: 2, data: 'hm' });
  await post(ann, { type: 'delete', target: 3 });
  await chat.stop();
  return ann.cookie;
}

/** Returns the statuses of requests of all kinds, and the close code of a socket. */
async function askAll(visitor: Visitor): Promise<number[]> {
  const answers: number[] = [];
  for (const path of paths) answers.push((await visitor.get(path)).status);
  const socket = visitor.knocks('/ws/old?after=0');
  const listed = socket.sees({ type: 'list' }).then(
    () => 200,
    () => socket.closed,
  );
  answers.push(await Promise.race([socket.closed, listed]));
  for (const [path, body] of posts) answers.push((await visitor.post(path, body)).status);
  return answers;
}

/** A copy of a data folder with one damaged page. */
function damage(dataDir: string, page: number): string {
  const folder = temporaryFolder();
  cpSync(dataDir, folder, { recursive: true });
  const at = page * pageBytes;
  const whole = readFileSync(databaseFile(folder));
  writeFileSync(databaseFile(folder), whole.fill(0xff, at, at + 100));
  return folder;
}

function pageCount(dataDir: string): number {
  return readFileSync(databaseFile(dataDir)).length / pageBytes;
}

it('answers every request whichever page is damaged, and says that it is not ready', async () => {
  const dataDir = temporaryFolder();
  const cookie = await fill(dataDir);
  let refusing = 0;
  for (let page = 1; page < pageCount(dataDir); page++) {
    const chat = await startChat({ dataDir: damage(dataDir, page) }).catch((error: unknown) => String(error));
    if (typeof chat === 'string') {
      expect(chat).toContain('database disk image is malformed');
      continue;
    }
    const answers = await askAll(chat.visitor(cookie));
    expect([200, 201, 500, 503, 1011]).toEqual(expect.arrayContaining(answers));
    const isRefusing = answers.some((status) => status >= 500);
    if (isRefusing) refusing++;
    const ready = await chat.visitor().get('/readyz');
    expect([page, ready.status]).toEqual([page, isRefusing ? 503 : 200]);
    if (isRefusing) expect(await ready.text()).toContain('damaged');
    expect((await chat.visitor().get('/healthz')).status).toBe(200);
    await chat.stop();
  }
  expect(refusing).toBeGreaterThan(10);
}, 120_000);

it('does the same with workers: each says that the database is damaged, whoever has noticed', async () => {
  const dataDir = temporaryFolder();
  const cookie = await fill(dataDir);
  let refusing = 0;
  for (let page = 1; page < pageCount(dataDir); page += 5) {
    const folder = damage(dataDir, page);
    const alone = await startChat({ dataDir: folder, arrangement: 'one' }).then(
      (chat) => chat.stop(),
      () => 'refused',
    );
    const started = startChat({ dataDir: folder, arrangement: 'workers' });
    const chat = await started.catch((error: unknown) => String(error));
    expect([page, typeof chat === 'string']).toEqual([page, alone === 'refused']);
    if (typeof chat === 'string') continue;
    const answers = await askAll(chat.visitor(cookie));
    expect([200, 201, 500, 503, 1011]).toEqual(expect.arrayContaining(answers));
    const isRefusing = answers.some((status) => status >= 500);
    if (isRefusing) refusing++;
    await eventually(async () => {
      const told = isRefusing ? [503, expect.stringContaining('damaged')] : [200, expect.anything()];
      for (let n = 0; n < 2; n++) expect([page, ...(await readyz(chat.port))]).toEqual([page, ...told]);
    });
    await chat.stop();
  }
  expect(refusing).toBeGreaterThan(2);
}, 120_000);

it('ends no worker, and stops the start with the same code and line as without workers', async () => {
  const dataDir = temporaryFolder();
  const cookie = await fill(dataDir);
  const refusals = ['0', '2'].map(async (WORKERS) => {
    const folder = damage(dataDir, rootPage(dataDir, 'meta'));
    const { exited, errors } = spawnServer({ env: { WORKERS, DATA_DIR: folder } });
    const code = await exited;
    await eventually(() => expect(errors()).toContain('is damaged')); // the pipe may end after the process
    return [code, errors().replaceAll(folder, 'FOLDER')];
  });
  const refused = [78, expect.stringContaining('FOLDER/oneport.db is damaged')];
  expect(await Promise.all(refusals)).toEqual([refused, refused]);
  const server = await startWorkers({ DATA_DIR: damage(dataDir, rootPage(dataDir, 'states')) });
  for (const worker of [1, 2]) {
    const agent = await agentTo(server.port, worker);
    const statuses: number[] = [];
    for (const path of paths) statuses.push((await send(agent, server.port, path, { cookie })).status);
    expect(new Set(statuses)).toEqual(new Set([200, 500]));
    const ready = await send(agent, server.port, '/readyz');
    expect([ready.status, ready.body]).toEqual([503, expect.stringContaining('database damaged')]);
  }
  server.child.kill('SIGTERM');
  expect(await server.exited).toBe(0);
  expect(server.errors()).not.toContain('a worker ended');
}, 90_000);

/** The index of the first page of a table. */
function rootPage(dataDir: string, table: string): number {
  const db = new Database(databaseFile(dataDir), { readonly: true });
  const root = db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck();
  const page = root.get(table) ?? 0;
  db.close();
  return page - 1;
}

/** The answer of the next worker. */
async function readyz(port: number): Promise<[status: number, body: string]> {
  const { status, body } = await send(new Agent({ keepAlive: false }), port, '/readyz');
  return [status, body];
}
