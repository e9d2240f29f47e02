/** Moments of an opening, for who measures it (User Timing): one can write; there is something to read. */
export type Milestone = 'writable' | 'history';

const reached = new Set<Milestone>();

/** Notes the moment, the first time. */
export function reach(milestone: Milestone): void {
  if (reached.has(milestone)) return;
  reached.add(milestone);
  performance.mark(milestone);
}
