/**
 * The rules. Invariant: the same commands in the same order give the same storage on every node. So the rules use no clock,
 * no randomness and no I/O but the storage.
 */
import { mentionsIn } from '../shared/mentions.js';
import { dayMs, type ErrorCode, LIMITS, type Problem, type User } from '../shared/protocol.js';
import { skeleton } from './names.js';
import {
  type ChangeCommand,
  type Command,
  type EnterCommand,
  type EventCommand,
  type ExpireCommand,
  type LinkCommand,
  type Message,
  type MessageCommand,
  type PeopleStorage,
  type Person,
  type ReadCommand,
  type RedeemCommand,
  type Result,
  type SignInCommand,
  type SignOutCommand,
  type Storage,
  StorageError,
  type StoredCommand,
} from './types.js';
import { maskUnassigned } from './unicode.js';

/** The server sends a person the unread counts of at most this many rooms. */
const maxFollowedRooms = 500;
/** How long a name is reserved for its owner after their last visit or their sign-out. */
const nameReservationMs = { posted: 30 * dayMs, silent: dayMs } as const;
/** Minimum time between two updates of `lastSeen`, because each one is a write. */
const lastSeenIntervalMs = { posted: dayMs, silent: 15 * 60_000 } as const;

const problems = {
  nameLost: {
    code: 'signed_out',
    message: 'Somebody else took your name while you were away. Sign in with another.',
  },
  signedOut: { code: 'signed_out', message: 'You are signed out. Sign in again.' },
  noMessage: { code: 'no_message', message: 'There is no message with this number in this room.' },
  deleted: { code: 'deleted', message: 'This message was deleted.' },
  expired: { code: 'deleted', message: 'This message has expired.' },
  notAuthor: { code: 'not_yours', message: 'Only the author can edit or delete a message.' },
  noReaction: { code: 'not_there', message: 'You have not added this reaction.' },
} as const satisfies Readonly<Record<string, Problem>>;

/**
 * Applies a batch in one transaction. Returns the results in the order of the commands. When the disk fails, every command
 * is rejected. When a command throws, only that command is rejected.
 */
export function applyBatch(commands: readonly Command[], storage: Storage, onBug: OnBug): readonly Result[] {
  try {
    return applyEntries(commands, undefined, storage, onBug);
  } catch (error) {
    if (error instanceof StorageError) return commands.map(storageRejection);
    onBug(error);
    return commands.map(internalRejection);
  }
}

type OnBug = (error: unknown) => void;

/**
 * Applies entries of a shared order in one transaction, with their position. They cannot be rejected for a reason of this
 * machine, because other machines apply them. @throws StorageError, or a bug of the storage: nothing was stored
 */
export function applyEntries(
  commands: readonly Command[],
  position: string | undefined,
  storage: Storage,
  onBug: OnBug,
): readonly Result[] {
  try {
    return storage.transaction(() => commands.map((command) => apply(command, storage)), position);
  } catch (error) {
    if (error instanceof StorageError) throw error;
  }
  return storage.transaction(() => commands.map((command) => applyAlone(command, storage, onBug)), position);
}

/** Undoes a command that throws, and rejects it. Invariant: the same command throws on every node. */
function applyAlone(command: Command, storage: Storage, onBug: OnBug): Result {
  try {
    return storage.attempt(() => apply(command, storage));
  } catch (error) {
    if (error instanceof StorageError) throw error;
    onBug(error);
    return internalRejection();
  }
}

/** Time never goes back, whichever node accepted a command: a command counts as made at the newest stored time or later. */
export function apply(command: Command, storage: Storage): Result {
  const { newestTime } = storage;
  return applyInOrder(command.at < newestTime ? { ...command, at: newestTime } : command, storage);
}

function applyInOrder(command: Command, storage: Storage): Result {
  switch (command.kind) {
    case 'message':
    case 'change':
      return applyEventCommand(command, storage);
    case 'sign-in':
      return signIn(command, storage);
    case 'sign-out':
      return signOut(command, storage);
    case 'link':
      return makeLink(command, storage);
    case 'redeem':
      return redeemLink(command, storage);
    case 'seen':
      updateLastSeen(ensurePerson(command, storage), command.at, storage);
      return { kind: 'seen' };
    case 'enter':
      return enterRoom(command, storage);
    case 'read':
      return markRead(command, storage);
    case 'expire':
      return expire(command, storage);
  }
}

function applyEventCommand(command: EventCommand, storage: Storage): Result {
  const person = ensurePerson(command, storage);
  if (person.signedOut) return rejection(problems.signedOut);
  if (!person.ownsName) return rejection(problems.nameLost);
  const stored = command.cid === undefined ? undefined : storage.events.findByCid(person, command.cid);
  if (stored) return deduplicate(command, stored);
  const result =
    command.kind === 'message'
      ? postMessage(command, person, storage)
      : changeMessage(command, person, storage);
  if (result.kind === 'accepted') updateLastSeen(person, command.at, storage);
  return result;
}

function postMessage(command: MessageCommand, person: Person, storage: Storage): Result {
  const { room, reply } = command;
  const target = reply === undefined ? undefined : storage.events.message(room, reply);
  if (reply !== undefined && !target) return rejection(problems.noMessage);
  if (target?.deleted) return rejection(problems.deleted);
  if (target?.expired) return rejection(problems.expired);
  const mentions = findMentions(command.data, storage.people);
  const event = storage.events.append(room, person, mentions ? { ...command, mentions } : command);
  storage.memberships.addPost(room, person, event.id);
  if (!person.hasPosted) storage.people.setPosted(person);
  const mentionedIds = [...(mentions ?? []).map(({ id }) => id), ...(target ? [target.author] : [])];
  const messageCount = storage.events.messageCount(room);
  return { kind: 'accepted', room, event, mentioned: uniqueExcept(mentionedIds, person), messageCount };
}

/** Returns the people that a text mentions as `@Name`, compared by skeleton: each once, in text order, at most 20. */
export function findMentions(
  text: string,
  people: Pick<PeopleStorage, 'ownerOf'>,
): readonly User[] | undefined {
  if (!/[@＠]/.test(text)) return undefined; // most texts
  const found = new Map<string, User>();
  for (const { user } of mentionsIn(maskUnassigned(text), (name) => people.ownerOf(skeleton(name)))) {
    found.set(user.id, { id: user.id, name: user.name });
    if (found.size === LIMITS.mentionsPerMessage) break;
  }
  return found.size > 0 ? [...found.values()] : undefined;
}

/** Removes duplicates and the person themselves. */
function uniqueExcept(ids: readonly string[], person: Person): readonly string[] {
  if (ids.length === 0) return ids;
  return [...new Set(ids)].filter((id) => id !== person.id);
}

/** The first command with a cid stands. The same command again returns its event; another command is a conflict. */
function deduplicate(command: EventCommand, stored: StoredCommand): Result {
  const { room, event, target, data } = stored;
  const [type, to, reply] =
    command.kind === 'message'
      ? ['chat', undefined, command.reply]
      : [command.type, command.target, undefined];
  const same = room === command.room && event.type === type && target === to;
  if (same && (data === undefined || (data === command.data && stored.reply === reply)))
    return { kind: 'duplicate', room, event };
  return reject('cid_conflict', 'This cid was already used for another command. Choose a new one.');
}

function enterRoom(command: EnterCommand, storage: Storage): Result {
  const person = ensurePerson(command, storage);
  if (!person.signedOut) storage.memberships.enter(command.room, person);
  const rooms = storage.memberships.rooms(person, maxFollowedRooms);
  return { kind: 'entered', user: command.user, rooms };
}

function markRead(command: ReadCommand, storage: Storage): Result {
  const person = ensurePerson(command, storage);
  if (person.signedOut) return rejection(problems.signedOut);
  const { room, user } = command;
  return { kind: 'read', room, user, mark: storage.memberships.advanceReadMark(room, person, command.id) };
}

function expire({ room, through, at }: ExpireCommand, storage: Storage): Result {
  storage.events.expire(room, through, at);
  return { kind: 'expired', room };
}

function signIn(command: SignInCommand, storage: Storage): Result {
  const { user, generation, skeleton: wanted, at } = command;
  const person = storage.people.person(user.id);
  if (person && isOver(person, generation)) return { kind: 'session-over' };
  const owner = storage.people.ownerOf(wanted);
  const displaced = owner && owner.id !== user.id ? owner : undefined;
  if (displaced && at - displaced.lastSeen < nameReservationMs[activity(displaced)])
    return { kind: 'name-taken' };
  if (displaced) storage.people.freeName(displaced);
  if (person) storage.people.rename(person, user.name, wanted, Math.max(at, person.lastSeen));
  else storage.people.addPerson(user, wanted, at);
  return {
    kind: 'signed-in',
    user,
    generation: person?.generation ?? 0,
    before: person && { id: person.id, name: person.name },
    displaced: displaced && { id: displaced.id, name: displaced.name },
  };
}

/** Whether a sign-out has ended the session of a cookie. */
function isOver(person: Person, generation: number | undefined): boolean {
  return person.signedOut || generation === undefined || generation < person.generation;
}

function signOut({ user, generation, link, at }: SignOutCommand, storage: Storage): Result {
  const person = ensurePerson({ user, at }, storage);
  if (isOver(person, generation)) return { kind: 'session-over' };
  const seen = Math.max(at, person.lastSeen);
  storage.people.signOut(person, Math.max(generation, person.generation) + 1, seen);
  if (link) storage.people.setLink(person, link, at);
  else {
    storage.people.deleteLink(person, at);
    storage.memberships.leaveAll(person); // nobody can come back
  }
  return { kind: 'signed-out', user };
}

function makeLink({ user, generation, link, at }: LinkCommand, storage: Storage): Result {
  const person = ensurePerson({ user, at }, storage);
  if (isOver(person, generation)) return { kind: 'session-over' };
  storage.people.setLink(person, link, at);
  return { kind: 'linked' };
}

function redeemLink({ hash, at }: RedeemCommand, storage: Storage): Result {
  const link = storage.people.findLink(hash);
  if (!link || at >= link.expires) return { kind: 'link-over' };
  const { person } = link;
  storage.people.deleteLink(person, at);
  if (person.signedOut) signBackIn(person, at, storage);
  else updateLastSeen(person, at, storage);
  const { id, name, generation } = person;
  return { kind: 'redeemed', user: { id, name }, generation };
}

/** Restores the name too, unless somebody else has taken it. */
function signBackIn(person: Person, at: number, storage: Storage): void {
  const shape = skeleton(person.name);
  const owner = storage.people.ownerOf(shape);
  const isFree = !owner || owner.id === person.id;
  storage.people.signBackIn(person, isFree ? shape : null, Math.max(at, person.lastSeen));
}

/** Returns the person of a signed cookie. Adds the person if a restored backup lacks them, with their name if it is free. */
function ensurePerson(command: Pick<MessageCommand, 'user' | 'at'>, storage: Storage): Person {
  const person = storage.people.person(command.user.id);
  if (person) return person;
  const shape = skeleton(command.user.name);
  return storage.people.addPerson(command.user, storage.people.ownerOf(shape) ? null : shape, command.at);
}

function activity({ hasPosted }: Pick<Person, 'hasPosted'>): 'posted' | 'silent' {
  return hasPosted ? 'posted' : 'silent';
}

/** Whether `lastSeen` is old enough to be written again. */
export function isLastSeenDue(person: Pick<Person, 'hasPosted' | 'lastSeen'>, at: number): boolean {
  return at - person.lastSeen > lastSeenIntervalMs[activity(person)];
}

function updateLastSeen(person: Person, at: number, storage: Storage): void {
  if (isLastSeenDue(person, at)) storage.people.updateLastSeen(person, at);
}

function storageRejection(): Result {
  return reject('storage', 'The server could not save this. Try again soon.');
}

function internalRejection(): Result {
  return reject('internal', 'Internal error. Please try again; the server has logged it.');
}

function reject(code: ErrorCode, message: string): Result {
  return rejection({ code, message });
}

function rejection(problem: Problem): Result {
  return { kind: 'rejected', problem };
}

/** Edits and deletes one's own messages, and adds and removes one's own reactions. A deleted message cannot change. */
function changeMessage(command: ChangeCommand, person: Person, storage: Storage): Result {
  const message = storage.events.message(command.room, command.target);
  const problem = message ? validateChange(command, message, person, storage) : problems.noMessage;
  if (!message || problem) return { kind: 'rejected', problem: problem ?? problems.noMessage };
  const mentions = command.type === 'edit' ? findMentions(command.data, storage.people) : undefined;
  const isText = command.type === 'edit' || command.type === 'delete';
  const before = isText ? storage.events.mentionedBy(message) : [];
  const event = storage.events.appendChange(message, person, mentions ? { ...command, mentions } : command);
  const after = isText ? storage.events.mentionedBy(message) : [];
  const mentioned = uniqueExcept([...before, ...after], person);
  const { room } = command;
  return { kind: 'accepted', room, event, mentioned, messageCount: storage.events.messageCount(room) };
}

function validateChange(
  { type, data }: ChangeCommand,
  message: Message,
  person: Person,
  storage: Storage,
): Problem | undefined {
  if (message.deleted) return problems.deleted;
  if (message.expired) return problems.expired;
  switch (type) {
    case 'edit':
    case 'delete':
      return message.author === person.id ? undefined : problems.notAuthor;
    case 'react':
      return validateReaction(message, storage.events.hasReaction(message, person, data));
    case 'unreact':
      return storage.events.hasReaction(message, person, data) ? undefined : problems.noReaction;
  }
}

function validateReaction(message: Message, exists: boolean): Problem | undefined {
  if (exists) return { code: 'already_there', message: 'You already added this reaction.' };
  if (message.reactions < LIMITS.reactionsPerMessage) return undefined;
  return {
    code: 'too_many_reactions',
    message: `A message can have at most ${LIMITS.reactionsPerMessage} reactions.`,
  };
}
