/** Several nodes that share one order by Redis, as their users see them. */
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import type { SharedOrder } from '../../src/sequencer/sequencer.js';
import { createServer } from '../../src/server.js';
import { oneport } from '../cli/commands.js';
import { hasTool, startChat, temporaryFolder } from '../harness.js';
import { at, readiness, startNode, startRedis, twoNodes, untilEqual, untilReady } from '../redis.js';

const hasRedis = hasTool('redis-server') && hasTool('redis-cli');

describe.skipIf(!hasRedis)('two nodes', () => {
  it('number one room together, and show every message to everyone', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const [ann, bob] = [await a.signIn('Ann'), await b.signIn('Bob')];
    const [annsRoom, bobsRoom] = [await ann.enters('lobby'), await bob.enters('lobby')];
    annsRoom.says('from a');
    await bobsRoom.sees({ type: 'chat', data: 'from a', id: 1 });
    bobsRoom.says('from b');
    for (const room of [annsRoom, bobsRoom]) await room.sees({ type: 'chat', data: 'from b', id: 2 });
    await expect.poll(() => readiness(a)).toMatchObject({ ready: true, role: 'node', behind: 0 });
    const there = await at(b, ann).enters('lobby');
    expect(await there.sees({ type: 'hello' })).toMatchObject({ last: 2, user: { name: 'Ann' } });
  });

  it('store a cid once that is sent to both at the same time', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const ann = await a.signIn('Ann');
    const bodies = Array.from({ length: 20 }, (_, n) => ({ data: `m${n}`, cid: `c${n}` }));
    const answers = await Promise.all(
      bodies.flatMap((body) =>
        [a, b].map(async (node) => {
          const answer = await at(node, ann).post('/api/rooms/lobby/messages', body);
          return [answer.status, ((await answer.json()) as { id: number }).id] as const;
        }),
      ),
    );
    for (let n = 0; n < bodies.length; n++) {
      const [first, second] = [answers[2 * n], answers[2 * n + 1]];
      expect([first?.[0], second?.[0]].sort()).toEqual([200, 201]);
      expect(first?.[1]).toBe(second?.[1]);
    }
    expect(new Set(answers.map(([, id]) => id)).size).toBe(bodies.length);
  });

  it('answer a request that sends back the position of another node once they have applied as much', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const ann = await a.signIn('Ann');
    for (let n = 1; n <= 20; n++) {
      const posted = await ann.post('/api/rooms/lobby/messages', { data: `m${n}` });
      const position = posted.headers.get('Oneport-Position') ?? '';
      const page = await fetch(`${b.origin}/api/rooms/lobby/messages`, {
        headers: { cookie: ann.cookie, 'Oneport-Position': position },
      });
      expect(((await page.json()) as { last: number }).last).toBe(n);
    }
    const ahead = await fetch(`${b.origin}/api/rooms`, {
      headers: { cookie: ann.cookie, 'Oneport-Position': '99999999999999-0' },
    });
    expect([ahead.status, await ahead.json()]).toMatchObject([503, { error: { code: 'behind' } }]);
  });

  it('let a client wait for a number of the same epoch, and close it with 1013 when it does not come', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const ann = await a.signIn('Ann');
    const room = await ann.enters('lobby');
    const { epoch } = await room.sees({ type: 'hello' });
    const ahead = at(b, ann).knocks(`/ws/lobby?after=1&epoch=${String(epoch)}`);
    const page = at(b, ann).get(`/api/rooms/lobby/messages?after=1&epoch=${String(epoch)}`);
    room.says('one');
    expect(await ahead.sees({ type: 'hello' })).toMatchObject({ last: 1, complete: true });
    expect(await (await page).json()).toMatchObject({ last: 1, complete: true, messages: [] });
    const tooFar = at(b, ann).knocks(`/ws/lobby?after=2&epoch=${String(epoch)}`);
    const stream = await at(b, ann).reads('lobby', { query: `?after=2&epoch=${String(epoch)}` });
    expect([await tooFar.closed, await stream.closed]).toEqual([1013, 1013]);
    const withoutEpoch = at(b, ann).knocks('/ws/lobby?after=2');
    expect(await withoutEpoch.sees({ type: 'hello' })).toMatchObject({ complete: false });
  });

  it('show the people and the typing of each other', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const [ann, bob] = [await a.signIn('Ann'), await b.signIn('Bob')];
    const annsRoom = await ann.enters('lobby');
    const bobsRoom = await bob.enters('lobby');
    await annsRoom.sees({ type: 'join', user: bob.user });
    bobsRoom.sends({ type: 'typing' });
    await annsRoom.sees({ type: 'typing', user: bob.user });
    const second = await at(a, bob).enters('lobby');
    await second.sees({ type: 'list', count: 2 });
    const rooms = (await (await bob.get('/api/rooms')).json()) as { room: string; people: number }[];
    expect(rooms).toEqual([]); // no message yet
    bobsRoom.ws.close();
    second.ws.close();
    await annsRoom.seesAll({ type: 'left', user: bob.user }, 1, 20_000);
    expect(annsRoom.frames.filter(({ type }) => type === 'join')).toHaveLength(1);
  });

  it('lose the people of a node that stops, and of no other', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const [ann, bob, cleo] = [await a.signIn('Ann'), await b.signIn('Bob'), await a.signIn('Cleo')];
    const room = await ann.enters('lobby');
    await bob.enters('lobby');
    await cleo.enters('lobby');
    await room.sees({ type: 'join', user: bob.user });
    await b.stop();
    await room.seesAll({ type: 'left', user: bob.user }, 1, 20_000); // after 5 s at rest
    expect(room.frames.filter(({ type }) => type === 'left')).toHaveLength(1);
  });

  it('hear of each other again when Redis has cut the connections over which they do, and no others', async () => {
    const redis = await startRedis();
    const [a, b] = await twoNodes(redis);
    const [ann, bob] = [await a.signIn('Ann'), await b.signIn('Bob')];
    const room = await ann.enters('lobby');
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await bob.enters('lobby');
    await room.seesAll({ type: 'join', user: bob.user }, 1, 30_000);
  });

  it('end the sessions of a person everywhere, and move their read mark', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const ann = await a.signIn('Ann');
    const [here, there] = [await ann.enters('lobby'), await at(b, ann).enters('lobby')];
    here.says('one');
    for (const socket of [here, there]) await socket.sees({ type: 'chat', id: 1 });
    await ann.put('/api/rooms/lobby/read', { id: 1 });
    await there.sees({ type: 'room', room: 'lobby', read: 1 });
    await ann.post('/signout', {});
    expect(await Promise.all([here.closed, there.closed])).toEqual([4002, 4002]);
    expect((await at(b, ann).get('/api/me')).status).toBe(401);
  });

  it('hold the same database, line by line', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const people = [await a.signIn('Ann'), await b.signIn('Bob')];
    const rooms = await Promise.all(people.map((person) => person.enters('lobby')));
    for (let n = 0; n < 50; n++) for (const room of rooms) room.says(`hello @Ann ${n}`);
    for (const room of rooms) await room.seesAll({ type: 'chat' }, 100);
    rooms[0]?.sends({ type: 'react', target: 1, data: '👍' });
    for (const room of rooms) await room.sees({ type: 'react' });
    await untilEqual([a, b]);
    const [first, second] = await Promise.all([a, b].map(({ dataDir }) => oneport(['verify'], dataDir)));
    expect(first?.code).toBe(0);
    expect(second?.out).toBe(first?.out);
  });
});

describe.skipIf(!hasRedis)('a new node', () => {
  it('starts from nothing while the stream begins with its first entry, with the keys of the others', async () => {
    const redis = await startRedis();
    const a = await startNode(redis);
    await untilReady(a);
    const ann = await a.signIn('Ann');
    await ann.post('/api/rooms/lobby/messages', { data: 'one' });
    const b = await startNode(redis);
    await untilReady(b);
    expect(await (await at(b, ann).get('/api/rooms/lobby/messages')).json()).toMatchObject({ last: 1 });
    expect(b.server.epoch).toBe(a.server.epoch);
  });

  it('needs a backup when the beginning was deleted, and says so until then', async () => {
    const redis = await startRedis();
    const a = await startNode(redis);
    await untilReady(a);
    const ann = await a.signIn('Ann');
    await ann.post('/api/rooms/lobby/messages', { data: 'one' });
    const file = `${temporaryFolder()}/backup.db`;
    expect(await oneport(['backup', file], a.dataDir)).toMatchObject({ code: 0 });
    await ann.post('/api/rooms/lobby/messages', { data: 'two' });
    await redis.command('XTRIM', 'oneport:stream', 'MAXLEN', '1');
    const empty = await startNode(redis);
    await untilReady(empty, /restore a backup/);
    expect((await fetch(`${empty.origin}/signin`)).status).toBe(503);
    const dataDir = temporaryFolder();
    const restored = await oneport(['restore', file], dataDir, { REDIS_URL: redis.url });
    expect(restored).toMatchObject({ code: 0 });
    const b = await startNode(redis, { dataDir });
    await untilReady(b);
    expect(await (await at(b, ann).get('/api/rooms/lobby/messages')).json()).toMatchObject({ last: 2 });
  });

  it('says that it fell behind when the next entry was deleted', async () => {
    const redis = await startRedis();
    const [a, b] = await twoNodes(redis);
    const ann = await a.signIn('Ann');
    await ann.post('/api/rooms/lobby/messages', { data: 'one' });
    await b.stop();
    for (const data of ['two', 'three']) await ann.post('/api/rooms/lobby/messages', { data });
    await redis.command('XTRIM', 'oneport:stream', 'MAXLEN', '1');
    await untilReady(await startNode(redis, { dataDir: b.dataDir }), /fell behind/);
    await untilReady(a); // and stops nobody else
  });

  it('continues where it stopped', async () => {
    const redis = await startRedis();
    const [a, b] = await twoNodes(redis);
    const ann = await a.signIn('Ann');
    await b.stop();
    for (let n = 1; n <= 5; n++) await ann.post('/api/rooms/lobby/messages', { data: `m${n}` });
    const again = await startNode(redis, { dataDir: b.dataDir });
    await untilReady(again);
    expect(await (await at(again, ann).get('/api/rooms/lobby/messages')).json()).toMatchObject({ last: 5 });
  });

  it('takes over the data of a single server', async () => {
    const redis = await startRedis();
    const single = await startChat();
    const ann = await single.signIn('Ann');
    await ann.post('/api/rooms/lobby/messages', { data: 'one' });
    await single.stop();
    const a = await startNode(redis, { dataDir: single.dataDir });
    await untilReady(a);
    expect(a.server.epoch).toBe(single.server.epoch);
    expect((await at(a, ann).post('/api/rooms/lobby/messages', { data: 'two' })).status).toBe(201);
    await untilReady(await startNode(redis), /restore a backup/);
  });
});

describe('a node that stops', () => {
  it('says goodbye before it waits until everything is sent', async () => {
    const log: string[] = [];
    const shared: Partial<SharedOrder> = {
      publish: (text) => log.push(text),
      flush: async () => void log.push('flush'),
      end: () => log.push('end'),
    };
    const env = { PORT: '0', DATA_DIR: temporaryFolder(), REDIS_URL: 'redis://127.0.0.1:1' };
    const server = createServer(readConfig(env), {
      logger: pino({ level: 'silent' }),
      createSequencer: () => ({ submit() {}, close: async () => {}, shared: shared as SharedOrder }), // all that is used
    });
    await server.close();
    expect(log).toEqual(['[["bye"]]', 'flush', 'end']);
  });
});

describe('one process', () => {
  it('has a role and a position, and never waits', async () => {
    const chat = await startChat();
    const before = await readiness(chat);
    expect(before).toMatchObject({ ready: true, role: 'single', behind: 0 });
    const ann = await chat.signIn('Ann');
    const posted = await ann.post('/api/rooms/lobby/messages', { data: 'one' });
    expect(posted.headers.get('Oneport-Position')).toBe((await readiness(chat)).position);
    const { epoch } = await (await ann.enters('lobby')).sees({ type: 'hello' });
    const ahead = await ann.enters('lobby', { query: `?after=9&epoch=${String(epoch)}` });
    expect(await ahead.sees({ type: 'hello' })).toMatchObject({ complete: false });
    const page = await fetch(`${chat.origin}/api/rooms`, {
      headers: { cookie: ann.cookie, 'Oneport-Position': '99999999999999-0' },
    });
    expect(page.status).toBe(200);
  });
});
