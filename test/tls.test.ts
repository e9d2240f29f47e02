/** TLS with Node alone: https and wss on the one port, certificates made by openssl, and their reload. */
import { spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as plainRequest } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import pino from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { readConfig } from '../src/config.js';
import { createServer } from '../src/server.js';
import { type Env, hasTool, Socket, temporaryFolder } from './harness.js';
import { freePort, ROOT, spawnServer, startServer } from './process.js';
import { exchange } from './raw.js';

type Files = {
  readonly TLS_CERT: string;
  readonly TLS_KEY: string;
};

/** A new certificate for localhost, valid for a day. */
function makeCertificate(folder = temporaryFolder()): Files {
  const [TLS_CERT, TLS_KEY] = [join(folder, 'fullchain.pem'), join(folder, 'privkey.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    ...subject,
    '-keyout',
    TLS_KEY,
    '-out',
    TLS_CERT,
  );
  return { TLS_CERT, TLS_KEY };
}

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

function serialOf(pem: string): string {
  return new X509Certificate(readFileSync(pem)).serialNumber;
}

/** The serial number of the certificate that a new connection gets. */
async function servedSerial(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Trusts only the given certificate. */
async function ask(
  port: number,
  ca: string,
  path: string,
  headers: Env = {},
  body?: object,
): Promise<Answer> {
  const method = body ? 'POST' : 'GET';
  const type: Env = body ? { 'content-type': 'application/json' } : {};
  const sent = request({
    port,
    host: '127.0.0.1',
    ca: readFileSync(ca),
    path,
    method,
    headers: { ...type, ...headers },
  });
  sent.end(body && JSON.stringify(body));
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, headers: response.headers, body: text };
}

function cookiesOf({ headers }: Answer): string {
  return (headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0]).join('; ');
}

/** A socket over wss that has got its `hello`. */
async function open(port: number, ca: string, cookie: string): Promise<Socket> {
  const options = { ca: readFileSync(ca), headers: { cookie, origin: `https://127.0.0.1:${port}` } };
  const ws = new WebSocket(`wss://127.0.0.1:${port}/ws/lobby`, ['superchat'], options);
  onTestFinished(() => ws.terminate());
  const socket = new Socket(ws);
  await socket.sees({ type: 'hello' });
  return socket;
}

/** A server in this process, with a clock of its own and its log. */
async function startTls(env: Env, now: () => number = Date.now) {
  const log: string[] = [];
  const config = readConfig({ PORT: '0', DATA_DIR: temporaryFolder(), ...env });
  const logger = pino({ level: 'info' }, { write: (line: string) => void log.push(line) });
  const server = createServer(config, { logger, now });
  onTestFinished(() => server.abort());
  server.http.listen(0, '127.0.0.1');
  await once(server.http, 'listening');
  return { server, port: (server.http.address() as AddressInfo).port, log: () => log.join('') };
}

/** A server with HTTP_REDIRECT_PORT, and what it answers there. */
async function startRedirect(env: Env) {
  const started = await startTls({ ...makeCertificate(), ...env, HTTP_REDIRECT_PORT: '0' });
  const { redirect } = started.server;
  if (!redirect) throw new Error('there is no redirect');
  redirect.listen(0, '127.0.0.1');
  await once(redirect, 'listening');
  const { port } = redirect.address() as AddressInfo;
  const ask = async (line: string, headers: string) => {
    const answer = (await exchange(port, `${line} HTTP/1.1\r\n${headers}\r\n\r\n`)).toString();
    return [Number(answer.split(' ')[1]), /^Location: (.*)\r$/m.exec(answer)?.[1]];
  };
  return { ...started, ask };
}

describe.runIf(hasTool('openssl'))('TLS', () => {
  it('serves page, API and sockets on the one port, with a Secure cookie', async () => {
    const files = makeCertificate();
    const server = await startServer({ env: { DATA_DIR: temporaryFolder(), ...files } });
    const { port } = server;
    const answer = await ask(port, files.TLS_CERT, '/signin', {}, { name: 'Ann' });
    expect(answer.status).toBe(200);
    for (const cookie of answer.headers['set-cookie'] ?? []) expect(cookie).toMatch(/; secure/);
    const cookie = cookiesOf(answer);
    const page = await ask(port, files.TLS_CERT, '/r/lobby', { cookie });
    expect([page.status, page.headers['strict-transport-security']]).toEqual([200, undefined]);
    const link = await ask(port, files.TLS_CERT, '/api/me/link', { cookie }, {});
    expect(link.body).toContain(`https://127.0.0.1:${port}/link/`);
    const room = await open(port, files.TLS_CERT, cookie);
    room.says('over TLS');
    await room.sees({ type: 'chat', id: 1, data: 'over TLS' });
    const metrics = await ask(port, files.TLS_CERT, '/metrics');
    const seconds = Number(/^oneport_certificate_expires_seconds (\S+)$/m.exec(metrics.body)?.[1]);
    expect(seconds * 1000 - Date.now()).toBeGreaterThan(23 * 3_600_000);
  });

  it('prints the address with https', async () => {
    const server = spawnServer({ env: { DATA_DIR: temporaryFolder(), ...makeCertificate() } });
    const [line] = server.child.stdout ? await once(server.child.stdout, 'data') : [];
    expect(String(line)).toMatch(/running at https:\/\/127\.0\.0\.1:\d+\n$/);
  });

  it('tells browsers to stay with https when PUBLIC_ORIGIN has no port', async () => {
    const files = makeCertificate();
    for (const [origin, expected] of [
      ['https://chat.example.org', 'max-age=31536000'],
      ['https://chat.example.org:8443', undefined],
    ] as const) {
      const { port } = await startTls({ ...files, PUBLIC_ORIGIN: origin });
      const { headers } = await ask(port, files.TLS_CERT, '/healthz');
      expect(headers['strict-transport-security']).toBe(expected);
    }
  });

  it.each([
    ['GET', '/r/lobby?after=3', 'chat.example.org', 'https://chat.example.org/r/lobby?after=3'],
    ['POST', '/signin', 'evil.example', 'https://chat.example.org/signin'],
    ['GET', '//evil.example/x', 'chat.example.org:80', 'https://chat.example.org//evil.example/x'],
    ['GET', 'http://evil.example/x', 'evil.example', 'https://chat.example.org/'],
  ])('redirects plain HTTP of another port to PUBLIC_ORIGIN: %s %s', async (method, path, host, location) => {
    const redirect = await startRedirect({ PUBLIC_ORIGIN: 'https://chat.example.org' });
    expect(await redirect.ask(`${method} ${path}`, `Host: ${host}`)).toEqual([308, location]);
  });

  it('redirects to the host of the request without PUBLIC_ORIGIN, and refuses what is none', async () => {
    const { ask: askPlain, port } = await startRedirect({});
    for (const host of ['localhost:8080', 'localhost', 'LOCALHOST:'])
      expect(await askPlain('GET /healthz', `Host: ${host}`)).toEqual([
        308,
        `https://${host.replace(/:.*/, '')}:${port}/healthz`,
      ]);
    expect(await askPlain('GET /', 'Host: [::1]:80')).toEqual([308, `https://[::1]:${port}/`]);
    for (const host of ['Host: a b', 'Host: a@b', 'Host: ', 'Host: a\r\nHost: b'])
      expect(await askPlain('GET /', host)).toEqual([400, undefined]);
    const upgrade = 'Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket';
    expect(await askPlain('GET /ws/lobby', upgrade)).toEqual([308, `https://localhost:${port}/ws/lobby`]);
  });

  it('ends with 71 and names HTTP_REDIRECT_PORT when that port is in use', async () => {
    const { port } = await startTls(makeCertificate());
    const env = { DATA_DIR: temporaryFolder(), ...makeCertificate(), HTTP_REDIRECT_PORT: String(port) };
    const server = spawnServer({ env });
    expect(await server.exited).toBe(71);
    expect(server.errors()).toMatch(
      /^oneport: port \d+ of 127\.0\.0\.1 is in use\..* HTTP_REDIRECT_PORT\.$/m,
    );
  });

  it('ends the redirects with the server', async () => {
    const { server, ask: askPlain } = await startRedirect({});
    await server.close();
    expect(server.redirect?.listening).toBe(false);
    expect(await askPlain('GET /', 'Host: localhost')).toEqual([Number.NaN, undefined]);
  });

  it('cuts plain HTTP, and goes on', async () => {
    const files = makeCertificate();
    const { port } = await startServer({ env: { DATA_DIR: temporaryFolder(), ...files } });
    const plain = plainRequest({ port, host: '127.0.0.1', path: '/healthz' });
    plain.end();
    await once(plain, 'error');
    expect((await ask(port, files.TLS_CERT, '/healthz')).status).toBe(200);
  });
});

describe.runIf(hasTool('openssl'))('SIGHUP', () => {
  it('gives new connections the new certificate, and drops no socket', async () => {
    const [files, next] = [makeCertificate(), makeCertificate()];
    const old = join(temporaryFolder(), 'old.pem');
    copyFileSync(files.TLS_CERT, old);
    const server = await startServer({ env: { DATA_DIR: temporaryFolder(), ...files } });
    const cookie = cookiesOf(await ask(server.port, old, '/signin', {}, { name: 'Ann' }));
    const before = await open(server.port, old, cookie);
    expect(await servedSerial(server.port)).toBe(serialOf(old));
    copyFileSync(next.TLS_CERT, files.TLS_CERT);
    copyFileSync(next.TLS_KEY, files.TLS_KEY);
    server.child.kill('SIGHUP');
    await expect.poll(server.errors).toContain('"msg":"reloaded the certificate"');
    expect(await servedSerial(server.port)).toBe(serialOf(next.TLS_CERT));
    const after = await open(server.port, next.TLS_CERT, cookie);
    before.says('over the old certificate');
    await after.sees({ type: 'chat', id: 1 });
    after.says('over the new one');
    await before.sees({ type: 'chat', id: 2 });
    expect(before.ws.readyState).toBe(WebSocket.OPEN);
  });

  it('keeps the previous certificate when the new one is bad, and logs the reason', async () => {
    const files = makeCertificate();
    const serial = serialOf(files.TLS_CERT);
    const server = await startServer({ env: { DATA_DIR: temporaryFolder(), ...files } });
    copyFileSync(makeCertificate().TLS_KEY, files.TLS_KEY); // of another certificate
    server.child.kill('SIGHUP');
    await expect
      .poll(server.errors)
      .toMatch(/"error":"TLS_KEY \S+ does not belong to TLS_CERT .*kept the previous certificate/);
    writeFileSync(files.TLS_CERT, 'half a fi');
    server.child.kill('SIGHUP');
    await expect
      .poll(server.errors)
      .toMatch(/TLS_CERT \S+ holds no certificate.*kept the previous certificate/);
    expect(await servedSerial(server.port)).toBe(serial);
  });

  it('keeps the previous certificate when the new one has expired', async () => {
    const files = makeCertificate();
    const { server, port, log } = await startTls(files, () => Date.now() + 2 * 24 * 3_600_000);
    expect(log()).toContain('the certificate of TLS_CERT has expired'); // it runs all the same
    const serial = serialOf(files.TLS_CERT);
    const next = makeCertificate();
    copyFileSync(next.TLS_CERT, files.TLS_CERT);
    copyFileSync(next.TLS_KEY, files.TLS_KEY);
    server.reload();
    expect(log()).toMatch(/has expired\. Renew it\.".*kept the previous certificate/);
    expect(await servedSerial(port)).toBe(serial);
  });

  it('does not end a server without TLS', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    server.child.kill('SIGHUP');
    await expect.poll(server.errors).toContain('nothing to reload');
    expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);
  });
});

describe.runIf(hasTool('openssl'))('a start with a bad certificate', () => {
  const cases: readonly (readonly [what: string, change: (files: Files) => Env, message: RegExp])[] = [
    ['only TLS_CERT', ({ TLS_CERT }) => ({ TLS_CERT }), /TLS_CERT is set, but TLS_KEY is not\. Set both/],
    ['only TLS_KEY', ({ TLS_KEY }) => ({ TLS_KEY }), /TLS_KEY is set, but TLS_CERT is not\. Set both/],
    [
      'a missing file',
      (files) => ({ ...files, TLS_CERT: '/none.pem' }),
      /TLS_CERT \/none\.pem cannot be read/,
    ],
    [
      'another key',
      (files) => ({ ...files, TLS_KEY: makeCertificate().TLS_KEY }),
      /TLS_KEY \S+ does not belong/,
    ],
    [
      'swapped files',
      ({ TLS_CERT, TLS_KEY }) => ({ TLS_CERT: TLS_KEY, TLS_KEY: TLS_CERT }),
      /TLS_CERT \S+ holds no certificate/,
    ],
    ['an encrypted key', encryptKey, /TLS_KEY \S+ is encrypted\. Decrypt it/],
    [
      'a redirect without TLS',
      () => ({ HTTP_REDIRECT_PORT: '80' }),
      /HTTP_REDIRECT_PORT is set, but TLS_CERT is not/,
    ],
    [
      'an http origin',
      (files) => ({ ...files, PUBLIC_ORIGIN: 'http://chat.example.org' }),
      /PUBLIC_ORIGIN .* Write https/,
    ],
  ];

  it.each(cases)('ends with 78 and says what to do: %s', async (_, change, message) => {
    const server = spawnServer({ env: { DATA_DIR: temporaryFolder(), ...change(makeCertificate()) } });
    expect(await server.exited).toBe(78);
    expect(server.errors()).toMatch(message);
    expect(server.errors()).toMatch(/^oneport: [^\n]+\n$/);
  });

  function encryptKey({ TLS_CERT, TLS_KEY }: Files): Env {
    const encrypted = `${TLS_KEY}.encrypted`;
    openssl('pkey', '-in', TLS_KEY, '-aes256', '-passout', 'pass:secret', '-out', encrypted);
    return { TLS_CERT, TLS_KEY: encrypted };
  }
});

describe('the health check of the image', () => {
  const dockerfile = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8');
  const [, shipped = '[]'] = /^HEALTHCHECK [^\n]*\\\n +CMD (.*)$/m.exec(dockerfile) ?? [];
  const [, ...args] = JSON.parse(shipped) as string[];

  async function check(env: Env): Promise<unknown> {
    const child = spawn(process.execPath, args, { env, stdio: 'inherit', cwd: ROOT });
    const [code] = await once(child, 'exit');
    return code;
  }

  it.runIf(hasTool('openssl'))(
    'finds the server with and without TLS, and notices when it has gone',
    async () => {
      for (const tls of [{}, makeCertificate()]) {
        const PORT = String(await freePort()); // nobody else takes it meanwhile
        const server = await startServer({ env: { DATA_DIR: temporaryFolder(), PORT, ...tls } });
        const env = { PORT: String(server.port), ...tls };
        expect(await check(env)).toBe(0);
        server.child.kill('SIGKILL');
        await server.exited;
        expect(await check(env)).toBe(1);
      }
    },
  );
});
