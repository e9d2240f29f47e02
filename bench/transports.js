// @ts-check
/**
 * What a delivery costs on each transport: the same room read by 1,000 people over WebSocket, as an event stream, as lines,
 * and by long polling, beside the polling of Socket.IO. One process is the server, this one is the load.
 *   node bench/transports.js [--people 1000] [--rate 10] [--seconds 10] [--only websocket,sse,ndjson,poll,socketio]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pause } from './load/clock.js';
import { calm, cpuOf } from './proc.js';
import { quantile } from './report/numbers.js';

/** @typedef {import('node:net').Socket} Socket */
/** @typedef {{ cookies: readonly string[], port: number }} Site */
/** @typedef {{ count: number, ready: number, delays: number[] }} Tally */
/** @typedef {{ server: string[], open: (site: Site, cookie: string, tally: Tally, watched: boolean) => Socket, say: (site: Site, text: string) => Promise<void> }} Subject */

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const NO_LIMITS = {
  ...{
    MESSAGE_RATE: '0',
    CONNECTIONS_PER_PERSON: '0',
    CONNECTIONS_PER_ADDRESS: '0',
    SIGNINS_PER_MINUTE: '0',
  },
  ...{ HOST: '127.0.0.1', LOG_LEVEL: 'error' },
};
const MARK = Buffer.from('said-at-');
/** One reader of so many notes how late a message is. */
const WATCH = 25;
const SIGNINS_AT_ONCE = 16;

/** Counts the messages in what was read. @param {Buffer} bytes @param {Tally} tally @param {boolean} watched */
function tell(bytes, tally, watched) {
  for (let at = bytes.indexOf(MARK); at >= 0; at = bytes.indexOf(MARK, at + MARK.length)) {
    tally.count++;
    if (watched)
      tally.delays.push(
        performance.now() - Number.parseFloat(bytes.toString('latin1', at + MARK.length, at + 30)),
      );
  }
}

/** A stream: one request, then everything that comes. @param {string} path @param {string} headers @param {string} greeting @returns {Subject['open']} */
function stream(path, headers, greeting) {
  return ({ port }, cookie, tally, watched) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\n${headers}\r\n`);
    let isReady = false;
    socket.on('data', (bytes) => {
      if (!isReady && bytes.includes(greeting)) {
        isReady = true;
        tally.ready++;
      }
      tell(bytes, tally, watched);
    });
    return socket;
  };
}

/** Reads answers one after the other on one connection. @param {Socket} socket @param {(head: string, body: Buffer) => void} onAnswer */
function readAnswers(socket, onAnswer) {
  let rest = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = rest.toString('latin1', 0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (rest.length < end + 4 + length) return;
    const body = rest.subarray(end + 4, end + 4 + length);
    rest = rest.subarray(end + 4 + length);
    onAnswer(head, body);
  });
}

/** @type {Subject['open']} */
function poll({ port }, cookie, tally, watched) {
  const socket = connect(port, '127.0.0.1');
  let after = 0;
  const ask = () =>
    socket.write(
      `GET /api/rooms/hall/messages?after=${after}&wait=30&limit=500 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\n\r\n`,
    );
  ask();
  readAnswers(socket, (_head, body) => {
    if (after === 0) tally.ready++;
    after = Number(/"last":(\d+)/.exec(body.toString('latin1', 0, 80))?.[1] ?? after);
    tell(body, tally, watched);
    ask();
  });
  return socket;
}

/** Engine.IO 4: a handshake, the room, and then one GET after the other. @type {Subject['open']} */
function pollSocketIo({ port }, _cookie, tally, watched) {
  const socket = connect(port, '127.0.0.1');
  const request = (/** @type {string} */ query, body = '') =>
    socket.write(
      `${body === '' ? 'GET' : 'POST'} /socket.io/?EIO=4&transport=polling&room=hall${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  let [sid, answers] = ['', 0];
  request('');
  readAnswers(socket, (_head, body) => {
    answers++;
    if (answers === 1) sid = `&sid=${/"sid":"([^"]+)"/.exec(body.toString())?.[1]}`;
    if (answers === 1) return request(sid, '40');
    if (answers === 3) tally.ready++;
    tell(body, tally, watched);
    request(sid);
  });
  return socket;
}

/** @param {Site} site @param {string} text */
async function say({ port, cookies }, text) {
  await fetch(`http://127.0.0.1:${port}/api/rooms/hall/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie: cookies[0] ?? '' },
    body: JSON.stringify({ data: text }),
  });
}

/** @type {string} */
let speaker = '';

/** @param {Site} site @param {string} text */
async function saySocketIo({ port }, text) {
  const url = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling&room=talkers`;
  const post = (/** @type {string} */ body) => fetch(url + speaker, { method: 'POST', body });
  if (speaker === '') {
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
    speaker = `&sid=${sid}`;
    await post('40');
    await fetch(url + speaker);
  }
  await (await post(`42["m",${JSON.stringify(text)},"hall"]`)).text();
}

const oneport = [here('../dist/main.js')];
const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: superchat\r\n';
const events = '/api/rooms/hall/events?history=0';

/** @type {Readonly<Record<string, Subject>>} */
const SUBJECTS = {
  websocket: { server: oneport, open: stream('/ws/hall?history=0', upgrade, '"list"'), say },
  sse: { server: oneport, open: stream(events, 'Accept: text/event-stream\r\n', '"list"'), say },
  ndjson: { server: oneport, open: stream(events, 'Accept: application/x-ndjson\r\n', '"list"'), say },
  poll: { server: oneport, open: poll, say },
  socketio: { server: [here('servers/socketio.js'), 'polling'], open: pollSocketIo, say: saySocketIo },
};

/** @param {number} port @param {number} people */
async function signIn(port, people) {
  /** @type {string[]} */
  const cookies = [];
  const one = async (/** @type {number} */ n) => {
    const response = await fetch(`http://127.0.0.1:${port}/signin`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: `reader ${n} ${String.fromCharCode(97 + (n % 26))}` }),
    });
    cookies[n] = response.headers
      .getSetCookie()
      .map((cookie) => cookie.split(';')[0])
      .join('; ');
  };
  for (let n = 0; n < people; n += SIGNINS_AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(SIGNINS_AT_ONCE, people - n) }, (_, k) => one(n + k)));
  return cookies;
}

/** @param {Subject} subject @param {{ people: number, rate: number, seconds: number }} size */
async function measure({ server, open, say: speak }, { people, rate, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'oneport-transports-'));
  const child = spawn(process.execPath, server, {
    env: { ...NO_LIMITS, PORT: '0', DATA_DIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = await once(child.stdout, 'data');
    const port = Number(/:(\d+)/.exec(String(line).replace(/^.*127\.0\.0\.1|^.*localhost/, ''))?.[1]);
    const isOurs = server === oneport;
    const site = { port, cookies: isOurs ? await signIn(port, people) : [] };
    await speak(site, 'the first');
    await calm(20); // before the readers come, because raw sockets answer no ping
    /** @type {Tally} */
    const tally = { count: 0, ready: 0, delays: [] };
    const sockets = Array.from({ length: people }, (_, n) =>
      open(site, site.cookies[n] ?? '', tally, n % WATCH === 0),
    );
    for (let n = 0; n < 600 && tally.ready < people; n++) await pause(50);
    const before = cpuOf(child.pid ?? 0);
    const from = performance.now();
    for (let n = 0; n < rate * seconds; n++) {
      await pause(Math.max(0, from + (n * 1000) / rate - performance.now()));
      void speak(site, `${MARK}${performance.now().toFixed(3)} ${'x'.repeat(60)}`);
    }
    const wanted = people * rate * seconds;
    for (let n = 0; n < 100 && tally.count < wanted; n++) await pause(20);
    const cpu = cpuOf(child.pid ?? 0) - before;
    for (const socket of sockets) socket.destroy();
    tally.delays.sort((a, b) => a - b);
    const [p50, p99] = [0.5, 0.99].map((q) => quantile(tally.delays, q).toFixed(1));
    return `${(cpu / tally.count).toFixed(2)} µs each, ${(cpu / 1e4 / seconds).toFixed(1)} % of a core; p50 ${p50} ms, p99 ${p99} ms; missing ${wanted - tally.count}`;
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    people: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '10' },
    only: { type: 'string', default: Object.keys(SUBJECTS).join() },
  },
});
const size = { people: Number(values.people), rate: Number(values.rate), seconds: Number(values.seconds) };
process.stdout.write(`${size.people} readers, ${size.rate} messages/s, ${size.seconds} s\n`);
for (const name of values.only.split(',')) {
  const subject = SUBJECTS[name];
  if (!subject) throw new Error(`there is no ${name}`);
  process.stdout.write(`${name.padEnd(10)} ${await measure(subject, size)}\n`);
}
