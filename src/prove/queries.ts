/** Checks the server's answers to queries: presence, the room list with its read marks, search, mentions and names. */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkMessage, type RoomCheck } from './checker.js';
import { describePresence, type HttpClient, signIn } from './clients.js';
import type { FoundMessage, FoundPage, RoomEntry } from './frames.js';
import { COMMON_WORD, wordOf } from './generator.js';
import type { History, RoomHistory } from './history.js';
import type { TimedState } from './model.js';
import { waitFor, waitUntil } from './servers.js';
import type { Writer } from './writer.js';

/** How long a client that left may still be shown. */
const PRESENCE_TIMEOUT_MS = 20_000;
/** The same for people of a node that was killed. */
const SHARED_PRESENCE_TIMEOUT_MS = 45_000;
/** How long the search index may lag behind the log. */
const INDEX_TIMEOUT_MS = 30_000;
const INDEX_POLL_MS = 200;
/** Texts that are searched for by their own word; the names that a stranger tries to take. */
const SAMPLE = { texts: 100, names: 20 } as const;

/** Lower bounds of a room list that is requested now: its numbers only grow. */
export interface RoomBounds {
  readonly room: RoomHistory;
  readonly last: number;
  readonly read: number;
}

/** Compares a room's entry in a list with what was known when the list was requested. */
export function checkRoomEntry(
  userId: string,
  { room, last, read }: RoomBounds,
  entries: readonly RoomEntry[],
): void {
  const { readMarks } = room.history;
  const entry = entries.find((one) => one.room === room.name);
  if (!entry) {
    if (last > 0) room.violate('diverged', 'the room is missing in the room list');
    return;
  }
  if (!(entry.last >= last)) room.violate('lost', `the room list ends at ${entry.last} of ${last}`);
  if (!(entry.read >= read))
    room.violate('out of order', `the read mark went back from ${read} to ${entry.read}`);
  if (!(entry.read <= Math.min(entry.last, readMarks.max(userId, room.name))))
    room.violate('invalid', `the read mark is ${entry.read}, which nobody set, or beyond ${entry.last}`);
  readMarks.confirm(userId, room.name, entry.read);
}

/** Waits until every open socket shows exactly the people who have an open socket in its room. */
export async function checkPresence(writers: readonly Writer[], history: History): Promise<void> {
  const wrong = (): string | undefined => presenceProblem(writers, history);
  const timeoutMs = history.isShared ? SHARED_PRESENCE_TIMEOUT_MS : PRESENCE_TIMEOUT_MS;
  await waitUntil(() => wrong() === undefined, timeoutMs);
  const problem = wrong();
  if (problem !== undefined) history.violate('diverged', problem);
  else if (history.isShared) await checkPeople(writers, history);
}

/** Waits until every node counts these people in its list of rooms. */
async function checkPeople(writers: readonly Writer[], history: History): Promise<void> {
  const [writer] = writers;
  for (const port of writer?.http.addresses.ports ?? []) {
    const isRight = async (): Promise<boolean> => {
      const entries = (await writer?.http.rooms(port)) ?? [];
      return entries.every(({ room, people }) => !history.rooms.has(room) || people === writers.length);
    };
    if (!(await waitFor(isRight, SHARED_PRESENCE_TIMEOUT_MS)))
      history.violate('diverged', `a node does not count ${writers.length} people in each room`);
  }
}

function presenceProblem(writers: readonly Writer[], history: History): string | undefined {
  const users = writers.map(({ http: { userId } }) => ({
    id: userId,
    name: history.people.currentName(userId) ?? '',
  }));
  const expected = describePresence(users, users.length);
  for (const { subscriber } of writers.flatMap(({ channels }) => channels)) {
    const shown = subscriber.presence.describe();
    if (shown !== expected) return `${subscriber.room.name} shows ${shown}; here are ${expected}`;
  }
  return undefined;
}

/** Compares every query with the model, while no command is pending and all writers are connected. */
export async function checkQueries(
  writers: readonly Writer[],
  http: HttpClient,
  checks: readonly RoomCheck[],
  history: History,
): Promise<void> {
  for (const writer of writers) await checkRoomList(writer, writers.length, checks, history);
  await checkSearch(http, checks, history);
  for (const writer of writers) await checkMentions(writer.http, checks, history);
  await checkNames(writers, http, history);
}

async function checkRoomList(
  { http }: Writer,
  people: number,
  checks: readonly RoomCheck[],
  history: History,
): Promise<void> {
  const entries = (await http.rooms()) ?? [];
  for (const { room, model } of checks) {
    const read = history.readMarks.min(http.userId, room.name);
    checkRoomEntry(http.userId, { room, last: model.last, read }, entries);
    const entry = entries.find((one) => one.room === room.name);
    if (!entry) continue;
    const expected = { ...entry, ...countUnread(http.userId, entry.read, { room, model }) };
    const [found, wanted] = [entry, { ...expected, last: model.last, people, joined: true }].map(
      describeEntry,
    );
    if (found !== wanted) room.violate('diverged', `the room list has ${found}; right is ${wanted}`);
  }
}

function describeEntry({ last, read, unread, mentions, people, joined }: RoomEntry): string {
  const counts = `${unread} unread and ${mentions} mentions after ${read} of ${last}`;
  return `${counts}, ${people} people, ${joined ? 'joined' : 'not joined'}`;
}

/** The unread counts of `room` frames that are compared with the model, in each room. */
const MAX_COUNTS = 2_000;

/** Compares the unread counts in `room` frames with the model as it was after the newest event that they count. */
export function checkCounts(check: RoomCheck): void {
  const { room } = check;
  for (const { userId, last, read, unread, mentions } of sample(room.counts, MAX_COUNTS)) {
    const right = countUnread(userId, read, check, last);
    if (unread === right.unread && mentions === right.mentions) continue;
    const [found, wanted] = [`${unread} and ${mentions}`, `${right.unread} and ${right.mentions}`];
    room.violate('diverged', `a frame counted ${found} after ${read} of ${last}; right is ${wanted}`);
  }
}

/**
 * Counts the messages of others after a read mark that are not deleted, and those of them that concern this person, as they
 * were after event `last`.
 */
function countUnread(
  userId: string,
  read: number,
  check: RoomCheck,
  last = check.model.last,
): { unread: number; mentions: number } {
  const counts = { unread: 0, mentions: 0 };
  for (let id = read + 1; id <= last; id++) {
    const message = check.model.message(id);
    const state = message?.states.findLast(({ since }) => since <= last);
    if (!message || !state || message.user.id === userId || state.deleted !== undefined) continue;
    counts.unread++;
    if (concerns(userId, id, state, check)) counts.mentions++;
  }
  return counts;
}

/** Returns true when a message mentions the person by its text in this state, or replies to the person. */
function concerns(
  userId: string,
  id: number,
  state: TimedState | undefined,
  { room, model }: RoomCheck,
): boolean {
  const message = model.message(id);
  const target = message?.reply === undefined ? undefined : model.message(message.reply);
  if (target?.user.id === userId && message?.user.id !== userId) return true;
  const mentions = room.mentions.get(state?.edited ?? id) ?? [];
  return mentions.some((user) => user.id === userId);
}

/** One search finds all messages of a room that are not deleted; a text's own word finds only this message. */
async function checkSearch(http: HttpClient, checks: readonly RoomCheck[], history: History): Promise<void> {
  for (const check of checks) {
    const { room, model } = check;
    const found = await searchIndexed(http, COMMON_WORD, room, history);
    const present = [...model.messages()].filter(([id]) => !model.isDeleted(id)).map(([id]) => id);
    compareFound('a search', found, new Map([[room.name, new Set(present)]]), checks);
    const standing = sample(present).map((id) => [model.finalState(id)?.data ?? '', [id]] as const);
    const gone = [sample([...model.deletedTexts()]), sample([...model.replacedTexts()])].flat();
    for (const [text, ids] of [...standing, ...gone.map((text) => [text, []] as const)]) {
      if (text === '') continue; // of a message without a cid that was deleted before anyone received it
      const hits = await searchIndexed(http, wordOf(text), undefined, history);
      compareFound(`a search for "${wordOf(text)}"`, hits, new Map([[room.name, new Set(ids)]]), checks);
    }
  }
}

/** Searches again until the index is complete. */
async function searchIndexed(
  http: HttpClient,
  query: string,
  room: RoomHistory | undefined,
  history: History,
): Promise<FoundMessage[]> {
  for (const end = performance.now() + INDEX_TIMEOUT_MS; ; await sleep(INDEX_POLL_MS)) {
    const found = await readPages((before) => http.search(query, room?.name, before));
    if (found.complete) return found.messages;
    if (performance.now() < end) continue;
    history.violate('stuck', `the search for "${query}" is incomplete after ${INDEX_TIMEOUT_MS} ms`);
    return found.messages;
  }
}

async function checkMentions(
  http: HttpClient,
  checks: readonly RoomCheck[],
  history: History,
): Promise<void> {
  const expected = new Map<string, Set<number>>();
  for (const check of checks) {
    const ids = [...check.model.messages()].map(([id]) => id);
    const own = ids.filter(
      (id) => !check.model.isDeleted(id) && concerns(http.userId, id, check.model.finalState(id), check),
    );
    expected.set(check.room.name, new Set(own));
  }
  const { messages } = await readPages((before) => http.mentions(before));
  const name = history.people.currentName(http.userId);
  compareFound(`the list of mentions of ${name}`, messages, expected, checks);
}

async function readPages(
  read: (before: number | undefined) => Promise<FoundPage>,
): Promise<{ readonly messages: FoundMessage[]; readonly complete: boolean }> {
  const messages: FoundMessage[] = [];
  let complete = true;
  for (let before: number | undefined; ; ) {
    const page = await read(before);
    messages.push(...page.messages);
    complete &&= page.complete;
    if (page.next === undefined || page.next >= (before ?? Number.POSITIVE_INFINITY))
      return { messages, complete };
    before = page.next;
  }
}

/** `expected`: numbers of the messages that must be found, and no others, by room. */
function compareFound(
  source: string,
  found: readonly FoundMessage[],
  expected: ReadonlyMap<string, ReadonlySet<number>>,
  checks: readonly RoomCheck[],
): void {
  for (const check of checks) {
    const { room, model } = check;
    const missing = new Set(expected.get(room.name));
    const inRoom = found.filter((one) => one.room === room.name);
    let last = Number.POSITIVE_INFINITY;
    for (const { message } of inRoom) {
      const isExpected = missing.delete(message.id);
      const kind = model.isDeleted(message.id) ? 'not deleted' : 'diverged';
      if (!isExpected) room.violate(kind, `${source} found ${message.id}`);
      if (!(message.id < last)) room.violate('out of order', `${source} has ${message.id} after ${last}`);
      last = message.id;
      if (message.type === 'chat') checkMessage(source, message.id, message, check);
    }
    if (missing.size > 0)
      room.violate('diverged', `${source} did not find ${[...missing].slice(0, 5).join(', ')}`);
  }
}

/** Checks that names are found and that nobody else can take one. */
async function checkNames(writers: readonly Writer[], http: HttpClient, history: History): Promise<void> {
  for (const { http: owner } of sample(writers, SAMPLE.names)) {
    const name = history.people.currentName(owner.userId) ?? '';
    const found = await http.people(name);
    if (!found.some((user) => user.id === owner.userId && user.name === name))
      history.violate('diverged', `the name ${name} does not lead to its owner`);
    const result = await signIn(http.addresses, name);
    if (result !== 409) history.violate('invalid', `a stranger could sign in as ${name}`);
  }
}

/** Returns at most `size` elements, evenly spread, the last one among them. */
function sample<T>(list: readonly T[], size: number = SAMPLE.texts): T[] {
  const step = Math.max(1, list.length / size);
  const picked: T[] = [];
  for (let index = list.length - 1; index >= 0; index -= step)
    picked.push(...list.slice(Math.floor(index)).slice(0, 1));
  return picked;
}
