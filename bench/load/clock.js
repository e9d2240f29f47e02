// @ts-check
/** Time for stamps: CLOCK_MONOTONIC, the same in every process of one machine. */

/** @returns {number} whole microseconds */
export function micros() {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanos / 1000);
}

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
