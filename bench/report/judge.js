// @ts-check
/** From the metrics of all rounds to medians, spreads, ratios and goals. */
import { summary } from './numbers.js';

/** @typedef {import('../cases/case.js').Case} Case */
/** @typedef {import('../cases/case.js').Goal} Goal */
/** @typedef {import('../cases/case.js').Metrics} Metrics */

/** How much of a core others took meanwhile: says how far the rest can be believed. */
const NOISE = /** @type {const} */ (['noise', 'noise %']);

/** @typedef {{ median: number, min: number, max: number }} Summary */
/** @typedef {Record<string, (Metrics | undefined)[]>} Rounds by server, one for each round; undefined: it failed */
/** @typedef {{ text: string, limit: string, value: Summary, reached: boolean }} Verdict */

/**
 * @param {Case} played @param {string} title @param {Rounds} rounds @param {string[]} failures
 */
export function judge(played, title, rounds, failures) {
  const { name, ratio } = played;
  const columns = [...played.columns, NOISE];
  const subjects = Object.fromEntries(
    Object.entries(rounds).map(([subject, all]) => [
      subject,
      summarise(all.filter((one) => one !== undefined)),
    ]),
  );
  const ratios =
    ratio === undefined
      ? {}
      : Object.fromEntries(peersOf(rounds).map((peer) => [peer, summary(ratiosOf(rounds, ratio, peer))]));
  const goals = played.goals
    .map((goal) => verdict(goal, rounds))
    .filter(({ value }) => !Number.isNaN(value.median));
  return { name, title, columns, ratio, subjects, ratios, goals, failures };
}

/** @typedef {ReturnType<typeof judge>} Outcome */

/** @param {Metrics[]} all @returns {Record<string, Summary>} */
function summarise(all) {
  const keys = new Set(all.flatMap((one) => Object.keys(one)));
  return Object.fromEntries([...keys].map((key) => [key, summary(all.map((one) => one[key] ?? Number.NaN))]));
}

/** @param {Rounds} rounds @returns {string[]} */
function peersOf(rounds) {
  return Object.keys(rounds).filter((subject) => subject !== 'oneport');
}

/** Oneport ÷ peer, round by round. @param {Rounds} rounds @param {string} metric @param {string} peer */
function ratiosOf(rounds, metric, peer) {
  return (rounds['oneport'] ?? []).map(
    (own, i) => (own?.[metric] ?? Number.NaN) / (rounds[peer]?.[i]?.[metric] ?? Number.NaN),
  );
}

/** A goal that could not be measured has NaN. @param {Goal} goal @param {Rounds} rounds @returns {Verdict} */
function verdict({ metric, against, most, least, text }, rounds) {
  const own = (rounds['oneport'] ?? []).map((one) => one?.[metric] ?? Number.NaN);
  const value = summary(against === undefined ? own : ratiosOf(rounds, metric, against));
  const limit = most === undefined ? `>= ${least}` : `<= ${most}`;
  const reached = most === undefined ? value.median >= (least ?? 0) : value.median <= most;
  return { text, limit, value, reached };
}
