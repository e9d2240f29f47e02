// @ts-check
/** The same room with one process and with two workers: what the way between the processes costs. */
import { onStage } from './case.js';
import { throughput } from './throughput.js';

/** @typedef {import('./case.js').Case} Case */
/** @typedef {import('./case.js').Metrics} Metrics */

const ROOMS = ['hall'];
const PEOPLE = 1000;
const SPEAKERS = 10;
const RATE = 50;
const WORKERS = 2;

/** @param {import('../stage.js').Stage} stage @param {import('./case.js').Scale} scale */
async function playRoom(stage, { seconds }) {
  const crowd = await stage.enter(
    { from: SPEAKERS, count: PEOPLE - SPEAKERS, rooms: ROOMS },
    { yields: true },
  );
  const { load: speakers } = await stage.enter({ count: SPEAKERS, rooms: ROOMS });
  const { heard, ...result } = await throughput(stage, {
    loads: [crowd.load, speakers],
    speakers,
    speech: { talkers: SPEAKERS, first: 1, rate: RATE, window: 50 },
    hearers: PEOPLE,
    seconds,
  });
  return result;
}

/** @type {Case} */
export const workers = {
  name: 'workers',
  title: () => `${PEOPLE} people in one room, ${RATE} messages/s: ${WORKERS} workers beside one process`,
  subjects: ['oneport'],
  people: () => PEOPLE,
  columns: [
    ['cpuUs', 'CPU µs each'],
    ['oneCpuUs', 'one process'],
    ['cpuRatio', 'ratio'],
    ['perRead', 'messages in a read'],
    ['onePerRead', 'one process'],
    ['p50', 'p50 ms'],
    ['oneP50', 'one process'],
    ['p99', 'p99 ms'],
    ['oneP99', 'one process'],
    ['missing', 'missing'],
  ],
  goals: [
    { metric: 'missing', most: 0, text: 'all delivered' },
    { metric: 'cpuRatio', most: 1.15, text: 'CPU per delivery ÷ one process' },
    { metric: 'addedP50', most: 1, text: 'added p50 ms' },
  ],
  run: async (ground, subject, scale) => {
    const free = { ...ground, cores: { server: undefined, load: undefined } }; // workers are there for several cores
    const playWith = (/** @type {number} */ count) =>
      onStage(playRoom, { env: { WORKERS: String(count) } })(free, subject, scale);
    const [one, several] = [await playWith(0), await playWith(WORKERS)];
    const of = (/** @type {Metrics} */ metrics, /** @type {string} */ key) => metrics[key] ?? Number.NaN;
    return {
      ...several,
      oneCpuUs: of(one, 'cpuUs'),
      onePerRead: of(one, 'perRead'),
      oneP50: of(one, 'p50'),
      oneP99: of(one, 'p99'),
      cpuRatio: of(several, 'cpuUs') / of(one, 'cpuUs'),
      addedP50: of(several, 'p50') - of(one, 'p50'),
      missing: of(several, 'missing') + of(one, 'missing'),
    };
  },
};
