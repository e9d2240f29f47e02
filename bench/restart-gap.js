// @ts-check
/**
 * The same kill -9, seen by the clients of Oneport and of Socket.IO with connection state recovery: how long each is kept
 * out, and what it missed of what was acknowledged to the speaker. Once with each one's own way to try again, once with
 * the same quick one for both.
 *   node bench/restart-gap.js [--kills 30] [--readers 8]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pause } from './load/clock.js';
import { quantile } from './report/numbers.js';
import { Client } from './restart/client.js';
import * as tongues from './restart/tongues.js';

/** @typedef {import('./restart/client.js').Tongue} Tongue */
/** @typedef {{ name: string, tongue: Tongue, args: (port: number) => string[], cookie: (port: number) => Promise<string> }} Subject */

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
/** Milliseconds: between two kills, and until all are whole at the end. */
const CALM = 2000;
const END = 20_000;
const quick = () => 5 + Math.random() * 55;

/** @type {Subject[]} */
const SUBJECTS = [
  { name: 'Oneport', tongue: tongues.oneport, args: () => [here('../dist/main.js')], cookie: signIn },
  {
    name: 'Socket.IO',
    tongue: tongues.socketio,
    args: (port) => [here('servers/recovering.js'), String(port)],
    cookie: async () => '',
  },
];

/** @param {number} port */
async function signIn(port) {
  const response = await fetch(`http://127.0.0.1:${port}/signin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Ann' }),
  });
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
}

/** @param {Subject} subject @param {number} port @param {string} folder */
async function start({ args }, port, folder) {
  const limits = { MESSAGE_RATE: '0', CONNECTIONS_PER_PERSON: '0', SIGNINS_PER_MINUTE: '0' };
  const child = spawn(process.execPath, args(port), {
    env: { ...limits, PORT: String(port), DATA_DIR: folder, LOG_LEVEL: 'error' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

/** Below the ports that the system gives to connections: it stays free while the server is down. */
const somePort = () => 20_000 + Math.floor(Math.random() * 12_000);

/** @param {Subject} subject @param {Tongue['wait']} wait @param {{ kills: number, readers: number }} size */
async function measure(subject, wait, { kills, readers }) {
  const folder = mkdtempSync(join(tmpdir(), 'oneport-gap-'));
  const port = somePort();
  let server = await start(subject, port, folder);
  const cookie = await subject.cookie(port);
  const clients = Array.from({ length: readers + 1 }, () => new Client(port, cookie, subject.tongue, wait));
  const [speaker] = clients;
  for (const client of clients) client.connect();
  await until(() => clients.every(({ inside }) => inside));
  speaker?.talk();
  for (let n = 0; n < kills; n++) {
    await pause(CALM / 2 + Math.random() * CALM);
    server.kill('SIGKILL');
    await once(server, 'exit');
    server = await start(subject, port, folder);
    await until(() => clients.every(({ inside }) => inside));
  }
  speaker?.hush();
  await until(() => speaker?.unacknowledged.size === 0);
  await pause(1000);
  for (const client of clients) client.end();
  server.kill('SIGKILL');
  await once(server, 'exit');
  rmSync(folder, { recursive: true, force: true });
  return countOf(clients, [...(speaker?.acknowledged ?? [])]);
}

/** @param {Client[]} clients @param {string[]} acknowledged */
function countOf(clients, acknowledged) {
  const gaps = clients.flatMap((client) => client.gaps).sort((a, b) => a - b);
  const readers = clients.slice(1);
  const times = readers.flatMap(({ shown }) => acknowledged.map((text) => shown.get(text) ?? 0));
  return {
    p50: Math.round(quantile(gaps, 0.5)),
    p99: Math.round(quantile(gaps, 0.99)),
    gaps: gaps.length,
    acknowledged: acknowledged.length,
    missed: times.filter((count) => count === 0).length,
    twice: times.filter((count) => count > 1).length,
    shown: times.length,
  };
}

/** @param {() => boolean} check */
async function until(check) {
  for (const end = performance.now() + END; !check(); await pause(10))
    if (performance.now() > end) throw new Error('waited in vain');
}

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '30' }, readers: { type: 'string', default: '8' } },
});
const size = { kills: Number(values.kills), readers: Number(values.readers) };
process.stdout.write(
  '| server | tries again | gap p50 ms | p99 ms | acknowledged | missed by readers | shown twice |\n',
);
process.stdout.write('|---|---|---|---|---|---|---|\n');
for (const [how, waits] of /** @type {const} */ ([
  ['as its client does', undefined],
  ['every 5 to 60 ms', quick],
])) {
  for (const subject of SUBJECTS) {
    const found = await measure(subject, waits ?? subject.tongue.wait, size);
    const missed = `${found.missed} of ${found.shown}`;
    const cells = [subject.name, how, found.p50, found.p99, found.acknowledged, missed, found.twice];
    process.stdout.write(`| ${cells.join(' | ')} |\n`);
  }
}
