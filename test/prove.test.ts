/** `prove` passes the real servers and finds faults that are planted in them. `npm run mutants` plants all of them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Env, hasTool, temporaryFolder } from './harness.js';
import { mutants } from './prove/mutants.js';
import { runMutant } from './prove/run-mutants.js';

const SERVER_FILE = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** Runs `oneport prove` to its end. */
async function prove(
  options: string,
  env: Env = {},
  onFinished: (end: () => void) => void = onTestFinished,
): Promise<{ code: unknown; out: string; err: string }> {
  const child = spawn(process.execPath, [SERVER_FILE, 'prove', ...options.split(' ')], {
    env: { ...process.env, ...env },
  });
  onFinished(() => {
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
  it('passes the real server, killed 12 times', { timeout: 300_000 }, async () => {
    const { code, out, err } = await prove('--kills 12 --seed 1 --every 300 --clients 8');
    expect(out + err).toContain('passed: nothing lost');
    expect(code).toBe(0);
    expect(out).toContain('seed 1\n');
    for (const name of FAULTS) expect(reported(out, name), name).toBe(0);
    expect(reported(out, 'kills')).toBe(12);
    const sent = ['messages sent', 'edits', 'deletions', 'reactions'].map((name) => reported(out, name));
    // fewer would test little; there are some 10 deletions
    for (const name of ['messages sent', 'edits', 'reactions'])
      expect(reported(out, name), name).toBeGreaterThan(5);
    expect(reported(out, 'deletions')).toBeGreaterThan(0);
    expect(reported(out, 'rejected by rule')).toBeGreaterThan(5);
    for (const name of ['without a cid', 'cid conflicts', 'read marks', 'renames', 'sign-outs'])
      expect(reported(out, name), name).toBeGreaterThan(2);
    const [acknowledged, unknown] = [reported(out, 'acknowledged'), reported(out, 'outcome unknown')];
    const refused = reported(out, 'rejected by rule') + reported(out, 'not stored');
    expect(acknowledged + unknown + refused).toBe(sent.reduce((a, b) => a + b));
    expect(reported(out, 'in the log')).toBeGreaterThanOrEqual(acknowledged);
    expect(reported(out, 'in the log')).toBeLessThanOrEqual(acknowledged + unknown);
    expect(unknown).toBeLessThanOrEqual(reported(out, 'without a cid'));
    expect(reported(out, 'sent again')).toBeGreaterThan(0);
    expect(out).toMatch(/reconnect, ms {5}p50 \d+, p99 \d+, max \d+ \(of [1-9]\d*\)/);
    expect(err).toMatch(/\d+ of 12 kills; \d+ sent/);
    if (!hasTool('cc')) return;
    expect(reported(out, 'power cuts')).toBeGreaterThan(0);
    const faults = ['failing syncs', 'failing writes', 'stalled syncs'].map((name) => reported(out, name));
    expect(faults.reduce((a, b) => a + b)).toBeGreaterThan(1);
  });

  it('names the package that it needs for nodes', async () => {
    const { code, err } = await prove('--nodes 2', { PATH: temporaryFolder() });
    expect([code, err]).toEqual([66, expect.stringContaining('redis-server')]);
  });

  it('says that it leaves the disk out where there is no compiler', { timeout: 120_000 }, async () => {
    const child = spawn(process.execPath, [SERVER_FILE, 'prove', '--kills', '1', '--clients', '2'], {
      env: { PATH: temporaryFolder() },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(output).toMatch(/power cuts and a failing disk are left out/);
    expect(reported(output, 'power cuts')).toBe(0);
  });

  it('reports what it has when it is interrupted, and leaves no files', { timeout: 120_000 }, async () => {
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
    expect(await prove('--kills many')).toMatchObject({
      code: 64,
      err: expect.stringContaining('--kills'),
    });
    expect(await prove('--fast')).toMatchObject({ code: 64, err: expect.stringContaining('--fast') });
    expect(await prove('--help')).toMatchObject({ code: 0, out: expect.stringContaining('--seed S') });
  });
});

describe.concurrent('prove with several servers', () => {
  const hasRedis = hasTool('redis-server');
  it.skipIf(!hasRedis)(
    'passes nodes with workers that share a Redis',
    { timeout: 300_000 },
    async ({ onTestFinished }) => {
      const options = '--nodes 2 --workers 2 --redis --kills 5 --seed 8 --clients 3 --rooms 2';
      const { code, out, err } = await prove(options, {}, onTestFinished);
      expect(out + err).toContain('passed: nothing lost');
      expect(code).toBe(0);
      expect(reported(out, 'kills')).toBe(5);
      expect(reported(out, 'in the log')).toBeGreaterThan(20);
      expect(out).toMatch(/^ {2}kills of Redis +\d/m);
    },
  );
});

describe.concurrent('prove finds the mutant', () => {
  /** `kills`: at most so many, because a run ends when it finds something. Readers are compared at the end only. */
  type Sample = readonly [name: string, kills: number, kinds: readonly string[]];
  const disk: readonly Sample[] = [
    ['commit-synced-late', 30, ['lost', 'wrongly rejected', 'out of order', 'inconsistent']],
    ['failed-commit-acknowledged', 30, ['lost', 'duplicated', 'out of order', 'inconsistent']],
  ];
  const shared: readonly Sample[] = [
    ['entries-missed-on-connect', 20, ['lost', 'out of order', 'diverged', 'inconsistent', 'stuck']],
  ];
  const sample: readonly Sample[] = [
    ['ack-before-commit', 20, ['lost', 'inconsistent', 'duplicated', 'out of order']],
    ['stream-id-off-by-one', 20, ['wrongly rejected']],
    ...(hasTool('cc') ? disk : []),
    ...(hasTool('redis-server') ? shared : []),
  ];
  const rows = sample.map(([name, kills, kinds]) => ({ name, kills, kinds }));
  it.each(rows)('$name', { timeout: 300_000 }, async ({ name, kills, kinds }) => {
    expect(Object.keys(mutants)).toContain(name);
    const { violations } = await runMutant(name, kills);
    const found = violations.filter(({ kind }) => kinds.includes(kind));
    expect(found, JSON.stringify(violations.slice(0, 5))).not.toEqual([]);
  });

  it('and no violation without a mutation', { timeout: 300_000 }, async () => {
    const { violations, events, history } = await runMutant('none', 1);
    expect(violations).toEqual([]);
    expect(events).toBeGreaterThanOrEqual(history.acknowledged);
    expect(events).toBeGreaterThan(20);
  });
});
