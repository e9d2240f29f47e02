/**
 * The search thread. It reads `oneport.db` over its own connection, indexes it into `search.db`, and runs one search at a
 * time. Any error ends the thread, and the main thread starts another. A damaged `search.db` is removed first, so the next
 * thread rebuilds it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { RUN_STATES, type WorkerCommand, type WorkerMessage, type WorkerOptions } from './search.js';
import { isDamage, removeSearchFile, SearchIndex } from './search-index.js';

/** Milliseconds of indexing between two checks for commands. */
const indexSliceMs = 50;
/** Events per ms above which indexing slows to one slice a second, to leave the CPU to the server. */
const busyEventsPerMs = 0.2;
const busyPauseMs = 1000;
/** Milliseconds that a search waits for the index to be current, unless it is far behind. */
const indexWaitMs = 1000;
const maxEventsToWaitFor = 20_000;
/** Time limit of a search. Then it returns a partial result. */
const searchBudgetMs = 80;

const { dataDir, runState, backlog } = workerData as WorkerOptions; // search.ts made it
let isScheduled = false;
let wasCurrent = false;

const { unicode = '', icu = '' } = process.versions;
const index = exitOnError(() => new SearchIndex(dataDir, { unicode: `${unicode} ${icu}` }));
let lastSlice = { end: index.end, at: performance.now() };
parentPort?.on('message', (command: WorkerCommand) => exitOnError(() => run(command)));
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
    if (isRunning()) exitOnError(followSlice);
  }, delayMs);
}

function followSlice(): void {
  index.follow(performance.now() + indexSliceMs);
  Atomics.store(backlog, 0, index.end - index.position);
  if (!index.isCurrent) {
    scheduleSlice(isBusy() ? busyPauseMs : 0);
    return;
  }
  index.truncateWal();
  if (!wasCurrent) post({ kind: 'current' });
  wasCurrent = true;
}

/** Whether the log grew faster than `busyEventsPerMs` since the last slice. */
function isBusy(): boolean {
  const slice = { end: index.end, at: performance.now() };
  const rate = (slice.end - lastSlice.end) / (slice.at - lastSlice.at);
  lastSlice = slice;
  return rate > busyEventsPerMs;
}

function find({ id, request, expiresAt }: WorkerCommand & { readonly kind: 'find' }): void {
  if (Date.now() > expiresAt) return; // its caller has timed out
  const { end } = index;
  const deadline = performance.now() + indexWaitMs;
  const canWait = end - index.position < maxEventsToWaitFor;
  while (canWait && isRunning() && index.position < end && performance.now() < deadline)
    index.follow(performance.now() + indexSliceMs, end);
  post({ kind: 'answer', id, answer: index.find(request, performance.now() + searchBudgetMs, end) });
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

/** Marks the thread as stopped and removes a damaged index when `work` fails. @throws what `work` throws */
function exitOnError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isDamage(error)) removeSearchFile(dataDir);
    Atomics.store(runState, 0, RUN_STATES.stopped);
    Atomics.notify(runState, 0);
    throw error;
  }
}

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}
