/** A database of which any one page is damaged: what cannot be read is refused, and the server lives. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { databaseFile } from '../../src/store/database.js';
import { startChat, temporaryFolder, type Visitor } from '../harness.js';

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

it('answers every request whichever page is damaged, and says that it is not ready', async () => {
  const dataDir = temporaryFolder();
  const cookie = await fill(dataDir);
  const whole = readFileSync(databaseFile(dataDir));
  let refusing = 0;
  for (let at = pageBytes; at < whole.length; at += pageBytes) {
    const folder = temporaryFolder();
    cpSync(dataDir, folder, { recursive: true });
    writeFileSync(databaseFile(folder), Buffer.from(whole).fill(0xff, at, at + 100));
    const chat = await startChat({ dataDir: folder }).catch((error: unknown) => String(error));
    if (typeof chat === 'string') {
      expect(chat).toContain('database disk image is malformed');
      continue;
    }
    const answers = await askAll(chat.visitor(cookie));
    expect([200, 201, 500, 503, 1011]).toEqual(expect.arrayContaining(answers));
    const isRefusing = answers.some((status) => status >= 500);
    if (isRefusing) refusing++;
    const ready = await chat.visitor().get('/readyz');
    expect([at / pageBytes, ready.status]).toEqual([at / pageBytes, isRefusing ? 503 : 200]);
    if (isRefusing) expect(await ready.text()).toContain('damaged');
    expect((await chat.visitor().get('/healthz')).status).toBe(200);
    await chat.stop();
  }
  expect(refusing).toBeGreaterThan(10);
}, 120_000);
