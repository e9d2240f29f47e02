/** What the log tells an operator, what it leaves out, and how it looks on a terminal. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { prettyLine } from '../src/cli/command.js';
import { isObject, parseJsonObject } from '../src/shared/parse.js';
import { parseHeads } from '../src/store/chain.js';
import { databaseFile } from '../src/store/database.js';
import { verify } from '../src/store/verify.js';
import { Telemetry } from '../src/telemetry.js';
import { Door, startChat, temporaryFolder } from './harness.js';
import { freePort, type RunningServer, startServer } from './process.js';

const isRoot = process.getuid?.() === 0;

type Line = Readonly<Record<string, unknown>>;

function linesOf(text: string): Line[] {
  return text.split('\n').flatMap((line) => {
    const parsed = parseJsonObject(line);
    return parsed ? [parsed] : [];
  });
}

/** The first line with this message, once it is there. */
async function logged(server: RunningServer, message: RegExp): Promise<Line> {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    const found = linesOf(server.errors()).find(({ msg }) => message.test(String(msg)));
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no line ${message} in ${server.errors()}`);
}

describe('the log', () => {
  it('begins with the version and the settings, without keys', async () => {
    const key = `${'Zx9'.repeat(12)}qwerty`;
    const server = await startServer({ env: { DATA_DIR: temporaryFolder(), SESSION_KEYS: key } });
    const line = await logged(server, /^started$/);
    expect(line).toMatchObject({
      level: 'info',
      version: expect.stringMatching(/^\d/),
      settings: { port: 0, sessionKeys: 1 },
    });
    expect(Date.parse(String(line['time']))).toBeGreaterThan(Date.now() - 60_000);
    expect(server.errors()).not.toContain(key);
  });

  it('names the likely mistake of a proxy', async () => {
    const port = await freePort();
    const server = await startServer({
      env: { DATA_DIR: temporaryFolder(), PORT: String(port), PUBLIC_ORIGIN: 'https://chat.example.org' },
    });
    const door = new Door(port);
    expect((await door.visitor().get('/')).status).toBe(403);
    expect(await logged(server, /wrong_host/)).toMatchObject({
      level: 'warn',
      host: `127.0.0.1:${port}`,
      likelyCause: expect.stringContaining('PUBLIC_ORIGIN https://chat.example.org'),
    });
  });

  it.each([
    [{ origin: 'https://localhost' }, 'X-Forwarded-Proto'],
    [{ origin: 'http://chat.example.org' }, 'the proxy does not pass Host'],
  ])('of an upgrade with %j says: %s', async (headers, cause) => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const origin = headers.origin.replace('localhost', `127.0.0.1:${server.port}`);
    expect(await new Door(server.port).visitor().knocks('/ws/lobby', { headers: { origin } }).closed).toBe(
      403,
    );
    expect(await logged(server, /wrong_origin/)).toMatchObject({
      likelyCause: expect.stringContaining(cause),
    });
  });

  it('holds no text, no name and no cookie at the finest level', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder(), LOG_LEVEL: 'trace' } });
    const door = new Door(server.port);
    const ann = await door.signIn('Annabelle');
    const room = await ann.enters('lobby');
    await room.sees({ type: 'chat', cid: room.says('tulips are secret') });
    await door.post('/signin', { name: 'Annabelle' });
    await door.visitor().knocks('/ws/lobby').closed;
    await logged(server, /4001/);
    const [, cookie = 'none'] = /name=([^;]+)/.exec(ann.cookie) ?? [];
    for (const secret of ['Annabelle', 'tulips', cookie]) expect(server.errors()).not.toContain(secret);
  });

  it('has each request and each close at level debug, without the secrets of links', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder(), LOG_LEVEL: 'debug' } });
    const ann = await new Door(server.port).signIn('Ann');
    await ann.get('/api/search?q=tulips');
    const room = await ann.enters('lobby');
    await room.leaves();
    expect(await logged(server, /^closed a socket$/)).toMatchObject({ level: 'debug', code: 1005 });
    const { url } = (await (await ann.post('/api/me/link', {})).json()) as { url: string };
    await fetch(url);
    const lines = () => linesOf(server.errors()).filter(({ msg }) => msg === 'request');
    await expect.poll(lines).toHaveLength(4);
    expect(lines()).toMatchObject([
      { method: 'POST', path: '/signin', status: 200, ms: expect.any(Number) },
      { method: 'GET', path: '/api/search', status: 200 },
      { method: 'POST', path: '/api/me/link', status: 201 },
      { method: 'GET', path: '/link/…', status: 200 },
    ]);
    expect(server.errors()).not.toMatch(/tulips/);
  });

  it('ends with the heads of the chains, which verify compares', async () => {
    const dataDir = temporaryFolder();
    const server = await startServer({ env: { DATA_DIR: dataDir } });
    const ann = await new Door(server.port).signIn('Ann');
    await ann.post('/api/rooms/lobby/messages', { data: 'hi' });
    server.child.kill('SIGTERM');
    await server.exited;
    const line = await logged(server, /^heads of the chains$/);
    expect(line['heads']).toEqual([
      expect.stringMatching(/^lobby 1 [0-9a-f]{64}$/),
      expect.stringMatching(/^\* 1 [0-9a-f]{64}$/),
    ]);
    const noted = parseHeads(server.errors());
    expect(noted.map(({ room }) => room)).toEqual(['lobby', '*']);
    expect(verify(databaseFile(dataDir), () => {}, noted).finding).toBeUndefined();
  });

  it('has the heads once a day, and a warning when the clock jumps', async () => {
    let days = 0;
    const lines: Readonly<Record<string, unknown>>[] = [];
    const write = (line: string): number => lines.push(JSON.parse(line));
    const now = (): number => Date.now() + days * 24 * 3600 * 1000;
    const chat = await startChat({ now, logger: pino({}, { write }) });
    const told = (text: string): unknown[] => lines.filter(({ msg }) => String(msg).startsWith(text));
    await (await chat.signIn('Ann')).post('/api/rooms/lobby/messages', { data: 'hi' });
    expect(told('heads')).toEqual([]);
    for (days = 1; days <= 2; days++) {
      await expect.poll(() => told('heads')).toHaveLength(days);
      await expect.poll(() => told('the clock jumped')).toHaveLength(days);
    }
    expect(told('heads')[1]).toMatchObject({
      heads: [/^lobby 1 /, /^\* 1 /].map((head) => expect.stringMatching(head)),
    });
    expect(told('the clock jumped')[0]).toMatchObject({ seconds: 24 * 3600 });
  });

  it('warns of a newest message that is so old that the clock may be ahead', async () => {
    const dataDir = temporaryFolder();
    const longAgo = await startChat({ dataDir, now: () => Date.now() - 31 * 24 * 3600 * 1000 });
    await (await longAgo.signIn('Ann')).post('/api/rooms/lobby/messages', { data: 'hi' });
    await longAgo.stop();
    const server = await startServer({ env: { DATA_DIR: dataDir } });
    expect(await logged(server, /^the newest message is over 30 days old/)).toMatchObject({ level: 'warn' });
  });

  it('warns of a clock that is behind the newest message', async () => {
    const dataDir = temporaryFolder();
    const tomorrow = await startChat({ dataDir, now: () => Date.now() + 24 * 3600 * 1000 });
    await (await tomorrow.signIn('Ann')).post('/api/rooms/lobby/messages', { data: 'hi' });
    await tomorrow.stop();
    const server = await startServer({ env: { DATA_DIR: dataDir } });
    expect(await logged(server, /^the clock is behind/)).toMatchObject({ level: 'warn' });
  });

  it.runIf(isRoot)('tells once that the disk is full, and once that it works again', async () => {
    const DATA_DIR = temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', DATA_DIR]);
    onTestFinished(() => void execFileSync('umount', ['-l', DATA_DIR]));
    const server = await startServer({ env: { DATA_DIR } });
    const ann = await new Door(server.port).signIn('Ann');
    const fill = join(DATA_DIR, 'fill');
    execFileSync('sh', ['-c', `dd if=/dev/zero of=${fill} bs=4k 2>/dev/null || true`]);
    const post = async () => (await ann.post('/api/rooms/lobby/messages', { data: 'x'.repeat(3000) })).status;
    const statuses: number[] = [];
    for (let n = 0; n < 40; n++) statuses.push(await post());
    await logged(server, /the store fails/);
    execFileSync('rm', [fill]);
    await expect.poll(post).toBe(201);
    const told = () =>
      linesOf(server.errors())
        .map(({ msg }) => String(msg).split(':')[0])
        .filter((text) => text?.startsWith('the store'));
    await expect.poll(() => told().at(-1)).toBe('the store works again');
    // more than two lines when the write-ahead log was emptied meanwhile, because that makes space for a moment
    expect(told()).toEqual(told().map((_, n) => (n % 2 === 0 ? 'the store fails' : 'the store works again')));
    expect(statuses.filter((status) => status !== 201).length).toBeGreaterThan(told().length);
  });
});

describe('telemetry', () => {
  it('samples a flood, and says how many lines it left out', () => {
    let now = 0;
    const lines: string[] = [];
    const telemetry = new Telemetry(pino({}, { write: (line: string) => lines.push(line) }), () => now);
    for (let n = 0; n < 1000; n++) telemetry.warnRefused('too_many', { status: 429 });
    expect(lines).toHaveLength(5);
    now += 10_000;
    telemetry.warnRefused('too_many', { status: 429 });
    expect(lines).toHaveLength(6);
    expect(parseJsonObject(lines[5] ?? '')).toMatchObject({ leftOut: 995 });
    expect(telemetry.refusalsByCode.get('too_many')).toBe(1001);
  });

  it('counts close codes that a peer made up as one', () => {
    const telemetry = new Telemetry(pino({ level: 'silent' }), Date.now);
    for (let code = 3000; code < 4000; code++) telemetry.closed(code);
    telemetry.closed(1000);
    expect([...telemetry.closesByCode]).toEqual([
      ['other', 1000],
      ['1000', 1],
    ]);
  });
});

describe('a line on a terminal', () => {
  it('is for people, and cannot move the cursor', () => {
    const json = JSON.stringify({
      level: 'warn',
      time: '2026-01-02T03:04:05.000Z',
      msg: 'refused: wrong_host',
      host: 'evil\u001b[2J\u202e.example',
      err: { stack: 'Error: x\n    at y' },
    });
    const line = prettyLine(json);
    expect(line).toMatch(/WARN .*refused: wrong_host/);
    expect(line).toContain('host=');
    expect(line).not.toContain('\u001b[2J');
    expect(line).not.toContain('\u202e');
    expect(line).toContain('Error: x\n    at y');
    expect(prettyLine('no JSON\n')).toBe('no JSON\n');
    expect(isObject(parseJsonObject(json))).toBe(true);
  });
});

it('a damaged database is told once, and only what cannot be read is refused', async () => {
  const dataDir = temporaryFolder();
  const chat = await startChat({ dataDir });
  const ann = await chat.signIn('Ann');
  for (let n = 1; n <= 60; n++)
    await ann.post('/api/rooms/old/messages', { data: `number-${n} ${'x'.repeat(500)}` });
  await chat.stop();
  const bytes = readFileSync(databaseFile(dataDir));
  const page = Math.floor(bytes.indexOf('number-30 ') / 4096) * 4096;
  writeFileSync(databaseFile(dataDir), bytes.fill(0xff, page, page + 100));

  const lines: string[] = [];
  const later = await startChat({ dataDir, logger: pino({}, { write: (line) => lines.push(line) }) });
  const back = later.visitor(ann.cookie);
  const get = async (path: string) => (await back.get(path)).status;
  for (let n = 0; n < 3; n++) expect(await get('/api/rooms/old/messages?after=20')).toBe(500);
  expect(await back.knocks('/ws/old?after=20').closed).toBe(1011);
  expect(await get('/api/rooms/old/messages?limit=5')).toBe(200);
  const room = await back.enters('new');
  await room.sees({ type: 'chat', id: 1, cid: room.says('still here') });
  const ready = await back.get('/readyz');
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('damaged')]);
  expect(await get('/healthz')).toBe(200);
  const told = linesOf(lines.join('')).filter(({ msg }) => /database is damaged/.test(String(msg)));
  expect(told).toHaveLength(1);
});
