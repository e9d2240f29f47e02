// @ts-check
/** Several servers that share a Redis: what the way through it adds, what it saves, and what happens without it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pause } from '../load/clock.js';
import { stampedText } from '../load/stamp.js';
import { cpuOf } from '../proc.js';
import { Redis } from '../redis.js';
import { Client } from '../restart/client.js';
import { oneport } from '../restart/tongues.js';
import { SESSION_KEY } from '../server.js';
import { latencies, Stage } from '../stage.js';
import { onStage } from './case.js';
import { throughput } from './throughput.js';

/** @typedef {import('./case.js').Case} Case */
/** @typedef {import('../load/load.js').Load} Load */
/** @typedef {import('../server.js').Ground} Ground */

const HALL = ['hall'];
const run = promisify(execFile);

const HOP_RATE = 500;
const HOP_TALKERS = 10;

/**
 * Some talk at the first server, others listen at the last one.
 * @param {Stage} stage @param {number} seconds
 */
async function acrossServers(stage, seconds) {
  const at = stage.servers.length - 1;
  const { load: readers } = await stage.enter(
    { from: HOP_TALKERS, count: HOP_TALKERS, rooms: HALL, sampleEvery: 1, watchEvery: 1 },
    { at },
  );
  const { load: speakers } = await stage.enter({ count: HOP_TALKERS, rooms: HALL });
  await speakers.call('talk', { talkers: HOP_TALKERS, first: 1, rate: HOP_RATE, window: 200 });
  await pause(2000);
  await readers.call('record', true);
  await pause(seconds * 1000);
  await readers.call('record', false);
  await speakers.call('hush');
  const { p50, p99 } = await latencies([readers]);
  await pause(500);
  await stage.assertWhole([readers, speakers]);
  return { p50, p99 };
}

/** @type {Case} */
export const hop = {
  name: 'hop',
  title: () => `${HOP_RATE} messages/s on node A, seen on node B; beside one server without Redis`,
  subjects: ['oneport'],
  people: () => 2 * HOP_TALKERS,
  columns: [
    ['p50', 'p50 ms'],
    ['p99', 'p99 ms'],
    ['aloneP50', 'one server: p50 ms'],
    ['aloneP99', 'p99 ms'],
    ['addedP50', 'added p50 ms'],
    ['addedP99', 'added p99 ms'],
    ['nodeP50', 'one node: p50 ms'],
    ['nodeP99', 'p99 ms'],
  ],
  goals: [
    { metric: 'addedP50', most: 3, text: 'added p50 ms' },
    { metric: 'addedP99', most: 15, text: 'added p99 ms' },
  ],
  run: async (ground, subject, scale) => {
    const free = { ...ground, cores: { server: undefined, load: undefined } }; // two nodes on one core wait for each other
    const at = (/** @type {number} */ count) =>
      onStage((stage, { seconds }) => acrossServers(stage, seconds), { nodes: count })(free, subject, scale);
    const [alone, node, two] = [await at(0), await at(1), await at(2)];
    const value = (/** @type {import('./case.js').Metrics} */ metrics, /** @type {string} */ key) =>
      metrics[key] ?? Number.NaN;
    return {
      ...two,
      aloneP50: value(alone, 'p50'),
      aloneP99: value(alone, 'p99'),
      nodeP50: value(node, 'p50'),
      nodeP99: value(node, 'p99'),
      addedP50: value(two, 'p50') - value(alone, 'p50'),
      addedP99: value(two, 'p99') - value(alone, 'p99'),
    };
  },
};

const EACH = 500;
const SPEAKERS = 10;
const NODES_RATE = 1000;

/** @type {Case} */
export const nodes = {
  name: 'nodes',
  title: () => `2 nodes with ${EACH} people each in one room, ${NODES_RATE} messages/s are offered`,
  subjects: ['oneport', 'socketio'],
  people: () => 2 * EACH,
  columns: [
    ['delivered', 'deliveries/s'],
    ['cpuUs', 'CPU µs each'],
    ['p50', 'p50 ms'],
    ['p99', 'p99 ms'],
    ['sent', 'sent/s'],
    ['serverBusy', 'servers and Redis %'],
    ['missing', 'missing'],
  ],
  ratio: 'cpuUs',
  goals: [
    { metric: 'missing', most: 0, text: 'all delivered' },
    {
      metric: 'cpuUs',
      against: 'socketio',
      most: 0.2,
      text: 'CPU per delivery ÷ Socket.IO with Redis Streams',
    },
  ],
  run: async (ground, subject, scale) => {
    // Socket.IO keeps its messages in a Redis without a file, as its documentation has it
    const redis = subject === 'oneport' ? undefined : [];
    return onStage(playNodes, { nodes: 2, ...(redis && { redis }) })(ground, subject, scale);
  },
};

/** @param {Stage} stage @param {import('./case.js').Scale} scale */
async function playNodes(stage, { seconds }) {
  const watchEvery = stage.server.subject === 'oneport' ? 50 : 0; // each server of Socket.IO counts by itself
  const people = { rooms: HALL, watchEvery };
  const half = { ...people, count: EACH - SPEAKERS / 2 };
  const a = await stage.enter({ ...half, from: SPEAKERS }, { yields: true });
  const b = await stage.enter({ ...half, from: SPEAKERS + half.count }, { yields: true, at: 1 });
  const speakers = [
    await stage.enter({ ...people, count: SPEAKERS / 2 }),
    await stage.enter({ ...people, count: SPEAKERS / 2, from: SPEAKERS / 2 }, { at: 1 }),
  ].map(({ load }) => load);
  const { heard, ...result } = await throughput(stage, {
    loads: [a.load, b.load, ...speakers],
    speakers,
    speech: { talkers: SPEAKERS / 2, first: 1, rate: NODES_RATE / 2, window: 50 },
    hearers: 2 * EACH,
    seconds,
  });
  return result;
}

const DOWN_MS = 10_000;
const CALM_MS = 3000;
/** Milliseconds for what had already come from Redis when it died. */
const IN_FLIGHT_MS = 100;
const WRITERS = 4;
const READERS = 4;
const PATIENCE_MS = 30_000;

/** @type {Case} */
export const outage = {
  name: 'outage',
  title: () => `Redis is killed for ${DOWN_MS / 1000} s while ${WRITERS} people write to 2 nodes`,
  subjects: ['oneport'],
  people: () => WRITERS + READERS,
  columns: [
    ['acknowledged', 'acknowledged'],
    ['meanwhile', 'of them meanwhile'],
    ['waited', 'waiting at its return'],
    ['wholeMs', 'all shown after ms'],
    ['twice', 'shown twice'],
    ['missed', 'missed'],
  ],
  goals: [
    { metric: 'meanwhile', most: 0, text: 'acknowledged while Redis was gone' },
    { metric: 'twice', most: 0, text: 'shown twice' },
    { metric: 'missed', most: 0, text: 'acknowledged and not shown' },
    { metric: 'wholeMs', most: 3000, text: 'ms until everyone has everything that waited' },
  ],
  run: onStage(
    async (stage) => {
      const clients = cast(stage);
      for (const client of clients) client.connect();
      await until(() => clients.every(({ inside }) => inside));
      try {
        return await playOutage(stage, clients.slice(0, WRITERS), clients);
      } finally {
        for (const client of clients) client.end();
      }
    },
    { nodes: 2 },
  ),
};

/** Writers, then readers; the nodes in turn. @param {Stage} stage */
function cast(stage) {
  const cookies = JSON.parse(readFileSync(stage.ground.cookies.oneport, 'utf8'));
  return Array.from({ length: WRITERS + READERS }, (_, i) => {
    const { port } = stage.servers[i % stage.servers.length] ?? stage.server;
    return new Client(port, cookies[i], oneport, oneport.wait, `w${i}m`);
  });
}

/** @param {Stage} stage @param {Client[]} writers @param {Client[]} everyone */
async function playOutage({ redis }, writers, everyone) {
  let meanwhile = 0;
  let isGone = false;
  for (const writer of writers) {
    writer.onAcknowledged = () => {
      if (isGone) meanwhile++;
    };
    writer.talk();
  }
  await pause(CALM_MS);
  await redis?.kill();
  await pause(IN_FLIGHT_MS);
  isGone = true;
  await pause(DOWN_MS - IN_FLIGHT_MS);
  isGone = false; // it answers nobody before the line below ends, but others may be first
  await redis?.start();
  const back = performance.now();
  const waiting = writers.flatMap(({ unacknowledged }) => [...unacknowledged.values()]);
  await until(() => everyone.every(({ shown }) => waiting.every((text) => shown.has(text))));
  const wholeMs = performance.now() - back;
  await pause(CALM_MS);
  for (const writer of writers) writer.hush();
  await until(() => writers.every(({ unacknowledged }) => unacknowledged.size === 0));
  await pause(500);
  const acknowledged = writers.flatMap((writer) => [...writer.acknowledged]);
  const times = everyone.flatMap(({ shown }) => acknowledged.map((text) => shown.get(text) ?? 0));
  return {
    acknowledged: acknowledged.length,
    meanwhile,
    waited: waiting.length,
    wholeMs,
    twice: times.filter((count) => count > 1).length,
    missed: times.filter((count) => count === 0).length,
  };
}

/** @param {() => boolean} check */
async function until(check) {
  for (const end = Date.now() + PATIENCE_MS; !check(); await pause(5))
    if (Date.now() > end) throw new Error('waited in vain');
}

const MESSAGES = 1_000_000;
const FEW = 100_000;
/** Messages of an entry, as those of a busy node have. */
const FILL_BATCH = 500;
const ROOMS = Array.from({ length: 100 }, (_, i) => `room${i}`);
const FILL_MS = 300_000;
const READY_MS = 180_000;
/** No folder to begin with. */
const EMPTY = '';

/** @type {Case} */
export const newNode = {
  name: 'new-node',
  title: ({ quick }) =>
    `a new node, with ${(quick ? FEW : MESSAGES).toLocaleString('en')} messages in the stream`,
  subjects: ['oneport'],
  people: () => 1,
  columns: [
    ['readyMs', 'ready after ms'],
    ['readyCpuMs', 'CPU ms'],
    ['entries', 'entries'],
    ['redisMb', 'Redis MB'],
    ['backupMs', 'backup ms'],
    ['restoreMs', 'restore ms'],
    ['restoredMs', 'from a backup: ready after ms'],
  ],
  goals: [
    { metric: 'readyMs', most: 30_000, text: 'ms until a new node is ready' },
    { metric: 'restoredMs', most: 3000, text: 'ms until a node with a backup is ready' },
  ],
  run: (ground, subject, scale) => {
    const free = { ...ground, cores: { server: undefined, load: undefined } };
    const play = (/** @type {Stage} */ stage) => playNewNode(stage, scale.quick ? FEW : MESSAGES);
    // the stream has everything since the beginning: the people are known by their cookies alone
    return onStage(play, { nodes: 1, data: EMPTY })(free, subject, scale);
  },
};

/** @param {Stage} stage @param {number} messages */
async function playNewNode(stage, messages) {
  stage.ground.say(`  ${messages.toLocaleString('en')} messages are written`);
  await fillStream(stage, messages);
  const { redis } = stage;
  const entries = Number(await redis?.command('XLEN', 'oneport:stream'));
  const memory = (await redis?.command('INFO', 'memory')) ?? '';
  const redisMb = Number(/used_memory:(\d+)/.exec(memory)?.[1]) / 2 ** 20;
  const { ms: readyMs, cpuMs: readyCpuMs } = await joined(stage, EMPTY);
  const backup = await restored(stage);
  const { ms: restoredMs } = await joined(stage, backup.folder);
  return { readyMs, readyCpuMs, entries, redisMb, ...backup.times, restoredMs };
}

/** Appends messages of 100 people in 100 rooms, as another node would, and waits until the first node has them. @param {Stage} stage @param {number} messages */
async function fillStream({ ground, redis, server }, messages) {
  const { openRedis } = await import(join(ground.product, 'dist/sequencer/redis.js'));
  const link = await openRedis(redis?.url ?? '');
  const { epoch } = await link.state();
  for (let from = 0; from < messages; from += FILL_BATCH) {
    const commands = Array.from({ length: FILL_BATCH }, (_, i) => commandOf(from + i));
    const batch = { node: 'fill', n: from / FILL_BATCH + 1, version: 1, commands: JSON.stringify(commands) };
    const { kind } = await link.append({ epoch, read: '0-0', ...batch });
    if (kind !== 'appended') throw new Error(`the append was answered with ${kind}`);
  }
  link.destroy();
  const readyz = `http://127.0.0.1:${server.port}/readyz`;
  for (const end = Date.now() + FILL_MS; Date.now() < end; await pause(100)) {
    const { ready, behind } = JSON.parse(await (await fetch(readyz)).text());
    if (ready && behind === 0) return;
  }
  throw new Error('the first node has not applied what was written');
}

/** The i-th message, as it stands in the stream. @param {number} i */
function commandOf(i) {
  const number = String(i % ROOMS.length).padStart(5, '0');
  return {
    ...{
      kind: 'message',
      room: ROOMS[i % ROOMS.length],
      user: { id: `id${number}`, name: `p${number}` },
      at: 0,
    },
    ...{
      data: stampedText(i % ROOMS.length),
      cid: `01995f2a4c30-${i}`,
      salt: '0123456789abcdef0123456789abcdef',
    },
  };
}

/** A node that begins with this folder, until it is ready. @param {Stage} stage @param {string} data */
async function joined(stage, data) {
  const server = await stage.add('oneport', { data, readyMs: READY_MS });
  const ms = server.readyAfterMs;
  const cpuMs = cpuOf(server.pid) / 1000;
  await stage.remove(server);
  return { ms, cpuMs };
}

/** A backup of the first node, restored into a new folder. @param {Stage} stage */
async function restored({ ground, server, redis }) {
  const folder = mkdtempSync(join(ground.work, 'restored-'));
  const file = join(folder, 'backup.db');
  const data = join(folder, 'data');
  const command = (/** @type {string} */ name, /** @type {string} */ dataDir) => {
    const env = { ...process.env, DATA_DIR: dataDir, REDIS_URL: redis?.url, SESSION_KEYS: SESSION_KEY };
    return timed(() => run(process.execPath, [join(ground.product, 'dist', 'main.js'), name, file], { env }));
  };
  const backupMs = await command('backup', server.folder);
  const restoreMs = await command('restore', data);
  return { folder: data, times: { backupMs, restoreMs } };
}

/** @param {() => Promise<unknown>} work @returns {Promise<number>} milliseconds */
async function timed(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

const SYNCS = /** @type {const} */ (['always', 'everysec']);
const SIZES = [1, 20, 1000];
/** Batches under way, as a node has them (src/sequencer/shared.ts). */
const UNANSWERED = 4;
const STREAM_MS = 3000;

/** @type {Case} */
export const stream = {
  name: 'stream',
  title: () => `what one Redis takes: batches of ${SIZES.join(', ')} messages, ${UNANSWERED} under way`,
  subjects: ['oneport'],
  people: () => 1,
  columns: SYNCS.flatMap((sync) =>
    SIZES.map((size) => /** @type {const} */ ([`${sync}${size}`, `${sync}, ${size}: messages/s`])),
  ),
  goals: [],
  run: async (ground) => {
    const { openRedis } = await import(join(ground.product, 'dist/sequencer/redis.js'));
    /** @type {import('./case.js').Metrics} */
    const metrics = {};
    for (const sync of SYNCS) {
      const redis = await Redis.start(ground, ['--appendonly', 'yes', '--appendfsync', sync]);
      const link = await openRedis(redis.url);
      try {
        await link.begin({ epoch: 'bench', sessionKey: '', instance: '' }, '');
        for (const size of SIZES) metrics[`${sync}${size}`] = await appended(link, size);
      } finally {
        link.destroy();
        await redis.stop();
      }
    }
    return metrics;
  },
};

/**
 * Appends batches as a node does. @param {{ append: (batch: object) => Promise<{ kind: string }> }} link @param {number} size
 * @returns {Promise<number>} messages a second
 */
async function appended(link, size) {
  const commands = JSON.stringify(Array.from({ length: size }, (_, i) => commandOf(i)));
  const node = `node${size}`;
  let [n, done] = [0, 0];
  const from = performance.now();
  const appendOn = async () => {
    while (performance.now() - from < STREAM_MS) {
      const { kind } = await link.append({ epoch: 'bench', read: '0-0', node, n: ++n, version: 1, commands });
      if (kind !== 'appended') throw new Error(`the append was answered with ${kind}`);
      done += size;
    }
  };
  await Promise.all(Array.from({ length: UNANSWERED }, appendOn));
  return (done / (performance.now() - from)) * 1000;
}
