/** The real server as a process, for what only a process can show: signals, kill -9, exit codes, a full disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Env, NO_LIMITS } from './harness.js';

export { freePort } from '../src/prove/servers.js';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface RunningServer {
  readonly child: ChildProcess;
  readonly port: number;
  readonly origin: string;
  /** resolves with the exit code, or the signal's name */
  readonly exited: Promise<number | string>;
  readonly errors: () => string;
}

export interface ProcessOptions {
  readonly env?: Env;
  readonly args?: readonly string[];
  /** a command in front of node, as strace */
  readonly wrap?: readonly string[];
  /** where dist and public are: another one is another deploy */
  readonly root?: string;
}

/** Starts dist/main.js; it is killed when the test is over. */
export function spawnServer({
  env = {},
  args = [],
  wrap = [],
  root = ROOT,
}: ProcessOptions = {}): Omit<RunningServer, 'port' | 'origin'> {
  const [command = process.execPath, ...rest] = [
    ...wrap,
    process.execPath,
    join(root, 'dist/main.js'),
    ...args,
  ];
  const child = spawn(command, rest, {
    env: { PATH: process.env['PATH'] ?? '', ...NO_LIMITS, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { child, exited, errors: () => errors };
}

/** The same, listening. */
export async function startServer(options: ProcessOptions = {}): Promise<RunningServer> {
  const server = spawnServer(options);
  const line = await new Promise<string>((resolve, reject) => {
    server.child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    void server.exited.then((code) => reject(new Error(`the server ended with ${code}: ${server.errors()}`)));
  });
  const port = Number(/:(\d+)(?:\/\S*)?\s*$/.exec(line.trim())?.[1]);
  return { ...server, port, origin: `http://127.0.0.1:${port}` };
}

/** Resolves when something accepts connections on a port that it was told to use, as a proxy does. */
export async function untilListening(port: number): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    const open = await new Promise<boolean>((resolve) => {
      const probe = connect(port, '127.0.0.1', () => resolve(true));
      probe.on('error', () => resolve(false));
      probe.on('connect', () => probe.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nothing listens on port ${port}`);
}
