/** Runs: lists of events whose numbers go up by one. */
import type { LogEvent } from './events.js';

/** The part of an ascending list that goes on after `number` without a hole. */
export function runAfter(list: readonly LogEvent[], number: number): readonly LogEvent[] {
  const rest = list.filter(({ id }) => id > number);
  const hole = rest.findIndex(({ id }, index) => id !== number + 1 + index);
  return hole < 0 ? rest : rest.slice(0, hole);
}

/** The part of an ascending list that leads up to `number` without a hole. */
export function runBefore(list: readonly LogEvent[], number: number): readonly LogEvent[] {
  const rest = list.filter(({ id }) => id < number);
  const start = rest.findLastIndex(({ id }, index) => id !== number - (rest.length - index));
  return rest.slice(start + 1);
}
