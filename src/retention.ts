/**
 * Drops texts that are older than RETENTION_DAYS. It only submits commands, so each drop has its place in the one order. It
 * works in small steps with pauses, because a first run may drop a million texts.
 */
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Command, Result } from './chat/types.js';
import { dayMs } from './shared/protocol.js';

interface RetentionDeps {
  readonly days: number;
  /** milliseconds since 1970 */
  readonly now: () => number;
  readonly log: {
    roomsWithTexts(): readonly string[];
    expirableThrough(room: string, before: number, limit: number): number | undefined;
  };
  readonly submit: (command: Command) => Promise<Result>;
  readonly logger: Pick<Logger, 'info' | 'error'>;
}

const intervalMs = 3600 * 1000;
/** About 10 ms of applying. */
const eventsPerStep = 200;
const pauseMs = 50;

/** Starts to drop old texts, now and once an hour. Returns what stops it. */
export function startRetention(deps: RetentionDeps): () => void {
  const stopped = new AbortController();
  const repeat = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await dropOldTexts(deps, stopped.signal);
      await setTimeout(intervalMs, undefined, { signal: stopped.signal, ref: false });
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
