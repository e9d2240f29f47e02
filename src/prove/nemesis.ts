/**
 * The nemesis: kills servers, workers and Redis at random times and starts them again on the same data. Between kills, disks fail,
 * and nodes and Redis are frozen and cut off from each other. Some kills are power cuts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from '../cli/command.js';
import type { Range } from './clients.js';
import type { DiskFault } from './disk.js';
import { pick, type Random, randomInt } from './generator.js';
import type { History } from './history.js';
import { type Cluster, type Node, waitUntil } from './servers.js';

/** A kill waits for an event per N milliseconds of the interval, because it proves little before clients are back. */
const MS_PER_EVENT = 20;
const MAX_AWAITED_EVENTS = 20;
/** Limits each wait for events after a start. */
const EVENTS_TIMEOUT_MS = 30_000;
/** Length of the time after the last start, in intervals between kills. */
const LAST_INTERVALS = 3;
/**
 * Percentages: of kills that are power cuts, of kills before which something fails, and of those that come meanwhile; of
 * kills that hit Redis or a worker, and of faults that are those of a network, where there is one; of those that last long.
 */
const PERCENT = {
  powerCut: 40,
  fault: 60,
  killInFault: 60,
  redis: 25,
  worker: 50,
  network: 65,
  long: 15,
} as const;
const DISK_FAULTS = ['sync', 'sync', 'write', 'stall'] as const;
const NETWORK_FAULTS = ['freeze', 'freeze Redis', 'cut', 'hold'] as const;
const DISK_FAULT_MS: Range = [50, 300];
const NETWORK_FAULT_MS: Range = [100, 1_500];
/** Longer than nodes wait for Redis, and commands for their nodes. */
const LONG_FAULT_MS: Range = [5_500, 7_000];
/** Time from a kill of Redis, or of a node of several, to its start. */
const DOWN_MS: Range = [0, 1_000];
/** Limits the wait for a refusal while the disk fails. */
const REFUSAL_TIMEOUT_MS = 1_000;

export type Fault = DiskFault | (typeof NETWORK_FAULTS)[number];

export interface Schedule {
  readonly kills: number;
  /** mean milliseconds from the first event after a start to the next kill */
  readonly killIntervalMs: number;
  /** Returns true when the run is to end early. */
  readonly stopped: () => boolean;
}

export interface Restarts {
  /** of servers, workers and Redis */
  kills: number;
  redisKills: number;
  workerKills: number;
  powerCuts: number;
  /** how often each fault was played */
  readonly faults: Record<Fault, number>;
  /** milliseconds that each start took until the server listened, and until the node was ready */
  readonly startTimes: number[];
  readonly readyTimes: number[];
}

/** What the nemesis works on. */
export interface Target {
  readonly cluster: Cluster;
  readonly history: History;
  readonly random: Random;
  readonly restarts: Restarts;
}

export function noRestarts(): Restarts {
  const network = { freeze: 0, 'freeze Redis': 0, cut: 0, hold: 0 };
  const counts = { kills: 0, redisKills: 0, workerKills: 0, powerCuts: 0 };
  return { ...counts, faults: { sync: 0, write: 0, stall: 0, ...network }, startTimes: [], readyTimes: [] };
}

/**
 * Kills and restarts until the schedule is done, the operator stops it, or a violation is found. Lets the clients go on for
 * a while after the last start, because some faults show only in a server that lives on.
 */
export async function runNemesis(
  target: Target,
  { kills, killIntervalMs, stopped }: Schedule,
): Promise<void> {
  const { history, random, restarts } = target;
  const awaited = Math.min(MAX_AWAITED_EVENTS, killIntervalMs / MS_PER_EVENT);
  const isOver = (): boolean => stopped() || history.violations.length > 0;
  while (!isOver()) {
    const { observed } = history;
    await waitUntil(() => history.observed > observed || isOver(), EVENTS_TIMEOUT_MS);
    const isLast = restarts.kills === kills;
    if (isLast) await playFault(target, false);
    const interval = isLast ? LAST_INTERVALS * killIntervalMs : killIntervalMs;
    await sleep(randomInt(random, interval * 0.5, interval * 1.5));
    await waitUntil(() => history.observed >= observed + awaited || isOver(), EVENTS_TIMEOUT_MS);
    if (isLast) return;
    const end = await playFault(target, isChance(random, PERCENT.killInFault));
    restarts.kills++;
    if (target.cluster.redis && isChance(random, PERCENT.redis)) await killRedis(target, end);
    else await killServer(target, end);
  }
}

/** Kills a server or one of its workers. `endFault` ends what was going on before the kill. */
async function killServer(target: Target, endFault: () => void): Promise<void> {
  const { cluster, random, restarts } = target;
  const node = pick(cluster.nodes, random);
  if (!node) return;
  if (!cluster.hasWorkers || !isChance(random, PERCENT.worker) || !node.server.killWorker(random))
    return killNode(node, target, endFault);
  restarts.workerKills++;
  endFault();
}

async function killNode(node: Node, target: Target, endFault: () => void): Promise<void> {
  const { cluster, history, random, restarts } = target;
  await node.server.kill();
  const mayBeStored = history.isDiskFailing; // a power cut would drop what was refused
  endFault();
  if (node.disk && cluster.hasDisks && !mayBeStored && isChance(random, PERCENT.powerCut)) {
    restarts.powerCuts++;
    node.server.killWorkers();
    node.disk.cutPower(random);
  }
  if (cluster.redis) await sleep(randomInt(random, ...DOWN_MS));
  await restart(node, target);
}

async function restart(node: Node, { cluster, history, restarts }: Target): Promise<void> {
  const startedAt = performance.now();
  try {
    restarts.startTimes.push(await node.server.start());
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    history.violate('invalid', error.message);
  }
  if (!cluster.redis) return;
  void node.untilReady().then((isReady) => {
    if (isReady) restarts.readyTimes.push(performance.now() - startedAt);
  });
}

async function killRedis({ cluster, random, restarts }: Target, endFault: () => void): Promise<void> {
  restarts.redisKills++;
  await cluster.redis?.kill();
  endFault();
  await sleep(randomInt(random, ...(isChance(random, PERCENT.long) ? LONG_FAULT_MS : DOWN_MS)));
  await cluster.redis?.start();
}

/** Lets something fail for a while. When a kill is to come meanwhile, the returned function ends it. */
async function playFault(target: Target, endsInKill: boolean): Promise<() => void> {
  const { cluster, random, history } = target;
  if (!isChance(random, PERCENT.fault)) return () => {};
  const end =
    cluster.redis && isChance(random, PERCENT.network)
      ? await playNetworkFault(target)
      : await playDiskFault(target, endsInKill);
  if (endsInKill || !end) return end ?? (() => {});
  end();
  const { observed } = history;
  const goesOn = (): boolean => history.observed > observed || history.violations.length > 0;
  if (!(await waitUntil(goesOn, EVENTS_TIMEOUT_MS)))
    history.violate('stuck', 'no event was stored after the fault was over');
  return () => {};
}

async function playNetworkFault({ cluster, random, restarts }: Target): Promise<(() => void) | undefined> {
  const [fault, node] = [pick(NETWORK_FAULTS, random), pick(cluster.nodes, random)];
  if (!fault || !node) return undefined;
  restarts.faults[fault]++;
  const end = startNetworkFault(fault, node, cluster);
  await sleep(randomInt(random, ...(isChance(random, PERCENT.long) ? LONG_FAULT_MS : NETWORK_FAULT_MS)));
  return end;
}

/** Returns what ends it. */
function startNetworkFault(
  fault: (typeof NETWORK_FAULTS)[number],
  { server, link }: Node,
  { redis }: Cluster,
): () => void {
  switch (fault) {
    case 'freeze':
      server.freeze();
      return () => server.thaw();
    case 'freeze Redis':
      redis?.freeze();
      return () => redis?.thaw();
    case 'cut':
      link?.cut();
      return () => link?.open();
    case 'hold':
      link?.hold();
      return () => link?.open();
  }
}

/** Makes a disk fail. When a kill is to follow an error, it comes right after a refusal, because what was refused must not be in the log. */
async function playDiskFault(target: Target, endsInKill: boolean): Promise<(() => void) | undefined> {
  const { cluster, history, random, restarts } = target;
  const disk = pick(cluster.nodes, random)?.disk;
  if (!disk || !cluster.hasDisks) return undefined;
  const fault = pick(DISK_FAULTS, random) ?? 'sync';
  restarts.faults[fault]++;
  const set = (value: DiskFault | 'none'): void => {
    disk.setFault(value);
    history.isDiskFailing = !history.hasRedis && (value === 'sync' || value === 'write');
  };
  set(fault);
  await sleep(randomInt(random, ...DISK_FAULT_MS));
  if (endsInKill && history.isDiskFailing)
    await Promise.race([history.nextRefusal(), sleep(REFUSAL_TIMEOUT_MS)]);
  return () => set('none');
}

function isChance(random: Random, percent: number): boolean {
  return random() * 100 < percent;
}
