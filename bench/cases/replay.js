// @ts-check
/** Readers far behind in a room of long messages: how long until each has everything, and what others notice. */

import { cpuOf } from '../proc.js';
import { quantiles, Stage } from '../stage.js';
import { filled } from './log.js';

/** @typedef {import('./case.js').Case} Case */

const READERS = 32;
const MESSAGES = 500;
/** 16 KB of UTF-8, the longest text that is allowed. */
const EMOJI = 4000;
const PROBE_EVERY = 5;
const WAIT_MS = 120_000;

/** @type {Case} */
export const replay = {
  name: 'replay',
  title: () => `${READERS} people each ${MESSAGES} messages of 16 KB behind, all back at once`,
  subjects: ['oneport'],
  people: () => READERS + 1,
  columns: [
    ['seconds', 'seconds'],
    ['cpuMs', 'CPU ms each'],
    ['httpP99', 'HTTP p99 ms'],
    ['httpMax', 'HTTP max ms'],
    ['missing', 'missing'],
  ],
  goals: [
    { metric: 'missing', most: 0, text: 'all whole' },
    { metric: 'seconds', most: 4, text: 'seconds until all are whole' },
    { metric: 'httpMax', most: 100, text: 'HTTP max ms meanwhile' },
  ],
  run: async (ground, subject) => {
    const stage = await Stage.open(ground, subject, { data: await filled(ground, MESSAGES, EMOJI) });
    try {
      const probe = stage.load();
      await probe.call('probe', { port: stage.server.port, path: '/healthz', every: PROBE_EVERY });
      const cpu = cpuOf(stage.server.pid);
      const from = performance.now();
      const { load } = await stage.enter({ count: READERS, rooms: ['hall'], watchEvery: 1, after: 0 });
      const expected = READERS * MESSAGES;
      const heard = await load.call('hears', { count: expected, ms: WAIT_MS }, WAIT_MS + 5000);
      const seconds = (performance.now() - from) / 1000;
      const cpuMs = (cpuOf(stage.server.pid) - cpu) / 1000 / READERS;
      const http = quantiles([await probe.call('probed')]);
      await stage.assertWhole([load]);
      const missing = expected - heard;
      return { seconds, cpuMs, httpP99: http.p99, httpMax: http.max, missing, noise: stage.noise };
    } finally {
      await stage.close();
    }
  },
};
