/** The report of a run, in lines that fit a note. */
import type { Finding, Tally } from './run.js';

export function progressOf({ kills, witness }: Tally, wanted: number): string {
  const { sent, acknowledged, last } = witness;
  return `${kills} of ${wanted} kills; ${sent.size} sent, ${acknowledged} acknowledged, ${last} numbers`;
}

export function reportOf({ kills, kept, witness, starts, violations }: Finding): string {
  const { acknowledged, resent, cuts, gaps } = witness;
  const sent = [...witness.sent.values()];
  const count = (...types: readonly string[]): number =>
    sent.filter(({ posting }) => types.includes(posting.type)).length;
  const facts: readonly (readonly [string, string | number])[] = [
    ['kills', kills],
    ['connections cut', cuts],
    ['messages sent', count('chat')],
    ['edits', count('edit')],
    ['deletions', count('delete')],
    ['reactions', count('react', 'unreact')],
    ['sent again', resent],
    ['acknowledged', acknowledged],
    ['refused by rule', sent.filter(({ id, refused }) => refused && id === undefined).length],
    ['in the log', kept],
    ['lost', witness.count('lost')],
    ['repeated', witness.count('repeated')],
    ['out of order', witness.count('out of order')],
    ['diverged', witness.count('diverged')],
    ['not deleted', witness.count('undeleted')],
    ['other faults', witness.count('different', 'refused', 'stuck', 'unsound')],
    ['restart gap, ms', spread(gaps)],
    ['server start, ms', spread(starts)],
  ];
  const lines = facts.map(([name, value]) => `  ${name.padEnd(18)}${value}`);
  const [first] = violations;
  const verdict = first
    ? `BROKEN, ${first.kind}: ${first.evidence}`
    : 'kept: nothing lost, nothing repeated, one order and one end for all, deleted text gone; verify is clean';
  return `${lines.join('\n')}\n${verdict}\n`;
}

/** "p50 312, p99 640, most 702 (of 160)" */
function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} (of ${sorted.length})`;
}
