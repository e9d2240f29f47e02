/**
 * Installs what a server needs in a fresh folder with the Node that runs this file, starts it, kills it in the middle,
 * and checks that its log is whole. `.ci/nodes` calls it for each supported Node. The project must be built.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expectedSummary, fixedHistory, summaryOf } from './history.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'oneport-smoke-'));
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`,
  DATA_DIR: join(folder, 'data'),
  PORT: '0',
};

/** @type {import('node:child_process').ChildProcess | undefined} */
let server;

try {
  for (const name of ['package.json', 'package-lock.json', 'sqlite-node20', 'dist', 'public'])
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    });
  const from = Date.now();
  execFileSync('npm', ['ci', '--omit=dev', '--silent', '--no-audit', '--no-fund'], { cwd: folder, env });
  const seconds = ((Date.now() - from) / 1000).toFixed(1);

  assert.equal(await summaryOfFixedHistory(), expectedSummary);
  let origin = await start();
  const cookie = await signIn(origin);
  assert.equal(await post(origin, cookie, 'before the kill', 'one'), 201);
  server?.kill('SIGKILL');
  await once(server ?? assert.fail(), 'exit');

  origin = await start();
  assert.equal(await post(origin, cookie, 'before the kill', 'one'), 200); // the same cid: its first number
  assert.equal(await post(origin, cookie, 'after the kill', 'two'), 201);
  assert.deepEqual(await messages(origin, cookie), [
    [1, 'before the kill'],
    [2, 'after the kill'],
  ]);
  const page = await fetch(`${origin}/r/lobby`, { headers: { cookie } });
  assert.equal(page.status, 200);
  assert.deepEqual(await h2cAndNext(origin), [422, 200]); // by a hook into Node's HTTP parser
  server?.kill('SIGTERM');
  assert.deepEqual(await once(server ?? assert.fail(), 'exit'), [0, null]);

  const verdict = execFileSync(process.execPath, ['dist/main.js', 'verify'], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  assert.match(verdict, /^sound: 2 events in 1 rooms/m);
  process.stdout.write(`Node ${process.versions.node}: smoke test passed (npm ci took ${seconds} s)\n`);
} finally {
  server?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

/** Applies the fixed history with the server's own modules. */
async function summaryOfFixedHistory() {
  const load = (/** @type {string} */ file) => import(join(folder, 'dist', file));
  const [{ Store }, { applyBatch }, { skeleton }] = await Promise.all(
    ['store/store.js', 'chat/rules.js', 'chat/names.js'].map(load),
  );
  const store = new Store(join(folder, 'history'));
  const results = applyBatch(fixedHistory(skeleton), store, assert.fail);
  const summary = summaryOf(store.heads(), results);
  store.close();
  return summary;
}

/** Posts a body with an upgrade to h2c, and another request behind it. @param {string} origin */
async function h2cAndNext(origin) {
  const { hostname, port } = new URL(origin);
  const host = `Host: ${hostname}\r\n`;
  const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n';
  const body = 'Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{"name":" "}';
  const socket = connect(Number(port), hostname);
  socket.write(`POST /signin HTTP/1.1\r\n${host}${h2c}${body}`);
  socket.write(`GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  let text = '';
  for await (const bytes of socket) text += bytes;
  return [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
}

/** Resolves with the address that the server prints. */
async function start() {
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  server = child;
  const [line] = await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(([code]) => assert.fail(`the server ended with ${code}`)),
  ]);
  return /http\S+/.exec(String(line))?.[0] ?? assert.fail(`no address in ${line}`);
}

/** @param {string} origin */
async function signIn(origin) {
  const response = await fetch(`${origin}/signin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Ann' }),
  });
  assert.equal(response.status, 200);
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
}

/** @param {string} origin @param {string} cookie @param {string} data @param {string} cid */
async function post(origin, cookie, data, cid) {
  const response = await fetch(`${origin}/api/rooms/lobby/messages`, {
    method: 'POST',
    headers: { cookie, 'content-type': 'application/json' },
    body: JSON.stringify({ data, cid }),
  });
  return response.status;
}

/** @param {string} origin @param {string} cookie */
async function messages(origin, cookie) {
  const response = await fetch(`${origin}/api/rooms/lobby/messages?after=0`, { headers: { cookie } });
  const page = await response.json();
  return page.messages.map((/** @type {{ id: number, data: string }} */ { id, data }) => [id, data]);
}
