// @ts-check
/**
 * What a server carries: some people talk, all count. Rates and CPU are taken in a window after a warm-up; then the
 * talk ends, and every message must have reached everyone.
 */
import { pause } from '../load/clock.js';
import { latencies } from '../stage.js';

const WARM_MS = 2000;
const DRAIN_MS = 60_000;

/** @typedef {import('../stage.js').Stage} Stage */
/** @typedef {import('../load/load.js').Load} Load */
/** @typedef {import('../load/load.js').Mark} Mark */

/**
 * @param {Stage} stage
 * @param {{ loads: Load[], speakers: Load | Load[], speech: import('../load/talk.js').Speech, hearers: number, seconds: number, heard?: number }} plan
 *   hearers: how many get each message; heard: messages that the loads have counted before
 */
export async function throughput(stage, { loads, speakers, speech, hearers, seconds, heard = 0 }) {
  const { pids } = stage;
  const marks = () => Promise.all(loads.map((load) => load.mark(pids)));
  const speaking = [speakers].flat();
  await Promise.all(
    speaking.map((load, i) => load.call('talk', { ...speech, first: speech.first + i * speech.talkers })),
  );
  await pause(WARM_MS);
  await recording(loads, true);
  const before = await marks();
  await pause(seconds * 1000);
  const after = await marks();
  await recording(loads, false);
  const counts = await Promise.all(speaking.map((load) => load.call('hush')));
  const sent = counts.reduce((sum, count) => sum + count, 0);
  const missing = await drained(loads, heard + sent * hearers);
  await stage.assertWhole(loads);
  return { ...rates(before, after), ...(await latencies(loads)), missing, heard: heard + sent * hearers };
}

/** @param {Load[]} loads @param {boolean} on */
function recording(loads, on) {
  return Promise.all(loads.map((load) => load.call('record', on)));
}

/** @param {Mark[]} before @param {Mark[]} after */
function rates(before, after) {
  let [delivered, reads, sent, busy, cpu] = [0, 0, 0, 0, 0];
  for (const [i, end] of after.entries()) {
    const begin = before[i] ?? end;
    const seconds = (end.at - begin.at) / 1e6;
    delivered += (end.messages - begin.messages) / seconds;
    reads += (end.reads - begin.reads) / seconds;
    sent += (end.sent - begin.sent) / seconds;
    busy += (end.own - begin.own) / 1e6 / seconds;
    cpu = Math.max(cpu, (end.server - begin.server) / seconds);
  }
  const perRead = delivered / reads;
  return { delivered, perRead, sent, cpuUs: cpu / delivered, serverBusy: cpu / 1e4, loadBusy: busy * 100 };
}

/** @param {Load[]} loads @param {number} expected @returns {Promise<number>} how many never came */
async function drained(loads, expected) {
  const until = Date.now() + DRAIN_MS;
  for (;;) {
    const states = await Promise.all(loads.map((load) => load.state()));
    const heard = states.reduce((sum, state) => sum + state.messages, 0);
    if (heard >= expected || Date.now() > until) return expected - heard;
    await pause(50);
  }
}
