/** What becomes of nodes when Redis is down, frozen, full, read-only, flushed or set back. */
import { describe, expect, it } from 'vitest';
import { comparePositions } from '../../src/sequencer/positions.js';
import { openRedis } from '../../src/sequencer/redis.js';
import { databaseFile } from '../../src/store/database.js';
import { readHistory } from '../../src/store/store.js';
import { oneport } from '../cli/commands.js';
import { type Chat, hasTool, stopClock, temporaryFolder, type Visitor } from '../harness.js';
import { spawnServer, startServer } from '../process.js';
import {
  at,
  readiness,
  startNode,
  startRedis,
  type TestRedis,
  twoNodes,
  untilEqual,
  untilEqualFor,
  untilReady,
} from '../redis.js';

const hasRedis = hasTool('redis-server') && hasTool('redis-cli');
const messages = '/api/rooms/lobby/messages';

/** The last position that an answer to a post gave, so that reading waits for it. */
let position = '0-0';

/** What everyone can read in the lobby of a node. */
async function read(node: Chat, { cookie }: Visitor): Promise<string[]> {
  const headers = { cookie, 'Oneport-Position': position };
  const page = await fetch(`${node.origin}${messages}?after=0&limit=500`, { headers });
  expect(page.status).toBe(200);
  return ((await page.json()) as { messages: { data: string }[] }).messages.map(({ data }) => data);
}

async function post(node: Chat, author: Visitor, data: string): Promise<number> {
  const answer = await at(node, author).post(messages, { data, cid: data.replaceAll(' ', '-') });
  const reached = answer.headers.get('Oneport-Position') ?? position;
  if (comparePositions(reached, position) > 0) position = reached; // an answer may overtake an earlier one
  return answer.status;
}

/** Posts until it is stored, as the page does. */
async function postUntilStored(node: Chat, author: Visitor, data: string): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    if ((await post(node, author, data)) < 300) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${data} is not stored`);
}

/** Two nodes and a person with one message, which both have. */
async function chatOf(redis: TestRedis, env = {}) {
  const [a, b] = await twoNodes(redis, env);
  const ann = await a.signIn('Ann');
  position = '0-0';
  expect(await post(a, ann, 'one')).toBe(201);
  await untilEqual([a, b]);
  return { a, b, ann };
}

describe.skipIf(!hasRedis)('Redis', () => {
  it('may die and come back: what waited is stored once, and nothing that was acknowledged is lost', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    await redis.kill();
    await untilReady(a, /Redis is unavailable/);
    const waiting = ['w1', 'w2', 'w3'].map((data) => postUntilStored(b, ann, data));
    expect(await read(a, ann)).toEqual(['one']); // reading goes on
    await redis.start();
    await Promise.all([untilReady(a), untilReady(b)]);
    await Promise.all(waiting);
    await postUntilStored(a, ann, 'two');
    for (const node of [a, b])
      expect([...(await read(node, ann))].sort()).toEqual(['one', 'two', 'w1', 'w2', 'w3']);
  });

  it('may be gone for long: commands are refused, also later ones, and nothing is stored', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    await redis.kill();
    await untilReady(a, /Redis is unavailable/);
    expect(await post(a, ann, 'lost')).toBe(503);
    stopClock(); // the first one waited for 5 s
    expect(await post(a, ann, 'lost too')).toBe(503);
    expect(await read(b, ann)).toEqual(['one']);
    await redis.start();
    await untilReady(a);
    await postUntilStored(a, ann, 'two');
    expect(await read(a, ann)).toEqual(['one', 'two']);
  });

  it('may freeze: nothing is acknowledged meanwhile, the server answers, and a retry is stored once', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    redis.freeze();
    const refused = await Promise.all(['f1', 'f2'].map((data) => post(a, ann, data)));
    expect(refused).toEqual([503, 503]);
    expect((await fetch(`${a.origin}/healthz`)).status).toBe(200);
    await untilReady(a, /Redis (is unavailable|does not answer)/);
    redis.thaw();
    await untilReady(a);
    await Promise.all(['f1', 'f2'].map((data) => postUntilStored(b, ann, data)));
    expect([...(await read(a, ann))].sort()).toEqual(['f1', 'f2', 'one']);
  });

  it('may be full or read-only: messages are refused, readyz says why, and it recovers', async () => {
    const redis = await startRedis();
    const { a, ann } = await chatOf(redis);
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    expect(await post(a, ann, 'too much')).toBe(503);
    await untilReady(a, /Redis refuses to write: .*OOM/);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await untilReady(a);
    await postUntilStored(a, ann, 'two');
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    expect(await post(a, ann, 'three')).toBe(503);
    await untilReady(a, /NOREPLICAS/);
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    await untilReady(a);
    await postUntilStored(a, ann, 'three');
    await redis.command('REPLICAOF', '127.0.0.1', '1');
    expect(await post(a, ann, 'four')).toBe(503);
    await untilReady(a, /READONLY/);
    await redis.command('REPLICAOF', 'NO', 'ONE');
    await untilReady(a);
    await postUntilStored(a, ann, 'four');
    const stored = (await read(a, ann)).filter((data) => data !== 'too much'); // which may have been stored later
    expect(stored).toEqual(['one', 'two', 'three', 'four']);
  });

  it('may forget its scripts and hold junk: both are overcome', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    await redis.command('SCRIPT', 'FLUSH');
    await redis.command('XADD', 'oneport:stream', '*', 'what', 'junk');
    await redis.command('DEL', 'oneport:nodes');
    await postUntilStored(a, ann, 'two');
    await redis.command('XADD', 'oneport:stream', '*', 'prev', '0-0', 'seq', 'x');
    await postUntilStored(b, ann, 'three');
    expect(await read(a, ann)).toEqual(['one', 'two', 'three']);
    await untilReady(a);
    const metrics = await (await fetch(`${a.origin}/metrics`)).text();
    expect(metrics).toMatch(/^oneport_stream_junk_total 2$/m);
    expect(metrics).toMatch(/^oneport_stream_failing 0$/m);
  });

  it('may cut its connections at any time: every message is stored once, in one order', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    const all = Array.from({ length: 100 }, (_, n) => `m${n}`);
    const writing = all.map((data, n) => postUntilStored(n % 2 === 0 ? a : b, ann, data));
    let isDone = false;
    const everything = Promise.all(writing).then(() => {
      isDone = true;
    });
    for (let cuts = 0; !isDone && cuts < 10; cuts++) {
      await redis.command('CLIENT', 'KILL', 'TYPE', cuts % 3 === 0 ? 'pubsub' : 'normal');
      await new Promise((resolve) => setTimeout(resolve, 30 * cuts)); // cuts that fall into different moments
    }
    await everything;
    await untilEqual([a, b]);
    const stored = await read(a, ann);
    expect([...stored].sort()).toEqual(['one', ...all].sort());
    expect(await read(b, ann)).toEqual(stored);
    const heads = await Promise.all([a, b].map(({ dataDir }) => oneport(['verify'], dataDir)));
    expect(heads[0]?.code).toBe(0);
    expect(heads[1]?.out).toBe(heads[0]?.out);
  });

  it('holds no text that is older than STREAM_HOURS, in its stream and its append-only file', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    await postUntilStored(a, ann, 'a-secret');
    expect(redis.holds('a-secret')).toBe(true);
    await untilEqual([a, b]); // both have read it
    const since = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 500)); // Redis has its own clock, and the next entry must be younger
    await postUntilStored(b, ann, 'two');
    await untilEqual([a, b]);
    const link = await openRedis(redis.url);
    await link.trim((Date.now() - since) / 3_600_000); // drops an entry, and keeps its neighbour
    link.destroy();
    await expect.poll(() => redis.holds('a-secret')).toBe(false);
    await postUntilStored(b, ann, 'three');
    expect(await read(a, ann)).toEqual(['one', 'a-secret', 'two', 'three']);
  });

  it('may be flushed: all nodes refuse until new-epoch, then go on with the next number', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    const sockets = [await ann.enters('lobby'), await at(b, ann).enters('lobby')];
    const before = a.server.epoch;
    await untilEqualFor(ann, [a, b]); // new-epoch goes on with what all have
    await redis.command('FLUSHALL');
    for (const node of [a, b]) await untilReady(node, /run new-epoch/);
    expect(await post(a, ann, 'refused')).toBe(503);
    await untilReady(await startNode(redis), /run new-epoch/); // and nobody begins a second history
    expect(await oneport(['new-epoch'], b.dataDir, { REDIS_URL: redis.url })).toMatchObject({ code: 0 });
    for (const node of [a, b]) await untilReady(node);
    expect(await Promise.all(sockets.map(({ closed }) => closed))).toEqual([4510, 4510]);
    expect([a.server.epoch === before, a.server.epoch === b.server.epoch]).toEqual([false, true]);
    expect(await post(a, ann, 'two')).toBe(201);
    expect(await read(b, ann)).toEqual(['one', 'two']);
    const room = await at(b, ann).enters('lobby', { query: `?after=1&epoch=${before}` });
    expect(await room.sees({ type: 'hello' })).toMatchObject({ complete: false, last: 2 });
    expect(await oneport(['new-epoch'], b.dataDir, { REDIS_URL: redis.url })).toMatchObject({ code: 1 });
  });

  it('may be flushed and begun anew at once: nobody stops the new stream', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    const { sessionKey, instance, digest } = readHistory(databaseFile(b.dataDir));
    const link = await openRedis(redis.url);
    await redis.command('FLUSHALL');
    await link.replace({ epoch: 'another', sessionKey, instance }, digest);
    link.destroy();
    await postUntilStored(a, ann, 'two');
    await untilEqual([a, b]);
    expect([a.server.epoch, b.server.epoch]).toEqual(['another', 'another']);
    expect(await read(b, ann)).toEqual(['one', 'two']);
  });

  it('may lose its newest entries: the node that has them stops all, and none is numbered twice', async () => {
    const redis = await startRedis();
    const { a, b, ann } = await chatOf(redis);
    await redis.kill();
    const setBack = redis.snapshot();
    await redis.start();
    for (const node of [a, b]) await untilReady(node);
    await postUntilStored(a, ann, 'two');
    expect(await read(b, ann)).toEqual(['one', 'two']);
    await redis.kill();
    setBack();
    await redis.start();
    for (const node of [a, b]) await untilReady(node, /run new-epoch/);
    expect(await post(a, ann, 'refused')).toBe(503);
    expect(await oneport(['new-epoch'], a.dataDir, { REDIS_URL: redis.url })).toMatchObject({ code: 0 });
    for (const node of [a, b]) await untilReady(node);
    await postUntilStored(b, ann, 'three');
    expect(await read(a, ann)).toEqual(['one', 'two', 'three']);
  });

  it('may have a replica that every message has to reach before anyone sees it', async () => {
    const redis = await startRedis(['--repl-diskless-sync-delay', '0']);
    const env = { REDIS_WAIT_REPLICAS: '1' };
    const replica = await startRedis(['--replicaof', '127.0.0.1', String(redis.port)]);
    await expect.poll(() => redis.command('INFO', 'replication')).toContain('state=online');
    const { a, b, ann } = await chatOf(redis, env);
    const room = await at(b, ann).enters('lobby');
    expect(await post(a, ann, 'two')).toBe(201);
    await room.sees({ type: 'chat', data: 'two' });
    await replica.kill();
    expect(await post(a, ann, 'three')).toBe(503);
    await untilReady(a, /0 of 1 replicas/);
    expect(await read(b, ann)).toEqual(['one', 'two']);
    await replica.start();
    await untilReady(a);
    await postUntilStored(a, ann, 'three');
    expect(await read(b, ann)).toEqual(['one', 'two', 'three']);
  });
});

describe.skipIf(!hasRedis)('a node', () => {
  it('starts without Redis, says so, and joins when it is there', async () => {
    const redis = await startRedis();
    await redis.kill();
    const node = await startNode(redis);
    const { ready, reasons } = await readiness(node);
    expect([ready, reasons.length > 0]).toEqual([false, true]);
    expect((await fetch(`${node.origin}/healthz`)).status).toBe(200);
    await redis.start();
    await untilReady(node);
    const ann = await node.signIn('Ann');
    expect(await post(node, ann, 'one')).toBe(201);
  });

  it('exits with 78 when Redis refuses its password, without printing it', async () => {
    const redis = await startRedis(['--requirepass', 'right']);
    const server = spawnServer({ env: { REDIS_URL: `redis://:wrong@127.0.0.1:${redis.port}` } });
    expect(await server.exited).toBe(78);
    expect(server.errors()).toMatch(/Redis refuses the user or password/);
    expect(server.errors()).not.toMatch(/wrong@/);
  });

  it('may be killed at any time: another one has everything that it acknowledged', async () => {
    const redis = await startRedis();
    const b = await startNode(redis);
    await untilReady(b);
    const ann = await b.signIn('Ann');
    const acknowledged: string[] = [];
    const dataDir = `${temporaryFolder()}/data`;
    for (let round = 0; round < 2; round++) {
      const server = await startServer({
        env: { REDIS_URL: redis.url, DATA_DIR: dataDir, LOG_LEVEL: 'fatal' },
      });
      await untilReady(server);
      const writing = Array.from({ length: 30 }, async (_, n) => {
        const data = `r${round}-${n}`;
        const answer = await fetch(server.origin + messages, {
          method: 'POST',
          headers: { cookie: ann.cookie, 'content-type': 'application/json' },
          body: JSON.stringify({ data, cid: `cid-${data}` }),
        }).catch(() => undefined);
        if (answer?.status === 201) acknowledged.push(data);
        if (acknowledged.length > 10 * (round + 1)) server.child.kill('SIGKILL');
      });
      await Promise.all(writing);
      server.child.kill('SIGKILL');
      await server.exited;
    }
    const last = await startServer({ env: { REDIS_URL: redis.url, DATA_DIR: dataDir } });
    await untilEqual([last, b]);
    const stored = await read(b, ann);
    expect(acknowledged.filter((data) => !stored.includes(data))).toEqual([]);
    expect(new Set(stored).size).toBe(stored.length);
    const env = { REDIS_URL: redis.url };
    const heads = await Promise.all([b.dataDir, dataDir].map((dir) => oneport(['verify'], dir, env)));
    expect(heads[1]?.out).toBe(heads[0]?.out);
  }, 120_000);

  it('warns of a Redis that keeps less than it promises', async () => {
    const redis = await startRedis([]);
    const server = await startServer({
      env: { REDIS_URL: redis.url, DATA_DIR: `${temporaryFolder()}/data` },
    });
    await untilReady(server);
    await expect.poll(server.errors).toMatch(/appendonly is no/);
    await expect.poll(server.errors).toMatch(/stream-node-max-entries is 100/);
  });
});
