/** `oneport prove`: the promise tried on the real server, with kill -9. Exit 1 and the evidence when it is broken. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Command, CommandError, EXIT } from '../cli/command.js';
import { progressOf, reportOf } from './prove/report.js';
import { type Finding, type Trial, tryServer } from './prove/run.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
/** Seconds between two lines of progress. */
const EVERY = 5;

const OPTIONS = {
  kills: { type: 'string', default: '20' },
  seed: { type: 'string' },
  clients: { type: 'string', default: '8' },
  every: { type: 'string', default: '400' },
} as const;

export const prove: Command = {
  name: 'prove',
  args: '[options]',
  does: 'kill a server of its own over and over, and check that nothing said or changed is lost',
  help: `  --kills N      so many times kill -9 [20]; 1000 take about a quarter of an hour
  --seed S       the same random choices as a run before [a new one]
  --clients C    people who talk, over sockets and HTTP, 1 to 400 [8]
  --every MS     milliseconds from the first event after a start to the next kill, on average [400]

It starts a server on a temporary folder and a free port. Of what its clients send 70 % are messages, the rest edits,
deletions and reactions, of their own and of others' messages. They send again, with the same cid, until they have an
answer; their connections are cut at random; the server is killed and started. In the end
- all that was acknowledged must be in the log exactly once, under the number it was acknowledged with, and all that was
  refused must have been against the rules at that place of the log;
- every reader must have been told 1, 2, 3 … without a hole and the same as all others; what they make of it, a replay
  from 0 and the pages must all come to what the log comes to;
- deleted text must be in no replay, no page and, within seconds, no file; and "verify" must be clean.
Else it ends with 1, names the first evidence and keeps the folder.`,
  async run(args, { out, err, now, onStop }) {
    let stopped = false;
    onStop(() => {
      stopped = true;
    });
    const wanted = { seed: now() % 2 ** 32, ...numbersOf(args) };
    const folder = mkdtempSync(join(tmpdir(), 'oneport-prove-'));
    err.write(`seed ${wanted.seed}: ${wanted.kills} kills, ${wanted.clients} clients\n`);
    let beats = 0;
    const trial: Trial = {
      ...wanted,
      command: [process.execPath, MAIN],
      folder,
      stopped: () => stopped,
      report(tally) {
        if (++beats % EVERY === 0) err.write(`${progressOf(tally, wanted.kills)}\n`);
      },
    };
    const finding = await tryServer(trial);
    out.write(`seed ${wanted.seed}\n${reportOf(finding)}`);
    const code = close(finding, folder, err);
    return code === EXIT.ok && finding.kills < wanted.kills ? EXIT.interrupted : code;
  },
};

function close({ violations }: Finding, folder: string, err: { write(text: string): unknown }): number {
  if (violations.length === 0) {
    rmSync(folder, { recursive: true, force: true });
    return EXIT.ok;
  }
  for (const { kind, evidence } of violations.slice(1, 10)) err.write(`also ${kind}: ${evidence}\n`);
  err.write(`the server's data and log are kept in ${folder}\n`);
  return EXIT.fault;
}

interface Numbers {
  readonly kills: number;
  readonly clients: number;
  readonly every: number;
  readonly seed?: number;
}

function numbersOf(args: readonly string[]): Numbers {
  const { kills, clients, every, seed } = parsed(args);
  return {
    kills: whole('kills', kills, 0, 1e6),
    clients: whole('clients', clients, 1, 400),
    every: whole('every', every, 10, 1e6),
    ...(seed === undefined ? {} : { seed: whole('seed', seed, 0, 2 ** 32 - 1) }),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    throw new CommandError(EXIT.usage, `${error instanceof Error ? error.message : error}; see prove --help`);
  }
}

function whole(name: string, raw: string, least: number, most: number): number {
  const value = Number(raw);
  if (/^\d+$/.test(raw) && value >= least && value <= most) return value;
  throw new CommandError(EXIT.usage, `--${name} is a whole number from ${least} to ${most}.`);
}
