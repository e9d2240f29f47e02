// @ts-check
/**
 * How long searches take in a log of a million messages, and what the event loop feels of them; what indexing such a log
 * costs; how fast a database of the first version opens. In this process, without HTTP:
 *   node build.js && node bench/search.js [messages] [folder]
 * The folder is kept and used again when it is named.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { MIGRATIONS } from '../dist/store/schema.js';
import Database from '../dist/store/sqlite.js';
import { Store } from '../dist/store/store.js';

const MESSAGES = Number(process.argv[2] ?? 1_000_000);
const named = process.argv[3];
const folder = named ?? mkdtempSync(join(tmpdir(), 'oneport-search-'));
const file = join(folder, 'oneport.db');
const RUNS = 7;
/** @param {string} line */
const say = (line) => process.stdout.write(`${line}\n`);

/** Randomness that is the same each time. */
let state = 42;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
/** Few words are frequent and most are rare, as in a language (Zipf). @param {number} size */
const ranked = (size) => Math.floor(size ** random()) - 1;

const letters = 'etaoinshrdlucmfwypvbgkjqxz';
const words = Array.from({ length: 30_000 }, (_, n) => {
  let word = '';
  for (let rest = n + 1; rest > 0; rest = Math.floor(rest / 26)) word += letters[rest % 26];
  return `${word}${letters[n % 7]}`;
});
const han = Array.from({ length: 4000 }, (_, n) => String.fromCodePoint(0x4e00 + n * 3));

/** Every third message is Chinese; "odd" and "even" are frequent and never together. @param {number} n */
function textOf(n) {
  const size = 4 + Math.floor(random() * 14);
  const list = n % 3 === 0 ? han : words;
  const text = Array.from({ length: size }, () => list[ranked(list.length)]).join(n % 3 === 0 ? '' : ' ');
  return `${text} ${n % 2 === 0 ? 'even' : 'odd'}${n % 100_000 === 77 ? ' needle' : ''}`;
}

/** A log as the first version wrote it. */
function fill() {
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.exec(MIGRATIONS[0] ?? '');
  db.pragma('user_version = 1');
  const people = 2000;
  const rooms = 50;
  db.transaction(() => {
    const person = db.prepare('INSERT INTO people (id, name, skeleton, seen) VALUES (?, ?, ?, 0)');
    for (let n = 1; n <= people; n++)
      person.run(`person${n}`, n === people ? 'Rare' : `Person ${n}`, n === people ? 'rare' : `p${n}`);
    const room = db.prepare('INSERT INTO rooms (name, last, at) VALUES (?, ?, ?)');
    for (let n = 1; n <= rooms; n++) room.run(`room${n}`, MESSAGES / rooms, MESSAGES);
    const insert = db.prepare(
      "INSERT INTO events (room, id, type, person, name, data, at) VALUES (?, ?, 'chat', ?, ?, ?, ?)",
    );
    for (let n = 0; n < MESSAGES; n++) {
      const key = n % 250_000 === 99 ? people : 1 + ranked(people - 1);
      insert.run(1 + (n % rooms), 1 + Math.floor(n / rooms), key, `Person ${key}`, textOf(n), n);
    }
  })();
  db.close();
}

/** Until the index has the whole log. @param {Store} store */
async function index(store) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const from = performance.now();
  delay.enable();
  for (;;) {
    store.tick();
    const page = await store.search.find({ q: 'needle', room: undefined, before: undefined, limit: 1 });
    if (page?.complete) break;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  delay.disable();
  const ms = (/** @type {number} */ nanoseconds) => (nanoseconds / 1e6).toFixed(1);
  say(
    `indexed in ${((performance.now() - from) / 1000).toFixed(1)} s; event loop delay p50 ${ms(delay.percentile(50))}, p99 ${ms(delay.percentile(99))}, most ${ms(delay.max)} ms`,
  );
}

const [common, second] = [words[0], words[1]];
/** @type {readonly (readonly [what: string, q: string, room?: string])[]} */
const QUERIES = [
  ['a rare word', 'needle'],
  ['a word that is not there', 'zzzzzzzz'],
  ['a frequent word', String(common)],
  ['two frequent words', `${common} ${second}`],
  ['frequent words that never meet', 'odd even'],
  ['three, two of which never meet', `odd even ${common}`],
  ['a frequent word and a rare one', 'odd needle'],
  ['a phrase of frequent words', `"${common} ${second}"`],
  ['a phrase that is not there', '"odd even"'],
  ['another, whose words meet often', `"odd ${common}"`],
  ['a phrase with a less frequent word', `"${words[14]} odd"`],
  ['a phrase of two less frequent words', `"${words[14]} ${words[15]}"`],
  ['twenty frequent words as a phrase', `"${words.slice(0, 20).join(' ')}"`],
  ['a frequent character', String(han[0])],
  ['a run of two characters', `${han[0]}${han[1]}`],
  ['a run of six frequent ones', han.slice(0, 6).join('')],
  ['a run of three, the pairs of which meet', `${han[0]}${han[1]}${han[0]}`],
  ['a run of twenty frequent ones', han.slice(0, 20).join('')],
  ['frequent characters, another script', `${han[0]} ${common}`],
  ['from a rare person, a frequent word', 'odd from:rare'],
  ['from a rare person, words that never meet', 'odd even from:rare'],
  ['in one room, words that never meet', 'odd even', 'room7'],
  ['in one room, a frequent word', String(common), 'room7'],
  ['frequent words and a less frequent one', `odd even ${words[15]}`],
  ['two less frequent words, one frequent', `${words[14]} ${words[15]} odd`],
  ['twenty frequent words', words.slice(0, 20).join(' ')],
  ['the beginning of a rare word', 'need'],
  ['two letters that many words begin with', 'te'],
  ['a beginning that never meets a word', 'even od'],
  ['a frequent word without another', `${common} -${second}`],
  ['a frequent word, on one day', `${common} after:1970-01-01 before:1970-01-02`],
  ['one word sixty times as a phrase', `"${Array(50).fill('odd').join(' ')}"`],
  ['one character 198 times', Array(198).fill(han[0]).join('')],
  ['forty words that are all frequent', words.slice(0, 40).join(' ')],
];

/** @param {Store} store @param {string} q @param {string | undefined} room */
async function measure(store, q, room) {
  const times = [];
  const cpu = process.cpuUsage();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let found = '';
  for (let n = 0; n < RUNS; n++) {
    const from = performance.now();
    delay.enable();
    const page = await store.search.find({ q, room, before: undefined, limit: 50 });
    delay.disable();
    times.push(performance.now() - from);
    found = `${page?.messages.length}${page?.complete ? '' : '+'}`;
  }
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  return {
    cpu: (user + system) / 1000 / RUNS,
    median: times[RUNS >> 1] ?? 0,
    most: times.at(-1) ?? 0,
    held: delay.max / 1e6,
    found,
  };
}

/** The event loop's delay while the same search runs again and again, or none does. @param {Store} store @param {string} [q] */
async function feel(store, q) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const until = performance.now() + 3000;
  delay.enable();
  while (performance.now() < until)
    if (q === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
    else await store.search.find({ q, room: undefined, before: undefined, limit: 50 });
  delay.disable();
  const ms = (/** @type {number} */ nanoseconds) => (nanoseconds / 1e6).toFixed(1);
  return `p50 ${ms(delay.percentile(50))}, p99 ${ms(delay.percentile(99))}, p99.9 ${ms(delay.percentile(99.9))}, most ${ms(delay.max)} ms`;
}

/** Phrases of frequent words or characters, most of them nowhere, some with a further word, phrase or room. */
function phrase() {
  /** @param {readonly string[]} list @param {number} size */
  const some = (list, size) => Array.from({ length: size }, () => list[Math.floor(random() * list.length)]);
  const size = 2 + Math.floor(random() * random() * 18);
  const top = 6 << Math.floor(random() * 3);
  const frequent = [...words.slice(0, top), 'odd', 'even'];
  const run = random() < 0.5 ? `"${some(frequent, size).join(' ')}"` : some(han.slice(0, top), size).join('');
  const word = random() < 0.2 ? ` ${some(frequent, 1)}` : '';
  const second = random() < 0.1 ? ` "${some(frequent, 2).join(' ')}"` : '';
  return run + word + second + (random() < 0.1 ? ' in:room7' : '');
}

/** @param {Store} store @param {number} count */
async function measurePhrases(store, count) {
  state = 7; // the same ones whether the log was just filled or not
  /** @type {number[]} */
  const times = [];
  for (let n = 0; n < count; n++) times.push((await measure(store, phrase(), undefined)).median);
  times.sort((a, b) => a - b);
  const part = (/** @type {number} */ p) => (times[Math.ceil(count * p) - 1] ?? 0).toFixed(1);
  say(
    `${count} phrases of frequent words by chance: p50 ${part(0.5)}, p90 ${part(0.9)}, p99 ${part(0.99)}, most ${part(1)} ms`,
  );
}

if (!existsSync(file)) {
  fill();
  const from = performance.now();
  new Store(folder).close();
  say(`${MESSAGES} messages of the first version open in ${(performance.now() - from).toFixed(0)} ms`);
}
const size = (/** @type {string} */ name) => (statSync(join(folder, name)).size / 2 ** 20).toFixed(0);
const store = new Store(folder);
await index(store);
say(
  `oneport.db has ${size('oneport.db')} MB, search.db ${size('search.db')} MB, the process ${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MB`,
);
for (const [what, q, room] of QUERIES) {
  const { median, most, held, found, cpu } = await measure(store, q, room);
  say(
    `${what.padEnd(44)}${found.padStart(4)} found, ${median.toFixed(1).padStart(7)} ms (most ${most.toFixed(1)}), cpu ${cpu.toFixed(1)} ms, loop held ${held.toFixed(1)} ms`,
  );
}
await measurePhrases(store, 200);
const [, worst = ''] = QUERIES.find(([what]) => what.startsWith('one character')) ?? [];
say(`event loop delay without a search: ${await feel(store)}`);
say(`event loop delay during the worst one: ${await feel(store, worst)}`);
say(`event loop delay without a search: ${await feel(store)}`);
store.close();
if (named === undefined) rmSync(folder, { recursive: true });
