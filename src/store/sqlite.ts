/**
 * Loads better-sqlite3: version 13 on Node 22 and newer, version 12 on Node 20. npm installs only the one that fits,
 * because `engines` of the other does not (package.json, sqlite-node20/package.json). All other files of the store
 * import the driver from here, or only its types.
 */
import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';

/** No driver fits the running Node. `message` says what to do; main.ts adds the version. */
export class DriverError extends Error {}

const driverPackages = ['better-sqlite3', 'sqlite-node20'];

const Database: typeof BetterSqlite3 = loadDriver();
declare namespace Database {
  type Database = BetterSqlite3.Database;
  type Statement<Parameters extends unknown[] | object = unknown[], Row = unknown> = BetterSqlite3.Statement<
    Parameters,
    Row
  >;
}
export default Database;

function loadDriver(): typeof BetterSqlite3 {
  const require = createRequire(import.meta.url);
  for (const name of driverPackages) {
    try {
      const driver = require(name) as typeof BetterSqlite3; // the package's types say so
      new driver(':memory:').close(); // loads the binary, which fails if the package was installed under another Node version
      return driver;
    } catch {
      // the other package may fit
    }
  }
  return missingDriver();
}

/** Throws when the first database is opened, so that main.ts can print one line. */
function missingDriver(): typeof BetterSqlite3 {
  class Missing {
    static readonly SqliteError = class extends Error {};
    constructor() {
      throw new DriverError('no SQLite driver fits this Node: run "npm ci" with Node 20.19, 22, 24 or 26.');
    }
  }
  return Missing as unknown as typeof BetterSqlite3; // only its constructor is ever reached
}
