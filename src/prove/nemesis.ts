/**
 * The nemesis: runs the server as a child process, kills it at random times and starts it again on the same data. Between
 * kills the disk fails at times. Some kills are power cuts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, EXIT } from '../cli/command.js';
import type { Range } from './clients.js';
import type { DiskFault, FaultyDisk } from './disk.js';
import { pick, type Random, randomInt } from './generator.js';
import type { History } from './history.js';

export type Env = Readonly<Record<string, string | undefined>>;

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 12_000;
/** A kill waits for an event per N milliseconds of the interval, because it proves little before clients are back. */
const MS_PER_EVENT = 20;
const MAX_AWAITED_EVENTS = 20;
/** Limits each wait for events after a start. */
const EVENTS_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
/** Length of the time after the last start, in intervals between kills. */
const LAST_INTERVALS = 3;
/** Percentages: of kills that are power cuts, of kills before which the disk fails, and of those that come meanwhile. */
const PERCENT = { powerCut: 40, fault: 60, killInFault: 60 } as const;
const FAULTS = ['sync', 'sync', 'write', 'stall'] as const;
const FAULT_MS: Range = [50, 300];
/** Limits the wait for a refusal while the disk fails. */
const REFUSAL_TIMEOUT_MS = 1_000;

export class ServerProcess {
  readonly #command: readonly string[];
  readonly #env: Env;
  readonly #logFile: string;
  readonly #onCrash: (status: string) => void;
  #child: ChildProcess | undefined;

  /** The server's stderr is appended to `logFile`. `onCrash` is called when it exits without being told to. */
  constructor(command: readonly string[], env: Env, logFile: string, onCrash: (status: string) => void) {
    this.#command = command;
    this.#env = env;
    this.#logFile = logFile;
    this.#onCrash = onCrash;
  }

  /** Resolves with the milliseconds until the server listens. @throws CommandError when it does not start */
  async start(): Promise<number> {
    const [program = '', ...args] = this.#command;
    const startedAt = performance.now();
    const log = openSync(this.#logFile, 'a');
    const child = spawn(program, args, {
      env: { ...this.#env },
      stdio: ['ignore', 'pipe', log],
      detached: true, // keeps Ctrl-C from reaching it: we end it ourselves
    });
    closeSync(log);
    this.#child = child;
    child.on('exit', (code, signal) => {
      if (child === this.#child) this.#onCrash(String(code ?? signal));
    });
    if (!(await firstOutput(child)))
      throw new CommandError(EXIT.fault, `the server did not start: see ${this.#logFile}`);
    return performance.now() - startedAt;
  }

  /** Sends SIGKILL and waits for the exit. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Sends SIGTERM. Resolves with the exit code, or with the signal that ended it. */
  async stop(): Promise<number | string> {
    const child = this.#child;
    const timer = setTimeout(() => child?.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const status = await this.#end('SIGTERM');
    clearTimeout(timer);
    return status;
  }

  async #end(signal: NodeJS.Signals): Promise<number | string> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return 'already exited';
    child.kill(signal);
    const [code, endedBy] = await once(child, 'exit');
    return code ?? endedBy;
  }
}

/** The server's first output says that it listens. Resolves with false when it exits before, or on timeout. */
function firstOutput(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), START_TIMEOUT_MS);
    child.stdout?.once('data', () => resolve(true));
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(false));
    timer.unref();
  });
}

export interface Schedule {
  readonly kills: number;
  /** mean milliseconds from the first event after a start to the next kill */
  readonly killIntervalMs: number;
  /** Returns true when the run is to end early. */
  readonly stopped: () => boolean;
}

export interface Restarts {
  kills: number;
  powerCuts: number;
  /** Times that the disk failed, by fault. */
  readonly faults: Record<DiskFault, number>;
  /** milliseconds that each start took */
  readonly startTimes: number[];
}

/** What the nemesis works on. */
export interface Target {
  readonly server: ServerProcess;
  /** undefined where it cannot be built */
  readonly disk: FaultyDisk | undefined;
  readonly history: History;
  readonly random: Random;
}

/**
 * Kills and restarts the server until the schedule is done, the operator stops it, or a violation is found. Lets the
 * clients go on for a while after the last start, because some faults show only in a server that lives on.
 */
export async function runNemesis(
  target: Target,
  { kills, killIntervalMs, stopped }: Schedule,
  restarts: Restarts,
): Promise<void> {
  const { server, history, random } = target;
  const awaited = Math.min(MAX_AWAITED_EVENTS, killIntervalMs / MS_PER_EVENT);
  const isOver = (): boolean => stopped() || history.violations.length > 0;
  while (!isOver()) {
    const { observed } = history;
    await waitUntil(() => history.observed > observed || isOver(), EVENTS_TIMEOUT_MS);
    const isLast = restarts.kills === kills;
    if (isLast) await failDisk(target, restarts, false);
    const interval = isLast ? LAST_INTERVALS * killIntervalMs : killIntervalMs;
    await sleep(randomInt(random, interval * 0.5, interval * 1.5));
    await waitUntil(() => history.observed >= observed + awaited || isOver(), EVENTS_TIMEOUT_MS);
    if (isLast) return;
    await failDisk(target, restarts, isChance(random, PERCENT.killInFault));
    await server.kill();
    restarts.kills++;
    const mayBeStored = history.isDiskFailing; // a power cut would drop what was refused
    setFault(target, 'none');
    if (target.disk && !mayBeStored && isChance(random, PERCENT.powerCut)) {
      restarts.powerCuts++;
      target.disk.cutPower(random);
    }
    await restart(target, restarts);
  }
}

async function restart({ server, history }: Target, { startTimes }: Restarts): Promise<void> {
  try {
    startTimes.push(await server.start());
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    history.violate('invalid', error.message);
  }
}

/** Makes the disk fail for a while. It still fails on return when a kill is to come meanwhile. */
async function failDisk(target: Target, restarts: Restarts, endsInKill: boolean): Promise<void> {
  const { disk, history, random } = target;
  if (!disk || !isChance(random, PERCENT.fault)) return;
  const fault = pick(FAULTS, random) ?? 'sync';
  restarts.faults[fault]++;
  setFault(target, fault);
  await sleep(randomInt(random, ...FAULT_MS));
  if (endsInKill) {
    // the kill comes right after a refusal, because the refused message must not be in the log
    if (fault !== 'stall') await Promise.race([history.nextRefusal(), sleep(REFUSAL_TIMEOUT_MS)]);
    return;
  }
  setFault(target, 'none');
  const { observed } = history;
  const goesOn = (): boolean => history.observed > observed || history.violations.length > 0;
  if (!(await waitUntil(goesOn, EVENTS_TIMEOUT_MS)))
    history.violate('stuck', 'no event was stored after the disk had failed');
}

function setFault({ disk, history }: Target, fault: DiskFault | 'none'): void {
  disk?.setFault(fault);
  history.isDiskFailing = fault === 'sync' || fault === 'write';
}

function isChance(random: Random, percent: number): boolean {
  return random() * 100 < percent;
}

/** Resolves with false when the condition was not met in time. */
export async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; !condition(); await sleep(POLL_MS)) {
    if (performance.now() > end) return false;
  }
  return true;
}

/** Finds a free port below the ephemeral range, so that no client socket can take it while the server is down. */
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
  throw new Error('no free port between 20000 and 32000');
}
