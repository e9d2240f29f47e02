/** `oneport status`: what it says of a running server, on a terminal and elsewhere. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseMetrics, sparkline, view } from '../../src/cli/status.js';
import { Door, type Env, hasTool, startChat, temporaryFolder } from '../harness.js';
import { freePort, ROOT, startServer } from '../process.js';

const MAIN = join(ROOT, 'dist/main.js');

interface Ended {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

async function status(args: readonly string[], env: Env = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, 'status', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = await once(child, 'close');
  return { code, out, err };
}

describe('oneport status', () => {
  it('prints people, sockets, events, commits, refusals and limits once, and ends with 0', async () => {
    const chat = await startChat();
    const [ann, bob] = [await chat.signIn('Ann'), await chat.signIn('Bob')];
    const room = await ann.enters('lobby');
    await bob.enters('kitchen');
    await room.sees({ type: 'chat', cid: room.says('hi') });
    expect(await ann.knocks('/ws/lobby', { headers: { origin: 'http://evil.example' } }).closed).toBe(403);
    const { code, out } = await status([chat.origin]);
    expect(code).toBe(0);
    expect(out).toMatch(/^Oneport \d\S+ at http:\/\/127\.0\.0\.1:\d+\/ {2}ready\n/);
    expect(out).not.toContain('\x1b');
    for (const row of [
      /^people +2 in 2 rooms$/,
      /^sockets +2$/,
      /^events +[\d.]+\/s, 1 since the start$/,
      /^commits +[\d.]+ ms on average, p99 <= [\d.]+ ms$/,
      /^refusals +1: wrong_origin 1$/,
      /^answers +\d+: 200 \d/,
      /^database .*WAL/,
      /^descriptors +\d+ of [\d,]+$/,
    ])
      expect(out).toMatch(new RegExp(row, 'm'));
    expect(out).not.toMatch(/\?|NaN|certificate/);
  });

  it('takes the address from the settings, with their TLS and BASE_PATH', async () => {
    const port = String(await freePort());
    const env = { DATA_DIR: temporaryFolder(), PORT: port, BASE_PATH: '/chat/' };
    await startServer({ env });
    const { code, out } = await status([], env);
    expect([code, out.split('\n')[0]]).toEqual([
      0,
      expect.stringContaining(`at http://127.0.0.1:${port}/chat/  ready`),
    ]);
  });

  it('prints one JSON object with --json', async () => {
    const chat = await startChat();
    const { code, out } = await status(['--json', chat.origin]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ready: true,
      reasons: [],
      metrics: { oneport_connections: 0, oneport_store_failing: 0 },
    });
  });

  it('ends with 1 when nothing listens, when it is no Oneport, and when the server is not ready', async () => {
    const url = `http://127.0.0.1:${await freePort()}/`;
    expect(await status([url])).toMatchObject({
      code: 1,
      out: `Oneport at ${url}  not reachable: nothing listens there\n`,
    });
    let ready = 404;
    const other = createServer((request, response) => {
      response.statusCode = request.url === '/readyz' ? ready : ready === 404 ? 404 : 200;
      response.end(JSON.stringify({ alive: true, version: '1\x1b[2J', reasons: ['the disk is full'] }));
    });
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const there = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
    expect(await status([there])).toMatchObject({ code: 1, out: expect.stringContaining('not Oneport') });
    ready = 503;
    const unready = await status([there]);
    expect([unready.code, unready.out.split('\n')[0]]).toEqual([
      1,
      `Oneport 1?[2J at ${there}  not ready: the disk is full`,
    ]);
  });

  it('says why the numbers are missing when /metrics may not be read', async () => {
    const chat = await startChat();
    const proxy = createServer(async (request, response) => {
      const answer = await fetch(chat.origin + request.url, { headers: { 'x-forwarded-for': '192.0.2.1' } });
      response.writeHead(answer.status).end(await answer.text());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    const { code, out } = await status([`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`]);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/ready\n\nThe numbers are missing: .*METRICS=all\.\n$/),
    ]);
  });

  it.each([
    [['localhost:3000'], {}, /Write it as http:\/\//],
    [['--nope'], {}, /usage: oneport status/],
    [['http://a/', 'http://b/'], {}, /usage: oneport status/],
    [[], { PORT: '0' }, /PORT is 0.*Give the URL/],
  ])('ends with 64 and says how to call it: %j', async (args, env, message) => {
    const { code, err } = await status(args, env);
    expect([code, err]).toEqual([64, expect.stringMatching(message)]);
  });
});

describe.runIf(hasTool('script'))('oneport status on a terminal', () => {
  it('follows the server every second, notices when it has gone, and ends with 1 on Ctrl+C', {
    timeout: 90_000,
  }, async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const command = `${process.execPath} ${MAIN} status ${server.origin}`;
    const child = spawn('script', ['-qfec', `stty rows 30 cols 100; exec ${command}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'] ?? '', SHELL: '/bin/sh' },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    /** The newest complete frame. */
    const screen = () => out.split('\x1b[H').at(-2) ?? '';
    await expect.poll(screen, { timeout: 20_000 }).toMatch(/sockets +0 .*▁▁/);
    await (await new Door(server.port).signIn('Ann')).enters('lobby');
    await expect.poll(screen, { timeout: 20_000 }).toMatch(/sockets +1 .*▁█/);
    server.child.kill('SIGKILL');
    await expect.poll(screen, { timeout: 20_000 }).toContain('not reachable: nothing listens there');
    expect(screen()).toMatch(/sockets +1 /); // the last numbers stay
    child.stdin.write('\x03');
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(out).toContain('\x1b[?1049l'); // the terminal is as it was
  });
});

describe('the view', () => {
  const at = Date.UTC(2026, 0, 2);
  const reading = (seconds: number, metrics: string) => ({
    url: 'http://127.0.0.1:3000/',
    at: at + seconds * 1000,
    version: '1.0.0',
    reasons: [],
    metrics: parseMetrics(metrics),
  });

  it('shows the rate of the last second, and the commits of the last minute', () => {
    const buckets = (fast: number, slow: number) =>
      `oneport_commit_seconds_bucket{le="0.001"} ${fast}\noneport_commit_seconds_bucket{le="0.25"} ${fast + slow}\n` +
      `oneport_commit_seconds_sum ${slow * 0.2}\noneport_commit_seconds_count ${fast + slow}\noneport_events_total ${fast}\n`;
    const lines = view(
      [reading(0, buckets(100, 0)), reading(1, buckets(100, 0)), reading(2, buckets(140, 10))],
      0,
    );
    expect(lines.find((line) => line.startsWith('events'))).toMatch(/40\.0\/s, 140 since/);
    expect(lines.find((line) => line.startsWith('commits'))).toMatch(/40 ms on average, p99 <= 250 ms/);
    const colored = view([reading(0, buckets(100, 0)), reading(1, buckets(140, 10))], 100);
    expect(colored.find((line) => line.startsWith('commits'))).toContain('\x1b[33m');
  });

  it('counts no events back when the server was restarted', () => {
    const lines = view([reading(0, 'oneport_events_total 500\n'), reading(1, 'oneport_events_total 2\n')], 0);
    expect(lines.find((line) => line.startsWith('events'))).toMatch(/0\.0\/s, 2 since/);
  });

  it('warns of a certificate that expires soon', () => {
    const expires = at / 1000 + 3 * 24 * 3600;
    const lines = view([reading(0, `oneport_certificate_expires_seconds ${expires}\n`)], 0);
    expect(lines).toContain('certificate  expires in 3 days');
  });

  it('never is wider than the terminal', () => {
    const long = Array.from({ length: 40 }, (_, n) => `oneport_refusals_total{code="code_${n}"} 1`).join(
      '\n',
    );
    for (const columns of [40, 60, 100])
      for (const line of view([reading(0, `${long}\n`), reading(1, `${long}\n`)], columns).slice(1))
        expect(line.replaceAll('\x1b[33m', '').replaceAll('\x1b[0m', '').length, line).toBeLessThanOrEqual(
          columns,
        );
  });

  it('draws the greatest value highest, and nothing for what is unknown', () => {
    expect(sparkline([0, 1, 4, 8, Number.NaN])).toBe('▁▂▅█▁');
    expect(sparkline([0, 0])).toBe('▁▁');
  });
});
