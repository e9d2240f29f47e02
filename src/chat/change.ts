/** What may be done to a message: edit and delete one's own, react to any once of a kind; nothing to a deleted one. */
import { LIMITS, type Problem } from '../protocol.js';
import type { Book, Message, Person } from './book.js';
import type { Change, Outcome } from './command.js';
import { mentionsIn } from './mentions.js';

export function change(command: Change, person: Person, book: Book): Outcome {
  const message = book.log.message(command.room, command.target);
  const problem = message ? objection(command, message, person, book) : NO_MESSAGE;
  if (!message || problem) return { kind: 'refused', problem: problem ?? NO_MESSAGE };
  const mentions = command.type === 'edit' ? mentionsIn(command.data, book.people) : undefined;
  const event = book.log.change(message, person, mentions ? { ...command, mentions } : command);
  return { kind: 'said', room: command.room, event };
}

const NO_MESSAGE: Problem = { code: 'no_message', message: 'There is no message with this number here.' };

function objection(
  { type, data }: Change,
  message: Message,
  person: Person,
  book: Book,
): Problem | undefined {
  if (message.deleted) return { code: 'deleted', message: 'This message was deleted.' };
  switch (type) {
    case 'edit':
    case 'delete':
      return message.author === person.id ? undefined : NOT_YOURS;
    case 'react':
      return objectionToReaction(message, book.log.reacted(message, person, data));
    case 'unreact':
      return book.log.reacted(message, person, data) ? undefined : NOT_THERE;
  }
}

function objectionToReaction(message: Message, stands: boolean): Problem | undefined {
  if (stands) return { code: 'already_there', message: 'You have reacted like this already.' };
  if (message.reactions < LIMITS.reactions) return undefined;
  return { code: 'too_many_reactions', message: `A message takes at most ${LIMITS.reactions} reactions.` };
}

const NOT_YOURS: Problem = { code: 'not_yours', message: 'You can edit and delete your own messages only.' };
const NOT_THERE: Problem = { code: 'not_there', message: 'You have no such reaction on this message.' };
