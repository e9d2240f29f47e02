/**
 * The history of a run: every command that was sent, every answer, and every event that a reader received. Each event is
 * compared with its first observation at once, so all readers agree and the memory of one is enough. Only a message's
 * changeable state may differ between observations.
 */

import type { ChatEvent, PostCommand, RoomEvent } from '../shared/protocol.js';
import { applyChange } from '../shared/reducer.js';
import { abbreviate, cidOfText } from './generator.js';

export type ViolationKind =
  | 'lost'
  | 'duplicated'
  | 'out of order'
  | 'diverged'
  | 'not deleted'
  | 'inconsistent'
  | 'wrongly rejected'
  | 'stuck'
  | 'invalid';

export interface Violation {
  readonly kind: ViolationKind;
  readonly evidence: string;
}

/** A command from its first sending to its answer. */
export interface Invocation {
  readonly author: string;
  readonly command: PostCommand;
  /** position among the author's commands on the socket; undefined when it was sent over HTTP too, which has no order */
  readonly socketSeq: number | undefined;
  /** logical time of the first sending */
  readonly invokedAt: number;
  /** number in its acknowledgment */
  ackedId: number | undefined;
  /** number of the event that readers received */
  observedId: number | undefined;
  rejected: boolean;
}

/** The rules rejected a command somewhere after event `after` and before logical time `receivedAt`. */
export interface Rejection {
  readonly cid: string;
  readonly code: string;
  readonly after: number;
  readonly receivedAt: number;
}

export class History {
  /** by cid, which is unique over all writers */
  readonly invocations = new Map<string, Invocation>();
  readonly rejections: Rejection[] = [];
  /** by number: the unchangeable part of each event, as it was first observed */
  readonly events: string[] = [''];
  /** every state in which any reader received a message */
  readonly observedStates = new MessageStates();
  /** states of messages in the readers' views */
  readonly viewStates = new MessageStates();
  /** targets of the edits that were observed without text, by the edit's number: they must be deleted */
  readonly emptyEdits = new Map<number, number>();
  readonly violations: Violation[] = [];
  /** milliseconds from a connection lost by a kill to the next hello */
  readonly reconnectTimes: number[] = [];
  acknowledged = 0;
  resent = 0;
  disconnects = 0;
  readonly #deletedAt = new Map<number, number>();
  #clock = 0;

  violate(kind: ViolationKind, evidence: string): void {
    this.violations.push({ kind, evidence: abbreviate(evidence) });
  }

  countViolations(...kinds: readonly ViolationKind[]): number {
    return this.violations.filter(({ kind }) => kinds.includes(kind)).length;
  }

  /** Number of the newest event observed. What is sent from now on comes after it. */
  get last(): number {
    return this.events.length - 1;
  }

  /** Advances the logical clock, so that any two times are ordered. */
  tick(): number {
    return ++this.#clock;
  }

  invoke(cid: string, author: string, command: PostCommand, socketSeq: number | undefined): void {
    const unanswered = { ackedId: undefined, observedId: undefined, rejected: false };
    this.invocations.set(cid, { author, command, socketSeq, invokedAt: this.tick(), ...unanswered });
  }

  /** A reader that is at `last`, over a connection opened at logical time `connectedAt`, receives an event. */
  observe(reader: string, last: number, event: RoomEvent, connectedAt: number): void {
    const { id } = event;
    if (id !== last + 1) {
      const kind = id <= last ? 'duplicated' : 'out of order';
      this.violate(kind, `${reader} received ${id} after ${last}`);
    }
    const line = describeEvent(event);
    const first = this.events[id];
    if (first === undefined) this.#observeFirst(event, line);
    else if (first !== line)
      this.violate('inconsistent', `${id} was first received as "${first}", by ${reader} as "${line}"`);
    this.#checkText(reader, event, connectedAt);
  }

  acknowledge(cid: string, id: number): void {
    const invocation = this.invocations.get(cid);
    if (!invocation) this.violate('invalid', `${cid} was acknowledged but never sent`);
    else if (invocation.ackedId === undefined) {
      invocation.ackedId = id;
      this.acknowledged++;
    } else if (invocation.ackedId !== id) {
      this.violate('duplicated', `${cid} was acknowledged as ${invocation.ackedId} and as ${id}`);
    }
  }

  /** `after`: number of the newest event when the command was sent. */
  reject(cid: string, code: string, after: number): void {
    const invocation = this.invocations.get(cid);
    if (invocation) invocation.rejected = true;
    this.rejections.push({ cid, code, after, receivedAt: this.tick() });
  }

  #observeFirst(event: RoomEvent, line: string): void {
    this.events[event.id] = line;
    if (event.type === 'delete') this.#deletedAt.set(event.target, this.tick());
    const cid = cidOf(event);
    const invocation = this.invocations.get(cid);
    if (!invocation) return; // the checker reports an event that nobody sent
    if (invocation.observedId !== undefined)
      this.violate('duplicated', `${cid} was received as ${invocation.observedId} and as ${event.id}`);
    invocation.observedId ??= event.id;
  }

  /** Compares the text with the command that brought it, and with the deletions before this connection. */
  #checkText(reader: string, event: RoomEvent, connectedAt: number): void {
    if (event.type !== 'chat' && event.type !== 'edit') return;
    if (event.type === 'chat') this.observedStates.intern(event);
    else if (event.data === '') this.emptyEdits.set(event.id, event.target);
    if (event.data === '') return;
    const sender = this.invocations.get(cidOfText(event.data) ?? '');
    if (sender === undefined || textOf(sender.command) !== event.data)
      this.violate('inconsistent', `${reader} received ${event.id} as "${event.data}", which nobody sent`);
    const message = event.type === 'chat' ? event.id : event.target;
    if (connectedAt > (this.#deletedAt.get(message) ?? Number.POSITIVE_INFINITY)) {
      const late = `${reader}, which connected after the deletion of ${message}`;
      this.violate('not deleted', `${late}, received "${event.data}"`);
    }
  }
}

/** Returns the cid of an event. A text starts with it too, so an event cannot hide it. */
export function cidOf(event: RoomEvent): string {
  const text = event.type === 'chat' || event.type === 'edit' ? event.data : '';
  return event.cid ?? cidOfText(text) ?? '';
}

function textOf(command: PostCommand): string | undefined {
  return command.type === 'chat' || command.type === 'edit' ? command.data : undefined;
}

/** Returns the part of an event that never changes, to compare and to show. */
export function describeEvent(event: RoomEvent): string {
  const { type, user, cid = 'no cid', at } = event;
  const target = type === 'chat' ? '' : ` of ${event.target}`;
  const emoji = type === 'react' || type === 'unreact' ? ` ${event.data}` : '';
  return `${type}${target}${emoji} by ${user.id}, ${cid}, ${at}`;
}

/** The part of a message that changes may alter. */
export type MessageState = Pick<ChatEvent, 'data' | 'edited' | 'deleted' | 'reactions'>;

/** Returns the changeable part of a message, to compare and to show. */
export function describeState({ data, edited, deleted, reactions = [] }: MessageState): string {
  const changes = [
    ...(edited === undefined ? [] : [`edited by ${edited}`]),
    ...(deleted === undefined ? [] : [`deleted by ${deleted}`]),
    ...reactions.map(({ id, user, data: emoji }) => `${emoji} of ${user.id} (${id})`),
  ];
  return [`"${data}"`, ...changes].join(', ');
}

/** The distinct states of each message. Equal states are stored once, because all readers see the same ones. */
export class MessageStates {
  readonly #states: (ChatEvent[] | undefined)[] = [];

  /** Returns the stored message in this state, and stores this one if there is none. */
  intern(message: ChatEvent): ChatEvent {
    const states = this.of(message.id);
    const state = describeState(message);
    const stored = states.find((other) => other === message || describeState(other) === state);
    if (stored) return stored;
    states.push(message);
    this.#states[message.id] = states;
    return message;
  }

  of(id: number): ChatEvent[] {
    return this.#states[id] ?? [];
  }
}

/** A reader's view of the room: its events, folded by the reducer that the page uses. */
export class View {
  readonly userId: string;
  /** numbers of all messages, in the order received */
  readonly messages: number[] = [];
  /** those of them that this user wrote */
  readonly own: number[] = [];
  readonly #interned: MessageStates;
  readonly #states: (ChatEvent | undefined)[] = [];

  constructor(interned: MessageStates, userId: string) {
    this.#interned = interned;
    this.userId = userId;
  }

  message(id: number): ChatEvent | undefined {
    return this.#states[id];
  }

  apply(event: RoomEvent): void {
    if (event.type === 'chat') {
      this.#states[event.id] = this.#interned.intern(event);
      this.messages.push(event.id);
      if (event.user.id === this.userId) this.own.push(event.id);
      return;
    }
    const before = this.#states[event.target];
    if (before) this.#states[event.target] = this.#interned.intern(applyChange(before, event));
  }
}
