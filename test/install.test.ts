/** How npm installs the project: which SQLite driver, which install scripts, from where. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isObject, parseJsonObject } from '../src/shared/parse.js';

function read(path: string): Readonly<Record<string, unknown>> {
  return parseJsonObject(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')) ?? {};
}

function lockedPackage(path: string): Readonly<Record<string, unknown>> {
  const { packages } = read('package-lock.json');
  const found = isObject(packages) ? packages[path] : undefined;
  if (!isObject(found)) throw new Error(`package-lock.json has no ${path}`);
  return found;
}

describe('package-lock.json', () => {
  it('keeps npm from compiling better-sqlite3 13, which carries its binaries', () => {
    // Without this line npm runs node-gyp, and drops the package where there is no compiler. "npm install" removes
    // the line: put it back.
    expect(lockedPackage('node_modules/better-sqlite3')).toMatchObject({ gypfile: false, optional: true });
  });

  it('has one SQLite driver for Node 20 and one for newer versions', () => {
    expect(lockedPackage('node_modules/better-sqlite3')['engines']).toEqual({ node: '>=22' });
    expect(lockedPackage('sqlite-node20')).toMatchObject({ engines: { node: '<22' }, optional: true });
  });

  it('names no registry, so that every machine uses its own', () => {
    expect(JSON.stringify(read('package-lock.json'))).not.toMatch(/"resolved":"https?:/);
  });
});

describe('package.json', () => {
  it('allows the install scripts of the driver for Node 20 and of esbuild only', () => {
    expect(read('package.json')['allowScripts']).toEqual({ 'better-sqlite3': true, esbuild: true });
    expect(lockedPackage('node_modules/better-sqlite3')).not.toHaveProperty('hasInstallScript');
  });
});
