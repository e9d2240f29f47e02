/** Randomness that a seed repeats (mulberry32), so that a run that found something can be tried again. */
export type Random = () => number;

/** From 0 to below 1. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `least` to below `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least));
}
