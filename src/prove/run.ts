/**
 * One run: clients send to real servers while the nemesis kills them; then everything settles and the checker compares
 * the result with the model. A run ends early at the first violation, because later ones may follow from it.
 */
import { realpathSync } from 'node:fs';
import { formatHead } from '../store/chain.js';
import { databaseFile } from '../store/database.js';
import { verify } from '../store/verify.js';
import {
  checkAnswers,
  checkLog,
  checkObservedStates,
  checkPages,
  checkPlainPage,
  checkPlainPages,
  checkView,
  findResidue,
  type RoomCheck,
} from './checker.js';
import {
  Addresses,
  HttpClient,
  LateReader,
  RequestError,
  RoamingReader,
  Subscriber,
  signIn,
} from './clients.js';
import { NAME_LETTERS, type Random, randomInt, seededRandom } from './generator.js';
import { History, type Reducer, type RoomHistory, type Violation } from './history.js';
import { noRestarts, type Restarts, runNemesis, type Schedule, type Target } from './nemesis.js';
import { checkCounts, checkPresence, checkQueries } from './queries.js';
import { type Arrangement, Cluster, type Node, waitUntil } from './servers.js';
import { readPlainPages } from './transports.js';
import { Writer } from './writer.js';

export interface RunOptions extends Schedule, Arrangement {
  readonly seed: number;
  readonly writers: number;
  readonly rooms: number;
  readonly reducer?: Reducer;
  /** Called once a second. */
  readonly onProgress: (progress: Progress) => void;
}

export interface Progress extends Readonly<Restarts> {
  readonly history: History;
  /** Whether disks could be made to fail. */
  readonly diskFails: boolean;
}

export interface Result extends Progress {
  /** number of events in the log */
  readonly events: number;
  readonly violations: readonly Violation[];
}

const SETTLE_TIMEOUT_MS = 30_000;
const PROGRESS_MS = 1_000;

export async function run(options: RunOptions): Promise<Result> {
  const rooms = Array.from({ length: options.rooms }, (_, index) => `proof-${index + 1}`);
  const history = new History(rooms, options, options.reducer);
  const onCrash = (status: string): void =>
    history.violate('invalid', `the server exited by itself: ${status}`);
  const random = seededRandom(options.seed);
  const folder = realpathSync(options.folder);
  const cluster = await Cluster.create({ ...options, folder }, onCrash);
  try {
    return await runAgainst({ cluster, history, random, restarts: noRestarts() }, options);
  } finally {
    await cluster.end();
  }
}

async function runAgainst(target: Target, options: RunOptions): Promise<Result> {
  const { cluster, history, random, restarts } = target;
  restarts.startTimes.push(...(await cluster.start()));
  const ports = cluster.nodes.map(({ port }) => port);
  const addresses = new Addresses(ports, seededRandom(randomInt(random, 0, 2 ** 32)));
  const writers = await createWriters(options.writers, addresses, history, random);
  const lateReaders = await createReaders(LateReader, 'Late-reader', addresses, history, random);
  const roamingReaders = await createReaders(RoamingReader, 'Roaming-reader', addresses, history, random);
  const finalReader = await signInReader(addresses, 'Final-reader', history);
  const clients = [...writers, ...lateReaders, ...roamingReaders];
  const progress = (): Progress => ({ ...restarts, history, diskFails: cluster.hasDisks });
  const progressTimer = setInterval(() => options.onProgress(progress()), PROGRESS_MS);
  try {
    for (const client of clients) client.start();
    await runNemesis(target, options);
    for (const reader of lateReaders) reader.end();
    const checks = await checkRooms(writers, roamingReaders, finalReader, target).catch((error: unknown) => {
      if (!(error instanceof RequestError)) throw error;
      history.violate('lost', error.message);
      return [];
    });
    await checkNodes(cluster, checks, history);
    for (const writer of writers) writer.end();
    await checkShutdown(cluster, history);
    const events = checks.reduce((sum, { model }) => sum + model.last, 0);
    return { ...progress(), events, violations: history.violations };
  } finally {
    clearInterval(progressTimer);
    for (const client of clients) client.end();
  }
}

function createWriters(
  count: number,
  addresses: Addresses,
  history: History,
  random: Random,
): Promise<Writer[]> {
  const codes = Array.from({ length: count }, (_, index) => writerCode(index));
  return Promise.all(
    codes.map((code) => Writer.create(code, addresses, history, seededRandom(randomInt(random, 0, 2 ** 32)))),
  );
}

function writerCode(index: number): string {
  const { length } = NAME_LETTERS;
  return `${NAME_LETTERS[Math.floor(index / length) % length]}${NAME_LETTERS[index % length]}`;
}

/** Creates a reader for each room. */
function createReaders<T>(
  Reader: new (room: RoomHistory, http: HttpClient, random: Random) => T,
  name: string,
  addresses: Addresses,
  history: History,
  random: Random,
): Promise<T[]> {
  return Promise.all(
    Array.from(history.rooms.values(), async (room) => {
      const http = await signInReader(addresses, `${name}-${room.name}`, history);
      return new Reader(room, http, seededRandom(randomInt(random, 0, 2 ** 32)));
    }),
  );
}

async function signInReader(addresses: Addresses, name: string, history: History): Promise<HttpClient> {
  const takenAfter = history.tick();
  const http = await signIn(addresses, name);
  if (!(http instanceof HttpClient)) throw new Error(`${name} cannot sign in: ${http}`);
  history.people.signIn({ id: http.userId, name }, takenAfter, history.tick());
  return http;
}

/** Waits for all answers and events, then compares the logs and all readers with the models that it resolves with. */
async function checkRooms(
  writers: readonly Writer[],
  roaming: readonly RoamingReader[],
  http: HttpClient,
  { cluster, history }: Target,
): Promise<readonly RoomCheck[]> {
  for (const client of [...writers, ...roaming]) client.quiesce();
  const settled = history.violations.length === 0 && (await settle(writers, roaming, history));
  if (settled && !(await cluster.untilEqual()))
    history.violate('stuck', 'the nodes do not come to one position');
  if (!settled) for (const writer of writers) writer.end(); // the logs must not grow while they are read
  await Promise.all(roaming.map((reader) => reader.leave()));
  const presence = settled ? checkPresence(writers, history) : undefined;
  const rooms = [...history.rooms.values()];
  const checks = await Promise.all(rooms.map((room) => checkLog(http.log(room.name), room, settled)));
  checkAnswers(checks, history);
  if (!settled) return checks; // readers may not have received everything
  for (const check of checks) await checkReaders(writers, http, check);
  for (const { subscriber } of roaming)
    for (const check of checks)
      if (subscriber.room === check.room) checkView('the roaming reader', subscriber.view, check);
  await presence;
  if (history.violations.length === 0) await checkQueries(writers, http, checks, history);
  return checks;
}

async function checkReaders(writers: readonly Writer[], http: HttpClient, check: RoomCheck): Promise<void> {
  const [writer] = writers;
  const replay = writer && (await replayAll(check.room, writer.http)); // an extra reader would appear in the room
  if (replay) checkView('the final reader', replay.view, check);
  for (const { code, channels } of writers)
    for (const { subscriber } of channels)
      if (subscriber.room === check.room) checkView(code, subscriber.view, check);
  await checkPages(http.reverseLog(check.room.name), check);
  const origin = `http://127.0.0.1:${http.addresses.any()}`;
  await checkPlainPages(readPlainPages(origin, http.cookie, check.room.name), check);
  for (const page of check.room.plainPages) checkPlainPage(page, check);
  checkCounts(check);
  checkObservedStates(check);
}

/** Resolves with true once every command is answered and every reader has the newest event. */
async function settle(
  writers: readonly Writer[],
  roaming: readonly RoamingReader[],
  history: History,
): Promise<boolean> {
  const hasAll = ({ subscriber }: { readonly subscriber: Subscriber }): boolean =>
    subscriber.isOpen && subscriber.last === subscriber.room.last;
  const isSettled = ({ pending, channels }: Writer): boolean => pending === 0 && channels.every(hasAll);
  const isOver = (): boolean =>
    (writers.every(isSettled) && roaming.every(hasAll)) || history.violations.length > 0;
  if (await waitUntil(isOver, SETTLE_TIMEOUT_MS)) return history.violations.length === 0;
  const late = writers.filter((writer) => !isSettled(writer));
  const positions = late.flatMap(({ code, pending, channels }) =>
    channels.map(
      ({ subscriber }) => `${code} at ${subscriber.last} of ${subscriber.room.last}, ${pending} unanswered`,
    ),
  );
  positions.push(...roaming.filter((reader) => !hasAll(reader)).map(describeRoaming));
  history.violate('stuck', `clients ended at ${positions.join('; ')}`);
  return false;
}

function describeRoaming({ subscriber }: RoamingReader): string {
  return `a roaming reader at ${subscriber.last} of ${subscriber.room.last}`;
}

/** A replay from the first event to the last. */
async function replayAll(room: RoomHistory, http: HttpClient): Promise<Subscriber> {
  const { last, history } = room;
  const listener = { onOpen() {}, onLost() {}, onFrame() {} };
  const reader = new Subscriber('the final reader', room, http, seededRandom(1), listener);
  reader.connect();
  const isOver = (): boolean => reader.last >= last || history.violations.length > 0;
  if (!(await waitUntil(isOver, SETTLE_TIMEOUT_MS)))
    room.violate('stuck', `the final reader received ${reader.last} of ${last}`);
  reader.end();
  return reader;
}

/** Checks the files of all nodes. They must hold the same log. */
async function checkNodes(cluster: Cluster, checks: readonly RoomCheck[], history: History): Promise<void> {
  const isEqual = history.violations.length > 0 || (await cluster.untilEqual());
  const logs: string[] = [];
  for (const node of cluster.nodes) logs.push(await checkFiles(node, checks, history));
  const [first] = logs;
  if (history.violations.length > 0) return; // the servers may have been killed in the middle of everything
  if (!isEqual) history.violate('stuck', 'the nodes do not come to one position');
  const other = logs.findIndex((log) => log !== first);
  if (other > 0)
    history.violate('diverged', `node 1 has the log ${first}; node ${other + 1} has ${logs[other]}`);
}

/** Returns the heads of the log. */
async function checkFiles({ folder }: Node, checks: readonly RoomCheck[], history: History): Promise<string> {
  // Before `verify`, because an open reader keeps the write-ahead log from being truncated.
  const clean = history.violations.length === 0;
  const texts = checks.flatMap(({ model }) => [...model.deletedTexts()]);
  const residue = clean ? await findResidue(folder, texts) : undefined;
  if (residue !== undefined) history.violate('not deleted', residue);
  const { finding, heads } = verify(databaseFile(folder), () => {});
  if (finding !== undefined) history.violate('invalid', `verify reports: ${finding}`);
  return heads.map(formatHead).join(', ');
}

async function checkShutdown({ nodes }: Cluster, history: History): Promise<void> {
  for (const { server } of nodes) {
    const status = await server.stop();
    if (status !== 0) history.violate('invalid', `the server ended with ${status} on SIGTERM`);
  }
}
