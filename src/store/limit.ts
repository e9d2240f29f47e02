/**
 * `LIMIT` with a number that is given at each run. Written as a sum: of a bare parameter SQLite (3.53) takes the number into
 * its plan, and so compiles the statement anew at every run, which takes five times as long as a small query itself.
 */
export const LIMIT = 'LIMIT ? + 0';
