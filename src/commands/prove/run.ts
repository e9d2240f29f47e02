/**
 * One run of the proof: a real server on a folder of its own, clients that talk and are cut off, kills; then calm, and
 * the judgment. It ends early with the first violation: what comes after one proves nothing.
 */
import { join } from 'node:path';
import { databaseFile } from '../../store/database.js';
import { verify } from '../../store/verify.js';
import { type Env, freePort, ServerChild } from './child.js';
import { Client } from './client.js';
import { comparePages, compareStory, compareTellings } from './convergence.js';
import { remains } from './erasure.js';
import { judge } from './judge.js';
import type { Ledger } from './ledger.js';
import { Line } from './line.js';
import { Passer } from './passer.js';
import { between, type Random, randomOf } from './random.js';
import { signIn, type Visitor } from './visitor.js';
import { type Violation, Witness } from './witness.js';

export interface Trial {
  readonly kills: number;
  readonly seed: number;
  readonly clients: number;
  /** milliseconds from the first number after a start to the next kill, on average */
  readonly every: number;
  /** the program that runs the server, and its arguments */
  readonly command: readonly string[];
  /** an empty folder, for its data and its log */
  readonly folder: string;
  /** once a second while it runs */
  readonly report: (soFar: Tally) => void;
  /** the operator wants it to end */
  readonly stopped: () => boolean;
}

export interface Tally {
  readonly kills: number;
  readonly witness: Witness;
  /** milliseconds of each start of the server */
  readonly starts: readonly number[];
}

export interface Finding extends Tally {
  /** events in the log */
  readonly kept: number;
  readonly violations: readonly Violation[];
}

/** Every limit is off: the proof is in a hurry. */
const LIMITS_OFF: Env = {
  MESSAGE_RATE: '0',
  CONNECTIONS_PER_PERSON: '0',
  CONNECTIONS_PER_ADDRESS: '0',
  SIGNINS_PER_MINUTE: '0',
};
/** Letters that no other looks like. */
const LETTERS = 'abcdefghjkmpqrstuvwxyz';
const PATIENCE = 30_000;

export async function tryServer(trial: Trial): Promise<Finding> {
  const witness = new Witness();
  const port = await freePort();
  const env = {
    ...LIMITS_OFF,
    HOST: '127.0.0.1',
    PORT: String(port),
    DATA_DIR: trial.folder,
    LOG_LEVEL: 'warn',
  };
  const died = (how: string): void => witness.accuse('unsound', `the server ended by itself: ${how}`);
  const server = new ServerChild(trial.command, env, join(trial.folder, 'server.log'), died);
  try {
    return await hold(trial, server, port, witness);
  } finally {
    await server.kill();
  }
}

async function hold(trial: Trial, server: ServerChild, port: number, witness: Witness): Promise<Finding> {
  const tally = { kills: 0, witness, starts: [await server.start()] };
  const random = randomOf(trial.seed);
  const clients = await invite(trial.clients, port, witness, random);
  const passer = new Passer(await signIn(port, 'Passer by'), witness, randomOf(between(random, 0, 2 ** 32)));
  const reporting = setInterval(() => trial.report(tally), 1000);
  try {
    for (const one of [...clients, passer]) one.start();
    await killAndStart(server, trial, tally, random);
    passer.end();
    const ledger = await conclude(clients, await signIn(port, 'Late reader'), witness);
    await checkFiles(trial.folder, ledger, witness);
    for (const client of clients) client.end();
    await stopGently(server, witness);
    return { ...tally, kept: ledger.last, violations: witness.violations };
  } finally {
    clearInterval(reporting);
    for (const one of [...clients, passer]) one.end();
  }
}

async function invite(count: number, port: number, witness: Witness, random: Random): Promise<Client[]> {
  const names = Array.from({ length: count }, (_, n) => nameOf(n));
  return Promise.all(
    names.map(async (name) => {
      const own = randomOf(between(random, 0, 2 ** 32));
      return new Client(name, await signIn(port, `Client ${name}`), witness, own);
    }),
  );
}

function nameOf(n: number): string {
  return `${LETTERS[Math.floor(n / LETTERS.length) % LETTERS.length]}${LETTERS[n % LETTERS.length]}`;
}

async function killAndStart(
  server: ServerChild,
  { kills, every, stopped }: Trial,
  tally: { kills: number; readonly witness: Witness; readonly starts: number[] },
  random: Random,
): Promise<void> {
  const { witness } = tally;
  const over = (): boolean => stopped() || witness.violations.length > 0;
  while (tally.kills < kills && !over()) {
    const { last } = witness;
    await until(() => witness.last > last || over()); // a server to which nobody has come back yet proves nothing
    await pause(between(random, every * 0.5, every * 1.5));
    await server.kill();
    tally.kills++;
    tally.starts.push(await server.start());
  }
}

/** Lets everything that was sent be answered and shown, and judges. Resolves with what the log comes to. */
async function conclude(clients: readonly Client[], late: Visitor, witness: Witness): Promise<Ledger> {
  for (const client of clients) client.calmDown();
  const calm = witness.violations.length === 0 && (await settle(clients, witness));
  const reader = new Line('a late reader', late, witness, randomOf(1), { opened() {}, heard() {} });
  if (calm) await readAll(reader, witness);
  const ledger = await judge(late.log(), witness, calm);
  if (!calm) return ledger; // who was broken off has not been told all
  for (const { name, line } of clients) compareStory(name, line.story, ledger, witness);
  compareStory('a late reader', reader.story, ledger, witness);
  await comparePages(late.back(), ledger, witness);
  compareTellings(ledger, witness);
  return ledger;
}

/** A replay from the first number to the last. */
async function readAll(reader: Line, witness: Witness): Promise<void> {
  const end = witness.last;
  reader.connect();
  if (!(await until(() => reader.last >= end || witness.violations.length > 0)))
    witness.accuse('stuck', `a late reader was told ${reader.last} of ${end}`);
  reader.end();
}

/** True when all is answered and all readers are at the same number. */
async function settle(clients: readonly Client[], witness: Witness): Promise<boolean> {
  const settled = (): boolean =>
    clients.every(({ waiting, line }) => waiting === 0 && line.last === witness.last);
  if (await until(() => settled() || witness.violations.length > 0)) return witness.violations.length === 0;
  const places = clients.map(({ line, waiting }) => `${line.last} (${waiting} unanswered)`);
  witness.accuse('stuck', `readers ended at ${places.join(', ')} of ${witness.last}`);
  return false;
}

/** What must be gone first: who verifies is a reader that the write-ahead log would wait for. */
async function checkFiles(folder: string, ledger: Ledger, witness: Witness): Promise<void> {
  const stays = witness.violations.length === 0 ? await remains(folder, ledger.erased()) : undefined;
  if (stays !== undefined) witness.accuse('undeleted', stays);
  const { finding: fault } = verify(databaseFile(folder), () => {});
  if (fault !== undefined) witness.accuse('unsound', `verify says: ${fault}`);
}

async function stopGently(server: ServerChild, witness: Witness): Promise<void> {
  const how = await server.stop();
  if (how !== 0) witness.accuse('unsound', `told to stop, the server ended with ${how}`);
}

async function until(check: () => boolean): Promise<boolean> {
  for (const end = performance.now() + PATIENCE; !check(); await pause(20)) {
    if (performance.now() > end) return false;
  }
  return true;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
