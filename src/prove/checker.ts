/** The checker: compares the log, the readers' views, the pages and the files with the history and the model. */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { translations } from '../shared/i18n/en.js';
import { type ChatEvent, LIMITS, type RoomEvent } from '../shared/protocol.js';
import { MARKER_LENGTH, markerOf, markersIn } from './generator.js';
import {
  describe,
  describeEvent,
  describeState,
  type History,
  type Invocation,
  type MessageState,
  type Rejection,
  type RoomHistory,
  type SeenPage,
  type View,
} from './history.js';
import { Model, type TimedState } from './model.js';
import type { PlainPage } from './transports.js';

/** How long deleted text may stay in the files without any progress. */
const RESIDUE_TIMEOUT_MS = 15_000;
const RESIDUE_POLL_MS = 500;

/** A room's history and the model that its log results in. */
export interface RoomCheck {
  readonly room: RoomHistory;
  readonly model: Model;
}

interface LogCheck extends RoomCheck {
  /** the run ended normally: every command must be answered, every event observed */
  readonly settled: boolean;
  /** numbers in the log */
  readonly ids: Map<Invocation, number>;
  /** by number: logical time at which the event's command was first sent */
  readonly invokedAt: number[];
  /** newest position in the log, by stream */
  readonly streams: Map<string, number>;
  /** ids of authors of messages without a cid whose text was changed before anyone received it */
  readonly unidentified: string[];
}

/** Reads the log to its end and compares it with the history. Resolves with what the checks of all rooms need. */
export async function checkLog(
  log: AsyncIterable<RoomEvent>,
  room: RoomHistory,
  settled: boolean,
): Promise<LogCheck> {
  const check: LogCheck = {
    ...{ room, settled, model: new Model(), ids: new Map(), invokedAt: [0], streams: new Map() },
    unidentified: [],
  };
  const { model } = check;
  let at = 0;
  for await (const event of log) {
    if (event.id !== model.last + 1)
      room.violate('out of order', `in the log ${event.id} follows ${model.last}`);
    if (!(event.at >= at))
      room.violate('out of order', `the time of ${event.id} is ${event.at}, after ${at}`);
    at = event.at;
    checkLoggedEvent(event, check);
  }
  if (room.last > model.last)
    room.violate('lost', `${room.last} was received, but the log ends at ${model.last}`);
  checkUnidentified(check);
  return check;
}

function checkLoggedEvent(event: RoomEvent, check: LogCheck): void {
  const { room, model, ids, invokedAt, settled } = check;
  const { id } = event;
  const [line, observed] = [describeEvent(event), room.events[id]];
  if (observed === undefined && settled)
    room.violate('lost', `${id} is in the log, but no reader received it`);
  if (observed !== undefined && observed !== line)
    room.violate('inconsistent', `${id} was received as "${observed}", the log has "${line}"`);
  const invocation = room.originOf(event);
  model.last = id;
  invokedAt[id] = invocation?.invokedAt ?? 0;
  if (!invocation && event.type === 'chat' && event.cid === undefined) {
    check.unidentified.push(event.user.id);
    model.apply(id, event.user, { type: 'chat', data: '' }); // its text is unknown
  } else if (!invocation || !isResultOf(event, invocation))
    room.violate('invalid', `nobody sent ${id}: ${line}`);
  if (!invocation) return;
  if (ids.has(invocation))
    room.violate('duplicated', `${invocation.tag} is in the log as ${ids.get(invocation)} and as ${id}`);
  ids.set(invocation, id);
  if (invocation.refused)
    room.violate('inconsistent', `${invocation.tag} was refused, but is in the log as ${id}`);
  checkOrder(event, invocation, check);
  const code = model.apply(id, event.user, invocation.command);
  if (code !== undefined) room.violate('invalid', `${id} is in the log, but the rules say "${code}"`);
}

/** Texts are not compared here, because they change. */
function isResultOf(event: RoomEvent, { author, command }: Invocation): boolean {
  if (event.user.id !== author || event.type !== command.type || event.cid !== command.cid) return false;
  if (event.type === 'chat' || command.type === 'chat') return true;
  if (event.target !== command.target) return false;
  if (command.type !== 'react' && command.type !== 'unreact') return true;
  return 'data' in event && event.data === command.data;
}

/**
 * The log keeps the order of one author's commands on a socket. Reactions are exempt: after a lost rejection, one is
 * sent again behind later commands and may be allowed by then.
 */
function checkOrder(event: RoomEvent, invocation: Invocation, { room, streams }: LogCheck): void {
  const { position, tag, disturbed } = invocation;
  if (disturbed || position === undefined || event.type === 'react' || event.type === 'unreact') return;
  const { stream, seq } = position;
  const before = streams.get(stream) ?? 0;
  if (seq < before)
    room.violate('out of order', `${tag} was sent before ${before}, but is in the log after it`);
  streams.set(stream, Math.max(seq, before));
}

/** Each message that cannot be identified must be one that was sent without a cid and is not in the log otherwise. */
function checkUnidentified({ room, ids, unidentified }: LogCheck): void {
  const candidates = room.history.invocations.filter(
    (one) => one.room === room.name && one.command.cid === undefined && !ids.has(one),
  );
  for (const author of new Set(unidentified)) {
    const count = unidentified.filter((one) => one === author).length;
    const sent = candidates.filter((one) => one.author === author).length;
    if (count > sent) room.violate('invalid', `nobody sent ${count} messages of ${author}`);
  }
}

/** Compares all answers with the logs of all rooms. */
export function checkAnswers(checks: readonly LogCheck[], history: History): void {
  const byRoom = new Map(checks.map((check) => [check.room.name, check]));
  const sameCid = groupByCid(history.invocations);
  for (const invocation of history.invocations) {
    const check = byRoom.get(invocation.room);
    if (check) checkAnswer(invocation, check);
  }
  for (const group of sameCid.values()) {
    const accepted = group.filter((one) => byRoom.get(one.room)?.ids.has(one));
    if (accepted.length > 1)
      history.violate(
        'duplicated',
        `one cid is in the log ${accepted.length} times: ${accepted.map(describe).join(', ')}`,
      );
  }
  for (const rejection of history.rejections) {
    const { invocation, code } = rejection;
    const check = byRoom.get(invocation.room);
    if (code === 'cid_conflict')
      checkConflict(rejection, sameCid.get(cidKey(invocation)) ?? [], byRoom, history);
    else if (check) checkRejection(rejection, check);
  }
}

function cidKey({ author, command }: Invocation): string {
  return `${author} ${command.cid}`;
}

/** Returns each person's commands by their cid. */
function groupByCid(invocations: readonly Invocation[]): Map<string, Invocation[]> {
  const groups = new Map<string, Invocation[]>();
  for (const invocation of invocations) {
    if (invocation.command.cid === undefined) continue;
    const group = groups.get(cidKey(invocation));
    if (group) group.push(invocation);
    else groups.set(cidKey(invocation), [invocation]);
  }
  return groups;
}

function checkAnswer(invocation: Invocation, { room, ids, settled }: LogCheck): void {
  const { tag, command, ackedId, ackedEvent, rejected } = invocation;
  const id = ids.get(invocation);
  if (ackedId === undefined) {
    if (!settled || command.cid === undefined) return; // a command without a cid is sent once and may get no answer
    const isLate = rejected && room.history.isShared; // a node carried out an earlier try after another had rejected it
    if (id !== undefined && !isLate)
      room.violate('stuck', `${tag} is in the log as ${id}, but was not acknowledged`);
    else if (id === undefined && !rejected) room.violate('stuck', `${tag} was never answered`);
  } else if (id === undefined)
    room.violate('lost', `${tag} was acknowledged as ${ackedId}, but is not in the log`);
  else if (id !== ackedId)
    room.violate('inconsistent', `${tag} was acknowledged as ${ackedId}, but is in the log as ${id}`);
  else if (ackedEvent !== undefined && room.events[id] !== undefined && ackedEvent !== room.events[id])
    room.violate('inconsistent', `${tag} was answered with "${ackedEvent}", but is "${room.events[id]}"`);
}

/** A cid conflicts with an earlier accepted command of the same person that has the same cid. */
function checkConflict(
  { invocation, receivedAt }: Rejection,
  sameCid: readonly Invocation[],
  byRoom: ReadonlyMap<string, LogCheck>,
  history: History,
): void {
  const isCause = (one: Invocation): boolean =>
    one !== invocation && one.invokedAt < receivedAt && byRoom.get(one.room)?.ids.has(one) === true;
  if (!sameCid.some(isCause))
    history.violate('wrongly rejected', `${describe(invocation)} has a cid conflict with no command`);
}

/**
 * A rejection has no number, so it is placed between bounds: after the newest event known at sending, before any event
 * that was sent after the rejection arrived, and before the command's own event if another copy was accepted. The rules
 * must give this code somewhere in between.
 */
function checkRejection({ invocation, code, after, receivedAt }: Rejection, check: LogCheck): void {
  const { room, ids, invokedAt, model } = check;
  const { tag, author, command } = invocation;
  const end = Math.min(ids.get(invocation) ?? Number.POSITIVE_INFINITY, model.last + 1);
  for (let id = after; id < end; id++) {
    if (id > after && (invokedAt[id] ?? 0) > receivedAt) break;
    if (model.rejection(command, author, id) === code) return;
  }
  const what = `${tag}, ${command.type}, was rejected with "${code}" after ${after}`;
  room.violate('wrongly rejected', `${what}, but no rule says so`);
}

/** Compares a reader's view, built over all its connections, with the model. */
export function checkView(reader: string, view: View, check: RoomCheck): void {
  for (const [id] of check.model.messages()) checkMessage(reader, id, view.message(id), check);
}

/** Compares the pages of the log, read from its end to its start, with the model. */
export async function checkPages(pages: AsyncIterable<RoomEvent>, check: RoomCheck): Promise<void> {
  const { room, model } = check;
  let next = model.last;
  for await (const event of pages) {
    if (event.id !== next) room.violate('out of order', `a page has ${event.id} in place of ${next}`);
    next = event.id - 1;
    if (event.type === 'chat') checkMessage('a page', event.id, event, check);
    if (event.type === 'edit') checkEdit(event, check);
  }
  if (next > 0) room.violate('lost', `the pages start with ${next + 1}`);
}

/** Compares a room as plain HTML with the model. */
export async function checkPlainPages(pages: AsyncIterable<PlainPage>, check: RoomCheck): Promise<void> {
  const { room, model } = check;
  let shown = 0;
  for await (const page of pages) {
    checkPlainPage({ ...page, known: model.last }, check);
    shown = Math.max(page.after, ...page.messages.map(({ id }) => id));
  }
  for (const [id] of model.messages())
    if (id > shown) room.violate('lost', `the plain pages end before ${id}`);
}

/** Checks a page of plain HTML: the newest message first, without a hole, each with a text that it had since event `known`. */
export function checkPlainPage({ after, messages, known }: SeenPage, { room, model }: RoomCheck): void {
  const newest = messages[0]?.id ?? after;
  let above = newest + 1;
  for (const { id, text } of messages) {
    if (!(id < above && id > after))
      room.violate('out of order', `a plain page after ${after} has ${id} below ${above}`);
    for (let missing = id + 1; missing < above; missing++)
      if (model.message(missing)) room.violate('lost', `a plain page after ${after} lacks ${missing}`);
    above = id;
    if (!plainTexts(id, known, model).includes(text))
      room.violate('diverged', `a plain page has "${text}" for ${id}, which it was not since ${known}`);
  }
  for (let missing = after + 1; missing < above; missing++)
    if (model.message(missing)) room.violate('lost', `a plain page after ${after} lacks ${missing}`);
}

/** Returns how the plain page may have shown a message since event `known`. */
function plainTexts(id: number, known: number, model: Model): string[] {
  const states = model.message(id)?.states ?? [];
  const first = Math.max(
    0,
    states.findLastIndex(({ since }) => since <= known),
  );
  return states
    .slice(first)
    .map(({ deleted, data }) => (deleted === undefined ? data : translations.message.deleted));
}

function checkEdit(event: Extract<RoomEvent, { type: 'edit' }>, { room, model }: RoomCheck): void {
  const deleted = model.isDeleted(event.target);
  const what = `a page has "${event.data}" for edit ${event.id}`;
  if (deleted && event.data !== '') room.violate('not deleted', `${what}, but ${event.target} is deleted`);
  const command = room.originOf(event)?.command;
  if (!deleted && (command?.type !== 'edit' || command.data !== event.data))
    room.violate('diverged', `${what}, which is not what was sent`);
}

/** Compares the final state of a message with the model. */
export function checkMessage(
  source: string,
  id: number,
  message: ChatEvent | undefined,
  { room, model }: RoomCheck,
): void {
  const state = model.finalState(id);
  const expected = state ? describeState(fullState(id, state, { room, model }, true)) : 'not there';
  const found = message ? describeState(message) : 'not there';
  if (found === expected) return;
  const kind = state?.deleted !== undefined && message?.data ? 'not deleted' : 'diverged';
  room.violate(kind, `${source} has ${id} as ${found}; by the log it is ${expected}`);
}

/**
 * Adds the mentions as first observed, because they depend on the time, and the reply with the current text of its
 * target.
 */
function fullState(
  id: number,
  state: TimedState,
  { room, model }: RoomCheck,
  isCurrent: boolean,
): MessageState {
  if (state.deleted !== undefined) return state;
  const mentions = room.mentions.get(state.edited ?? id);
  const reply = model.message(id)?.reply;
  const target = reply === undefined ? undefined : model.message(reply);
  const data =
    reply === undefined ? '' : (model.finalState(reply)?.data ?? '').slice(0, LIMITS.replyCodePoints);
  return {
    ...state,
    ...(mentions ? { mentions } : {}),
    ...(reply && target ? { reply: { id: reply, user: target.user, data: isCurrent ? data : '' } } : {}),
  };
}

/** Checks that a message had, at some time, each state in which a reader received it. */
export function checkObservedStates(check: RoomCheck): void {
  const { room, model } = check;
  for (const [id, { states }] of model.messages()) {
    const possible = new Set(states.map((state) => describeState(fullState(id, state, check, false))));
    for (const observed of room.observedStates.of(id)) {
      const state = describeState(withoutReplyText(observed));
      if (!possible.has(state))
        room.violate('diverged', `${id} was received as ${state}, which it never was`);
    }
  }
  for (const [edit, target] of room.emptyEdits)
    if (!model.isDeleted(target))
      room.violate('diverged', `edit ${edit} was received without text, but ${target} is not deleted`);
}

/** Leaves out the quoted text of a reply, which changes with its target. The history has checked it. */
function withoutReplyText(message: ChatEvent): ChatEvent {
  return message.reply ? { ...message, reply: { ...message.reply, data: '' } } : message;
}

interface Residue {
  readonly count: number;
  /** says where the first piece is; '' when there is none */
  readonly evidence: string;
}

/**
 * Searches all bytes of the folder's files for these texts. Resolves with undefined once none is left, or with evidence
 * when the remaining ones stay (docs/protocol.md: deleted text leaves the files within seconds).
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
