// @ts-check
/**
 * Writes a log with the product's own rules and store, so that it is what the product would have written, whatever its
 * tables look like. Arguments: folder of the product, data folder, file of cookies, number of messages, and the number of
 * emoji in each of them (0: a sentence instead).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { personOf } from '../servers/person.js';

const BATCH = 5000;
const YEAR_MS = 365 * 24 * 3600 * 1000;
const [product = '', folder = '', cookies = '', count = '0', emoji = '0'] = process.argv.slice(2);

const { applyBatch } = await import(join(product, 'dist/chat/rules.js'));
const { Store } = await import(join(product, 'dist/store/store.js'));
const { newSalt } = await import(join(product, 'dist/session.js'));

const messages = Number(count);
const long = '😀'.repeat(Number(emoji));
/** @type {{ id: string, name: string }[]} */
const people = JSON.parse(readFileSync(cookies, 'utf8')).slice(0, 1000).map(personOf);
const begin = Date.now() - YEAR_MS;

/** @param {number} i */
function command(i) {
  const data =
    long || `Message ${i} of ${messages}: the quick brown fox jumps over the lazy dog, again and again`;
  const at = begin + Math.floor((i * YEAR_MS) / messages);
  const user = people[i % people.length];
  return { kind: 'message', room: 'hall', user, data, at, cid: `fill-${i}`, salt: newSalt() };
}

const store = new Store(folder);
for (let from = 0; from < messages; from += BATCH) {
  const commands = Array.from({ length: Math.min(BATCH, messages - from) }, (_, i) => command(from + i));
  applyBatch(commands, store, (/** @type {unknown} */ error) => {
    throw error;
  });
  if (from % 200_000 === 0) process.send?.(`${from.toLocaleString('en')} written`);
}
const last = store.events.last('hall');
process.send?.('written; indexing'); // so that the search index does not compete with what is measured
const QUERY = { q: long ? '😀' : 'message', room: undefined, before: undefined, limit: 1 };
while (!(await store.search.find(QUERY))?.complete) await new Promise((resolve) => setTimeout(resolve, 100));
store.close();
if (last !== messages) throw new Error(`the log ends at ${last}`);
process.disconnect?.();
