/** `oneport prove`: tests the promise on real servers with kill -9, failing disks and networks. Exits with 1 and evidence when it is broken. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Command, CommandError, EXIT } from '../cli/command.js';
import { type Progress, type Result, run } from './run.js';

const SERVER_FILE = fileURLToPath(new URL('../main.js', import.meta.url));
/** Progress is reported once a second and printed every N seconds. */
const PROGRESS_SECONDS = 5;
/** The verdict names the first violation. At most N are printed. */
const PRINTED_VIOLATIONS = 10;

const OPTIONS = {
  kills: { type: 'string', default: '20' },
  seed: { type: 'string' },
  clients: { type: 'string', default: '8' },
  every: { type: 'string', default: '400' },
  rooms: { type: 'string', default: '3' },
  nodes: { type: 'string', default: '1' },
  redis: { type: 'boolean', default: false },
  workers: { type: 'string', default: '0' },
} as const;

export const prove: Command = {
  name: 'prove',
  args: '[options]',
  does: 'kill servers of its own again and again, and check that they lose no message and no change',
  help: `  --kills N      number of kill -9 [20]; 1000 take about 20 minutes
  --seed S       repeats the random choices of an earlier run [a new seed]
  --clients C    people who write, over sockets and HTTP, 1 to 400 [8]
  --rooms R      rooms, 1 to 20 [3]
  --every MS     mean milliseconds from the first event after a start to the next kill [400]
  --workers N    worker processes of each server, 0 to 32 [0]; half of the kills hit one
  --nodes N      servers that share a Redis, 1 to 9 [1]; more than one need redis-server
  --redis        starts a Redis also for one node

The command starts a server on a temporary folder and a free port. Each client has a socket in every room and one more
that sends plain text. 70 % of what the clients send are messages; the rest are edits, deletions and reactions, on their
own messages and on those of others. Clients send a command again, with the same cid, until it is answered; a message
without a cid is sent once. Some cids are used again in another room. Clients set read marks, mention each other, change
their names, sign out and come back as somebody else. In each room a reader changes between WebSocket, event stream,
lines, long polling and plain HTML all the time. Connections are cut at random; the server is killed and restarted. On
Linux with the C compiler "cc", syncs and writes of the databases fail at times, and about 30 % of the kills are power
cuts: what was not synced is dropped. With nodes, clients use another one for each connection and request. Redis is
killed too; nodes and Redis are frozen, and cut off from each other. At the end:
- The logs must contain every acknowledged command exactly once, under its number, with the author's name and mentions of
  that time. A message without a cid that the server could not store must not be there. Each rejection must follow from
  the rules at that place in the log. Times must not go back.
- Every reader must have received 1, 2, 3 … without a gap, and the same events as all others. Readers' views, a replay
  from 0, the pages and the plain HTML must equal the state that results from the log. All nodes must have the same log.
- Search and the list of mentions must find every message that is in the rooms, and no other. The room list, the read
  marks, the unread counts, the names and the people in a room must be right.
- Deleted text must be gone from replays, pages and, within seconds, files. "verify" must find no fault.
Otherwise the command exits with 1, prints the first evidence and keeps the folder.`,
  async run(args, { out, err, now, onStop }) {
    let stopped = false;
    onStop(() => {
      stopped = true;
    });
    const { kills, seed = now() % 2 ** 32, clients, every, rooms, nodes, workers } = parseOptions(args);
    const folder = mkdtempSync(join(tmpdir(), 'oneport-prove-'));
    err.write(`seed ${seed}: ${kills} kills, ${clients} clients, ${rooms} rooms\n`);
    let seconds = 0;
    const result = await run({
      ...{ kills, seed, writers: clients, rooms, killIntervalMs: every, folder, nodes, workers },
      command: [process.execPath, SERVER_FILE],
      stopped: () => stopped,
      onProgress(progress) {
        if (++seconds % PROGRESS_SECONDS === 0) err.write(`${formatProgress(progress, kills)}\n`);
      },
    }).catch((error: unknown) => {
      const isMissing = error instanceof CommandError && error.code === EXIT.noInput;
      if (isMissing && seconds === 0) rmSync(folder, { recursive: true, force: true }); // no server was started
      throw error;
    });
    if (!result.diskFails)
      err.write('power cuts and a failing disk are left out: they need Linux and the C compiler "cc"\n');
    out.write(`seed ${seed}\n${formatResult(result)}`);
    if (result.violations.length > 0) {
      for (const { kind, evidence } of result.violations.slice(1, PRINTED_VIOLATIONS))
        err.write(`also ${kind}: ${evidence}\n`);
      err.write(`the server's data and log are in ${folder}\n`);
      return EXIT.fault;
    }
    rmSync(folder, { recursive: true, force: true });
    return result.kills < kills ? EXIT.interrupted : EXIT.ok;
  },
};

interface Options {
  readonly kills: number;
  readonly clients: number;
  readonly every: number;
  readonly rooms: number;
  /** 0: one server without Redis */
  readonly nodes: number;
  readonly workers: number;
  readonly seed: number | undefined;
}

function parseOptions(args: readonly string[]): Options {
  const { kills, clients, every, rooms, nodes, redis, workers, seed } = parseStrings(args);
  const nodeCount = parseInteger('nodes', nodes, 1, 9);
  return {
    nodes: redis || nodeCount > 1 ? nodeCount : 0,
    workers: parseInteger('workers', workers, 0, 32),
    kills: parseInteger('kills', kills, 0, 1e6),
    clients: parseInteger('clients', clients, 1, 400),
    every: parseInteger('every', every, 10, 1e6),
    rooms: parseInteger('rooms', rooms, 1, 20),
    seed: seed === undefined ? undefined : parseInteger('seed', seed, 0, 2 ** 32 - 1),
  };
}

function parseStrings(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    throw new CommandError(EXIT.usage, `${error instanceof Error ? error.message : error}; see prove --help`);
  }
}

function parseInteger(name: string, raw: string, min: number, max: number): number {
  const value = Number(raw);
  if (/^\d+$/.test(raw) && value >= min && value <= max) return value;
  throw new CommandError(EXIT.usage, `--${name} must be an integer from ${min} to ${max}`);
}

function formatProgress({ kills, history }: Progress, planned: number): string {
  const { invocations, acknowledged, observed } = history;
  return `${kills} of ${planned} kills; ${invocations.length} sent, ${acknowledged} acknowledged, ${observed} events`;
}

type Row = readonly [name: string, value: string | number];

function formatResult(result: Result): string {
  const { history, violations, startTimes, readyTimes } = result;
  const rows: readonly Row[] = [
    ...workRows(result),
    ['lost', history.countViolations('lost')],
    ['duplicated', history.countViolations('duplicated')],
    ['out of order', history.countViolations('out of order')],
    ['diverged', history.countViolations('diverged')],
    ['not deleted', history.countViolations('not deleted')],
    ['other faults', history.countViolations('inconsistent', 'wrongly rejected', 'stuck', 'invalid')],
    ['reconnect, ms', quantiles(history.reconnectTimes)],
    ['server start, ms', quantiles(startTimes)],
    ...(readyTimes.length === 0 ? [] : [['node ready, ms', quantiles(readyTimes)] as const]),
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(18)}${value}`);
  const [first] = violations;
  const verdict = first
    ? `failed: ${first.kind}: ${first.evidence}`
    : 'passed: nothing lost, nothing duplicated, one order and one state for all readers, deleted text gone, verify clean';
  return `${lines.join('\n')}\n${verdict}\n`;
}

/** Reports the actions of the run. Each command was acknowledged, rejected or not stored, or its outcome is unknown. */
function workRows(result: Result): readonly Row[] {
  const { events, history } = result;
  const { invocations, rejections, acknowledged, resent, disconnects } = history;
  const count = (...types: readonly string[]): number =>
    invocations.filter(({ command }) => types.includes(command.type)).length;
  const unacknowledged = invocations.filter(({ ackedId }) => ackedId === undefined);
  const rejected = unacknowledged.filter((one) => one.rejected).length;
  const refused = unacknowledged.filter((one) => one.refused).length;
  return [
    ...faultRows(result),
    ['connections cut', disconnects],
    ['messages sent', count('chat')],
    ['edits', count('edit')],
    ['deletions', count('delete')],
    ['reactions', count('react', 'unreact')],
    ['without a cid', invocations.filter(({ command }) => command.cid === undefined).length],
    ['cid conflicts', rejections.filter(({ code }) => code === 'cid_conflict').length],
    ['read marks', history.readMarksSent],
    ['renames', history.renames],
    ['sign-outs', history.signOuts],
    ['sent again', resent],
    ['not stored', refused],
    ['acknowledged', acknowledged],
    ['rejected by rule', rejected],
    ['outcome unknown', unacknowledged.length - rejected - refused],
    ['in the log', events],
  ];
}

function faultRows({ kills, workerKills, redisKills, powerCuts, faults, history }: Result): readonly Row[] {
  return [
    ['kills', kills],
    ...(workerKills > 0 ? [['kills of workers', workerKills] as const] : []),
    ['power cuts', powerCuts],
    ['failing syncs', faults.sync],
    ['failing writes', faults.write],
    ['stalled syncs', faults.stall],
    ...(history.hasRedis ? networkRows(redisKills, faults) : []),
  ];
}

function networkRows(redisKills: number, faults: Result['faults']): readonly Row[] {
  return [
    ['kills of Redis', redisKills],
    ['frozen nodes', faults.freeze],
    ['frozen Redis', faults['freeze Redis']],
    ['cut links', faults.cut],
    ['held links', faults.hold],
  ];
}

/** Returns "p50 312, p99 640, max 702 (of 160)". */
function quantiles(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)} (of ${sorted.length})`;
}
