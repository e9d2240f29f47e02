// @ts-check
/**
 * Writes a long log with the product's own rules and store, so that it is what the product would have written, whatever
 * its tables look like today. Arguments: folder of the product, data folder, file of cookies, number of messages.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { personOf } from '../servers/person.js';

const BEAT = 5000;
const YEAR = 365 * 24 * 3600 * 1000;
const [product = '', folder = '', cookies = '', count = '0'] = process.argv.slice(2);

const { applyBeat } = await import(join(product, 'dist/chat/apply.js'));
const { Store } = await import(join(product, 'dist/store/store.js'));

const messages = Number(count);
/** @type {{ id: string, name: string }[]} */
const people = JSON.parse(readFileSync(cookies, 'utf8')).slice(0, 1000).map(personOf);
const begin = Date.now() - YEAR;

/** @param {number} i */
function command(i) {
  const data = `Message ${i} of ${messages}: the quick brown fox jumps over the lazy dog, again and again`;
  const at = begin + Math.floor((i * YEAR) / messages);
  return { kind: 'say', room: 'hall', user: people[i % people.length], data, at, cid: `fill-${i}` };
}

const store = new Store(folder);
for (let from = 0; from < messages; from += BEAT) {
  const commands = Array.from({ length: Math.min(BEAT, messages - from) }, (_, i) => command(from + i));
  applyBeat(commands, store, (/** @type {unknown} */ error) => {
    throw error;
  });
  if (from % 200_000 === 0) process.send?.(`${from.toLocaleString('en')} written`);
}
const last = store.log.last('hall');
// what follows in the background is not what is measured here
process.send?.('written; indexing');
while (!(await store.search.find({ q: 'message', limit: 1 })).complete);
while (store.catchingUp) {
  store.tick();
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
store.close();
if (last !== messages) throw new Error(`the log ends at ${last}`);
process.disconnect?.();
