// @ts-check
/**
 * npm run attack: the server with 256 MB beside honest people, under each attack alone and then under all of them at once. The
 * same bytes are sent to a sink as a control, because attacker and server share this machine.
 */
import { execFileSync, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { pause } from '../load/clock.js';
import { canPin, machine } from '../proc.js';
import { quantile } from '../report/numbers.js';
import { ATTACKERS, allAttacks } from './attacks.js';
import { Honest, PEOPLE } from './honest.js';
import { Target } from './target.js';

const GOAL = { p99Ms: 100, growthMb: 64 };
const ROOM = 'hall';
const ALL = 'all at once';
const LONG_MESSAGES = 500;
/** A run that takes longer has a fault. */
const MOST_MS = 360_000;
const HERE = fileURLToPath(new URL('.', import.meta.url));

const HELP = `Attacks the server, and measures what honest people notice.

  node bench/attack/run.js            every attack, then all at once (about four minutes)

  --only TEXT     only attacks whose name has this in it; "${ALL}" is one of them
  --seconds N     how long each lasts [2.5]
  --no-all        without all at once
  --shared        attackers, users and server share all cores. Otherwise the server has a core to itself, because the attackers
                  of a server are other machines
  --work FOLDER   where the data of the server is [bench/results]; a memory disk leaves out the noise of a shared disk
  --help

A row is unclear when the times of the control miss the goal too.
Goals: p99 of honest messages and requests ${GOAL.p99Ms} ms, growth of memory ${GOAL.growthMb} MB, nothing lost.
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '2.5' },
    work: { type: 'string' },
    'no-all': { type: 'boolean', default: false },
    shared: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** @typedef {import('./attacker.js').Attack} Attack */
/** @typedef {import('./attacker.js').Yield} Yield */
/** @typedef {{ work: string, sessionKey: string, seed: string, honest: string[], ms: number }} Ground */

const say = (/** @type {string} */ line) => void process.stderr.write(`${line}\n`);

const isPinned = !values.shared && canPin();
/** Cores of the server, or of the control in its place, and of everybody else. @type {{ server?: number, others?: number }} */
const cores = isPinned ? { server: 0, others: 1 } : {};

/** The users measure. They are this process, and must not wait for the attackers. */
function takePlace() {
  if (cores.others === undefined) return;
  execFileSync('taskset', ['-a', '-c', '-p', String(cores.others), String(process.pid)], { stdio: 'ignore' });
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // only root may; the attackers have the lowest priority anyway
  }
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/** @param {string} script @param {number | undefined} core */
function child(script, core) {
  const pinned =
    core === undefined ? {} : { execPath: 'taskset', execArgv: ['-c', String(core), process.execPath] };
  const forked = fork(join(HERE, script), { ...pinned, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  children.add(forked);
  forked.on('exit', () => children.delete(forked));
  return forked;
}

/** @template T @param {import('node:child_process').ChildProcess} process @returns {Promise<T>} its next message */
function message(process) {
  return new Promise((resolve, reject) => {
    process.once('message', (value) => resolve(/** @type {T} */ (value)));
    process.once('exit', () => reject(new Error('a process of the attack has ended')));
  });
}

/** Signs people in without limits, and fills a room with long messages. @param {Ground} ground */
async function prepare(ground) {
  const open = {
    ...{ MESSAGE_RATE: '0', MESSAGE_BURST: '0', SIGNINS_PER_MINUTE: '0' },
    ...{ CONNECTIONS_PER_PERSON: '0', CONNECTIONS_PER_ADDRESS: '0' },
  };
  const target = await Target.start(ground, { env: open });
  const origin = `http://127.0.0.1:${target.port}`;
  /** @type {string[]} */
  const cookies = [];
  for (let n = 0; n < PEOPLE + ATTACKERS; n++) {
    const body = JSON.stringify({ name: `Person ${n}` });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${origin}/signin`, { method: 'POST', headers, body });
    if (response.status !== 200) throw new Error(`a sign-in was answered with ${response.status}`);
    cookies.push(
      response.headers
        .getSetCookie()
        .map((line) => line.split(';')[0])
        .join('; '),
    );
  }
  await fill(target.port, cookies[0] ?? '');
  await target.stop(ground.seed);
  return cookies;
}

/** @param {number} port @param {string} cookie @returns {Promise<void>} */
function fill(port, cookie) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/big`, 'superchat', { headers: { cookie } });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => {
      const text = JSON.stringify({ type: 'chat', data: '😀'.repeat(4000) });
      for (let n = 0; n < LONG_MESSAGES; n++) socket.send(text);
    });
    socket.on('message', (data) => {
      if (JSON.parse(String(data)).id !== LONG_MESSAGES) return;
      socket.terminate();
      resolve();
    });
  });
}

/** @typedef {{ name: string, got: string, messages: number, requests: number, control: { messages: number, requests: number }, growthMb: number, lost: string, pass: boolean, limit: string }} Row */

/** @param {string} name @param {Attack[]} attacks @param {Ground} ground @returns {Promise<Row>} */
async function attack(name, attacks, ground) {
  const target = await Target.start(ground, { seed: ground.seed, core: cores.server });
  const attacker = child('attacker.js', cores.others);
  const sink = child('sink.js', cores.server);
  try {
    const sinkPort = await message(sink);
    const honest = await Honest.enter(target.port, ROOM, ground.honest);
    await pause(800); // compiled by then
    const control = await flood(attacker, attacks, sinkPort, ground.ms * 0.8);
    await pause(200);
    const before = target.rssKb;
    target.peakKb = before;
    const real = await flood(attacker, attacks, target.port, ground.ms);
    const lost = await honest.leave();
    const growthMb = (target.peakKb - before) / 1024;
    const dead = target.alive ? '' : 'THE SERVER DIED';
    const all = [dead, lost].filter(Boolean).join(', ');
    const { messages, requests } = noticed(honest, real);
    const slow = Math.max(messages, requests) > GOAL.p99Ms;
    return {
      ...{ name, got: describe(real.reached), messages, requests, growthMb, lost: all },
      control: noticed(honest, control),
      ...{ pass: !slow && growthMb <= GOAL.growthMb && all === '', limit: target.limit },
    };
  } finally {
    attacker.kill();
    sink.kill();
    await target.stop();
  }
}

/** @param {import('node:child_process').ChildProcess} attacker @param {Attack[]} attacks @param {unknown} port @param {number} ms */
async function flood(attacker, attacks, port, ms) {
  const from = performance.now();
  attacker.send({ attacks, port, ms });
  const reached = /** @type {Yield[]} */ (await message(attacker));
  return { reached, from, to: performance.now() };
}

/** p99 of what was sent during a flood, also when its answer came later. @param {Honest} honest @param {{ from: number, to: number }} flood */
function noticed({ times }, { from, to }) {
  /** @param {import('./honest.js').Time[]} all */
  const p99 = (all) => {
    const during = all.filter(({ at }) => at >= from && at <= to).map(({ ms }) => ms);
    return during.length === 0
      ? Number.POSITIVE_INFINITY
      : quantile(
          during.sort((a, b) => a - b),
          0.99,
        );
  };
  return { messages: p99(times.messages), requests: p99(times.requests) };
}

/** @param {Yield[]} reached */
function describe(reached) {
  /** @param {'opened' | 'closed' | 'sent' | 'received'} what */
  const sum = (what) => reached.reduce((total, one) => total + one[what], 0);
  /** @type {Record<string, number>} */
  const statuses = {};
  for (const one of reached)
    for (const [status, count] of Object.entries(one.statuses))
      statuses[status] = (statuses[status] ?? 0) + count;
  const answers = Object.entries(statuses).map(([status, count]) => `${status} ×${count}`);
  const mb = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(1);
  return `${sum('opened')} opened, ${sum('closed')} closed; ${mb(sum('sent'))} MB in, ${mb(sum('received'))} out${answers.length > 0 ? `; ${answers.join(', ')}` : ''}`;
}

/** @param {Row[]} rows */
function table(rows) {
  const ms = (/** @type {number} */ value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));
  const lines = rows.map((row) => {
    const { name, got, messages, requests, control, growthMb, lost } = row;
    const cells = [
      ...[name, `${ms(messages)} (${ms(control.messages)})`, `${ms(requests)} (${ms(control.requests)})`],
      ...[growthMb.toFixed(0), lost || 'nothing', got, verdict(row)],
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const head =
    '| attack | message p99 ms (control) | request p99 ms (control) | memory + MB | lost | what the attacker got | |';
  return [head, '|---|---|---|---|---|---|---|', ...lines].join('\n');
}

/** A row is unclear when only its times miss the goal and those of the control do too: then the machine is too busy. @param {Row} row */
function verdict({ pass, control, growthMb, lost }) {
  if (pass) return 'pass';
  const isBusy = Math.max(control.messages, control.requests) > GOAL.p99Ms;
  return isBusy && growthMb <= GOAL.growthMb && lost === '' ? 'unclear' : '**fail**';
}

async function main() {
  if (values.help) return void process.stdout.write(HELP);
  const results = values.work ?? fileURLToPath(new URL('../results/', import.meta.url));
  mkdirSync(results, { recursive: true });
  const work = mkdtempSync(join(results, 'attack-'));
  const watchdog = setTimeout(() => {
    say('the run takes too long: stopping');
    process.exitCode = 1;
    end(work);
    process.exit();
  }, MOST_MS);
  const key = randomBytes(32).toString('base64url');
  /** @type {Ground} */
  const ground = {
    work,
    sessionKey: key,
    seed: join(work, 'seed'),
    honest: [],
    ms: Number(values.seconds) * 1000,
  };
  try {
    say('preparing: people sign in, a room is filled with long messages');
    const cookies = await prepare(ground);
    ground.honest = cookies.slice(0, PEOPLE);
    takePlace();
    const attacks = allAttacks(cookies.slice(PEOPLE), ROOM);
    /** @type {Row[]} */
    const rows = [];
    for (const one of attacks.filter(({ name }) => name.includes(values.only))) {
      rows.push(await attack(one.name, [one], ground));
      say(table(rows.slice(-1)).split('\n').at(-1) ?? '');
    }
    if (!values['no-all'] && ALL.includes(values.only)) {
      rows.push(await attack(ALL, attacks, { ...ground, ms: 2 * ground.ms }));
      say(table(rows.slice(-1)).split('\n').at(-1) ?? '');
    }
    const { cpu, cores: count, node } = machine();
    process.stdout.write(`\n${count} cores of ${cpu}, Node ${node}; ${rows[0]?.limit}\n\n${table(rows)}\n`);
    process.exitCode = rows.every(({ pass }) => pass) ? 0 : 1;
  } finally {
    clearTimeout(watchdog);
    end(work);
  }
}

/** @param {string} work */
function end(work) {
  for (const one of children) one.kill();
  rmSync(work, { recursive: true, force: true });
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.once(signal, () => {
    for (const one of children) one.kill();
    process.exit(130);
  });

await main();
