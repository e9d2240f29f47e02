// @ts-check
/** All cases in two tables of Markdown, for the docs: what each server did, and which goals were reached. */
import { show } from './numbers.js';
import { NAMES } from './table.js';

/** @typedef {import('./judge.js').Outcome} Outcome */

/** @param {Outcome[]} outcomes @returns {string} */
export function summaryOf(outcomes) {
  return `${servers(outcomes)}\n\n${goals(outcomes)}\n`;
}

/** One row for each case and metric of note: that which is compared, and what of latency and CPU there is. @param {Outcome[]} outcomes */
function servers(outcomes) {
  const subjects = Object.keys(NAMES);
  const rows = outcomes.flatMap(({ name, columns, ratio, subjects: measured }) =>
    columns
      .filter(([key]) => key === ratio || NOTED.has(key))
      .map(([key, label]) => [
        name,
        label,
        ...subjects.map((subject) => show(measured[subject]?.[key]?.median)),
      ]),
  );
  return markdown(['case', '', ...subjects.map((subject) => NAMES[subject] ?? subject)], rows);
}

const NOTED = new Set(['cpuUs', 'p50', 'p99', 'rssMb', 'httpMax', 'echoMax', 'syncMs', 'growth', 'heldMs']);

/** @param {Outcome[]} outcomes */
function goals(outcomes) {
  const rows = outcomes.flatMap((outcome) =>
    outcome.goals.map(({ text, limit, value: { median, min, max }, reached }) => [
      outcome.name,
      text,
      limit,
      min === max ? show(median) : `${show(median)} (${show(min)} to ${show(max)})`,
      reached ? 'yes' : '**no**',
    ]),
  );
  return markdown(['case', 'goal', 'to reach', 'measured', 'reached'], rows);
}

/** @param {string[]} head @param {string[][]} rows */
function markdown(head, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}
