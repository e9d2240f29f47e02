// @ts-check
/** One message to many: 1,000 in a room, 10 of them talk; as offered, flat out, and calmly. */
import { FOUR, onStage } from './case.js';
import { throughput } from './throughput.js';

const PEOPLE = 1000;
const SPEAKERS = 10;
/** A speaker holds when so many of its own are under way: a quarter of a second's at the full rate. */
const WINDOW = 50;

/** @typedef {import('./case.js').Case} Case */

/** @param {number} rate messages a second, together; 0: no pause @returns {Case['run']} */
function atRate(rate) {
  return onStage(async (stage, { seconds }) => {
    const rooms = ['hall'];
    const crowd = await stage.enter({ from: SPEAKERS, count: PEOPLE - SPEAKERS, rooms }, { yields: true });
    const { load: speakers } = await stage.enter({ count: SPEAKERS, rooms });
    const speech = { talkers: SPEAKERS, first: 1, rate, window: WINDOW };
    const { heard, ...result } = await throughput(stage, {
      loads: [crowd.load, speakers],
      speakers,
      speech,
      hearers: PEOPLE,
      seconds,
    });
    return result;
  });
}

const COLUMNS = /** @type {const} */ ([
  ['delivered', 'deliveries/s'],
  ['cpuUs', 'CPU µs each'],
  ['p50', 'p50 ms'],
  ['p99', 'p99 ms'],
  ['max', 'max ms'],
  ['sent', 'sent/s'],
  ['serverBusy', 'server %'],
  ['loadBusy', 'load %'],
  ['missing', 'missing'],
]);

/** @type {Case} */
export const fanout = {
  name: 'fanout',
  title: () => '1,000 people in one room, 10 of them offer 2,000 messages/s',
  subjects: FOUR,
  people: () => PEOPLE,
  columns: COLUMNS,
  ratio: 'delivered',
  goals: [
    { metric: 'missing', most: 0, text: 'all delivered' },
    { metric: 'sent', least: 1980, text: 'all that is offered is taken' },
    { metric: 'delivered', against: 'socketio', least: 15, text: 'deliveries/s ÷ Socket.IO' },
    { metric: 'delivered', against: 'tutorial', least: 15, text: 'deliveries/s ÷ the tutorial' },
    { metric: 'delivered', against: 'bun', least: 0.9, text: 'deliveries/s ÷ Bun' },
    { metric: 'p99', most: 100, text: 'p99 ms' },
  ],
  run: atRate(2000),
};

/** @type {Case} */
export const flood = {
  name: 'flood',
  title: () => `the same room, the 10 talk as fast as their own come back (${WINDOW} under way)`,
  subjects: FOUR,
  people: () => PEOPLE,
  columns: COLUMNS,
  ratio: 'delivered',
  goals: [
    { metric: 'missing', most: 0, text: 'all delivered' },
    { metric: 'delivered', against: 'socketio', least: 15, text: 'deliveries/s ÷ Socket.IO' },
    { metric: 'delivered', against: 'bun', least: 0.9, text: 'deliveries/s ÷ Bun' },
  ],
  run: atRate(0),
};

/** @type {Case} */
export const cpu = {
  name: 'cpu',
  title: () => 'the same room at 50 messages/s: what a delivery costs',
  subjects: FOUR,
  people: () => PEOPLE,
  columns: COLUMNS,
  ratio: 'cpuUs',
  goals: [
    { metric: 'missing', most: 0, text: 'all delivered' },
    { metric: 'cpuUs', against: 'tutorial', most: 0.75, text: 'CPU per delivery ÷ the tutorial' },
    { metric: 'cpuUs', against: 'bun', most: 1.25, text: 'CPU per delivery ÷ Bun' },
  ],
  run: atRate(50),
};
