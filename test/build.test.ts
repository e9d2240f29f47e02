/** build.js in a copy of the project: what an upgrade leaves for the server that still runs, and `npm run dev`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Env, temporaryFolder } from './harness.js';
import { ROOT, startServer } from './process.js';

/** A copy of the project's sources. */
function copyProject(): string {
  const root = temporaryFolder();
  for (const name of ['src', 'public', 'build.js', 'tsconfig.json', 'package.json', 'package-lock.json'])
    cpSync(join(ROOT, name), join(root, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  return root;
}

function runBuild(root: string, args: readonly string[] = [], env: Env = {}): ChildProcess {
  const child = spawn(process.execPath, [join(root, 'build.js'), ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGINT'));
  return child;
}

async function build(root: string): Promise<void> {
  const [code] = await once(runBuild(root), 'exit');
  expect(code).toBe(0);
}

/** Replaces a file as editors do: writes another one, and gives it the name. */
function edit(file: string, change: (text: string) => string): void {
  writeFileSync(`${file}~`, change(readFileSync(file, 'utf8')));
  renameSync(`${file}~`, file);
}

/** The addresses of the page's files in the HTML of the sign-in form. */
async function filesOf(origin: string): Promise<string[]> {
  const html = await (await fetch(`${origin}/signin`)).text();
  return [...html.matchAll(/"(\/js\/[^"]+)"/g)].map(([, path = '']) => path);
}

describe('a build', { timeout: 240_000 }, () => {
  it('leaves the files that a running server names, until the build after the next', async () => {
    const root = copyProject();
    await build(root);
    const { origin } = await startServer({ root, env: { DATA_DIR: temporaryFolder() } });
    const files = await filesOf(origin);
    expect(files.length).toBeGreaterThan(1);
    const statuses = () => Promise.all(files.map(async (path) => (await fetch(origin + path)).status));
    const words = join(root, 'src/client/style/base.css');
    edit(words, (text) => `${text}\n.first { color: red; }\n`);
    edit(join(root, 'src/shared/i18n/en.ts'), (text) => text.replace('Lobby', 'Foyer'));
    await build(root);
    await build(root); // an operator who builds twice
    expect(await statuses()).toEqual(files.map(() => 200));
    edit(words, (text) => `${text}\n.second { color: red; }\n`);
    edit(join(root, 'src/shared/i18n/en.ts'), (text) => text.replace('Foyer', 'Hall'));
    await build(root);
    expect(await statuses()).not.toContain(200);
  });
});

describe('npm run dev', { timeout: 240_000 }, () => {
  it('runs what was saved last, however often a file is replaced', async () => {
    const root = copyProject();
    const child = runBuild(root, ['--watch'], { PORT: '0', DATA_DIR: temporaryFolder() });
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    const starts = () => [...out.matchAll(/running at (\S+)/g)].map(([, origin = '']) => origin);
    const form = async () => (await fetch(`${starts().at(-1)}/signin`)).text();
    await expect.poll(starts, { timeout: 60_000 }).toHaveLength(1);
    for (const [n, label] of ['First name', 'Second name', 'Third name'].entries()) {
      edit(join(root, 'src/shared/i18n/en.ts'), (text) =>
        text.replace(/Your name|First name|Second name/, label),
      );
      await expect.poll(starts, { timeout: 60_000 }).toHaveLength(n + 2);
      expect(await form()).toContain(label);
    }
    edit(join(root, 'public/signin.html'), (text) => text.replace('<body', '<body data-saved="yes"'));
    await expect.poll(starts, { timeout: 60_000 }).toHaveLength(5);
    expect(await form()).toContain('data-saved="yes"');
  });
});
