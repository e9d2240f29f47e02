// @ts-check
/** The load process: does what the bench asks over IPC, one request at a time or several. See load.js for the other end. */
import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { cpuOf } from '../proc.js';
import { micros } from './clock.js';
import { Crowd } from './crowd.js';
import { FreshProbe, fetchAll, HttpProbe } from './http.js';
import { Talk } from './talk.js';

/** @type {Crowd | undefined} */
let crowd;
/** @type {Talk | undefined} */
let talk;
/** @type {HttpProbe | FreshProbe | undefined} */
let probe;

function theCrowd() {
  if (!crowd) throw new Error('no crowd yet');
  return crowd;
}

/** Each is one request. @type {Record<string, (args: any) => unknown>} */
const OPS = {
  yieldTo: () => setPriority(10),
  /** @param {{ port: number, dialect: string, cookies: string, from: number, count: number, rooms: string[], sampleEvery: number, watchEvery: number, after?: number }} plan */
  enter: async ({ cookies, from, count, ...plan }) => {
    const all = JSON.parse(readFileSync(cookies, 'utf8'));
    crowd = new Crowd({ ...plan, cookies: all.slice(from, from + count) });
    return crowd.enter();
  },
  cut: () => theCrowd().cut(),
  reenter: () => theCrowd().enter(),
  /** Starts to talk. @param {import('./talk.js').Speech} speech */
  talk: (speech) => {
    talk = new Talk(theCrowd(), speech);
    talk.start();
  },
  hush: () => talk?.stop() ?? 0,
  record: (/** @type {boolean} */ on) => {
    if (on) theCrowd().samples = [];
    theCrowd().recording = on;
  },
  samples: () => Float64Array.from(theCrowd().samples),
  hears: (/** @type {{ count: number, ms: number }} */ { count, ms }) => theCrowd().hears(count, ms),
  state: () => {
    const { messages, gaps, closed, faults, sockets } = theCrowd();
    const ready = sockets.filter((socket) => socket.ready).length;
    const least = sockets.reduce(
      (least, socket) => Math.min(least, socket.messages),
      Number.MAX_SAFE_INTEGER,
    );
    return { messages, gaps, closed, ready, least, faults: [...faults] };
  },
  /** All counters at one moment. @param {number[]} servers their pids */
  mark: (servers) => {
    const { user, system } = process.cpuUsage();
    const { messages, reads } = theCrowd();
    const server = servers.reduce((sum, pid) => sum + cpuOf(pid), 0);
    return { at: micros(), messages, reads, sent: talk?.sent ?? 0, server, own: user + system };
  },
  probe: (/** @type {{ port: number, path: string, every: number }} */ { port, path, every }) => {
    probe = new HttpProbe(port, path, every);
  },
  probeFresh: (/** @type {{ port: number, path: string, every: number }} */ { port, path, every }) => {
    probe = new FreshProbe(port, path, every);
  },
  probed: async () => Float64Array.from((await probe?.stop()) ?? []),
  fetchAll: async (
    /** @type {{ port: number, paths: string[], cookie: string }} */ { port, paths, cookie },
  ) => Float64Array.from(await fetchAll(port, paths, cookie)),
};

process.on('message', async (/** @type {{ id: number, op: string, args: unknown }} */ { id, op, args }) => {
  try {
    process.send?.({ id, result: await OPS[op]?.(args) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
