/**
 * One run: clients send to a real server while the nemesis kills it; then everything settles and the checker compares
 * the result with the model. A run ends early at the first violation, because what follows one proves nothing.
 */
import { join } from 'node:path';
import { databaseFile } from '../store/database.js';
import { verify } from '../store/verify.js';
import { checkLog, checkObservedStates, checkPages, checkView, findResidue } from './checker.js';
import { type HttpClient, LateReader, Subscriber, signIn, Writer } from './clients.js';
import { type Random, randomInt, seededRandom } from './generator.js';
import { History, type Violation } from './history.js';
import type { Model } from './model.js';
import { type Env, freePort, runNemesis, type Schedule, ServerProcess, waitUntil } from './nemesis.js';

export interface RunOptions extends Schedule {
  readonly seed: number;
  readonly writers: number;
  /** the program that runs the server, and its arguments */
  readonly command: readonly string[];
  /** an empty folder, for the server's data and log */
  readonly folder: string;
  /** Called once a second. */
  readonly onProgress: (progress: Progress) => void;
}

export interface Progress {
  readonly kills: number;
  readonly history: History;
  /** milliseconds that each start of the server took */
  readonly startTimes: readonly number[];
}

export interface Result extends Progress {
  /** number of events in the log */
  readonly events: number;
  readonly violations: readonly Violation[];
}

/** Turns rate limits off, because the clients send as fast as they can. */
const NO_LIMITS: Env = {
  MESSAGE_RATE: '0',
  CONNECTIONS_PER_PERSON: '0',
  CONNECTIONS_PER_ADDRESS: '0',
  SIGNINS_PER_MINUTE: '0',
};
/** Letters that look like no other, so that no two names are taken for the same. */
const NAME_LETTERS = 'abcdefghjkmpqrstuvwxyz';
const SETTLE_TIMEOUT_MS = 30_000;
const PROGRESS_MS = 1_000;

export async function run(options: RunOptions): Promise<Result> {
  const history = new History();
  const port = await freePort();
  const env = {
    ...NO_LIMITS,
    HOST: '127.0.0.1',
    PORT: String(port),
    DATA_DIR: options.folder,
    LOG_LEVEL: 'warn',
  };
  const onCrash = (status: string): void =>
    history.violate('invalid', `the server exited by itself: ${status}`);
  const server = new ServerProcess(options.command, env, join(options.folder, 'server.log'), onCrash);
  try {
    return await runAgainst(server, options, port, history);
  } finally {
    await server.kill();
  }
}

async function runAgainst(
  server: ServerProcess,
  options: RunOptions,
  port: number,
  history: History,
): Promise<Result> {
  const restarts = { kills: 0, startTimes: [await server.start()] };
  const random = seededRandom(options.seed);
  const writers = await createWriters(options.writers, port, history, random);
  const lateHttp = await signIn(port, 'Late reader');
  const lateReader = new LateReader(lateHttp, history, seededRandom(randomInt(random, 0, 2 ** 32)));
  const progressTimer = setInterval(() => options.onProgress({ ...restarts, history }), PROGRESS_MS);
  try {
    for (const client of [...writers, lateReader]) client.start();
    await runNemesis(server, options, restarts, history, random);
    lateReader.end();
    const model = await checkRoom(writers, await signIn(port, 'Final reader'), history);
    await checkFiles(options.folder, model, history);
    for (const writer of writers) writer.end();
    await checkShutdown(server, history);
    return { ...restarts, history, events: model.last, violations: history.violations };
  } finally {
    clearInterval(progressTimer);
    for (const client of [...writers, lateReader]) client.end();
  }
}

async function createWriters(
  count: number,
  port: number,
  history: History,
  random: Random,
): Promise<Writer[]> {
  const names = Array.from({ length: count }, (_, index) => writerName(index));
  return Promise.all(
    names.map(async (name) => {
      const ownRandom = seededRandom(randomInt(random, 0, 2 ** 32));
      return new Writer(name, await signIn(port, `Client ${name}`), history, ownRandom);
    }),
  );
}

function writerName(index: number): string {
  const { length } = NAME_LETTERS;
  return `${NAME_LETTERS[Math.floor(index / length) % length]}${NAME_LETTERS[index % length]}`;
}

/** Waits for all answers and events, then compares the log and all readers with the model that it resolves with. */
async function checkRoom(writers: readonly Writer[], http: HttpClient, history: History): Promise<Model> {
  for (const writer of writers) writer.quiesce();
  const settled = history.violations.length === 0 && (await settle(writers, history));
  const final = new Subscriber('the final reader', http, history, seededRandom(1), {
    onOpen() {},
    onFrame() {},
  });
  if (settled) await replayAll(final, history);
  const model = await checkLog(http.log(), history, settled);
  if (!settled) return model; // readers may not have received everything
  for (const { name, subscriber } of writers) checkView(name, subscriber.view, model, history);
  checkView('the final reader', final.view, model, history);
  await checkPages(http.reverseLog(), model, history);
  checkObservedStates(model, history);
  return model;
}

/** Resolves with true once every command is answered and every reader has the newest event. */
async function settle(writers: readonly Writer[], history: History): Promise<boolean> {
  const isSettled = (): boolean =>
    writers.every(({ pending, subscriber }) => pending === 0 && subscriber.last === history.last);
  const isOver = (): boolean => isSettled() || history.violations.length > 0;
  if (await waitUntil(isOver, SETTLE_TIMEOUT_MS)) return history.violations.length === 0;
  const positions = writers.map(({ subscriber, pending }) => `${subscriber.last} (${pending} unanswered)`);
  history.violate('stuck', `readers ended at ${positions.join(', ')} of ${history.last}`);
  return false;
}

async function replayAll(reader: Subscriber, history: History): Promise<void> {
  const { last } = history;
  reader.connect();
  const isOver = (): boolean => reader.last >= last || history.violations.length > 0;
  if (!(await waitUntil(isOver, SETTLE_TIMEOUT_MS)))
    history.violate('stuck', `the final reader received ${reader.last} of ${last}`);
  reader.end();
}

async function checkFiles(folder: string, model: Model, history: History): Promise<void> {
  // Before `verify`, because an open reader keeps the write-ahead log from being truncated.
  const clean = history.violations.length === 0;
  const residue = clean ? await findResidue(folder, model.deletedTexts()) : undefined;
  if (residue !== undefined) history.violate('not deleted', residue);
  const { finding } = verify(databaseFile(folder), () => {});
  if (finding !== undefined) history.violate('invalid', `verify reports: ${finding}`);
}

async function checkShutdown(server: ServerProcess, history: History): Promise<void> {
  const status = await server.stop();
  if (status !== 0) history.violate('invalid', `the server ended with ${status} on SIGTERM`);
}
