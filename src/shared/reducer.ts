/**
 * Applies changes to messages, for the page and for the tests of the server's own state. Pure.
 *
 * Invariant: applying a change again, or one that the message shows already, changes nothing in the end. So a page with
 * the current state and all events after it always lead to the same messages.
 */
import { type ChangeEvent, type ChatEvent, type EditEvent, LIMITS, type ReactEvent } from './protocol.js';
import { excerpt } from './text.js';

/** Whether the text of a message is gone: deleted, or dropped by retention. */
export function isGone({ deleted, expired }: ChatEvent): boolean {
  return deleted !== undefined || expired === true;
}

/** Returns the message after a change of it; the same object when nothing changed. */
export function applyChange(message: ChatEvent, change: ChangeEvent): ChatEvent {
  if (isGone(message)) return message;
  switch (change.type) {
    case 'edit':
      return applyEdit(message, change);
    case 'delete':
      return applyDelete(message, change.id);
    case 'react':
      return applyReact(message, change);
    case 'unreact':
      return applyUnreact(message, change);
  }
}

/** Returns a message after a change of the message that it replies to; the same object when nothing changed. */
export function applyToReply(message: ChatEvent, change: ChangeEvent): ChatEvent {
  const { reply } = message;
  if (!reply || reply.id !== change.target || reply.data === '') return message;
  if (change.type !== 'delete' && (change.type !== 'edit' || change.data === '')) return message;
  const data = change.type === 'delete' ? '' : excerpt(change.data, LIMITS.replyCodePoints);
  return { ...message, reply: { ...reply, data } };
}

function applyEdit(message: ChatEvent, { id, data, mentions }: EditEvent): ChatEvent {
  if ((message.edited ?? 0) >= id || data === '') return message; // '': the deletion follows
  const { mentions: _before, ...rest } = message;
  return { ...rest, data, edited: id, ...(mentions ? { mentions } : {}) };
}

/** A deleted message keeps its number, author, time and cid. */
function applyDelete({ id, user, at, cid }: ChatEvent, deletion: number): ChatEvent {
  return { id, type: 'chat', user, data: '', at, ...(cid === undefined ? {} : { cid }), deleted: deletion };
}

function applyReact(message: ChatEvent, { id, user, data }: ReactEvent): ChatEvent {
  const before = message.reactions ?? [];
  if (before.some((one) => one.user.id === user.id && one.data === data)) return message;
  const reactions = [...before, { id, user, data }].sort((a, b) => a.id - b.id);
  return { ...message, reactions };
}

function applyUnreact(message: ChatEvent, { id, user, data }: ReactEvent): ChatEvent {
  const before = message.reactions ?? [];
  const gone = before.find((one) => one.user.id === user.id && one.data === data);
  if (!gone || gone.id > id) return message; // added again later: this change is an old one
  const { reactions: _before, ...rest } = message;
  const reactions = before.filter((one) => one !== gone);
  return reactions.length === 0 ? rest : { ...rest, reactions };
}
