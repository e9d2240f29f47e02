/**
 * The thread of search. It reads `oneport.db` over its own connection, follows it into `search.db`, and runs one search at a
 * time. Any error ends it, and the main thread starts another. A damaged `search.db` is removed first, so the next one
 * builds it anew.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { RUN_STATES, type WorkerCommand, type WorkerMessage, type WorkerOptions } from './search.js';
import { isDamage, removeSearchFile, SearchIndex } from './search-index.js';

/** Looks for commands after so much indexing. */
const sliceMs = 50;
/** At this rate the messages need the processors themselves: it indexes one slice a second. */
const busyEventsPerMs = 0.2;
const busyPauseMs = 1000;
/** A search waits so long for the index to be current, unless it is far behind. */
const waitMs = 1000;
const maxEventsToWaitFor = 20_000;
/** A search takes so long before it answers with what it has. */
const searchMs = 80;

const { dataDir, runState } = workerData as WorkerOptions; // search.ts made it
let isScheduled = false;
let wasCurrent = false;

const { unicode = '', icu = '' } = process.versions;
const index = guard(() => new SearchIndex(dataDir, { unicode: `${unicode} ${icu}` }));
let lastSlice = { end: index.end, at: performance.now() };
parentPort?.on('message', (command: WorkerCommand) => guard(() => run(command)));
scheduleSlice();

function run(command: WorkerCommand): void {
  if (command.kind === 'stop') stop();
  else if (command.kind === 'find') find(command);
  scheduleSlice();
}

/** Indexes slice by slice until the whole log is applied. */
function scheduleSlice(delayMs = 0): void {
  if (isScheduled) return;
  isScheduled = true;
  setTimeout(() => {
    isScheduled = false;
    if (isRunning()) guard(followSlice);
  }, delayMs);
}

function followSlice(): void {
  index.follow(performance.now() + sliceMs);
  if (!index.isCurrent) {
    scheduleSlice(isBusy() ? busyPauseMs : 0);
    return;
  }
  index.truncateWal();
  if (!wasCurrent) post({ kind: 'current' });
  wasCurrent = true;
}

/** By the events since the last slice. */
function isBusy(): boolean {
  const slice = { end: index.end, at: performance.now() };
  const rate = (slice.end - lastSlice.end) / (slice.at - lastSlice.at);
  lastSlice = slice;
  return rate > busyEventsPerMs;
}

function find({ id, request, expiresAt }: WorkerCommand & { readonly kind: 'find' }): void {
  if (Date.now() > expiresAt) return; // nobody waits for it any more
  const { end } = index;
  const deadline = performance.now() + waitMs;
  const canWait = end - index.position < maxEventsToWaitFor;
  while (canWait && isRunning() && index.position < end && performance.now() < deadline)
    index.follow(performance.now() + sliceMs, end);
  post({ kind: 'answer', id, answer: index.find(request, performance.now() + searchMs, end) });
}

function stop(): void {
  index.close();
  Atomics.store(runState, 0, RUN_STATES.stopped);
  Atomics.notify(runState, 0);
  parentPort?.close();
}

function isRunning(): boolean {
  return Atomics.load(runState, 0) === RUN_STATES.running;
}

/** @throws what the work throws */
function guard<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isDamage(error)) removeSearchFile(dataDir);
    Atomics.store(runState, 0, RUN_STATES.stopped);
    throw error;
  }
}

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}
