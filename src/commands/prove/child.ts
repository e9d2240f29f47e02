/** The server on trial, as a process: started, killed, started again on the same port and folder, told to stop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { CommandError, EXIT } from '../../cli/command.js';

export type Env = Readonly<Record<string, string | undefined>>;

const PATIENCE = { start: 20_000, stop: 12_000 } as const;

export class ServerChild {
  readonly #command: readonly string[];
  readonly #env: Env;
  readonly #log: string;
  readonly #died: (how: string) => void;
  #child: ChildProcess | undefined;

  /** `log`: a file that what it says on stderr is added to; `died`: it ended without having been told to */
  constructor(command: readonly string[], env: Env, log: string, died: (how: string) => void) {
    this.#command = command;
    this.#env = env;
    this.#log = log;
    this.#died = died;
  }

  /** Resolves with the milliseconds until it says that it is open. */
  async start(): Promise<number> {
    const [program = '', ...args] = this.#command;
    const from = performance.now();
    const log = openSync(this.#log, 'a');
    const child = spawn(program, args, {
      env: { ...this.#env },
      stdio: ['ignore', 'pipe', log],
      detached: true, // Ctrl-C is for us: we end it
    });
    closeSync(log);
    this.#child = child;
    child.on('exit', (code, signal) => {
      if (child === this.#child) this.#died(String(code ?? signal));
    });
    if (!(await saysSomething(child)))
      throw new CommandError(EXIT.fault, `the server did not start: see ${this.#log}`);
    return performance.now() - from;
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM; resolves with the exit code, or the signal that it took. */
  async stop(): Promise<number | string> {
    const hard = setTimeout(() => child?.kill('SIGKILL'), PATIENCE.stop);
    const child = this.#child;
    const how = await this.#end('SIGTERM');
    clearTimeout(hard);
    return how;
  }

  async #end(signal: NodeJS.Signals): Promise<number | string> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return 'gone';
    child.kill(signal);
    const [code, by] = await once(child, 'exit');
    return code ?? by;
  }
}

/** Its first line is that it is open. False when it ends before that, or takes too long. */
function saysSomething(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    const tooLong = setTimeout(() => resolve(false), PATIENCE.start);
    child.stdout?.once('data', () => resolve(true));
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(false));
    tooLong.unref();
  });
}

/**
 * A port that is free now and stays so while the server is down: below those that the system gives to connections,
 * else a client of ours could be given it.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (free) return port;
  }
  throw new Error('there is no free port between 20000 and 32000');
}
