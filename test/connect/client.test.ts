/** The client for programs, as it is served, against real servers. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import type * as Client from '../../src/connect/client.js';
import type { ConnectOptions, RoomClient, TransportName } from '../../src/connect/client.js';
import type { RoomEvent } from '../../src/shared/protocol.js';
import { memoryStore } from '../client/memory-store.js';
import { type Chat, hasTool, startChat, temporaryFolder } from '../harness.js';
import { freePort, ROOT, startServer } from '../process.js';

const SCRIPT = readFileSync(join(ROOT, 'public/client.js'));
// what build.js makes of client.ts; by its path, vite would take it for an asset
const { connect } = (await import(
  `data:text/javascript;base64,${SCRIPT.toString('base64')}`
)) as typeof Client;
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const TRANSPORTS: readonly TransportName[] = ['websocket', 'stream', 'poll'];

/** A client that is closed when the test is over. */
function enter(origin: string, options: Partial<ConnectOptions> = {}): RoomClient {
  const room = connect({ url: `${origin}/r/lobby`, WebSocket, ...options });
  onTestFinished(() => room.close());
  return room;
}

/** The next events of a room. */
async function take(room: RoomClient, count: number): Promise<RoomEvent[]> {
  const events: RoomEvent[] = [];
  for await (const event of room) if (events.push(event) === count) break;
  return events;
}

function texts(events: readonly RoomEvent[]): unknown[] {
  return events.map((event) => [event.id, 'data' in event ? event.data : event.type]);
}

/** Ann's client over one transport. */
async function ann(chat: Chat, name: TransportName): Promise<RoomClient> {
  const room = enter(chat.origin, { transports: [name] });
  await room.signIn('Ann');
  return room;
}

describe.each(TRANSPORTS)('a client over %s', (name) => {
  it('posts, and reads what it and others posted', async () => {
    const chat = await startChat();
    const room = await ann(chat, name);
    expect(await room.say('one')).toBe(1);
    const bob = await (await chat.signIn('Bob')).enters('lobby');
    bob.says('two');
    expect(texts(await take(room, 2))).toEqual([
      [1, 'one'],
      [2, 'two'],
    ]);
    expect(room.state).toEqual({ state: 'live', transport: name });
    expect(await room.ready()).toMatchObject({ type: 'hello', room: 'lobby', user: { name: 'Ann' } });
  });

  it('edits, reacts, replies and deletes', async () => {
    const room = await ann(await startChat(), name);
    const id = await room.say('helo');
    expect(await room.edit(id, 'hello')).toBe(2);
    expect(await room.react(id, '🎉')).toBe(3);
    expect(await room.unreact(id, '🎉')).toBe(4);
    expect(await room.say('yes', { reply: id })).toBe(5);
    expect(await room.delete(id)).toBe(6);
    const events = await take(room, 6);
    expect(events.map(({ type }) => type)).toEqual(['chat', 'edit', 'react', 'unreact', 'chat', 'delete']);
    expect(events[4]).toMatchObject({ reply: { id, data: expect.any(String) } });
  });

  it('rejects with the code of the problem, and goes on', async () => {
    const room = await ann(await startChat(), name);
    await expect(room.say(' ')).rejects.toMatchObject({ code: 'empty_text' });
    await expect(room.say('x'.repeat(4001))).rejects.toMatchObject({ code: 'text_too_long' });
    await expect(room.delete(7)).rejects.toMatchObject({ code: 'no_message' });
    expect(await room.say('fine')).toBe(1);
  });

  it('stores a cid once, also when another run repeats it', async () => {
    const chat = await startChat();
    const room = await ann(chat, name);
    expect([await room.say('one', { cid: 'c' }), await room.say('two')]).toEqual([1, 2]);
    const next = enter(chat.origin, { transports: [name], cookie: room.cookie });
    expect(await next.say('one', { cid: 'c' })).toBe(1);
    const last = enter(chat.origin, { transports: [name], cookie: room.cookie });
    await expect(last.say('other', { cid: 'c' })).rejects.toMatchObject({ code: 'cid_conflict' });
  });

  it('answers a cid that is repeated meanwhile as the server does', async () => {
    const room = await ann(await startChat(), name);
    const first = room.say('one', { cid: 'c' });
    const [same, other] = [room.say('one', { cid: 'c' }), room.say('other', { cid: 'c' })];
    await expect(other).rejects.toMatchObject({ code: 'cid_conflict' });
    expect(await Promise.all([first, same, room.say('two')])).toEqual([1, 1, 2]);
  });

  it('keeps the order of what is posted at once', async () => {
    const room = await ann(await startChat(), name);
    const all = Array.from({ length: 20 }, (_, n) => room.say(`text ${n}`));
    expect(await Promise.all(all)).toEqual(all.map((_, n) => n + 1));
  });

  it('goes on when the server was killed, without a hole or a repeat', { timeout: 60_000 }, async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    let server = await startServer({ env });
    const room = enter(server.origin, { transports: [name] });
    await room.signIn('Ann');
    const said: Promise<number>[] = [];
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 5; n++) said.push(room.say(`text ${said.length}`));
      await said.at(-3);
      server.child.kill('SIGKILL');
      await server.exited;
      said.push(room.say(`text ${said.length}`));
      server = await startServer({ env });
    }
    expect(await Promise.all(said)).toEqual(said.map((_, n) => n + 1));
    expect(texts(await take(room, said.length))).toEqual(said.map((_, n) => [n + 1, `text ${n}`]));
  });

  it('resumes at a number', async () => {
    const chat = await startChat();
    const before = await ann(chat, name);
    for (const text of ['one', 'two', 'three']) await before.say(text);
    await take(before, 2);
    const [{ cookie }, epoch] = [before, before.position?.epoch ?? ''];
    const room = enter(chat.origin, { transports: [name], cookie, after: 1, epoch });
    expect(texts(await take(room, 2))).toEqual([
      [2, 'two'],
      [3, 'three'],
    ]);
    expect(room.position).toEqual({ after: 3, epoch });
    const other = enter(chat.origin, { transports: [name], cookie, after: 2, epoch: 'other', history: 1 });
    expect(texts(await take(other, 1))).toEqual([[3, 'three']]);
  });

  it('ends with a code when nobody is signed in', async () => {
    const room = enter((await startChat()).origin, { transports: [name] });
    await expect(room.ready()).rejects.toMatchObject({ code: 'not_signed_in' });
    await expect(room.say('hi')).rejects.toMatchObject({ code: 'not_signed_in' });
    await expect(take(room, 1)).rejects.toMatchObject({ code: 'not_signed_in' });
    await room.signIn('Ann');
    expect(await room.say('hi')).toBe(1);
  });

  it('loses nothing for a reader who is far behind', async () => {
    const chat = await startChat();
    const room = await ann(chat, name);
    const bob = await (await chat.signIn('Bob')).enters('lobby');
    await room.ready();
    for (let n = 1; n <= 1200; n++) bob.says(`text ${n}`);
    await bob.seesAll({ type: 'chat' }, 1200);
    expect(await room.say('the last')).toBe(1201);
    const events = await take(room, 1201);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, n) => n + 1));
  });
});

describe('a client', () => {
  it('reports why a sign-in fails', async () => {
    const chat = await startChat();
    await chat.signIn('Ann');
    const room = enter(chat.origin);
    await expect(room.signIn('Ann')).rejects.toMatchObject({ code: 'name_taken' });
    await expect(room.signIn('')).rejects.toMatchObject({ code: 'bad_name' });
    expect(await room.signIn('Bob')).toMatchObject({ name: 'Bob' });
    expect(await room.signIn('Bob the Second')).toMatchObject({ name: 'Bob the Second' });
  });

  it('finds the server below a path, and names a room of any script', async () => {
    const chat = await startChat({ env: { BASE_PATH: '/chat/' } });
    const room = enter(chat.origin, { url: `${chat.origin}/chat/r/${encodeURIComponent('大厅')}` });
    await room.signIn('Ann');
    expect(await room.say('hi')).toBe(1);
    expect((await room.ready()).room).toBe('大厅');
    expect(() => connect(`${chat.origin}/chat/`)).toThrow(TypeError);
    expect(() => connect({ url: `${chat.origin}/chat/`, room: 'lobby' })).not.toThrow();
  });

  it('sends what an earlier run left in its store, and keeps what is refused', async () => {
    const chat = await startChat();
    const store = memoryStore();
    const first = enter(chat.origin, { store });
    const { id: user } = await first.signIn('Ann');
    const left = { user, room: 'lobby', at: 1 };
    await store.add({ ...left, cid: 'a', posting: { type: 'chat', data: 'left' } });
    await store.add({ ...left, cid: 'b', posting: { type: 'chat', data: ' ' } });
    expect(await first.say('new')).toBe(2);
    expect(texts(await take(first, 2))).toEqual([
      [1, 'left'],
      [2, 'new'],
    ]);
    await expect.poll(() => store.all(user)).toMatchObject([{ cid: 'b', problem: { code: 'empty_text' } }]);
  });

  it('answers a cid that an earlier run left in the store as the server does', async () => {
    const chat = await startChat();
    const store = memoryStore();
    const room = enter(chat.origin, { store });
    const { id: user } = await room.signIn('Ann');
    const left = { user, room: 'lobby', at: 1 };
    for (const [cid, data] of [
      ['a', 'left'],
      ['b', ' '],
    ] as const)
      await store.add({ ...left, cid, posting: { type: 'chat', data } });
    await expect(room.say('other', { cid: 'a' })).rejects.toMatchObject({ code: 'cid_conflict' });
    expect(await room.say('mended', { cid: 'b' })).toBe(2);
    await expect.poll(() => store.all(user)).toEqual([]);
  });

  it('rejects what its store does not take, and may be told it again', async () => {
    const store = memoryStore();
    let isFull = true;
    const add: typeof store.add = (...message) =>
      isFull ? Promise.reject(new Error('full')) : store.add(...message);
    const room = enter((await startChat()).origin, { store: { ...store, add } });
    await room.signIn('Ann');
    await expect(room.say('one', { cid: 'c' })).rejects.toThrow('full');
    isFull = false;
    expect(await room.say('one', { cid: 'c' })).toBe(1);
  });

  it('rejects what is not stored when it is closed', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const room = enter(server.origin);
    await room.signIn('Ann');
    await room.ready();
    server.child.kill('SIGKILL');
    await server.exited;
    const lost = expect(room.say('too late')).rejects.toMatchObject({ code: 'closed' });
    await expect.poll(() => room.state.state).not.toBe('live');
    room.close();
    await lost;
    for await (const _ of room) throw new Error('there is no event');
  });

  it('tells its states and frames', async () => {
    const states: string[] = [];
    const frames: string[] = [];
    const chat = await startChat();
    const room = enter(chat.origin, {
      onState: ({ state }) => states.push(state),
      onFrame: ({ type }) => frames.push(type),
    });
    await room.signIn('Ann');
    await room.say('hi');
    room.close();
    expect(states.filter((state, n) => state !== states[n - 1])).toEqual(['connecting', 'live', 'ended']);
    expect(frames).toEqual(expect.arrayContaining(['hello', 'list', 'chat']));
  });
});

describe('GET /client.js', () => {
  it('is one file of at most 6 KB that needs nothing else', () => {
    expect(gzipSync(SCRIPT, { level: 9 }).length).toBeLessThanOrEqual(6 * 1024);
    expect(SCRIPT.toString()).not.toMatch(/\bimport\b|\brequire\b|\bprocess\b|\bdocument\b|\bwindow\b/);
  });

  it.each(['/client.js', '/client.d.ts'])('serves %s to pages of every origin', async (path) => {
    const chat = await startChat();
    const answer = await fetch(chat.origin + path, { headers: { origin: 'https://elsewhere.example' } });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
    const type = path.endsWith('.js') ? /^text\/javascript|^application\/javascript/ : /typescript/;
    expect(answer.headers.get('content-type')).toMatch(type);
    expect((await chat.visitor().get('/version.json')).headers.get('access-control-allow-origin')).toBeNull();
  });

  it('is what the package exports, with types that fit', { timeout: 60_000 }, () => {
    const folder = temporaryFolder();
    const program = join(folder, 'program.ts');
    writeFileSync(
      program,
      `import { connect, type OutboxStore, type RoomEvent } from '${join(ROOT, 'public/client.js')}';
const room = connect({ url: 'http://localhost/r/lobby', onState: (state) => state.state === 'live' });
export const number: Promise<number> = room.say('hi', { reply: 1 });
export async function read(store: OutboxStore): Promise<RoomEvent | undefined> {
  await store.remove('cid');
  for await (const event of room) if (event.type === 'chat' && event.user.name === event.data) return event;
  return undefined;
}
`,
    );
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const options =
      '--noEmit --strict --ignoreConfig --module esnext --moduleResolution bundler --target es2022';
    const lib = ['--lib', 'es2022,dom', '--types', ''];
    const run = spawnSync(process.execPath, [tsc, ...options.split(' '), ...lib, program], {
      encoding: 'utf8',
    });
    expect([run.stdout, run.status]).toEqual(['', 0]);
  });
});

describe.runIf(hasTool('curl'))('README.md', () => {
  it('shows a program that works when it is pasted', async () => {
    const chat = await startChat();
    const bob = await (await chat.signIn('Bob')).enters('lobby');
    const [, program = ''] = /^( {4}import \{ connect[\s\S]*?^ {4}\}\n)/m.exec(README) ?? [];
    const lines = program.split('\n').map((line) => line.slice(4));
    expect(lines.filter(Boolean).length).toBeLessThanOrEqual(10);
    const folder = temporaryFolder();
    const local = (text: string): string => text.replaceAll('http://localhost:3000', chat.origin);
    const [, command = ''] = /^ {4}(curl -O .*)$/m.exec(README) ?? [];
    const [code] = await once(spawn('sh', ['-c', local(command)], { cwd: folder }), 'exit');
    expect(code).toBe(0);
    writeFileSync(join(folder, 'robot.mjs'), local(lines.join('\n')));
    const robot = spawn(process.execPath, ['robot.mjs'], { cwd: folder });
    onTestFinished(() => void robot.kill());
    const errors = text(robot.stderr);
    const [printed] = await Promise.race([once(robot.stdout, 'data'), errors.then((said) => [said])]);
    expect(String(printed)).toBe('Message 1 is stored.\n');
    bob.says('!roll');
    const answer = await bob.sees({ type: 'chat', id: 3 });
    expect(answer).toMatchObject({ user: { name: 'Robot' }, reply: { id: 2 } });
    expect(String(answer['data'])).toMatch(/^You rolled [1-6]\.$/);
  });
});
