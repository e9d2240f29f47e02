/**
 * The rules. Applying is deterministic: the same commands in the same order make the same book on every node. No clock,
 * no randomness, no I/O but the book. A beat is applied in one transaction; its outcomes are in the order of its commands.
 */
import type { ErrorCode, Problem } from '../protocol.js';
import { type Book, type Kept, type Person, StorageError } from './book.js';
import { change } from './change.js';
import type { Command, Enter, Outcome, Post, Read, Say, SignIn, SignOut } from './command.js';
import { mentionsIn } from './mentions.js';
import { skeleton } from './name.js';

const DAY = 24 * 3600 * 1000;
/** A name is given free when its owner was not seen for this long. */
export const NAME_KEPT = 30 * DAY;

/**
 * Applies a beat. When the disk refuses, every command of it is refused. When one command meets a bug of ours, the
 * others are applied one by one, so that only that one pays; `onBug` is told.
 */
export function applyBeat(
  commands: readonly Command[],
  book: Book,
  onBug: (error: unknown) => void,
): readonly Outcome[] {
  try {
    return book.transaction(() => commands.map((command) => apply(command, book)));
  } catch (error) {
    if (error instanceof StorageError) return commands.map(notKept);
    if (commands.length > 1) return commands.flatMap((command) => applyBeat([command], book, onBug));
    onBug(error);
    return [refused('internal', 'This command met an error of ours; it was logged.')];
  }
}

export function apply(command: Command, book: Book): Outcome {
  switch (command.kind) {
    case 'say':
    case 'change':
      return post(command, book);
    case 'sign-in':
      return signIn(command, book);
    case 'sign-out':
      return signOut(command, book);
    case 'seen':
      touch(known(command, book), command.at, book);
      return { kind: 'seen' };
    case 'enter':
      return enter(command, book);
    case 'read':
      return read(command, book);
  }
}

function post(command: Post, book: Book): Outcome {
  const person = known(command, book);
  if (person.signedOut) return refusal(SIGNED_OUT);
  const kept = command.cid === undefined ? undefined : book.log.kept(person, command.cid);
  if (kept) return again(command, kept);
  const outcome = command.kind === 'say' ? say(command, person, book) : change(command, person, book);
  if (outcome.kind === 'said') touch(person, command.at, book);
  return outcome;
}

function say(command: Say, person: Person, book: Book): Outcome {
  const mentions = mentionsIn(command.data, book.people);
  const event = book.log.append(command.room, person, mentions ? { ...command, mentions } : command);
  return { kind: 'said', room: command.room, event };
}

/** The first command of a cid stands, for ever; the same once more gets its number, another one is refused. */
function again(command: Post, { room, event, target, data }: Kept): Outcome {
  const [type, to] = command.kind === 'say' ? ['chat', undefined] : [command.type, command.target];
  const same = room === command.room && event.type === type && target === to;
  if (same && (data === undefined || data === command.data)) return { kind: 'repeated', room, event };
  return refused('cid_conflict', 'This cid was used before for something else: choose a new one.');
}

function enter(command: Enter, book: Book): Outcome {
  const person = known(command, book);
  if (!person.signedOut) book.members.enter(command.room, person);
  return { kind: 'entered' };
}

function read(command: Read, book: Book): Outcome {
  const person = known(command, book);
  if (person.signedOut) return refusal(SIGNED_OUT);
  const { room, user } = command;
  return { kind: 'read', room, user, mark: book.members.read(room, person, command.id) };
}

function signIn({ user, skeleton: wanted, at }: SignIn, book: Book): Outcome {
  const owner = book.people.ownerOf(wanted);
  if (owner && owner.id !== user.id) {
    if (at - owner.seen < NAME_KEPT) return { kind: 'taken' };
    book.people.freeName(owner);
  }
  const person = book.people.person(user.id);
  if (person) book.people.rename(person, user.name, wanted, Math.max(at, person.seen));
  else book.people.addPerson(user, wanted, at);
  return { kind: 'signed-in', user, before: person && { id: person.id, name: person.name } };
}

function signOut(command: SignOut, book: Book): Outcome {
  const person = book.people.person(command.user.id) ?? book.people.addPerson(command.user, null, 0);
  book.people.signOut(person);
  book.members.leaveAll(person);
  return { kind: 'signed-out', user: command.user };
}

/** The person behind a signed cookie. One that the book lacks (it was restored) is written in, the name if it is free. */
function known(command: Pick<Say, 'user' | 'at'>, book: Book): Person {
  const person = book.people.person(command.user.id);
  if (person) return person;
  const shape = skeleton(command.user.name);
  return book.people.addPerson(command.user, book.people.ownerOf(shape) ? null : shape, command.at);
}

/** To the day is enough, and spares a write for every message. */
function touch(person: Person, at: number, book: Book): void {
  if (at - person.seen > DAY) book.people.touch(person, at);
}

function notKept(): Outcome {
  return refused('storage', 'The message could not be kept on disk; try again soon.');
}

const SIGNED_OUT: Problem = { code: 'signed_out', message: 'You have signed out: sign in again.' };

function refused(code: ErrorCode, message: string): Outcome {
  return refusal({ code, message });
}

function refusal(problem: Problem): Outcome {
  return { kind: 'refused', problem };
}
