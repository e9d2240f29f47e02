// @ts-check
/**
 * A million signed-in sockets to one server on this machine, in one room, and a message to all of them. A process may have
 * some thousands of files, so the server has many workers, and the clients are as many processes in C (clients.c). It stops
 * before the memory is used up, and says how far it came.
 *
 *   node bench/run.js million [SOCKETS] [--people N] [--workers N] [--messages N] [--settle SECONDS] [--profile FOLDER]
 */

import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pause } from '../load/clock.js';
import { cpuOf, fileLimit, kernelMemory, machine, pssOf, treeOf } from '../proc.js';
import { quantile } from '../report/numbers.js';
import { copyProduct, SESSION_KEY } from '../server.js';
import { Stage } from '../stage.js';
import { ClientProcess } from './client-process.js';

/** @typedef {import('../server.js').Ground} Ground */
/** @typedef {ReturnType<typeof planOf>} Plan */

const SOURCE = fileURLToPath(new URL('./clients.c', import.meta.url));
const ROOM = 'hall';
const PATH = `/ws/${ROOM}?history=0`;
const [MILLION, MOST] = [1_000_000, 2_000_000];
/** Files of a process that are no sockets of clients: Oneport keeps 256 free, and has some of its own. */
const RESERVED = { server: 400, clients: 60 };
/** Client processes that enter at the same time, and the handshakes of each: fewer than a listener's backlog of 511. */
const [ENTERING, WINDOW] = [4, 64];
/** With less memory left, no more sockets are opened: the kernel would end a process. */
const MEMORY_LEFT_KB = 1.25 * 1024 * 1024;
/** Seconds without another client, after which it gives up. */
const STALLED = 60;
/** Milliseconds between two requests, each on a connection of its own. They show what others notice. */
const PROBE_MS = 100;
/** Time for a message to reach everyone. */
const HEARD_MS = 300_000;
/** A ping and its answer take about 40 µs of CPU at both ends. Every 15 seconds, those of a million would take over two cores. */
const PING_SECONDS = 240;
/** In MB. After a burst of joins, V8 keeps up to 48 MB for new objects in each process, and there are over 50. */
const NODE_OPTIONS = `--max-semi-space-size=2 ${process.env['NODE_OPTIONS'] ?? ''}`;

/** @param {string} root @param {Ground} ground @param {string[]} args */
export async function million(root, ground, args) {
  const plan = planOf(args);
  const { sockets, workers, processes, messages } = plan;
  ground.say(`${count(sockets)} sockets: ${workers || 'no'} workers, ${processes} processes of clients`);
  copyProduct(root, ground.product);
  const program = join(ground.work, 'clients');
  execFileSync('cc', ['-O2', '-o', program, SOURCE]);
  const files = signCookies(ground.work, plan);
  const env = {
    ...(workers > 0 && { WORKERS: String(workers) }),
    PING_SECONDS: String(PING_SECONDS),
    NODE_OPTIONS,
  };
  const stage = await Stage.open({ ...ground, profiles: plan.profile }, 'oneport', {
    data: '',
    env,
    startMs: 300_000,
  });
  const run = new Run(stage, program, files);
  try {
    await run.enter(sockets);
    await run.settle(plan.settleMs);
    for (let n = 0; n < messages; n++) await run.say();
    report(plan, run);
  } finally {
    await run.end();
  }
}

/** @param {string[]} args */
function planOf(args) {
  const options = /** @type {const} */ ({
    workers: { type: 'string' },
    messages: { type: 'string' },
    people: { type: 'string' },
    settle: { type: 'string' },
    profile: { type: 'string' },
  });
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const sockets = Number(positionals[0] ?? MILLION);
  if (!(sockets >= 1 && sockets <= MOST)) throw new Error(`give 1 to ${count(MOST)} sockets`);
  const files = Math.min(fileLimit(), 20_000);
  const one = sockets <= files - RESERVED.server;
  const workers = Number(values.workers ?? (one ? 0 : Math.ceil(sockets / (files - RESERVED.server)) + 1));
  const processes = Math.ceil(sockets / (files - RESERVED.clients));
  return {
    sockets,
    workers,
    processes,
    each: Math.ceil(sockets / processes),
    messages: Number(values.messages ?? 3),
    people: Number(values.people ?? sockets),
    settleMs: Number(values.settle ?? 10) * 1000,
    profile: values.profile,
  };
}

/** The cookies of people who are known to nobody yet, one a line, in a file for each process. @param {string} folder @param {Plan} plan */
function signCookies(folder, { sockets, people, processes, each }) {
  const iat = Math.floor(Date.now() / 1000);
  return Array.from({ length: processes }, (_, process) => {
    const length = Math.min(each, sockets - process * each);
    const lines = Array.from({ length }, (_, i) => cookieOf((process * each + i) % people, iat));
    const file = join(folder, `people-${process}`);
    writeFileSync(file, lines.join('\n'));
    return file;
  });
}

/** @param {number} i @param {number} iat seconds since 1970 */
function cookieOf(i, iat) {
  const number = String(i).padStart(7, '0');
  const value = Buffer.from(JSON.stringify({ id: `id${number}`, name: `p${number}`, iat })).toString(
    'base64',
  );
  const signature = createHmac('sha256', SESSION_KEY).update(`name=${value}`).digest('base64url');
  return `name=${value}; name.sig=${signature}`;
}

/** What is measured, in the order of the run. */
class Run {
  /** @type {ClientProcess[]} */
  clients = [];
  in = 0;
  lost = 0;
  seconds = 0;
  enterCpu = 0;
  idlePercent = 0;
  /** @type {{ ms: number, firstMs: number, cpuUs: number, heard: number, gaps: number }[]} */
  messages = [];
  /** @type {Record<string, Float64Array>} microseconds */
  health = {};
  stopped = '';
  /** of the first client that was lost */
  fault = '';
  #stage;
  #program;
  #files;
  #probe;
  #before;
  /** @type {ReturnType<Run['memory']> | undefined} */
  full;

  /** @param {Stage} stage @param {string} program @param {string[]} files */
  constructor(stage, program, files) {
    this.#stage = stage;
    this.#program = program;
    this.#files = files;
    this.#probe = stage.load();
    this.#before = this.memory();
  }

  get before() {
    return this.#before;
  }

  memory() {
    const { pid } = this.#stage.server;
    const servers = treeOf(pid).map(pssOf);
    const clients = this.clients.map(({ pid: client }) => pssOf(client));
    const sum = (/** @type {number[]} */ all) => all.reduce((total, one) => total + one, 0);
    return {
      ...kernelMemory(),
      primaryKB: servers[0] ?? 0,
      serversKB: sum(servers),
      clientsKB: sum(clients),
    };
  }

  get cpu() {
    return treeOf(this.#stage.server.pid).reduce((sum, pid) => sum + cpuOf(pid), 0);
  }

  /** Opens all sockets, or as many as there is memory for. @param {number} sockets */
  async enter(sockets) {
    await this.#openRoom();
    await this.#probed();
    const [from, cpu] = [performance.now(), this.cpu];
    this.clients = this.#files.map(
      (_, i) => new ClientProcess(this.#program, this.#stage.server.port, `127.${1 + i}.0.1`, PATH, WINDOW),
    );
    const waiting = this.#files.map((file, i) => () => this.clients[i]?.enter(file));
    const next = async () => {
      for (let enter = waiting.shift(); enter; enter = waiting.shift()) await enter();
    };
    const entering = Promise.all(Array.from({ length: ENTERING }, next)).then(() => true);
    const isOver = () => Promise.race([entering, pause(1000).then(() => false)]);
    for (let stalled = 0; this.stopped === '' && !(await isOver()); ) {
      const before = this.in;
      this.#count();
      stalled = this.in > before ? 0 : stalled + 1;
      this.#tell(sockets, from, this.in - before);
      if (stalled > STALLED) this.stopped = `nobody came in for ${STALLED} s`;
      if (kernelMemory().availableKB < MEMORY_LEFT_KB) this.stopped = 'the memory is used up';
    }
    waiting.length = 0;
    for (const client of this.clients) client.halt();
    this.#count();
    this.seconds = (performance.now() - from) / 1000;
    this.enterCpu = this.cpu - cpu;
    await this.#probed('entering');
  }

  /** So that everybody becomes a member as they come, and not all of them with the first message. */
  async #openRoom() {
    const { port } = this.#stage.server;
    const headers = {
      'content-type': 'application/json',
      cookie: cookieOf(MOST, Math.floor(Date.now() / 1000)),
    };
    const body = JSON.stringify({ data: 'The room is open.' });
    const url = `http://127.0.0.1:${port}/api/rooms/${ROOM}/messages`;
    const answer = await fetch(url, { method: 'POST', headers, body });
    if (answer.status !== 201) throw new Error(`the first message: ${answer.status} ${await answer.text()}`);
  }

  /** Keeps what the probe has measured since the last call, under this name. @param {string} [name] */
  async #probed(name) {
    const times = await this.#probe.call('probed', undefined, HEARD_MS);
    if (name !== undefined) this.health[name] = times;
    const { port } = this.#stage.server;
    await this.#probe.call('probeFresh', { port, path: '/healthz', every: PROBE_MS });
  }

  #count() {
    this.in = this.clients.reduce((sum, client) => sum + client.in, 0);
    this.lost = this.clients.reduce((sum, client) => sum + client.lost, 0);
  }

  /** @param {number} sockets @param {number} from @param {number} more */
  #tell(sockets, from, more) {
    const seconds = Math.round((performance.now() - from) / 1000);
    if (seconds % 5 !== 0 && this.in < sockets) return;
    const left = (kernelMemory().availableKB / 1024 ** 2).toFixed(1);
    this.#stage.ground.say(
      `  ${seconds} s: ${count(this.in)} are in, ${count(more)} in this second, ${count(this.lost)} lost; ${left} GB are free`,
    );
  }

  /** @param {number} ms */
  async settle(ms) {
    this.#stage.ground.say('  settling');
    await pause(ms);
    this.full = this.memory();
    await this.#probed();
    const [cpu, from] = [this.cpu, performance.now()];
    await pause(ms);
    this.idlePercent = (this.cpu - cpu) / 10 / (performance.now() - from);
    await this.#probed('idle');
  }

  /** One message, until all have it. */
  async say() {
    await Promise.all(this.clients.map((client) => client.begin()));
    await this.#probed();
    const cpu = this.cpu;
    this.clients[0]?.say(1);
    const { reports, used } = await this.#heard(cpu);
    const [first] = reports;
    const saidAt = first?.saidAt ?? 0;
    const heard = reports.reduce((sum, { messages }) => sum + messages, 0);
    this.messages.push({
      ms: (Math.max(...reports.map(({ lastAt }) => lastAt)) - saidAt) / 1000,
      firstMs:
        (Math.min(...reports.flatMap(({ firstAt }) => (firstAt > 0 ? [firstAt] : []))) - saidAt) / 1000,
      cpuUs: used / heard,
      heard,
      gaps: reports.reduce((sum, { gaps }) => sum + gaps, 0),
    });
    await this.#probed(`message ${this.messages.length}`);
    this.#stage.ground.say(`  ${count(heard)} have message ${this.messages.length}`);
    await pause(2000);
  }

  /** @param {number} cpu of the servers before */
  async #heard(cpu) {
    for (const until = Date.now() + HEARD_MS; ; await pause(100)) {
      const reports = await Promise.all(this.clients.map((client) => client.report()));
      const used = this.cpu - cpu;
      const heard = reports.reduce((sum, { messages }) => sum + messages, 0);
      this.in = reports.reduce((sum, report) => sum + report.in, 0);
      this.fault ||= reports.find(({ fault }) => fault !== '')?.fault ?? '';
      if (heard >= this.in || Date.now() > until) return { reports, used };
    }
  }

  /** Without a farewell, which would take minutes. */
  async end() {
    for (const client of this.clients) client.stop();
    for (const pid of treeOf(this.#stage.server.pid)) process.kill(pid, 'SIGKILL');
    await this.#stage.close();
  }
}

/** @param {Plan} plan @param {Run} run */
function report(plan, run) {
  const { before, full, messages, health } = run;
  const rows = [
    ...entered(plan, run),
    ...(full ? memoryRows(run.in, before, full) : []),
    ['idle', `${run.idlePercent.toFixed(0)} % of a core`],
    ...messages.map((message, i) => [`message ${i + 1}`, delivery(message)]),
    ...Object.entries(health).map(([when, times]) => [`/healthz, ${when}`, latency(times)]),
  ];
  const lines = rows.map(([name, value]) => `| ${name} | ${value} |`);
  process.stdout.write(`\n| | |\n|---|---|\n${lines.join('\n')}\n`);
  const out = fileURLToPath(new URL('../results', import.meta.url));
  mkdirSync(out, { recursive: true });
  const date = new Date().toISOString().slice(0, 10);
  const file = { date, machine: machine(), plan, before, full, messages, rows: Object.fromEntries(rows) };
  writeFileSync(join(out, 'million.json'), `${JSON.stringify(file, null, 2)}\n`);
  const isWhole = messages.every(({ heard, gaps }) => heard >= run.in && gaps === 0);
  if (run.in < plan.sockets || !isWhole) process.exitCode = 1;
}

/** @param {Plan} plan @param {Run} run @returns {string[][]} */
function entered({ sockets, people, workers, processes }, run) {
  const { seconds, enterCpu, lost, fault, stopped } = run;
  return [
    [
      'sockets',
      `${count(run.in)} of ${count(sockets)}, of ${count(people)} people${stopped && `; ${stopped}`}`,
    ],
    ['lost', `${count(lost)}${fault && `: ${fault}`}`],
    ['workers; processes of clients', `${workers}; ${processes}`],
    [
      'until all were in',
      `${seconds.toFixed(0)} s; CPU of the servers ${(enterCpu / run.in).toFixed(0)} µs each`,
    ],
  ];
}

/** @param {number} sockets @param {ReturnType<Run['memory']>} before @param {ReturnType<Run['memory']>} now @returns {string[][]} */
function memoryRows(sockets, before, now) {
  const row = (/** @type {number} */ kB) => `${gb(kB)}, ${(kB / sockets).toFixed(2)} kB each`;
  const gb = (/** @type {number} */ kB) => `${(kB / 1024 ** 2).toFixed(2)} GB`;
  const workers = now.serversKB - now.primaryKB - before.serversKB + before.primaryKB;
  return [
    ['servers at their start', gb(before.serversKB)],
    ...(workers > 0 ? [['sockets, in the workers', row(workers)]] : []),
    [
      workers > 0 ? 'people, in the primary' : 'sockets, in the server',
      row(now.primaryKB - before.primaryKB),
    ],
    ['kernel, both ends', row(now.slabKB + now.tcpKB - before.slabKB - before.tcpKB)],
    ['clients', row(now.clientsKB)],
    ['memory in all', `${row(before.availableKB - now.availableKB)}; ${gb(now.availableKB)} are left`],
  ];
}

/** @param {Run['messages'][number]} message */
function delivery({ ms, firstMs, cpuUs, heard, gaps }) {
  const last = `the last of ${count(heard)} has it after ${(ms / 1000).toFixed(1)} s, the first after ${firstMs.toFixed(0)} ms`;
  return `${last}; CPU of the servers ${cpuUs.toFixed(1)} µs each${gaps > 0 ? `; ${gaps} NUMBERS MISSING` : ''}`;
}

/** @param {Float64Array} times microseconds */
function latency(times) {
  const sorted = times.filter(Number.isFinite).sort();
  const failed = times.length - sorted.length;
  const ms = (/** @type {number} */ q) => `${(quantile(sorted, q) / 1000).toFixed(1)}`;
  return `p50 ${ms(0.5)} ms, p99 ${ms(0.99)}, longest ${ms(1)}${failed > 0 ? `; ${failed} of ${times.length} failed` : ''}`;
}

/** @param {number} value */
function count(value) {
  return value.toLocaleString('en');
}
