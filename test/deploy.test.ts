/** The files of deploy/ in the real programs that they are for. Only names and ports are changed. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { databaseFile } from '../src/store/database.js';
import Database from '../src/store/sqlite.js';
import { Door, type Env, hasTool, startChat, temporaryFolder } from './harness.js';
import { freePort, ROOT, startServer, untilListening } from './process.js';

function shipped(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

interface Ports {
  readonly proxy: number;
  readonly server: number;
}

interface Proxy {
  readonly name: string;
  readonly tool: string;
  /** Makes it compress whatever it passes on. */
  readonly compressAll: (text: string) => string;
  /** Writes the configuration into a folder; returns the command that runs it in the foreground. */
  readonly prepare: (folder: string, ports: Ports, shipped: (name: string) => string) => readonly string[];
}

const PROXIES: readonly Proxy[] = [
  {
    name: 'nginx.conf',
    tool: 'nginx',
    compressAll: (text) =>
      text.replace(/gzip_types .*;/, 'gzip_types *;').replace('gzip_min_length 1024', 'gzip_min_length 0'),
    prepare(folder, { proxy, server }, shipped) {
      mkdirSync(join(folder, 'logs'));
      const text = shipped('nginx.conf')
        .replaceAll('8080', String(proxy))
        .replaceAll('127.0.0.1:3000', `127.0.0.1:${server}`)
        .replaceAll('/tmp/oneport-nginx', join(folder, 'nginx'));
      writeFileSync(join(folder, 'nginx.conf'), text);
      return ['nginx', '-p', folder, '-c', join(folder, 'nginx.conf'), '-g', 'daemon off;'];
    },
  },
  {
    name: 'deploy/Caddyfile',
    tool: 'caddy',
    compressAll: (text) =>
      text.replace('zstd gzip', 'gzip {\n\t\tminimum_length 1\n\t\tmatch header Content-Type *\n\t}'),
    prepare(folder, { proxy, server }, shipped) {
      const site = shipped('deploy/Caddyfile')
        .replace(/^chat\.example\.org \{/m, `http://127.0.0.1:${proxy} {`)
        .replaceAll('127.0.0.1:3000', `127.0.0.1:${server}`);
      writeFileSync(join(folder, 'Caddyfile'), `{\n\tadmin off\n\tauto_https off\n}\n${site}`);
      return ['caddy', 'run', '--config', join(folder, 'Caddyfile')];
    },
  },
  {
    name: 'deploy/haproxy.cfg',
    tool: 'haproxy',
    compressAll: (text) => text.replace('default_backend oneport', '$&\n  compression algo gzip'),
    prepare(folder, { proxy, server }, shipped) {
      const text = shipped('deploy/haproxy.cfg')
        .replace('bind :8080', `bind 127.0.0.1:${proxy}`)
        .replaceAll('127.0.0.1:3000', `127.0.0.1:${server}`)
        .replace('maxconn 20000', 'maxconn 500'); // what an ordinary limit of descriptors allows
      writeFileSync(join(folder, 'haproxy.cfg'), text);
      return ['haproxy', '-db', '-f', join(folder, 'haproxy.cfg')];
    },
  },
  {
    name: 'deploy/apache.conf',
    tool: 'apache2',
    compressAll: (text) =>
      `LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
${text.replace('</VirtualHost>', 'SetOutputFilter DEFLATE\n$&')}`,
    prepare(folder, { proxy, server }, shipped) {
      const site = shipped('deploy/apache.conf')
        .replace('*:8080', `*:${proxy}`)
        .replaceAll('127.0.0.1:3000', `127.0.0.1:${server}`);
      const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'headers'];
      const head = [
        ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
        `Listen 127.0.0.1:${proxy}`,
        `PidFile ${folder}/pid`,
        `ErrorLog ${folder}/error.log`,
        `DefaultRuntimeDir ${folder}`,
      ];
      writeFileSync(join(folder, 'apache.conf'), `${head.join('\n')}\n${site}`);
      return ['apache2', '-d', folder, '-f', join(folder, 'apache.conf'), '-DFOREGROUND'];
    },
  },
];

/** A server with the proxy in front of it. */
async function startBoth({ prepare }: Proxy, env: Env = {}, read = shipped, base = ''): Promise<Door> {
  const { port: server } = await startServer({ env: { DATA_DIR: temporaryFolder(), ...env } });
  const proxy = await freePort();
  const folder = temporaryFolder();
  const [command = '', ...args] = prepare(folder, { proxy, server }, read);
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))])
    chmodSync(path, 0o777);
  const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawn(command, args, {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    ...asNobody,
  });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  await untilListening(proxy);
  return new Door(proxy, base);
}

/** Reads a file of ours with the change that docs/operations.md gives for a path. */
function shippedBelowPath(proxy: string): (name: string) => string {
  const [, table = ''] = shipped('docs/operations.md').split('### Below a path');
  const row = table.split('\n').find((line) => line.toLowerCase().startsWith(`| ${proxy}`)) ?? '';
  const changes = [...row.matchAll(/`([^`]+)` instead of `([^`]+)`/g)];
  expect(changes).not.toHaveLength(0);
  return (name) =>
    changes.reduce((text, [, to = '', from = '']) => {
      expect(text).toContain(from);
      return text.replaceAll(from, to);
    }, shipped(name));
}

/** The status of an upgrade from an address of this machine; the socket stays open until the test is over. */
function openFrom(door: Door, cookie: string, localAddress: string, headers: Env = {}): Promise<number> {
  const ws = new WebSocket(`ws://127.0.0.1:${door.port}/ws/lobby`, ['superchat'], {
    localAddress,
    headers: { cookie, ...headers },
  });
  onTestFinished(() => ws.terminate());
  return new Promise((resolve, reject) => {
    ws.on('upgrade', () => resolve(101));
    ws.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    ws.on('error', reject);
  });
}

for (const proxy of PROXIES) {
  describe.runIf(hasTool(proxy.tool))(`behind the shipped ${proxy.name}`, () => {
    it('serves page, API and sockets, and checks the Origin', async () => {
      const door = await startBoth(proxy);
      const ann = await door.signIn('Ann');
      expect((await ann.get('/')).headers.get('location')).toBe('/r/lobby');
      expect((await ann.get('/r/lobby')).status).toBe(200);
      const room = await ann.enters('lobby', { headers: { origin: door.origin } });
      await room.sees({ type: 'hello' });
      const posted = await ann.post(
        '/api/rooms/lobby/messages',
        { data: 'by HTTP' },
        { origin: door.origin },
      );
      expect(posted.status).toBe(201);
      await room.sees({ type: 'chat', id: 1, data: 'by HTTP' });
      room.says('by socket');
      await room.sees({ type: 'chat', id: 2, data: 'by socket' });
      const evil = { origin: 'http://evil.example' };
      expect(await ann.knocks('/ws/lobby', { headers: evil }).closed).toBe(403);
      expect((await ann.post('/signout', {}, evil)).status).toBe(403);
      expect(await door.visitor().knocks('/ws/lobby').closed).toBe(4001);
    });

    it('tells the client’s real address, whatever the client claims', async () => {
      const door = await startBoth(proxy, { CONNECTIONS_PER_ADDRESS: '1' });
      const { cookie } = await door.signIn('Ann');
      expect(await openFrom(door, cookie, '127.0.0.2', { 'x-forwarded-for': '192.0.2.1' })).toBe(101);
      expect(await openFrom(door, cookie, '127.0.0.2', { 'x-forwarded-for': '192.0.2.2' })).toBe(429);
      expect(await openFrom(door, cookie, '127.0.0.3', { 'x-forwarded-for': '192.0.2.1' })).toBe(101);
    });

    it('passes streams on as they come, and their end in both directions', async () => {
      const door = await startBoth(proxy);
      const room = await (await door.signIn('Ann')).enters('lobby');
      room.says('long enough to be worth compressing '.repeat(50));
      await room.sees({ type: 'chat', id: 1 });
      const headers = { 'accept-encoding': 'gzip, br, zstd' };
      const readers = await Promise.all(
        (['text/event-stream', 'application/x-ndjson'] as const).map(async (format) => {
          const user = await door.signIn(format.replace(/\W/g, ' '));
          return { format, user, stream: await user.reads('lobby', { format, headers }) };
        }),
      );
      for (const { stream } of readers) {
        await stream.sees({ type: 'list' });
        expect(stream.response.headers['content-encoding']).toBeUndefined();
      }
      for (const data of ['one', 'two']) {
        room.says(data);
        for (const { stream } of readers) await stream.sees({ type: 'chat', data });
      }
      for (const { stream } of readers) await stream.leaves();
      const talk = setInterval(() => room.says('some proxies notice only when they write'), 100);
      onTestFinished(() => clearInterval(talk));
      for (const { user } of readers) await room.seesAll({ type: 'left', user: user.user }, 1, 30_000);
      clearInterval(talk);
      for (const { format, user } of readers) {
        const second = await user.reads('lobby', { format });
        await second.sees({ type: 'list' });
        await user.post('/signout', {});
        expect(await second.closed).toBe(4002);
      }
    });

    it.each(['text/event-stream', 'application/x-ndjson'] as const)(
      'passes a stream as %s on as it comes, and a poll, also when it compresses everything',
      async (format) => {
        const door = await startBoth(proxy, {}, (name) => proxy.compressAll(shipped(name)));
        const [ann, bob] = [await door.signIn('Ann'), await door.signIn('Bob')];
        const headers = { 'accept-encoding': 'gzip' };
        const stream = await bob.reads('lobby', { format, headers });
        const end = format === 'text/event-stream' ? /\}\n\n$/ : /\}\n$/;
        await stream.sees({ type: 'list' });
        for (const [after, data] of ['one', 'two', 'three'].entries()) {
          const poll = bob.get(`/api/rooms/lobby/messages?after=${after}&wait=30`);
          expect((await ann.post('/api/rooms/lobby/messages', { data })).status).toBe(201);
          await stream.sees({ type: 'chat', data });
          expect(stream.raw).toMatch(end); // no ping had to bring it
          const answer = await poll;
          expect(answer.headers.get('content-encoding')).toBe('gzip');
          expect(await answer.json()).toMatchObject({ messages: [{ id: after + 1, data }] });
        }
      },
    );

    it('keeps /metrics from the world', async () => {
      const door = await startBoth(proxy);
      expect((await door.visitor().get('/metrics')).status).toBe(403);
      expect((await door.visitor().get('/healthz')).status).toBe(200);
    });

    it('serves everything below BASE_PATH, as docs/operations.md says', async () => {
      const read = shippedBelowPath(proxy.tool.replace(/\d$/, ''));
      const door = await startBoth(proxy, { BASE_PATH: '/chat/' }, read, '/chat');
      const ann = await door.signIn('Ann');
      const page = await (await ann.get('/chat/r/lobby')).text();
      const [, script = ''] = /<script type="module" src="([^"]+)"/.exec(page) ?? [];
      expect(script).toMatch(/^\/chat\/js\//);
      expect((await ann.get(script)).status).toBe(200);
      const room = await ann.enters('lobby', { headers: { origin: door.origin } });
      expect((await ann.post('/chat/api/rooms/lobby/messages', { data: 'hi' })).status).toBe(201);
      await room.sees({ type: 'chat', id: 1, data: 'hi' });
      expect(await (await ann.get('/healthz')).text()).not.toContain('alive'); // the proxy's own answer
      expect((await ann.get('/chat/metrics')).status).toBe(403);
    });

    it('passes the ping of an idle socket', async () => {
      const door = await startBoth(proxy, { PING_SECONDS: '3' });
      const room = await (await door.signIn('Ann')).enters('lobby');
      await once(room.ws, 'ping');
      room.says('still here');
      await room.sees({ type: 'chat', id: 1, data: 'still here' });
    });
  });
}

describe.runIf(hasTool('systemd-analyze'))('the systemd units', () => {
  it.each(['oneport.service', 'oneport-backup.service'])(
    '%s is valid, with an exposure of at most 2',
    (name) => {
      const args = ['security', '--offline=true', join(ROOT, 'deploy', name)];
      const { stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
      const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
      expect(exposure).toBeLessThanOrEqual(2);
      const verify = spawnSync('systemd-analyze', ['verify', join(ROOT, 'deploy', name)], {
        encoding: 'utf8',
      });
      expect(verify.stderr.replaceAll(/^.*is not executable.*$/gm, '').trim()).toBe('');
    },
  );
});

describe('deploy/backup.sh', () => {
  it('backs up a running server, verifies the copy and deletes the oldest', async () => {
    const [DATA_DIR, BACKUP_DIR] = [temporaryFolder(), temporaryFolder()];
    const server = await startServer({ env: { DATA_DIR } });
    const room = await (await new Door(server.port).signIn('Ann')).enters('lobby');
    await room.sees({ type: 'chat', cid: room.says('keep this') });
    for (const day of [1, 2, 3]) writeFileSync(join(BACKUP_DIR, `oneport-2020-01-0${day}T00-00-00Z.db`), '');
    writeFileSync(join(BACKUP_DIR, 'notes.txt'), '');
    runBackup({ DATA_DIR, BACKUP_DIR, BACKUPS_KEPT: '2' });
    const files = readdirSync(BACKUP_DIR).sort();
    expect(files).toEqual([
      'notes.txt',
      'oneport-2020-01-03T00-00-00Z.db',
      expect.stringMatching(/^oneport-2\d{3}-.*Z\.db$/),
    ]);
    const copy = new Database(join(BACKUP_DIR, files[2] ?? ''), { readonly: true });
    onTestFinished(() => void copy.close());
    expect(copy.prepare('SELECT data FROM events').pluck().all()).toContain('keep this');
  });

  it('keeps an unsound copy aside, and ends with 1', async () => {
    const [DATA_DIR, BACKUP_DIR] = [temporaryFolder(), temporaryFolder()];
    const server = await startServer({ env: { DATA_DIR } });
    const room = await (await new Door(server.port).signIn('Ann')).enters('lobby');
    for (const text of ['one', 'two', 'three']) await room.sees({ type: 'chat', cid: room.says(text) });
    server.child.kill('SIGTERM');
    await server.exited;
    const db = new Database(databaseFile(DATA_DIR));
    db.pragma('foreign_keys = OFF');
    db.prepare('DELETE FROM events WHERE id = 2').run();
    db.close();
    expect(() => runBackup({ DATA_DIR, BACKUP_DIR })).toThrow(/not sound/);
    expect(readdirSync(BACKUP_DIR)).toEqual([expect.stringMatching(/\.unsound$/)]);
  });
});

function runBackup(env: Env): void {
  execFileSync('sh', [join(ROOT, 'deploy/backup.sh')], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

describe('deploy/alerts.yml and deploy/grafana.json', () => {
  it.runIf(hasTool('promtool'))('has rules that promtool accepts', () => {
    const check = spawnSync('promtool', ['check', 'rules', join(ROOT, 'deploy/alerts.yml')], {
      encoding: 'utf8',
    });
    expect([check.status, check.stderr]).toEqual([0, '']);
  });

  it('name only metrics that there are', async () => {
    const chat = await startChat();
    const metrics = await (await chat.visitor().get('/metrics')).text();
    const known = new Set([...metrics.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name));
    const dashboard: unknown = JSON.parse(shipped('deploy/grafana.json'));
    const text = shipped('deploy/alerts.yml') + JSON.stringify(dashboard);
    const used = [...text.matchAll(/\b((?:oneport|process|nodejs)_\w+)\b/g)].map(([, name = '']) =>
      name.replace(/_bucket$/, ''),
    );
    expect(used.length).toBeGreaterThan(20);
    expect([...new Set(used)].filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('deploy/Dockerfile', () => {
  it('copies only what there is, and runs as no root', () => {
    const dockerfile = shipped('deploy/Dockerfile');
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    expect(sources.length).toBeGreaterThan(4);
    expect(sources.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
    const ignored = shipped('deploy/Dockerfile.dockerignore');
    for (const name of sources) expect(ignored).toContain(`\n!${name}\n`);
    expect(dockerfile).toMatch(/^USER node$/m);
  });
});
