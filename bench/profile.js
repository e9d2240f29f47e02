// @ts-check
/** Where the time went: node bench/profile.js FILE.cpuprofile [TOP] prints the functions by their own time. */
import { readFileSync } from 'node:fs';

/** @typedef {{ id: number, callFrame: { functionName: string, url: string, lineNumber: number } }} Node */

/** @param {string} file */
function selfTimes(file) {
  /** @type {{ nodes: Node[], samples: number[], timeDeltas: number[] }} */
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'));
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  /** @type {Map<string, number>} */
  const times = new Map();
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? '?';
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0));
  }
  return times;
}

/** @param {Node['callFrame']} frame */
function nameOf({ functionName, url, lineNumber }) {
  const place = url.replace(/^.*\/(?=dist\/|node_modules\/)/, '');
  return `${functionName || '(anonymous)'}${place === '' ? '' : `  ${place}:${lineNumber + 1}`}`;
}

const [file = '', top = '15'] = process.argv.slice(2);
const times = selfTimes(file);
const idle = times.get('(idle)') ?? 0;
const busy = [...times.values()].reduce((sum, time) => sum + time, 0) - idle;
const rows = [...times].filter(([name]) => name !== '(idle)').sort((a, b) => b[1] - a[1]);
process.stdout.write(`busy ${(busy / 1e6).toFixed(1)} s, idle ${(idle / 1e6).toFixed(1)} s\n`);
for (const [name, time] of rows.slice(0, Number(top))) {
  process.stdout.write(`${((100 * time) / busy).toFixed(1).padStart(6)} %  ${name}\n`);
}
