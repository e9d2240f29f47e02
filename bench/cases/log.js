// @ts-check
/** A room with a million messages: start, pages and memory, beside the same with an empty log. */
import { fork } from 'node:child_process';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quantiles, Stage } from '../stage.js';

/** @typedef {import('./case.js').Case} Case */
/** @typedef {import('../server.js').Ground} Ground */

const FILL = fileURLToPath(new URL('./fill.js', import.meta.url));
const FILL_MS = 300_000;
const ROOM = '/api/rooms/hall/messages';

/**
 * The log is written once for all rounds, by the product's own rules and store.
 * @param {Ground} ground @param {number} messages @param {number} [emoji] length of each message; 0: a sentence
 */
export async function filled(ground, messages, emoji = 0) {
  const folder = join(ground.work, `log-${messages}-${emoji}`);
  if (existsSync(folder)) return folder;
  cpSync(ground.seed, folder, { recursive: true });
  ground.say(`  writing a log of ${messages.toLocaleString('en')} messages`);
  const child = fork(FILL, [ground.product, folder, ground.cookies.oneport, String(messages), String(emoji)]);
  child.on('message', (line) => ground.say(`  ${line}`));
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), FILL_MS);
    child.on('exit', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(undefined);
      else reject(new Error(`the log could not be written (${code})`));
    });
  });
  return folder;
}

/** Starts on a log and reads of it. @param {Ground} ground @param {string} data @param {number} messages @param {number} requests */
async function read(ground, data, messages, requests) {
  const stage = await Stage.open(ground, 'oneport', { data });
  try {
    const load = stage.load();
    const cookie = JSON.parse(readFileSync(ground.cookies.oneport, 'utf8'))[0];
    const ask = (/** @type {string[]} */ paths) =>
      load.call('fetchAll', { port: stage.server.port, paths, cookie }, 120_000);
    const latest = Array.from({ length: requests }, () => ROOM);
    const random = latest.map(() => `${ROOM}?before=${2 + Math.floor(Math.random() * messages)}`);
    await ask(latest.slice(0, requests / 4)); // compiled by then, as in a server that has run for a minute
    const first = quantiles([await ask(latest)]);
    const any = quantiles([await ask(random)]);
    return {
      startMs: stage.server.startMs,
      rssMb: stage.rss / 1024,
      latestP99: first.p99,
      pageP50: any.p50,
      pageP99: any.p99,
    };
  } finally {
    await stage.close();
  }
}

/** @type {Case} */
export const log = {
  name: 'log',
  title: () => 'a log of a million messages in one room, beside an empty one',
  subjects: ['oneport'],
  people: () => 1000,
  columns: [
    ['startMs', 'start ms'],
    ['emptyStartMs', 'empty: start ms'],
    ['latestP99', 'latest page p99 ms'],
    ['pageP50', 'any page p50 ms'],
    ['pageP99', 'any page p99 ms'],
    ['emptyP99', 'empty: p99 ms'],
    ['rssMb', 'RSS MB'],
    ['moreMb', 'over empty MB'],
  ],
  goals: [
    { metric: 'startMs', most: 1000, text: 'start ms' },
    { metric: 'latestP99', most: 5, text: 'latest page p99 ms' },
    { metric: 'pageP99', most: 5, text: 'any page p99 ms' },
    { metric: 'moreMb', most: 20, text: 'memory over that of an empty log, MB' },
  ],
  run: async (ground, _subject, { quick }) => {
    const messages = 1_000_000;
    const requests = quick ? 1000 : 4000;
    const folder = await filled(ground, messages);
    const empty = await read(ground, ground.seed, messages, requests);
    const full = await read(ground, folder, messages, requests);
    const other = { emptyStartMs: empty.startMs, emptyP99: empty.pageP99, moreMb: full.rssMb - empty.rssMb };
    return { ...full, ...other };
  },
};
