/** `prove` passes the real server and finds every fault that is planted in it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Result, run } from '../src/prove/run.js';
import { temporaryFolder } from './harness.js';

const SERVER_FILE = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const MUTANTS_FILE = fileURLToPath(new URL('prove/mutants.js', import.meta.url));

/** A short run against a mutant of the server. */
function runMutant(name: string, kills: number, killIntervalMs: number = 500): Promise<Result> {
  return run({
    kills,
    seed: 7,
    writers: 6,
    rooms: 3,
    killIntervalMs,
    command: [process.execPath, MUTANTS_FILE, name],
    folder: temporaryFolder(),
    onProgress() {},
    stopped: () => false,
  });
}

/** Runs `oneport prove` to its end. */
async function prove(args: readonly string[]): Promise<{ code: unknown; out: string; err: string }> {
  const child = spawn(process.execPath, [SERVER_FILE, 'prove', ...args]);
  onTestFinished(() => {
    child.kill('SIGTERM');
  });
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    output.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output.err += chunk.toString();
  });
  const [code] = await once(child, 'close');
  return { code, ...output };
}

/** Returns the number in a row of the report. */
function reported(report: string, name: string): number {
  return Number(new RegExp(`^ {2}${name} +(\\d+)$`, 'm').exec(report)?.[1]);
}

const FAULTS = ['lost', 'duplicated', 'out of order', 'diverged', 'not deleted', 'other faults'];

describe('prove', () => {
  it('passes the real server, killed 20 times', { timeout: 120_000 }, async () => {
    const { code, out, err } = await prove(['--kills', '20', '--seed', '1', '--every', '300']);
    expect(out + err).toContain('passed: nothing lost');
    expect(code).toBe(0);
    expect(out).toContain('seed 1\n');
    for (const name of FAULTS) expect(reported(out, name), name).toBe(0);
    expect(reported(out, 'kills')).toBe(20);
    const sent = ['messages sent', 'edits', 'deletions', 'reactions'].map((name) => reported(out, name));
    expect(Math.min(...sent)).toBeGreaterThan(5); // fewer would test little
    expect(reported(out, 'rejected by rule')).toBeGreaterThan(5);
    for (const name of ['without a cid', 'cid conflicts', 'read marks', 'renames', 'sign-outs'])
      expect(reported(out, name), name).toBeGreaterThan(2);
    const [acknowledged, unknown] = [reported(out, 'acknowledged'), reported(out, 'outcome unknown')];
    expect(acknowledged + unknown + reported(out, 'rejected by rule')).toBe(sent.reduce((a, b) => a + b));
    expect(reported(out, 'in the log')).toBeGreaterThanOrEqual(acknowledged);
    expect(reported(out, 'in the log')).toBeLessThanOrEqual(acknowledged + unknown);
    expect(unknown).toBeLessThanOrEqual(reported(out, 'without a cid'));
    expect(reported(out, 'sent again')).toBeGreaterThan(0);
    expect(out).toMatch(/reconnect, ms {5}p50 \d+, p99 \d+, max \d+ \(of [1-9]\d*\)/);
    expect(err).toMatch(/\d+ of 20 kills; \d+ sent/);
  });

  it('reports what it has when it is interrupted, and leaves no files', async () => {
    const folder = temporaryFolder();
    const child = spawn(process.execPath, [SERVER_FILE, 'prove', '--kills', '1000'], {
      env: { PATH: process.env['PATH'] ?? '', TMPDIR: folder },
    });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(out).toContain('passed: nothing lost');
    expect(code).toBe(130);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses invalid options and prints its help', async () => {
    expect(await prove(['--kills', 'many'])).toMatchObject({
      code: 64,
      err: expect.stringContaining('--kills'),
    });
    expect(await prove(['--fast'])).toMatchObject({ code: 64, err: expect.stringContaining('--fast') });
    expect(await prove(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('--seed S') });
  });
});

describe('prove finds the mutant', () => {
  type Mutant = readonly [name: string, kills: number, kinds: readonly string[], killIntervalMs?: number];
  const mutants: readonly Mutant[] = [
    ['ack-before-commit', 8, ['lost', 'inconsistent', 'duplicated']],
    ['deliver-before-commit', 8, ['lost', 'inconsistent', 'duplicated', 'out of order']],
    ['no-deduplication', 6, ['duplicated']],
    ['no-deduplication-of-edits', 10, ['duplicated']],
    ['change-dropped', 3, ['lost']],
    ['no-author-check', 4, ['invalid']],
    ['change-wrongly-rejected', 3, ['wrongly rejected']],
    ['edit-delivered-empty', 3, ['diverged']],
    ['unreact-ignored', 4, ['diverged']],
    ['edits-survive-deletion', 6, ['not deleted']],
    ['deleted-text-in-cache', 3, ['not deleted'], 3000], // a restart empties the cache
    ['deleted-text-in-wal', 2, ['not deleted']],
    ['number-skipped', 2, ['out of order']],
    ['resume-off-by-one', 2, ['lost', 'out of order']],
    ['cid-ignores-room', 4, ['lost']],
    ['cid-ignores-person', 2, ['wrongly rejected']],
    ['message-without-cid-twice', 2, ['duplicated']],
    ['author-name-replaced', 1, ['inconsistent']],
    ['rename-ignored', 5, ['inconsistent']],
    ['sign-out-ignored', 6, ['invalid', 'inconsistent']],
    ['mentions-not-found', 2, ['inconsistent']],
    ['read-mark-goes-back', 3, ['out of order']],
    ['presence-never-leaves', 1, ['diverged']],
    ['time-goes-back', 2, ['out of order']],
    ['search-finds-nothing', 1, ['diverged']],
    ['search-finds-deleted', 1, ['not deleted']],
    ['mention-list-empty', 2, ['diverged']],
  ];
  const rows = mutants.map(([name, kills, kinds, interval]) => ({ name, kills, kinds, interval }));
  it.each(rows)('$name', { timeout: 60_000 }, async ({ name, kills, kinds, interval }) => {
    const { violations } = await runMutant(name, kills, interval);
    const found = violations.filter(({ kind }) => kinds.includes(kind));
    expect(found, JSON.stringify(violations.slice(0, 5))).not.toEqual([]);
  });

  it('and no violation without a mutation', { timeout: 60_000 }, async () => {
    const { violations, events, history } = await runMutant('none', 2);
    expect(violations).toEqual([]);
    expect(events).toBeGreaterThanOrEqual(history.acknowledged);
    expect(events).toBeGreaterThan(50);
  });
});
