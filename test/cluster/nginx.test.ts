/** deploy/nodes.nginx.conf in nginx, before two nodes. Only names and ports are changed. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Door, hasTool, temporaryFolder, Visitor } from '../harness.js';
import { freePort, ROOT, untilListening } from '../process.js';
import { readiness, startNode, startRedis, twoNodes, untilReady } from '../redis.js';

const hasTools = ['nginx', 'redis-server', 'redis-cli'].every(hasTool);

async function startNginx(nodes: readonly { readonly port: number }[]): Promise<Door> {
  const [folder, port] = [temporaryFolder(), await freePort()];
  mkdirSync(join(folder, 'logs'));
  const text = readFileSync(join(ROOT, 'deploy/nodes.nginx.conf'), 'utf8')
    .replaceAll('8080', `127.0.0.1:${port}`)
    .replaceAll('/tmp/oneport-nginx', join(folder, 'nginx'))
    .replace(/node(\d):3000/g, (_, n: string) => `127.0.0.1:${nodes[Number(n) - 1]?.port}`);
  writeFileSync(join(folder, 'nginx.conf'), text);
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', 'daemon off;'];
  const nginx = spawn('nginx', args, { stdio: 'ignore' });
  onTestFinished(() => {
    nginx.kill('SIGTERM');
  });
  await untilListening(port);
  return new Door(port);
}

function through(door: Door, { user, cookie }: Visitor): Visitor {
  return new Visitor(door, user, cookie);
}

describe.skipIf(!hasTools)('nginx before several nodes', () => {
  it('spreads sockets without stickiness, and passes by nodes that are not ready', async () => {
    const redis = await startRedis();
    const [a, b] = await twoNodes(redis);
    await redis.command('XTRIM', 'oneport:stream', 'MAXLEN', '0');
    const stale = await startNode(redis);
    await untilReady(stale, /restore a backup/);
    const door = await startNginx([a, b, stale]);
    const people = [];
    for (let n = 0; n < 4; n++) people.push(through(door, await a.signIn(`Person ${n}`)));
    const sockets = await Promise.all(people.map((person) => person.enters('lobby')));
    sockets[0]?.says('hello');
    for (const socket of sockets) await socket.sees({ type: 'chat', data: 'hello', id: 1 });
    for (const person of people) expect((await person.get('/api/me')).status).toBe(200);
    expect((await readiness(stale)).ready).toBe(false);
  });

  it('lets clients of a node that stops resume at another one by number', async () => {
    const [a, b] = await twoNodes(await startRedis());
    const door = await startNginx([a, b, a]);
    const [ann, bob] = [await door.signIn('Ann'), await door.signIn('Bob')];
    const sockets = [await ann.enters('lobby'), await bob.enters('lobby'), await ann.enters('lobby')];
    sockets[0]?.says('one');
    for (const socket of sockets) await socket.sees({ type: 'chat', id: 1 });
    await b.server.close();
    const again = await bob.enters('lobby', { query: `?after=1&epoch=${a.server.epoch}` });
    expect(await again.sees({ type: 'hello' })).toMatchObject({ last: 1, complete: true });
    const here = await ann.enters('lobby', { query: '?after=1' });
    again.says('two');
    await here.sees({ type: 'chat', data: 'two', id: 2 });
  });
});
