/** The shipped nginx.conf in a real nginx, run by an ordinary user; only its ports are changed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Door, hasTool, temporaryFolder } from './harness.js';
import { freePort, type RunningServer, startServer, untilListening } from './process.js';

const NOBODY = 65_534;

interface Proxy {
  readonly door: Door;
  readonly nginx: ChildProcess;
  readonly server: RunningServer;
}

/** A server, and nginx in front of it. */
async function startBoth(): Promise<Proxy> {
  const PORT = String(await freePort()); // nobody else takes it when the server is down
  const server = await startServer({ env: { DATA_DIR: temporaryFolder(), PORT } });
  const port = await freePort();
  const folder = temporaryFolder();
  const shipped = readFileSync(new URL('../nginx.conf', import.meta.url), 'utf8');
  const ours = shipped
    .replaceAll('8080', String(port))
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${server.port}`)
    .replaceAll('/tmp/oneport-nginx', join(folder, 'nginx'));
  writeFileSync(join(folder, 'nginx.conf'), ours);
  mkdirSync(join(folder, 'logs'));
  for (const path of [folder, join(folder, 'logs')]) chmodSync(path, 0o777);
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', 'daemon off;'];
  const nginx = spawn('nginx', args, { stdio: 'ignore', ...asNobody });
  onTestFinished(async () => {
    nginx.kill('SIGTERM');
    if (nginx.exitCode === null) await new Promise((resolve) => nginx.once('exit', resolve));
  });
  await untilListening(port);
  return { door: new Door(port), nginx, server };
}

describe.runIf(hasTool('nginx'))('behind the shipped nginx.conf', () => {
  it('has a TLS server that is ready to uncomment', () => {
    const folder = temporaryFolder();
    const [key, certificate] = [join(folder, 'privkey.pem'), join(folder, 'fullchain.pem')];
    const subject = ['-subj', '/CN=chat.example.org', '-days', '1', '-keyout', key, '-out', certificate];
    expect(spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject]).status).toBe(
      0,
    );
    const lines = readFileSync(new URL('../nginx.conf', import.meta.url), 'utf8').split('\n');
    const from = lines.findIndex((line) => line.startsWith('  # server {'));
    const open = lines.map((line, n) => (n < from ? line : line.replace(/^ {2}# ?/, '  ')));
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, open.join('\n').replaceAll('/etc/letsencrypt/live/chat.example.org', folder));
    const test = spawnSync('nginx', ['-t', '-p', folder, '-c', file], { encoding: 'utf8' });
    expect(test.stderr).toContain('test is successful');
  });

  it('answers 503 with a page that tries again while Oneport is down', async () => {
    const { door, server } = await startBoth();
    server.child.kill('SIGKILL');
    await server.exited;
    for (const path of ['/r/lobby', '/api/rooms']) {
      const answer = await door.visitor().get(path);
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
      expect(await answer.text()).toContain('The chat is restarting');
    }
    expect(await door.visitor().knocks('/ws/lobby').closed).toBe(503);
  });

  it('keeps sockets over a reload', async () => {
    const { door, nginx } = await startBoth();
    const ann = await door.signIn('Ann');
    const before = await ann.enters('lobby');
    nginx.kill('SIGHUP');
    const after = await ann.enters('lobby');
    before.says('over the old worker');
    await after.sees({ type: 'chat', id: 1 });
    after.says('over the new one');
    await before.sees({ type: 'chat', id: 2 });
  });

  it('answers a poll after 30 seconds, and keeps a socket that says nothing meanwhile', {
    timeout: 120_000,
  }, async () => {
    const { door } = await startBoth();
    const [ann, bob] = [await door.signIn('Ann'), await door.signIn('Bob')];
    const room = await ann.enters('lobby');
    const answer = await bob.get('/api/rooms/kitchen/messages?after=0&wait=30');
    expect([answer.status, (await answer.json()).messages]).toEqual([200, []]);
    room.says('still here');
    await room.sees({ type: 'chat', id: 1, data: 'still here' });
  });
});
