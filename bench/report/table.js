// @ts-check
/** The result as text. */
import { show } from './numbers.js';

/** @typedef {import('./judge.js').Outcome} Outcome */
/** @typedef {import('./judge.js').Summary} Summary */

export const NAMES = /** @type {Record<string, string>} */ ({
  oneport: 'Oneport',
  bun: 'Bun publish',
  tutorial: 'ws, the tutorial',
  socketio: 'Socket.IO',
});

/** @param {Outcome} outcome @returns {string} */
export function tableOf(outcome) {
  const head = ['', ...outcome.columns.map(([, label]) => label), ...(outcome.ratio ? ['Oneport ÷'] : [])];
  const rows = Object.entries(outcome.subjects).map(([subject, metrics]) => [
    NAMES[subject] ?? subject,
    ...outcome.columns.map(([key]) => cell(metrics[key])),
    ...(outcome.ratio ? [cell(outcome.ratios[subject])] : []),
  ]);
  const parts = [`${outcome.name}: ${outcome.title}`, align([head, ...rows]), ...outcome.goals.map(goalLine)];
  return [...parts, ...outcome.failures.map((failure) => `  FAILED ${failure}`), ''].join('\n');
}

/** @param {Outcome['goals'][number]} goal */
function goalLine({ text, limit, value, reached }) {
  return `  ${reached ? 'reached    ' : 'NOT REACHED'} ${text}: ${cell(value)} (${limit})`;
}

/** The median, and the spread when there is one worth seeing. @param {Summary | undefined} summary */
function cell(summary) {
  if (!summary || !Number.isFinite(summary.median)) return '–';
  const { median, min, max } = summary;
  if (max - min <= Math.abs(median) * 0.02) return show(median);
  return `${show(median)} [${show(min)}, ${show(max)}]`;
}

/** @param {string[][]} rows */
function align(rows) {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map(
      (row) =>
        `  ${row.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join('  ')}`,
    )
    .join('\n');
}
