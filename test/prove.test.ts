/** The proof itself: the real server passes, and every bug that is planted is found. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Finding, tryServer } from '../src/commands/prove/run.js';
import { temporaryFolder } from './harness.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const SABOTEUR = fileURLToPath(new URL('prove/saboteur.js', import.meta.url));

/** A short run against the server with this bug in it. */
function trialOf(bug: string, kills: number): Promise<Finding> {
  return tryServer({
    kills,
    seed: 7,
    clients: 6,
    every: 500,
    command: [process.execPath, SABOTEUR, bug],
    folder: temporaryFolder(),
    report() {},
    stopped: () => false,
  });
}

/** `oneport prove`, to its end. */
async function prove(args: readonly string[]): Promise<{ code: unknown; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, 'prove', ...args]);
  onTestFinished(() => {
    child.kill('SIGTERM');
  });
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.err += chunk.toString();
  });
  const [code] = await once(child, 'close');
  return { code, ...said };
}

/** The number in a line of the report. */
function fact(report: string, name: string): number {
  return Number(new RegExp(`^ {2}${name} +(\\d+)$`, 'm').exec(report)?.[1]);
}

const FAULTS = ['lost', 'repeated', 'out of order', 'diverged', 'not deleted', 'other faults'];

describe('prove', () => {
  it('passes the real server, killed 20 times', { timeout: 120_000 }, async () => {
    const { code, out, err } = await prove(['--kills', '20', '--seed', '1', '--every', '300']);
    expect(out + err).toContain('kept: nothing lost');
    expect(code).toBe(0);
    expect(out).toContain('seed 1\n');
    for (const name of FAULTS) expect(fact(out, name), name).toBe(0);
    expect(fact(out, 'kills')).toBe(20);
    const sent = ['messages sent', 'edits', 'deletions', 'reactions'].map((name) => fact(out, name));
    expect(Math.min(...sent)).toBeGreaterThan(5); // else it has not tried much
    expect(fact(out, 'refused by rule')).toBeGreaterThan(5);
    expect(fact(out, 'acknowledged') + fact(out, 'refused by rule')).toBe(sent.reduce((a, b) => a + b));
    expect(fact(out, 'in the log')).toBe(fact(out, 'acknowledged'));
    expect(fact(out, 'sent again')).toBeGreaterThan(0);
    expect(out).toMatch(/restart gap, ms {3}p50 \d+, p99 \d+, most \d+ \(of [1-9]\d*\)/);
    expect(err).toMatch(/\d+ of 20 kills; \d+ sent/);
  });

  it('can be interrupted: it reports what it has seen, and leaves nothing behind', async () => {
    const home = temporaryFolder();
    const child = spawn(process.execPath, [MAIN, 'prove', '--kills', '1000'], {
      env: { PATH: process.env['PATH'] ?? '', TMPDIR: home },
    });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(out).toContain('kept: nothing lost');
    expect(code).toBe(130);
    expect(readdirSync(home)).toEqual([]);
  });

  it('refuses options that make no sense, and explains itself', async () => {
    expect(await prove(['--kills', 'many'])).toMatchObject({
      code: 64,
      err: expect.stringContaining('--kills'),
    });
    expect(await prove(['--fast'])).toMatchObject({ code: 64, err: expect.stringContaining('--fast') });
    expect(await prove(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('--seed S') });
  });
});

describe('prove finds', () => {
  const bugs: readonly (readonly [bug: string, kills: number, kinds: readonly string[]])[] = [
    ['echo-before-commit', 8, ['lost', 'different', 'repeated']],
    ['deliver-before-commit', 8, ['lost', 'different', 'repeated', 'out of order']],
    ['dedupe-dropped', 6, ['repeated']],
    ['edit-twice', 10, ['repeated']],
    ['change-lost', 3, ['lost']],
    ['everyone-may-edit', 4, ['unsound']],
    ['refused-wrongly', 3, ['refused']],
    ['edit-shown-blank', 3, ['diverged']],
    ['unreact-forgotten', 4, ['diverged']],
    ['deleted-in-edits', 6, ['undeleted']],
    ['deleted-replayed', 6, ['undeleted']],
    ['deleted-in-files', 2, ['undeleted']],
    ['number-skipped', 2, ['out of order']],
    ['resume-off-by-one', 2, ['lost', 'out of order']],
  ];
  it.each(bugs)('%s', { timeout: 60_000 }, async (bug, kills, kinds) => {
    const { violations } = await trialOf(bug, kills);
    const found = violations.filter(({ kind }) => kinds.includes(kind));
    expect(found, JSON.stringify(violations.slice(0, 5))).not.toEqual([]);
  });

  it('nothing where no bug is planted', { timeout: 60_000 }, async () => {
    const { violations, kept, witness } = await trialOf('none', 2);
    expect(violations).toEqual([]);
    expect(kept).toBe(witness.acknowledged);
    expect(kept).toBeGreaterThan(50);
  });
});
