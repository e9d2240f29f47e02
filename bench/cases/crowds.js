// @ts-check
/** Rooms of many thousands: what an idle socket costs, how fast they come in, and what a broadcast does to the others. */

import { pause } from '../load/clock.js';
import { cpuOf } from '../proc.js';
import { quantiles } from '../stage.js';
import { FOUR, onStage } from './case.js';
import { throughput } from './throughput.js';

/** @typedef {import('./case.js').Case} Case */
/** @typedef {import('../stage.js').Stage} Stage */

const HALL = ['hall'];
const PROBE_EVERY = 5;
/** Until nothing more is loaded after the start. */
const STARTED_MS = 5000;
/** People besides the crowd: one in another room, one who speaks. */
const OTHERS = 2;

/** @param {number} people */
const thousands = (people) => people.toLocaleString('en');

/** @type {Case} */
export const idle = {
  name: 'idle',
  title: ({ people }) => `${thousands(people)} people in one room, silent`,
  subjects: FOUR,
  people: ({ people }) => people,
  columns: [
    ['kbEach', 'RSS kB each'],
    ['rssMb', 'RSS MB'],
    ['cpuPercent', 'CPU %'],
  ],
  ratio: 'kbEach',
  goals: [
    { metric: 'kbEach', against: 'tutorial', most: 1.1, text: 'RSS per connection ÷ the tutorial' },
    { metric: 'kbEach', against: 'socketio', most: 0.5, text: 'RSS per connection ÷ Socket.IO' },
  ],
  run: onStage(async (stage, { people, seconds }) => {
    await pause(STARTED_MS); // Oneport's search thread begins a second after the start and belongs to the empty server
    const empty = stage.rss;
    const { load } = await stage.enter({ count: people, rooms: HALL });
    await pause(seconds * 1000); // what the handshakes left is collected, or not: that is what it costs
    const cpu = cpuOf(stage.server.pid);
    await pause(seconds * 1000);
    await stage.assertWhole([load]);
    return {
      kbEach: (stage.rss - empty) / people,
      rssMb: stage.rss / 1024,
      cpuPercent: (cpuOf(stage.server.pid) - cpu) / seconds / 1e4,
    };
  }),
};

/**
 * Somebody in another room who says something 50 times a second, and somebody who asks over HTTP.
 * @param {Stage} stage @param {number} from the cookie to use
 */
async function bystander(stage, from) {
  const { load } = await stage.enter({ from, count: 1, rooms: ['side'], sampleEvery: 1 });
  const { port, subject } = stage.server;
  const echoes = subject !== 'tutorial'; // it has no other room
  await load.call('probe', { port, path: '/healthz', every: PROBE_EVERY });
  if (echoes) await load.call('talk', { talkers: 1, first: 900_000, rate: 50, window: 1 });
  await load.call('record', echoes);
  return async () => {
    await load.call('record', false);
    await load.call('hush');
    const http = quantiles([await load.call('probed')]);
    const echo = quantiles([await load.call('samples')]);
    return {
      httpP99: http.p99,
      httpMax: http.max,
      ...(echoes ? { echoP99: echo.p99, echoMax: echo.max } : {}),
    };
  };
}

/** How long it takes, with nobody else there. */
const alone = onStage(async (stage, { people }) => {
  const cpu = cpuOf(stage.server.pid);
  const { load, ms } = await stage.enter({ count: people, rooms: HALL });
  const used = cpuOf(stage.server.pid) - cpu;
  await stage.assertWhole([load]);
  return { seconds: ms / 1000, cpuUs: used / people };
});

/** What those notice who are there for something else. */
const others = onStage(async (stage, { people }) => {
  const stop = await bystander(stage, people);
  await pause(500);
  const { load } = await stage.enter({ count: people, rooms: HALL }, { yields: true });
  const noticed = await stop();
  await stage.assertWhole([load]);
  return noticed;
});

/** @type {Case} */
export const join = {
  name: 'join',
  title: ({ people }) => `${thousands(people)} people enter one room as fast as they can`,
  subjects: FOUR,
  people: ({ people }) => people + OTHERS,
  columns: [
    ['seconds', 'seconds'],
    ['cpuUs', 'CPU µs each'],
    ['httpP99', 'HTTP p99 ms'],
    ['httpMax', 'HTTP max ms'],
    ['echoP99', 'other room p99 ms'],
    ['echoMax', 'other room max ms'],
  ],
  ratio: 'seconds',
  goals: [
    { metric: 'seconds', against: 'tutorial', most: 1.3, text: 'time ÷ the tutorial' },
    { metric: 'httpMax', most: 100, text: 'HTTP max ms meanwhile' },
    { metric: 'echoMax', most: 100, text: 'echo in another room, max ms meanwhile' },
  ],
  run: async (...run) => ({ ...(await others(...run)), ...(await alone(...run)) }),
};

const SMALL = 1000;
/** What is still to be done for the thousands who came is not what a broadcast costs. */
const SETTLE_MS = 6000;
/** Broadcasts a second: apart enough that none is joined with the next, as many deliveries a second in both rooms. */
const CALM_RATE = 18;
/** And as many as make a large room busy. */
const BUSY_RATE = 3;

/** @type {Case} */
export const broadcast = {
  name: 'broadcast',
  title: ({ people }) =>
    `a broadcast to ${thousands(people)}, beside one to 1,000; then ${BUSY_RATE} a second`,
  subjects: FOUR,
  people: ({ people }) => people + OTHERS,
  columns: [
    ['cpuUs', 'CPU µs each'],
    ['smallCpuUs', 'at 1,000'],
    ['growth', 'ratio'],
    ['p99', 'p99 ms'],
    ['max', 'max ms'],
    ['httpP99', 'HTTP p99 ms'],
    ['httpMax', 'HTTP max ms'],
    ['echoMax', 'other room max ms'],
    ['heldMs', 'loop held max ms'],
    ['missing', 'missing'],
  ],
  ratio: 'cpuUs',
  goals: [
    { metric: 'missing', most: 0, text: 'all delivered' },
    { metric: 'growth', most: 1.3, text: 'CPU per delivery ÷ that at 1,000' },
    { metric: 'heldMs', most: 20, text: 'event loop held, max ms' },
  ],
  run: onStage(async (stage, { people, seconds }) => {
    const first = await stage.enter({ from: 1, count: SMALL - 1, rooms: HALL }, { yields: true });
    const { load: speakers } = await stage.enter({ count: 1, rooms: HALL });
    const speech = { talkers: 1, first: 1, rate: CALM_RATE, window: 50 };
    const loads = [first.load, speakers];
    const small = await throughput(stage, { loads, speakers, speech, hearers: SMALL, seconds });
    const rest = await stage.enter({ from: SMALL, count: people - SMALL, rooms: HALL }, { yields: true });
    await pause(SETTLE_MS);
    const all = { loads: [...loads, rest.load], speakers, hearers: people, seconds };
    const calm = { ...speech, rate: (CALM_RATE * SMALL) / people };
    const large = await throughput(stage, { ...all, speech: calm, heard: small.heard });
    const stop = await bystander(stage, people);
    await loopHeld(stage); // runs for the first time
    await pause(500);
    await loopHeld(stage); // begins anew
    const rushed = { ...speech, rate: BUSY_RATE };
    const { heard, ...busy } = await throughput(stage, { ...all, speech: rushed, heard: large.heard });
    const heldMs = await loopHeld(stage);
    return {
      ...busy,
      cpuUs: large.cpuUs,
      smallCpuUs: small.cpuUs,
      growth: large.cpuUs / small.cpuUs,
      missing: busy.missing + large.missing + small.missing,
      ...(await stop()),
      ...heldMs,
    };
  }),
};

/** How the product itself saw its event loop since it was asked last: the longest delay of a 25 ms timer. @param {Stage} stage */
async function loopHeld({ server }) {
  if (server.subject !== 'oneport') return {};
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  const longest = /^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1];
  return longest === undefined ? {} : { heldMs: Math.max(0, Number(longest) * 1000 - 25) };
}
