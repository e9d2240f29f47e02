/** One message of the log, and one that is on its way. Texts are text nodes in a <bdi>, whatever they hold. */
import { Component } from 'preact';
import type { ChatEvent, User } from '../../protocol.js';
import type { Letter } from '../state/letter.js';
import { Avatar } from './avatar.js';
import { ClockIcon } from './icons.js';
import { Time } from './when.js';

interface MessageProps {
  readonly event: ChatEvent;
  readonly leads: boolean;
  readonly mine: boolean;
}

/** Events never change: a row is drawn once, which is what keeps a busy room cheap. */
export class Message extends Component<MessageProps> {
  override shouldComponentUpdate(next: MessageProps): boolean {
    const { event, leads, mine } = this.props;
    return next.event !== event || next.leads !== leads || next.mine !== mine;
  }

  override render({ event, leads, mine }: MessageProps) {
    return (
      <li class={`message${leads ? ' leads' : ''}${mine ? ' mine' : ''}`} data-id={event.id}>
        <span class="number">
          <span class="unseen">Number </span>
          {event.id}
        </span>
        <By user={event.user} leads={leads} />
        <span class="time">
          <Time at={event.at} />
        </span>
        <bdi class="text">{event.data}</bdi>
      </li>
    );
  }
}

function By({ user, leads }: { user: User; leads: boolean }) {
  return (
    <>
      {leads && <Avatar user={user} />}
      <bdi class={leads ? 'name' : 'name unseen'}>{user.name}</bdi>
    </>
  );
}

interface PendingProps {
  readonly letter: Letter;
  readonly again: (cid: string) => void;
  readonly drop: (cid: string) => void;
}

/** What was said and is not in the log: it is being saved, waits, or was refused. */
export function Pending({ letter, again, drop }: PendingProps) {
  const { cid, data, problem } = letter;
  const state = stateOf(letter);
  return (
    <li class={`message pending ${state}`} data-cid={cid}>
      <span class="number">
        <ClockIcon />
      </span>
      <span class="name unseen">You</span>
      <bdi class="text">{data}</bdi>
      {problem && (
        <p class="why" role="alert">
          <span>Not sent. {problem.message}</span>
          <button type="button" onClick={() => again(cid)}>
            Send again
          </button>
          <button type="button" onClick={() => drop(cid)}>
            Drop
          </button>
        </p>
      )}
      {state === 'unkept' && (
        <p class="why" role="alert">
          This browser cannot save it. Leave this page open until it is sent.
        </p>
      )}
      {(state === 'saving' || state === 'waiting') && (
        <span class="time">{state === 'saving' ? 'saving…' : 'waiting'}</span>
      )}
    </li>
  );
}

function stateOf({ problem, unkept, seq }: Letter): 'refused' | 'unkept' | 'saving' | 'waiting' {
  if (problem) return 'refused';
  if (unkept) return 'unkept';
  return seq === undefined ? 'saving' : 'waiting';
}
