/** The shipped nginx.conf in a real nginx, run by an ordinary user; only its ports are changed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Door, type Env, hasTool, temporaryFolder } from './harness.js';
import { startServer } from './process.js';

const NOBODY = 65_534;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

interface Proxy {
  readonly door: Door;
  readonly nginx: ChildProcess;
}

/** A server, and nginx in front of it. */
async function startBoth(env: Env = {}): Promise<Proxy> {
  const server = await startServer({ env: { DATA_DIR: temporaryFolder(), ...env } });
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
  await listening(port);
  return { door: new Door(port), nginx };
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const probe = connect(port, '127.0.0.1', () => resolve(true));
      probe.on('error', () => resolve(false));
      probe.on('connect', () => probe.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('nginx does not listen');
}

/** One request from a chosen address of this machine, with headers as they are; the status of the answer. */
function ask(port: number, from: string, request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from }, () => socket.write(request));
    socket.on('error', reject);
    socket.once('data', (bytes) => {
      socket.destroy();
      resolve(Number(bytes.toString().split(' ')[1]));
    });
  });
}

function signInFrom(port: number, from: string, name: string, spoofed: string): Promise<number> {
  const body = JSON.stringify({ name });
  const head = `POST /signin HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nX-Forwarded-For: ${spoofed}\r\n`;
  return ask(port, from, `${head}Content-Length: ${body.length}\r\n\r\n${body}`);
}

describe.runIf(hasTool('nginx'))('behind the shipped nginx.conf', () => {
  it('page, API and sockets work, and the Origin check holds', async () => {
    const { door } = await startBoth();
    const ann = await door.signIn('Ann');
    expect((await ann.get('/')).headers.get('location')).toBe('/r/lobby');
    expect((await ann.get('/r/lobby')).status).toBe(200);
    const room = await ann.enters('lobby', { headers: { origin: door.origin } });
    const posted = await ann.post('/api/rooms/lobby/messages', { data: 'by HTTP' }, { origin: door.origin });
    expect(posted.status).toBe(201);
    await room.sees({ type: 'chat', id: 1, data: 'by HTTP' });
    room.says('by socket');
    await room.sees({ type: 'chat', id: 2, data: 'by socket' });
    expect(await ann.knocks('/ws/lobby', { headers: { origin: 'http://evil.example' } }).closed).toBe(403);
    expect((await ann.post('/signout', {}, { origin: 'http://evil.example' })).status).toBe(403);
    expect(await door.visitor().knocks('/ws/lobby').closed).toBe(4001);
  });

  it('the real address arrives, and what a client claims does not', async () => {
    const { door } = await startBoth({ SIGNINS_PER_MINUTE: '1' });
    expect(await signInFrom(door.port, '127.0.0.2', 'Ann', '1.1.1.1')).toBe(200);
    expect(await signInFrom(door.port, '127.0.0.2', 'Bob', '2.2.2.2')).toBe(429);
    expect(await signInFrom(door.port, '127.0.0.3', 'Cleo', '1.1.1.1')).toBe(200);
  });

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

  it('a socket that says nothing for 61 seconds lives', { timeout: 90_000 }, async () => {
    const { door } = await startBoth();
    const room = await (await door.signIn('Ann')).enters('lobby');
    await new Promise((resolve) => setTimeout(resolve, 61_000)); // the time is what is tested
    room.says('still here');
    await room.sees({ type: 'chat', id: 1, data: 'still here' });
  });
});
