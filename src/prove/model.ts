/**
 * The model: the rules of docs/protocol.md, implemented a second time. It shares no code with the server's rules or the
 * page's reducer, because both are under test. It knows the state of every message after every event.
 */
import { LIMITS, type PostCommand, type Reaction, type User } from '../shared/protocol.js';
import type { MessageState } from './history.js';

/** A message's state from event `since` on. */
export interface TimedState extends Omit<MessageState, 'reactions' | 'mentions' | 'reply'> {
  readonly since: number;
  readonly reactions: readonly Reaction[];
}

export interface ModelMessage {
  readonly user: User;
  /** number of the message that it replies to */
  readonly reply: number | undefined;
  /** texts of the message and of its edits, as sent */
  readonly texts: string[];
  readonly states: TimedState[];
}

type Change = Exclude<PostCommand, { readonly type: 'chat' }>;

export class Model {
  /** number of the newest event */
  last = 0;
  readonly #messages = new Map<number, ModelMessage>();

  /** Applies the command that became event `id`. Returns the code with which it should have been rejected, if any. */
  apply(id: number, user: User, command: PostCommand): string | undefined {
    const author = user.id;
    this.last = id;
    if (command.type === 'chat') {
      const state = { since: id, data: command.data, reactions: [] };
      const code = this.rejection(command, author, id);
      this.#messages.set(id, { user, reply: command.reply, texts: [command.data], states: [state] });
      return code;
    }
    const code = this.rejection(command, author, id);
    const message = this.#messages.get(command.target);
    const before = message?.states.at(-1);
    if (code !== undefined || !message || !before) return code;
    if (command.type === 'edit') message.texts.push(command.data);
    message.states.push({ ...nextState(before, command, id, user), since: id });
    return undefined;
  }

  /** Returns the code with which the rules reject the command right after event `after`; undefined when they allow it. */
  rejection(command: PostCommand, author: string, after: number): string | undefined {
    const target = command.type === 'chat' ? command.reply : command.target;
    if (target === undefined) return undefined;
    const message = this.#messages.get(target);
    const state = message?.states.findLast(({ since }) => since <= after);
    if (!message || !state) return 'no_message';
    if (state.deleted !== undefined) return 'deleted';
    if (command.type === 'chat') return undefined;
    if (command.type === 'edit' || command.type === 'delete')
      return message.user.id === author ? undefined : 'not_yours';
    const given = state.reactions.some(({ user, data }) => user.id === author && data === command.data);
    if (command.type === 'unreact') return given ? undefined : 'not_there';
    if (given) return 'already_there';
    return state.reactions.length < LIMITS.reactionsPerMessage ? undefined : 'too_many_reactions';
  }

  /** Returns all messages in the order of their numbers. */
  messages(): Iterable<readonly [id: number, message: Readonly<ModelMessage>]> {
    return this.#messages;
  }

  message(id: number): Readonly<ModelMessage> | undefined {
    return this.#messages.get(id);
  }

  finalState(id: number): TimedState | undefined {
    return this.#messages.get(id)?.states.at(-1);
  }

  isDeleted(id: number): boolean {
    return this.finalState(id)?.deleted !== undefined;
  }

  /** Returns all texts that an edit replaced, of messages that are not deleted. */
  *replacedTexts(): Iterable<string> {
    for (const [id, { texts }] of this.#messages) {
      const current = this.finalState(id)?.data;
      if (!this.isDeleted(id)) yield* texts.filter((text) => text !== current);
    }
  }

  /** Returns all texts of deleted messages and of their edits. */
  *deletedTexts(): Iterable<string> {
    for (const [id, { texts }] of this.#messages) if (this.isDeleted(id)) yield* texts;
  }
}

function nextState(
  { data, edited, reactions }: TimedState,
  change: Change,
  id: number,
  user: User,
): Omit<TimedState, 'since'> {
  const edit = edited === undefined ? {} : { edited };
  switch (change.type) {
    case 'edit':
      return { data: change.data, edited: id, reactions };
    case 'delete':
      return { data: '', deleted: id, reactions: [] };
    case 'react': {
      const reaction = { id, user, data: change.data };
      return { data, ...edit, reactions: [...reactions, reaction] };
    }
    case 'unreact': {
      const isRemoved = (one: Reaction): boolean => one.user.id === user.id && one.data === change.data;
      return { data, ...edit, reactions: reactions.filter((one) => !isRemoved(one)) };
    }
  }
}
