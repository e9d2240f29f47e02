// @ts-check
/** Many small rooms, all busy: what is paid for each message counts here, not what is paid for each receiver. */
import { onStage } from './case.js';
import { throughput } from './throughput.js';

/** @typedef {import('./case.js').Case} Case */

const ROOMS = Array.from({ length: 100 }, (_, i) => `room${i}`);
const EACH = 10;
const WINDOW = 50;

/** @type {Case} */
export const rooms = {
  name: 'rooms',
  title: () => `100 rooms of 10; in each one talks as fast as its own come back (${WINDOW} under way)`,
  subjects: ['oneport', 'bun', 'socketio'],
  people: () => ROOMS.length * EACH,
  columns: [
    ['delivered', 'deliveries/s'],
    ['cpuUs', 'CPU µs each'],
    ['p50', 'p50 ms'],
    ['p99', 'p99 ms'],
    ['max', 'max ms'],
    ['sent', 'sent/s'],
    ['serverBusy', 'server %'],
    ['loadBusy', 'load %'],
    ['missing', 'missing'],
  ],
  ratio: 'delivered',
  goals: [
    { metric: 'missing', most: 0, text: 'all delivered' },
    { metric: 'delivered', against: 'socketio', least: 5, text: 'deliveries/s ÷ Socket.IO' },
  ],
  run: onStage(async (stage, { seconds }) => {
    const count = ROOMS.length * (EACH - 1);
    const crowd = await stage.enter({ from: ROOMS.length, count, rooms: ROOMS }, { yields: true });
    const { load: speakers } = await stage.enter({ count: ROOMS.length, rooms: ROOMS });
    const speech = { talkers: ROOMS.length, first: 1, rate: 0, window: WINDOW };
    const { heard, ...result } = await throughput(stage, {
      loads: [crowd.load, speakers],
      speakers,
      speech,
      hearers: EACH,
      seconds,
    });
    return result;
  }),
};
