// @ts-check
/**
 * The bench: each case, round by round, server after server on the same machine, medians and spread. What it starts it
 * stops, by pid; what it writes lies in its results folder. Nothing else depends on its times.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pause } from './load/clock.js';
import { million } from './million/million.js';
import { HELP, readOptions } from './options.js';
import { calm, canPin, fileLimit, lingering, machine } from './proc.js';
import { drawingOf } from './report/drawing.js';
import { judge } from './report/judge.js';
import { merge } from './report/merge.js';
import { summaryOf } from './report/summary.js';
import { tableOf } from './report/table.js';
import { cookieFiles, inventPeople, signInPeople } from './seed.js';
import { copyProduct } from './server.js';
import { Stage } from './stage.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RESULTS = fileURLToPath(new URL('./results', import.meta.url));
/** Files that a process needs besides its sockets. */
const RESERVED = 300;
/** Percent of a core that others may take: a run with more is played again, at most so often, and the calmest counts. */
const NOISE_MOST = 20;
const AGAIN = 2;
/** Connections that are over but keep their ports, before a run: the kernel knows 131,072 at most. */
const LINGER_MOST = 40_000;

/** @typedef {import('./server.js').Ground} Ground */
/** @typedef {import('./cases/case.js').Case} Case */
/** @typedef {ReturnType<typeof readOptions>} Options */

/** @param {string} line */
const say = (line) => process.stderr.write(`${line}\n`);

/** @param {Options} options @returns {Ground} */
function layGround(options) {
  mkdirSync(options.out, { recursive: true });
  mkdirSync(RESULTS, { recursive: true }); // the work lies here, not in a /tmp that may be memory: it is synced to disk
  const work = mkdtempSync(join(RESULTS, 'work-'));
  const pins = options.pin && canPin();
  return {
    work,
    product: join(work, 'product'),
    seed: join(work, 'seed'),
    cookies: cookieFiles(work),
    cores: pins ? { server: 1, load: 0 } : { server: undefined, load: undefined },
    profiles: options.profile ? options.out : undefined,
    say,
  };
}

/** @param {Ground} ground @param {Options} options */
async function playAll(ground, options) {
  const scale = {
    people: Math.min(options.people, fileLimit() - RESERVED),
    seconds: options.seconds,
    quick: options.quick,
  };
  if (scale.people < options.people) say(`the file limit allows only ${scale.people} people in a room`);
  const cast = Math.max(...options.cases.map((one) => one.people(scale)));
  inventPeople(ground, cast);
  if (options.only.includes('oneport')) {
    copyProduct(ROOT, ground.product);
    await signInPeople(ground, cast);
  }
  const outcomes = [];
  for (const played of options.cases) {
    const outcome = await playCase(ground, options, played, scale);
    outcomes.push(outcome);
    process.stdout.write(`\n${tableOf(outcome)}`);
  }
  return outcomes;
}

/** @param {Ground} ground @param {Options} options @param {Case} played @param {import('./cases/case.js').Scale} scale */
async function playCase(ground, options, played, scale) {
  const subjects = played.subjects.filter((subject) => options.only.includes(subject));
  /** @type {import('./report/judge.js').Rounds} */
  const rounds = Object.fromEntries(subjects.map((subject) => [subject, []]));
  /** @type {string[]} */
  const failures = [];
  for (let round = 0; round < options.rounds; round++) {
    const turn = round % Math.max(1, subjects.length); // nobody is always first
    for (const subject of [...subjects.slice(turn), ...subjects.slice(0, turn)]) {
      say(`${played.name} ${round + 1}/${options.rounds} ${subject}`);
      const play = () => played.run(ground, subject, scale);
      const metrics = await (options.wait ? playCalmly(play) : play()).catch((error) => {
        failures.push(`${subject}, round ${round + 1}: ${error.message}`);
        say(`  ${error.message}`);
      });
      rounds[subject]?.push(metrics ?? undefined);
    }
  }
  return { ...judge(played, played.title(scale), rounds, failures), rounds };
}

/** The choice is by the noise alone, never by the result. @param {() => Promise<import('./cases/case.js').Metrics>} play */
async function playCalmly(play) {
  let best = await whenCalm(play);
  for (let n = 0; n < AGAIN && noiseOf(best) > NOISE_MOST; n++) {
    say(`  others took ${noiseOf(best).toFixed(0)} % of a core: once more`);
    const next = await whenCalm(play);
    if (noiseOf(next) < noiseOf(best)) best = next;
  }
  return best;
}

/** @param {import('./cases/case.js').Metrics} metrics */
const noiseOf = (metrics) => metrics['noise'] ?? 0;

/** For little more than the minute that they do. */
async function whileManyLinger() {
  if (lingering() > LINGER_MOST) say('  waiting until the ports of earlier runs are free');
  for (let second = 0; second < 70 && lingering() > LINGER_MOST; second++) await pause(1000);
}

/** @param {() => Promise<import('./cases/case.js').Metrics>} play */
async function whenCalm(play) {
  await whileManyLinger();
  if (!(await calm(NOISE_MOST))) say('  others are busy on this machine');
  return play();
}

/** @param {Options} options @param {Awaited<ReturnType<typeof playAll>>} cases @returns {import('./report/merge.js').Report} */
function reportOf({ rounds, seconds, people, pin, quick }, cases) {
  const date = new Date().toISOString().slice(0, 10);
  return { date, machine: machine(), options: { rounds, seconds, people, pin, quick }, cases };
}

/** @param {string} out @param {import('./report/merge.js').Report} report */
function write(out, report) {
  mkdirSync(out, { recursive: true });
  const { date, machine: host, options, cases } = report;
  writeFileSync(join(out, 'bench.json'), `${JSON.stringify(report, null, 2)}\n`);
  const footer = `${date} · ${host.cpu}, ${host.cores} cores, one for the server · Linux ${host.kernel} · Node ${host.node} · median of ${options.rounds}`;
  const drawing = drawingOf(cases, footer);
  if (drawing) writeFileSync(join(out, 'bench.svg'), drawing);
  const summary = summaryOf(cases);
  writeFileSync(join(out, 'bench.md'), summary);
  process.stdout.write(`\n${summary}`);
  say(`written to ${out}`);
}

/** @param {string} out @param {string[]} files */
function mergeFiles(out, files) {
  const merged = merge(files.map((file) => JSON.parse(readFileSync(file, 'utf8'))));
  for (const outcome of merged.cases) process.stdout.write(`\n${tableOf(outcome)}`);
  write(out, merged);
}

/** @param {Ground} ground */
async function clear(ground) {
  await Stage.closeAll();
  rmSync(ground.work, { recursive: true, force: true });
}

async function main() {
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'million') {
    const ground = layGround({ ...readOptions([], RESULTS), pin: false });
    await whileOpen(ground, () => million(ROOT, ground, rest));
    return;
  }
  const options = readOptions(process.argv.slice(2), RESULTS);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  options.out = resolve(options.out);
  if (options.merge) {
    mergeFiles(options.out, options.merge);
    return;
  }
  const ground = layGround(options);
  await whileOpen(ground, async () => write(options.out, reportOf(options, await playAll(ground, options))));
}

/** Clears the ground whatever happens. @param {Ground} ground @param {() => Promise<void>} work */
async function whileOpen(ground, work) {
  const stop = () => void clear(ground).finally(() => process.exit(130));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    await work();
  } finally {
    await clear(ground);
  }
}

try {
  await main();
  process.exit();
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
