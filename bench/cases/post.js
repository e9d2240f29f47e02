// @ts-check
/** How many commands a second are committed and echoed to 100 who wait for each echo, each in a room of their own. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { quantile } from '../report/numbers.js';
import { onStage } from './case.js';
import { throughput } from './throughput.js';

/** @typedef {import('./case.js').Case} Case */

const SPEAKERS = 100;
const SYNCS = 200;
const PAGE = Buffer.alloc(4096, 1);

/** What one durable write of 4 kB costs on this disk, with nothing else going on. @param {string} folder @returns {number} median, ms */
function syncTime(folder) {
  const file = join(folder, 'sync.probe');
  const fd = openSync(file, 'w');
  const times = Array.from({ length: SYNCS }, () => {
    const from = performance.now();
    writeSync(fd, PAGE);
    fdatasyncSync(fd);
    return performance.now() - from;
  });
  closeSync(fd);
  rmSync(file);
  return quantile(
    times.sort((a, b) => a - b),
    0.5,
  );
}

/** @type {Case} */
export const post = {
  name: 'post',
  title: () => `${SPEAKERS} people who wait for the echo of each of their messages`,
  subjects: ['oneport', 'socketio', 'bun'],
  people: () => SPEAKERS,
  columns: [
    ['delivered', 'echoes/s'],
    ['cpuUs', 'CPU µs each'],
    ['p50', 'p50 ms'],
    ['p99', 'p99 ms'],
    ['max', 'max ms'],
    ['syncMs', 'one sync ms'],
    ['serverBusy', 'server %'],
    ['loadBusy', 'load %'],
  ],
  ratio: 'delivered',
  goals: [
    { metric: 'delivered', against: 'socketio', least: 0.5, text: 'echoes/s ÷ Socket.IO without storage' },
  ],
  run: onStage(async (stage, { seconds }) => {
    const syncMs = syncTime(stage.ground.work);
    const rooms = Array.from({ length: SPEAKERS }, (_, i) => `desk${i}`);
    const { load } = await stage.enter({ count: SPEAKERS, rooms, sampleEvery: 1 });
    const speech = { talkers: SPEAKERS, first: 1, rate: 0, window: 1 };
    const { heard, ...result } = await throughput(stage, {
      loads: [load],
      speakers: load,
      speech,
      hearers: 1,
      seconds,
    });
    return { ...result, syncMs };
  }),
};
