/** Three nodes as processes, and everything that can end or stall, one after the other, while people write. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { oneport } from '../cli/commands.js';
import { Door, hasTool, temporaryFolder, Visitor } from '../harness.js';
import { type RunningServer, startServer } from '../process.js';
import { startRedis, type TestRedis, untilEqual } from '../redis.js';

const hasRedis = hasTool('redis-server') && hasTool('redis-cli');

class Cluster {
  readonly #redis: TestRedis;
  readonly folders = [0, 1, 2].map((n) => `${temporaryFolder()}/node${n}`);
  readonly nodes: RunningServer[] = [];

  constructor(redis: TestRedis) {
    this.#redis = redis;
  }

  async start(n: number): Promise<void> {
    const env = { REDIS_URL: this.#redis.url, DATA_DIR: this.folders[n] ?? '', LOG_LEVEL: 'fatal' };
    this.nodes[n] = await startServer({ env });
  }

  async stop(n: number, signal: NodeJS.Signals): Promise<void> {
    this.nodes[n]?.child.kill(signal);
    await this.nodes[n]?.exited;
  }
}

/** Posts with one cid to any node until one of them has stored it. Returns the number of the message. */
async function postSomewhere(cluster: Cluster, { cookie, user }: Visitor, data: string): Promise<number> {
  const end = Date.now() + 60_000;
  for (let tries = 0; Date.now() < end; tries++) {
    const node = cluster.nodes[tries % 3];
    if (!node) continue;
    const author = new Visitor(new Door(node.port), user, cookie);
    const answer = await author.post('/api/rooms/lobby/messages', { data, cid: data }).catch(() => undefined);
    const body = (await answer?.json().catch(() => undefined)) as { id: number } | undefined;
    if (answer?.ok && body) return body.id;
    await sleep(20);
  }
  throw new Error(`${data} is not stored`);
}

describe.skipIf(!hasRedis)('three nodes', () => {
  it('lose, repeat and reorder nothing while nodes and Redis are killed, frozen and cut off', async () => {
    const redis = await startRedis();
    const cluster = new Cluster(redis);
    for (const n of [0, 1, 2]) await cluster.start(n);
    await untilEqual(cluster.nodes);
    const ann = await new Door(cluster.nodes[0]?.port ?? 0).signIn('Ann');
    const acknowledged = new Map<string, number>();
    let isOver = false;
    const writers = ['a', 'b', 'c'].map(async (writer) => {
      for (let n = 0; !isOver; n++)
        acknowledged.set(`${writer}${n}`, await postSomewhere(cluster, ann, `${writer}${n}`));
    });
    const faults: readonly (() => unknown)[] = [
      () => cluster.stop(1, 'SIGKILL').then(() => cluster.start(1)),
      () => redis.kill().then(() => redis.start()),
      () => redis.command('CLIENT', 'KILL', 'TYPE', 'normal'),
      () => redis.freeze(),
      () => sleep(3000),
      () => redis.thaw(),
      () => cluster.stop(2, 'SIGTERM').then(() => cluster.start(2)),
      () => redis.kill(),
      () => cluster.stop(0, 'SIGKILL').then(() => cluster.start(0)),
      () => redis.start(),
    ];
    for (const fault of faults) {
      const before = acknowledged.size;
      await fault();
      for (let tries = 0; acknowledged.size < before + 10 && tries < 50; tries++) await sleep(20);
    }
    isOver = true;
    await Promise.all(writers);
    await untilEqual(cluster.nodes);
    const last = Math.max(...acknowledged.values());
    expect([...acknowledged.values()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: last }, (_, n) => n + 1),
    );
    const heads = await Promise.all(cluster.folders.map((folder) => oneport(['verify'], folder)));
    expect(heads.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(new Set(heads.map(({ out }) => out)).size).toBe(1);
    expect(heads[0]?.out).toMatch(new RegExp(`^lobby ${last} `, 'm'));
  }, 180_000);
});
