// @ts-check
/**
 * How long searches take in a log of a million messages, and how long they hold up the event loop meanwhile; what
 * indexing such a log costs; how fast a database of the first version opens. In this process, without HTTP:
 *   node build.js && node bench/search.js [messages] [folder]
 * The folder is kept and used again when it is named.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { MIGRATIONS } from '../dist/store/migrations.js';
import { ERA } from '../dist/store/search/era.js';
import { PART } from '../dist/store/search/short.js';
import { Store } from '../dist/store/store.js';

/** @type {typeof import('better-sqlite3')} */
const Database = createRequire(import.meta.url)('better-sqlite3');

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

/** @param {Store} store */
async function index(store) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const from = performance.now();
  delay.enable();
  let ticks = 0;
  for (;;) {
    store.tick();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { complete } = await store.search.find({ q: 'needle', room: undefined, before: 1, limit: 1 });
    if (complete) break;
    if (++ticks % 10 === 0) say(`  indexing for ${ticks} s`);
  }
  delay.disable();
  const held = (/** @type {number} */ p) => (delay.percentile(p) / 1e6).toFixed(1);
  say(
    `indexed in ${((performance.now() - from) / 1000).toFixed(0)} s; event loop held p50 ${held(50)}, p99 ${held(99)}, most ${(delay.max / 1e6).toFixed(1)} ms`,
  );
}

/** Until the frequent words have their bits and the messages are in shorthand, as far as eras are over. @param {Store} store */
async function quicken(store) {
  const db = new Database(file, { readonly: true });
  const done = db.prepare('SELECT max(part) + 1 FROM shorthand').pluck();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const from = performance.now();
  delay.enable();
  while (Number(done.get() ?? 0) < Math.floor((MESSAGES + 1) / ERA) * (ERA / PART)) {
    store.tick();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  delay.disable();
  const { words, size } = /** @type {{ words: number, size: number | null }} */ (
    db.prepare('SELECT count(*) AS words, sum(length(bits)) AS size FROM frequent').get()
  );
  const short = Number(db.prepare('SELECT sum(length(shorts)) FROM shorthand').pluck().get() ?? 0);
  db.close();
  say(
    `made quick in ${((performance.now() - from) / 1000).toFixed(0)} s: ${words} frequent words of eras, ${((size ?? 0) / 2 ** 20).toFixed(1)} MB, shorthand ${(short / 2 ** 20).toFixed(1)} MB; event loop held p99 ${(delay.percentile(99) / 1e6).toFixed(1)}, most ${(delay.max / 1e6).toFixed(1)} ms`,
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
];

/** @param {Store} store @param {string} q @param {string | undefined} room */
async function measure(store, q, room) {
  const times = [];
  const cpu = process.cpuUsage();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let found = 0;
  for (let n = 0; n < RUNS; n++) {
    const from = performance.now();
    delay.enable();
    const { messages } = await store.search.find({ q, room, before: undefined, limit: 50 });
    delay.disable();
    times.push(performance.now() - from);
    found = messages.length;
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
const size = () => (statSync(file).size / 2 ** 20).toFixed(0);
const before = size();
const store = new Store(folder);
await index(store);
await quicken(store);
say(`the file had ${before} MB and has ${size()} MB with the index`);
for (const [what, q, room] of QUERIES) {
  const { median, most, held, found, cpu } = await measure(store, q, room);
  say(
    `${what.padEnd(44)}${String(found).padStart(4)} found, ${median.toFixed(1).padStart(7)} ms (most ${most.toFixed(1)}), cpu ${cpu.toFixed(1)} ms, loop held ${held.toFixed(1)} ms`,
  );
}
await measurePhrases(store, 200);
store.close();
if (named === undefined) rmSync(folder, { recursive: true });
