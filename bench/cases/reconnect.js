// @ts-check
/** Everybody is cut at once, misses something, and comes back at once: how long until each has everything. */

import { pause } from '../load/clock.js';
import { cpuOf } from '../proc.js';
import { onStage } from './case.js';

/** @typedef {import('./case.js').Case} Case */

const PEOPLE = 5000;
const BEHIND = 200;
const ROOMS = ['hall'];
const WAIT_MS = 60_000;
const SPEAKER = { talkers: 1, first: 1, rate: 0, window: 50 };

/** Says `limit` messages and waits until the speaker has heard itself. @param {import('../load/load.js').Load} speaker @param {number} limit @param {number} until */
async function say(speaker, limit, until) {
  await speaker.call('talk', { ...SPEAKER, limit });
  await speaker.call('hears', { count: until, ms: WAIT_MS }, WAIT_MS + 5000);
  await speaker.call('hush');
}

/** @type {Case} */
export const reconnect = {
  name: 'reconnect',
  title: () => `5,000 people cut at once, each ${BEHIND} messages behind, all back at once`,
  subjects: ['oneport'],
  people: () => PEOPLE + 1,
  columns: [
    ['seconds', 'seconds'],
    ['cpuUs', 'CPU µs each'],
    ['missing', 'missing'],
  ],
  goals: [
    { metric: 'missing', most: 0, text: 'all whole' },
    { metric: 'seconds', most: 10, text: 'seconds until all are back and whole' },
  ],
  run: onStage(async (stage) => {
    const { load: crowd } = await stage.enter({ from: 1, count: PEOPLE, rooms: ROOMS, watchEvery: 1 });
    const { load: speaker } = await stage.enter({ count: 1, rooms: ROOMS });
    await say(speaker, 1, 1); // so that everyone has a number to come back at
    await crowd.call('hears', { count: PEOPLE, ms: WAIT_MS }, WAIT_MS + 5000);
    await crowd.call('cut');
    await say(speaker, BEHIND, 1 + BEHIND);
    await pause(500);
    const cpu = cpuOf(stage.server.pid);
    const from = performance.now();
    await crowd.call('reenter', undefined, WAIT_MS);
    const expected = PEOPLE * (1 + BEHIND);
    const heard = await crowd.call('hears', { count: expected, ms: WAIT_MS }, WAIT_MS + 5000);
    const seconds = (performance.now() - from) / 1000;
    await stage.assertWhole([crowd, speaker]);
    const { least } = await crowd.state();
    if (heard === expected && least !== 1 + BEHIND) throw new Error(`somebody has only ${least} messages`);
    return { seconds, cpuUs: (cpuOf(stage.server.pid) - cpu) / PEOPLE, missing: expected - heard };
  }),
};
