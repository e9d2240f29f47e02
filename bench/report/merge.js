// @ts-check
/** Several results as one: a long bench may be run case by case, or round by round. Nothing is averaged twice. */
import { CASES } from '../cases/all.js';
import { judge } from './judge.js';

/** @typedef {import('./judge.js').Outcome & { rounds: import('./judge.js').Rounds }} Played */
/** @typedef {{ rounds: number, seconds: number, people: number, pin: boolean, quick: boolean }} Setting */
/** @typedef {{ date: string, machine: ReturnType<typeof import('../proc.js').machine>, options: Setting, cases: Played[] }} Report */

/** The rounds of a case that was run more than once are put together and judged anew. @param {Report[]} reports @returns {Report} */
export function merge(reports) {
  const [first, ...others] = reports;
  if (!first) throw new Error('nothing to merge');
  for (const other of others) assertAlike(first, other);
  const cases = CASES.flatMap((played) => {
    const parts = reports.flatMap((report) => report.cases.filter(({ name }) => name === played.name));
    const [one] = parts;
    if (!one) return [];
    const rounds = joined(parts);
    const failures = parts.flatMap((part) => part.failures);
    return [{ ...judge(played, one.title, rounds, failures), rounds }];
  });
  const date =
    reports
      .map((report) => report.date)
      .sort()
      .at(-1) ?? first.date;
  const least = Math.min(...cases.map(({ rounds }) => rounds['oneport']?.length ?? 0));
  return { date, machine: first.machine, options: { ...first.options, rounds: least }, cases };
}

/** @param {Played[]} parts @returns {import('./judge.js').Rounds} */
function joined(parts) {
  const subjects = new Set(parts.flatMap((part) => Object.keys(part.rounds)));
  return Object.fromEntries(
    [...subjects].map((subject) => [
      subject,
      parts.flatMap((part) => (part.rounds[subject] ?? []).map((metrics) => metrics ?? undefined)),
    ]),
  );
}

/** Numbers from two machines, or of two lengths, are not put into one median. @param {Report} a @param {Report} b */
function assertAlike(a, b) {
  const settings = (/** @type {Report} */ { machine, options: { rounds: _, ...options } }) =>
    JSON.stringify([machine, options]);
  if (settings(a) !== settings(b))
    throw new Error('these were measured on other machines, or in another way');
}
