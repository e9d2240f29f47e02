/** The checker: compares the log, the readers' views, the pages and the files with the history and the model. */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatEvent, RoomEvent } from '../shared/protocol.js';
import { MARKER_LENGTH, markerOf, markersIn } from './generator.js';
import {
  cidOf,
  describeEvent,
  describeState,
  type History,
  type Invocation,
  type Rejection,
  type View,
} from './history.js';
import { Model } from './model.js';

/** How long deleted text may stay in the files while none of it goes. */
const RESIDUE_TIMEOUT_MS = 15_000;
const RESIDUE_POLL_MS = 500;

interface LogCheck {
  readonly history: History;
  /** the run ended normally: every command must be answered, every event observed */
  readonly settled: boolean;
  readonly model: Model;
  readonly idByCid: Map<string, number>;
  /** by number: logical time at which the event's command was first sent */
  readonly invokedAt: number[];
  /** newest `socketSeq` in the log, by author */
  readonly socketSeqs: Map<string, number>;
}

/** Reads the log to its end and compares it with the history. Resolves with the model that it results in. */
export async function checkLog(
  log: AsyncIterable<RoomEvent>,
  history: History,
  settled: boolean,
): Promise<Model> {
  const check: LogCheck = {
    ...{ history, settled, model: new Model() },
    ...{ idByCid: new Map(), invokedAt: [0], socketSeqs: new Map() },
  };
  const { model } = check;
  for await (const event of log) {
    if (event.id !== model.last + 1)
      history.violate('out of order', `in the log ${event.id} follows ${model.last}`);
    checkLoggedEvent(event, check);
  }
  if (history.last > model.last)
    history.violate('lost', `${history.last} was received, but the log ends at ${model.last}`);
  for (const [cid, invocation] of history.invocations) checkAnswer(cid, invocation, check);
  for (const rejection of history.rejections) checkRejection(rejection, check);
  return model;
}

function checkLoggedEvent(event: RoomEvent, check: LogCheck): void {
  const { history, model, invokedAt } = check;
  const invocation = history.invocations.get(cidOf(event));
  model.last = event.id;
  invokedAt[event.id] = invocation?.invokedAt ?? 0;
  checkOrigin(event, invocation, check);
  if (!invocation) return;
  checkSocketOrder(event, invocation, check);
  const code = model.apply(event.id, invocation.author, invocation.command);
  if (code !== undefined)
    history.violate('invalid', `${event.id} is in the log, but the rules say "${code}"`);
}

/** An event is one command of its author, is in the log once, and equals what readers received. */
function checkOrigin(event: RoomEvent, invocation: Invocation | undefined, check: LogCheck): void {
  const { history, idByCid, settled } = check;
  const { id } = event;
  const [cid, line, observed] = [cidOf(event), describeEvent(event), history.events[id]];
  if (!invocation || !isResultOf(event, invocation)) history.violate('invalid', `nobody sent ${id}: ${line}`);
  if (idByCid.has(cid))
    history.violate('duplicated', `${cid} is in the log as ${idByCid.get(cid)} and as ${id}`);
  if (observed === undefined && settled)
    history.violate('lost', `${id} is in the log, but no reader received it`);
  if (observed !== undefined && observed !== line)
    history.violate('inconsistent', `${id} was received as "${observed}", the log has "${line}"`);
  idByCid.set(cid, id);
}

/** Texts are not compared here, because they change. */
function isResultOf(event: RoomEvent, { author, command }: Invocation): boolean {
  if (event.user.id !== author || event.type !== command.type) return false;
  if (event.type === 'chat' || command.type === 'chat') return true;
  if (event.target !== command.target) return false;
  if (command.type !== 'react' && command.type !== 'unreact') return true;
  return 'data' in event && event.data === command.data;
}

/**
 * The log keeps the order of one author's commands on a socket. Reactions are exempt: after a lost rejection, one is
 * sent again behind later commands and may be allowed by then.
 */
function checkSocketOrder(event: RoomEvent, { socketSeq, author }: Invocation, check: LogCheck): void {
  if (socketSeq === undefined || event.type === 'react' || event.type === 'unreact') return;
  const { history, socketSeqs } = check;
  const before = socketSeqs.get(author) ?? 0;
  if (socketSeq < before)
    history.violate('out of order', `${cidOf(event)} was sent before ${before}, but is in the log after it`);
  socketSeqs.set(author, Math.max(socketSeq, before));
}

function checkAnswer(cid: string, { ackedId, rejected }: Invocation, check: LogCheck): void {
  const { history, idByCid, settled } = check;
  const id = idByCid.get(cid);
  if (ackedId === undefined) {
    if (!settled) return;
    if (id !== undefined) history.violate('stuck', `${cid} is in the log as ${id}, but was not acknowledged`);
    else if (!rejected) history.violate('stuck', `${cid} was never answered`);
  } else if (id === undefined)
    history.violate('lost', `${cid} was acknowledged as ${ackedId}, but is not in the log`);
  else if (id !== ackedId)
    history.violate('inconsistent', `${cid} was acknowledged as ${ackedId}, but is in the log as ${id}`);
}

/**
 * A rejection has no number, so it is placed between bounds: after the newest event known at sending, before any event
 * that was sent after the rejection arrived, and before the command's own event if another copy was accepted. The rules
 * must give this code somewhere in between.
 */
function checkRejection({ cid, code, after, receivedAt }: Rejection, check: LogCheck): void {
  const { history, idByCid, invokedAt, model } = check;
  const invocation = history.invocations.get(cid);
  if (!invocation) {
    history.violate('invalid', `${cid} was rejected but never sent`);
    return;
  }
  const { author, command } = invocation;
  const end = Math.min(idByCid.get(cid) ?? Number.POSITIVE_INFINITY, model.last + 1);
  for (let id = after; id < end; id++) {
    if (id > after && (invokedAt[id] ?? 0) > receivedAt) break;
    if (model.rejection(command, author, id) === code) return;
  }
  const what = `${cid}, ${command.type}, was rejected with "${code}" after ${after}`;
  history.violate('wrongly rejected', `${what}, but no rule says so`);
}

/** Compares a reader's view, built over all its connections, with the model. */
export function checkView(reader: string, view: View, model: Model, history: History): void {
  for (const [id] of model.messages()) checkMessage(reader, id, view.message(id), model, history);
}

/** Compares the pages of the log, read from its end to its start, with the model. */
export async function checkPages(
  pages: AsyncIterable<RoomEvent>,
  model: Model,
  history: History,
): Promise<void> {
  let next = model.last;
  for await (const event of pages) {
    if (event.id !== next) history.violate('out of order', `a page has ${event.id} in place of ${next}`);
    next = event.id - 1;
    if (event.type === 'chat') checkMessage('a page', event.id, event, model, history);
    if (event.type === 'edit') checkEdit(event, model, history);
  }
  if (next > 0) history.violate('lost', `the pages start with ${next + 1}`);
}

function checkEdit(event: Extract<RoomEvent, { type: 'edit' }>, model: Model, history: History): void {
  const deleted = model.isDeleted(event.target);
  const what = `a page has "${event.data}" for edit ${event.id}`;
  if (deleted && event.data !== '') history.violate('not deleted', `${what}, but ${event.target} is deleted`);
  const command = history.invocations.get(cidOf(event))?.command;
  if (!deleted && (command?.type !== 'edit' || command.data !== event.data))
    history.violate('diverged', `${what}, which is not what was sent`);
}

function checkMessage(
  reader: string,
  id: number,
  message: ChatEvent | undefined,
  model: Model,
  history: History,
): void {
  const state = model.finalState(id);
  const expected = state ? describeState(state) : 'not there';
  const found = message ? describeState(message) : 'not there';
  if (found === expected) return;
  const kind = state?.deleted !== undefined && message?.data ? 'not deleted' : 'diverged';
  history.violate(kind, `${reader} has ${id} as ${found}; by the log it is ${expected}`);
}

/** Every state in which a reader received a message is one that the message had at some time. */
export function checkObservedStates(model: Model, history: History): void {
  for (const [id, { states }] of model.messages()) {
    const possible = new Set(states.map(describeState));
    for (const observed of history.observedStates.of(id).map(describeState))
      if (!possible.has(observed))
        history.violate('diverged', `${id} was received as ${observed}, which it never was`);
  }
  for (const [edit, target] of history.emptyEdits)
    if (!model.isDeleted(target))
      history.violate('diverged', `edit ${edit} was received without text, but ${target} is not deleted`);
}

interface Residue {
  readonly count: number;
  /** says where the first piece is; '' when there is none */
  readonly evidence: string;
}

/**
 * Searches all bytes of the folder's files for these texts. Resolves with undefined once none is left, or with evidence
 * when no more of them go (docs/protocol.md: deleted text leaves the files within seconds).
 */
export async function findResidue(folder: string, texts: Iterable<string>): Promise<string | undefined> {
  const markers = new Set(Array.from(texts, markerOf));
  let residue = await scanFolder(folder, markers);
  for (let end = performance.now() + RESIDUE_TIMEOUT_MS; residue.count > 0; ) {
    if (performance.now() > end) return residue.evidence;
    await sleep(RESIDUE_POLL_MS);
    const next = await scanFolder(folder, markers);
    if (next.count < residue.count) end = performance.now() + RESIDUE_TIMEOUT_MS; // many texts take longer
    residue = next;
  }
  return undefined;
}

async function scanFolder(folder: string, markers: ReadonlySet<string>): Promise<Residue> {
  const found = new Map<string, string>();
  for (const name of readdirSync(folder))
    for await (const marker of scanFile(join(folder, name))) if (markers.has(marker)) found.set(marker, name);
  const [first] = found;
  return { count: found.size, evidence: first ? `"…${first[0]}" was deleted, but is in ${first[1]}` : '' };
}

async function* scanFile(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'latin1', highWaterMark: 1 << 20 })) {
    const bytes = rest + String(chunk);
    yield* markersIn(bytes);
    rest = bytes.slice(1 - MARKER_LENGTH);
  }
}
