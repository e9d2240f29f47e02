// @ts-check
/**
 * Runs `prove` against each mutant, or against those that are named, with 1, 3 and then 10 kills until it finds a
 * violation. Prints the table of docs/prove.md. Ends with 1 when a mutant is not found that should be, or the reverse.
 *
 *     node test/prove/run-mutants.js [MUTANT …]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../dist/prove/run.js';
import { arrangementOf, mutants, reducerOf } from './mutants.js';

/** @typedef {import('../../src/prove/run.js').Result} Result */

const MUTANTS_FILE = fileURLToPath(new URL('mutants.js', import.meta.url));
const KILLS = [1, 3, 10];
/** Ends a run that takes longer. */
const RUN_TIMEOUT_MS = 250_000;

/** @param {string} name @param {number} kills @returns {Promise<Result>} */
export async function runMutant(name, kills) {
  const folder = mkdtempSync(join(tmpdir(), 'oneport-mutant-'));
  const end = Date.now() + RUN_TIMEOUT_MS;
  const reducer = reducerOf(name);
  try {
    return await run({
      ...{ kills, seed: 7, writers: 6, rooms: 3, killIntervalMs: 500, ...arrangementOf(name), folder },
      ...(reducer ? { reducer } : {}),
      command: [process.execPath, MUTANTS_FILE, name],
      onProgress() {},
      stopped: () => Date.now() > end,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the smallest of the runs that finds the mutant. @param {string} name */
async function findMutant(name) {
  for (const kills of KILLS) {
    const { violations } = await runMutant(name, kills);
    const [first] = violations;
    if (first) return { kills, kind: first.kind };
  }
  return undefined;
}

/** @param {readonly string[]} names */
async function main(names) {
  let wrong = 0;
  process.stdout.write('| mutant | place | fault | kills | found as |\n|---|---|---|---|---|\n');
  for (const name of names) {
    const mutant = mutants[name];
    if (!mutant) throw new Error(`there is no mutant ${name}`);
    const found = await findMutant(name);
    if ((found === undefined) !== (mutant.unseen !== undefined)) wrong++;
    const result = found ? `${found.kills} | ${found.kind}` : `- | not found: ${mutant.unseen ?? '?'}`;
    process.stdout.write(`| \`${name}\` | ${mutant.place} | ${mutant.fault} | ${result} |\n`);
  }
  process.exitCode = wrong === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  await main(names.length > 0 ? names : Object.keys(mutants));
}
