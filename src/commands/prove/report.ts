/** The report of a run, in lines that fit a note. */
import type { Finding, Tally } from './run.js';

export function progressOf({ kills, witness }: Tally, wanted: number): string {
  const { sent, acknowledged, shown } = witness;
  return `${kills} of ${wanted} kills; ${sent.size} sent, ${acknowledged} acknowledged, ${shown.length - 1} numbers`;
}

export function reportOf({ kills, kept, witness, starts, violations }: Finding): string {
  const { sent, acknowledged, resent, cuts, gaps } = witness;
  const facts: readonly (readonly [string, string | number])[] = [
    ['kills', kills],
    ['connections cut', cuts],
    ['messages sent', sent.size],
    ['sent again', resent],
    ['acknowledged', acknowledged],
    ['in the log', kept],
    ['lost', witness.count('lost')],
    ['repeated', witness.count('repeated')],
    ['out of order', witness.count('out of order')],
    ['other faults', witness.count('different', 'refused', 'stuck', 'unsound')],
    ['restart gap, ms', spread(gaps)],
    ['server start, ms', spread(starts)],
  ];
  const lines = facts.map(([name, value]) => `  ${name.padEnd(18)}${value}`);
  const [first] = violations;
  const verdict = first
    ? `BROKEN, ${first.kind}: ${first.evidence}`
    : 'kept: nothing lost, nothing repeated, one order for all; verify is clean';
  return `${lines.join('\n')}\n${verdict}\n`;
}

/** "p50 312, p99 640, most 702 (of 160)" */
function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} (of ${sorted.length})`;
}
