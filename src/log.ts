/**
 * The log: the sequencer, the rules and the store, and what works on them in the background. One process of a chat on a
 * machine has it: the only one, or the primary of several workers.
 */
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { applyBatch, applyEntries } from './chat/rules.js';
import type { Command, Result, Storage } from './chat/types.js';
import type { Config } from './config.js';
import type { Identity, Sequencer, SharedHandler } from './sequencer/sequencer.js';
import { newInstance, newKey } from './session.js';
import { dayMs } from './shared/protocol.js';
import { formatHead } from './store/chain.js';
import { databaseFile, isDatabaseEmpty } from './store/database.js';
import { Store } from './store/store.js';
import type { Telemetry } from './telemetry.js';

export interface LogOptions {
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** Replaces the storage of the rules, in tests. */
  readonly wrapStorage?: ((storage: Storage) => Storage) | undefined;
}

/** Gets the results of the log and passes them on: to the hub of this process, or to the workers. */
export interface LogListener {
  /** Call it right after the commit. `position`: see SharedHandler. */
  deliver(results: readonly Result[]): void;
  /** The log is another one now, with these keys and, if `isNewEpoch`, another epoch. */
  onBegin(identity: Identity, isNewEpoch: boolean): void;
  onReplaced(): void;
  onJoined(): void;
  receive(from: string, text: string): void;
}

/** Opens the store, and warns of what looks wrong. @throws what opening the store throws */
export function openStore(config: Config, now: () => number, logger: Logger): Store {
  if (isDatabaseEmpty(config.dataDir))
    logger.warn(
      { file: databaseFile(config.dataDir) },
      'the database file is empty, so the chat begins anew: if it had messages, restore a backup',
    );
  const store = new Store(
    config.dataDir,
    {
      start: (from, to) => logger.info({ from, to }, `migrating database from schema ${from} to ${to}`),
      progress: (events) => logger.info({ events }, 'migrating database'),
    },
    (error) => logger.error({ err: error }, 'restarting the search worker'),
  );
  warnOfClock(store.newestTime, now(), logger);
  return store;
}

/**
 * Messages get the newest stored time until the clock has caught up with it. Nothing takes a time back, so the operator should
 * know of a clock that may be ahead before anybody writes.
 */
function warnOfClock(newestTime: number, now: number, logger: Logger): void {
  const newest = new Date(newestTime).toISOString();
  if (newestTime > now + maxClockDeviationMs)
    logger.warn(
      { newest },
      'the clock is behind the newest message; set it, or times stand still until then',
    );
  else if (newestTime > 0 && now > newestTime + maxSilenceMs)
    logger.warn({ newest }, 'the newest message is over 30 days old; stop the server if the clock is ahead');
}

/** Warns when the clock jumps while the server runs. */
function watchClock(now: () => number, logger: Logger): () => void {
  let offset = now() - performance.now();
  return () => {
    const jumpMs = now() - performance.now() - offset;
    if (Math.abs(jumpMs) < maxClockDeviationMs) return;
    offset += jumpMs;
    logger.warn({ seconds: Math.round(jumpMs / 1000) }, 'the clock jumped; set it if it is wrong');
  };
}

const maxClockDeviationMs = 60_000;
const maxSilenceMs = 30 * dayMs;

/** What a sequencer does with the commands of the order, and with the order itself when other processes share it. */
export function createLogHandler(
  config: Config,
  store: Store,
  listener: LogListener,
  { logger, telemetry, wrapStorage }: LogOptions,
): SharedHandler {
  if (config.redis) store.relaxSync();
  const storage = wrapStorage?.(store) ?? store;
  const onBug = (error: unknown): void => logger.error({ err: error }, 'failed to apply a command');
  return {
    apply(commands, position) {
      const from = performance.now();
      const results =
        position === undefined
          ? applyBatch(commands, storage, onBug)
          : applyEntries(commands, position, storage, onBug);
      telemetry.committed(performance.now() - from, commands.length);
      telemetry.storeState(store.writeError);
      return results;
    },
    deliver: (results) => listener.deliver(results),
    get position() {
      return store.position;
    },
    get identity() {
      return identityOf(store);
    },
    digest: () => store.digest(),
    begin(identity, position) {
      const before = store.epoch;
      store.begin(identity, position);
      listener.onBegin(identity, identity.epoch !== before);
    },
    onReplaced: () => listener.onReplaced(),
    onJoined: () => listener.onJoined(),
    receive: (from, text) => listener.receive(from, text),
  };
}

/** Makes the keys and the instance the first time. */
export function identityOf(store: Store): Identity {
  return {
    epoch: store.epoch,
    sessionKey: store.getOrCreateMeta('session_keys', newKey),
    instance: store.getOrCreateMeta('instance', newInstance),
  };
}

/** Starts what works on the log in the background. Returns what stops it. */
export function startLogWork(
  { retentionDays: days }: Config,
  store: Store,
  sequencer: Sequencer,
  now: () => number,
  { logger, telemetry }: LogOptions,
): readonly (() => void)[] {
  const submit = (command: Command): Promise<Result> =>
    new Promise((resolve) => sequencer.submit(command, resolve));
  return [
    startStoreTimer(store, telemetry, [watchClock(now, logger), logHeadsDaily(store, now, logger)]),
    startRetention({ days, now, log: store.events, submit, logger }),
    () => (sequencer.shared ?? sequencer).end?.(),
  ];
}

/** Runs the store's background work, and `tasks`, once a second. */
function startStoreTimer(store: Store, telemetry: Telemetry, tasks: readonly (() => void)[]): () => void {
  const timer = setInterval(() => {
    store.tick();
    telemetry.storeState(store.writeError);
    for (const task of tasks) task();
  }, 1000);
  timer.unref();
  return () => clearInterval(timer);
}

const headsPerLine = 100;

/** Logs the heads once a day: whoever keeps the log can show later that nothing before them was changed. */
function logHeadsDaily(store: Store, now: () => number, logger: Logger): () => void {
  let loggedAt = now();
  return () => {
    if (Math.abs(now() - loggedAt) < dayMs) return;
    loggedAt = now();
    logHeads(store, logger);
  };
}

export function logHeads(store: Store, logger: Logger): void {
  try {
    let heads: string[] = [];
    for (const head of store.heads()) {
      heads.push(formatHead(head));
      if (heads.length < headsPerLine && head.room !== '*') continue;
      logger.info({ heads }, 'heads of the chains');
      heads = [];
    }
  } catch (error) {
    logger.error({ err: error }, 'cannot read the heads of the chains');
  }
}

interface RetentionDeps {
  readonly days: number;
  /** milliseconds since 1970 */
  readonly now: () => number;
  readonly log: Pick<Store['events'], 'roomsWithTexts' | 'expirableThrough'>;
  readonly submit: (command: Command) => Promise<Result>;
  readonly logger: Pick<Logger, 'info' | 'error'>;
}

const retentionIntervalMs = 3600 * 1000;
/** About 10 ms of applying. */
const eventsPerStep = 200;
const pauseMs = 50;

/**
 * Starts to drop texts that are older than RETENTION_DAYS, now and once an hour. It only submits commands, so each drop has its
 * place in the one order. It works in small steps with pauses, because a first run may drop a million texts.
 */
function startRetention(deps: RetentionDeps): () => void {
  const stopped = new AbortController();
  const repeat = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await dropOldTexts(deps, stopped.signal);
      await setTimeout(retentionIntervalMs, undefined, { signal: stopped.signal, ref: false });
    }
  };
  if (deps.days > 0) repeat().catch(() => {}); // only the signal ends it
  return () => stopped.abort();
}

/** Exported for tests. */
export async function dropOldTexts(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  const before = deps.now() - deps.days * dayMs;
  try {
    let rooms = 0;
    for (const room of deps.log.roomsWithTexts()) {
      if (signal.aborted) return;
      if (await dropRoom(deps, room, before, signal)) rooms++;
    }
    if (rooms > 0) deps.logger.info({ rooms, days: deps.days }, 'dropped old texts');
  } catch (error) {
    if (!signal.aborted)
      deps.logger.error({ err: error }, 'failed to drop old texts, trying again in an hour');
  }
}

/** Returns whether it dropped anything. */
async function dropRoom(
  { log, submit, now }: RetentionDeps,
  room: string,
  before: number,
  signal: AbortSignal,
): Promise<boolean> {
  let dropped = false;
  while (!signal.aborted) {
    const through = log.expirableThrough(room, before, eventsPerStep);
    if (through === undefined) return dropped;
    const result = await submit({ kind: 'expire', room, through, at: now() });
    if (result.kind === 'rejected') throw new Error(result.problem.message);
    dropped = true;
    await setTimeout(pauseMs, undefined, { signal, ref: false });
  }
  return dropped;
}
