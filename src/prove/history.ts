/**
 * The history of a run: every command that was sent, every answer, and every event that a reader received. Each event is
 * compared with its first observation at once, so all readers agree and the memory of one is enough. Only a message's
 * changeable state may differ between observations.
 */
import type { ChatEvent, PostCommand, Reply, RoomEvent, User } from '../shared/protocol.js';
import { applyChange, applyToReply } from '../shared/reducer.js';
import { abbreviate, mentionedNames, tagOfText } from './generator.js';
import { People, ReadMarks } from './people.js';
import type { Arrangement } from './servers.js';
import type { PlainPage } from './transports.js';

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

/** A position in a sequence of commands whose order the log must keep. */
export interface StreamPosition {
  readonly stream: string;
  readonly seq: number;
}

/** What a writer sends, and where. */
export interface Request {
  readonly room: string;
  /** public id of the author */
  readonly author: string;
  /** unique in the room; texts start with it */
  readonly tag: string;
  readonly command: PostCommand;
  /** undefined when it was sent over HTTP too, which has no order */
  readonly position: StreamPosition | undefined;
}

/** A command from its first sending to its answer. */
export interface Invocation extends Request {
  /** logical time of the first sending */
  readonly invokedAt: number;
  /** number in its acknowledgment */
  ackedId: number | undefined;
  /** unchangeable part of the event that an HTTP answer contained */
  ackedEvent: string | undefined;
  /** number of the event that readers received */
  observedId: number | undefined;
  rejected: boolean;
  /** The disk failed while it was unanswered. It may have been refused and sent again, so it has no order. */
  disturbed: boolean;
  /** It was sent once, without a cid, and refused because the disk failed: it must not be in the log. */
  refused: boolean;
}

/** A command was rejected somewhere after event `after` and before logical time `receivedAt`. */
export interface Rejection {
  readonly invocation: Invocation;
  readonly code: string;
  readonly after: number;
  readonly receivedAt: number;
}

/** A page of plain HTML. `known`: event that the server knew when it was requested. */
export interface SeenPage extends PlainPage {
  readonly known: number;
}

/** Unread counts in a `room` frame, for a person whose read mark is `read`. */
export interface SeenCounts {
  readonly userId: string;
  readonly last: number;
  readonly read: number;
  readonly unread: number;
  readonly mentions: number;
}

/** Folds events into the messages that a reader sees: the page's reducer. Tests replace it with a faulty one. */
export interface Reducer {
  readonly applyChange: typeof applyChange;
  readonly applyToReply: typeof applyToReply;
}

export class History {
  readonly reducer: Reducer;
  /** Several processes serve the chat. One may lag behind another. */
  readonly isShared: boolean;
  /** Redis has the order: what a node has refused may still be carried out. */
  readonly hasRedis: boolean;
  readonly rooms: ReadonlyMap<string, RoomHistory>;
  /** epoch of the first hello */
  epoch: string | undefined;
  readonly people = new People();
  readonly readMarks = new ReadMarks();
  readonly invocations: Invocation[] = [];
  readonly rejections: Rejection[] = [];
  readonly violations: Violation[] = [];
  /** milliseconds from a connection lost by a kill to the next hello */
  readonly reconnectTimes: number[] = [];
  acknowledged = 0;
  resent = 0;
  disconnects = 0;
  renames = 0;
  signOuts = 0;
  readMarksSent = 0;
  #isDiskFailing = false;
  #onRefusal: (() => void) | undefined;
  #clock = 0;

  constructor(
    rooms: readonly string[],
    { nodes, workers }: Pick<Arrangement, 'nodes' | 'workers'>,
    reducer: Reducer = { applyChange, applyToReply },
  ) {
    this.isShared = nodes > 0 || workers > 0;
    this.hasRedis = nodes > 0;
    this.reducer = reducer;
    this.rooms = new Map(rooms.map((name) => [name, new RoomHistory(name, this)]));
  }

  violate(kind: ViolationKind, evidence: string): void {
    this.violations.push({ kind, evidence: abbreviate(evidence) });
  }

  countViolations(...kinds: readonly ViolationKind[]): number {
    return this.violations.filter(({ kind }) => kinds.includes(kind)).length;
  }

  /** Number of events observed in all rooms. */
  get observed(): number {
    let sum = 0;
    for (const { last } of this.rooms.values()) sum += last;
    return sum;
  }

  /** Advances the logical clock, so that any two times are ordered. */
  tick(): number {
    return ++this.#clock;
  }

  invoke(request: Request): Invocation {
    const invocation: Invocation = {
      ...{ ...request, invokedAt: this.tick(), disturbed: this.#isDiskFailing, refused: false },
      ...{ ackedId: undefined, ackedEvent: undefined, observedId: undefined, rejected: false },
    };
    this.invocations.push(invocation);
    this.rooms.get(request.room)?.add(invocation);
    return invocation;
  }

  /** `event`: the event in an HTTP answer. */
  acknowledge(invocation: Invocation, id: number, event?: RoomEvent): void {
    if (event) invocation.ackedEvent = describeEvent(event);
    if (invocation.ackedId === undefined) {
      invocation.ackedId = id;
      this.acknowledged++;
    } else if (invocation.ackedId !== id) {
      const ids = `as ${invocation.ackedId} and as ${id}`;
      this.violate('duplicated', `${describe(invocation)} was acknowledged ${ids}`);
    }
  }

  /** Whether the disk of the server returns errors. */
  get isDiskFailing(): boolean {
    return this.#isDiskFailing;
  }

  set isDiskFailing(isFailing: boolean) {
    this.#isDiskFailing = isFailing;
    if (!isFailing) return;
    for (const invocation of this.invocations)
      if (invocation.ackedId === undefined && !invocation.rejected) invocation.disturbed = true;
  }

  /** The server could not store a message without a cid, which is not sent again. From Redis it may still come. */
  refuse(invocation: Invocation): void {
    invocation.refused = !this.hasRedis;
    this.#onRefusal?.();
  }

  /** Resolves at the next refusal, before anything else runs. */
  nextRefusal(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRefusal = resolve;
    });
  }

  /** `after`: number of the newest event in the room when the command was sent. */
  reject(invocation: Invocation, code: string, after: number): void {
    invocation.rejected = true;
    this.rejections.push({ invocation, code, after, receivedAt: this.tick() });
  }
}

/** The part of the history that belongs to one room. */
export class RoomHistory {
  readonly name: string;
  readonly history: History;
  /** by number: the unchangeable part of each event, as it was first observed */
  readonly events: string[] = [''];
  /** by number: the command that became the event */
  readonly origins: (Invocation | undefined)[] = [];
  /** every state in which any reader received a message */
  readonly observedStates = new MessageStates();
  /** states of messages in the readers' views */
  readonly viewStates = new MessageStates();
  /** people whom a text mentions, by number of the message or edit that brought the text */
  readonly mentions = new Map<number, readonly User[]>();
  /** targets of the edits that were observed without text, by the edit's number: they must be deleted */
  readonly emptyEdits = new Map<number, number>();
  readonly plainPages: SeenPage[] = [];
  readonly counts: SeenCounts[] = [];
  /** numbers of the deletions that were observed, by message */
  readonly #deletions = new Map<number, number>();
  readonly #byCid = new Map<string, Invocation>();
  readonly #byTag = new Map<string, Invocation>();

  constructor(name: string, history: History) {
    this.name = name;
    this.history = history;
  }

  /** Number of the newest event observed. Later commands get higher numbers. */
  get last(): number {
    return this.events.length - 1;
  }

  add(invocation: Invocation): void {
    const { author, tag, command } = invocation;
    this.#byTag.set(tag, invocation);
    if (command.cid !== undefined) this.#byCid.set(`${author} ${command.cid}`, invocation);
  }

  /** Returns this person's command with this cid. Others may use the same cid. */
  find(author: string, cid: string): Invocation | undefined {
    return this.#byCid.get(`${author} ${cid}`);
  }

  findByText(text: string): Invocation | undefined {
    return this.#byTag.get(tagOfText(text) ?? '');
  }

  /**
   * Returns the command that became this event. Without a cid, finds it by the text, or by an earlier
   * observation if the text was changed since.
   */
  originOf(event: RoomEvent): Invocation | undefined {
    if (event.cid !== undefined) return this.find(event.user.id, event.cid);
    if (event.type !== 'chat' && event.type !== 'edit') return undefined;
    if (isChanged(event)) return this.origins[event.id];
    return this.findByText(event.data);
  }

  /** A reader that is at `last`, over a connection whose server began with `known` as its newest event, receives an event. */
  observe(reader: string, last: number, event: RoomEvent, known: number): void {
    const { id } = event;
    if (id !== last + 1) {
      const kind = id <= last ? 'duplicated' : 'out of order';
      this.violate(kind, `${reader} received ${id} after ${last}`);
    }
    const line = describeEvent(event);
    const first = this.events[id];
    if (first === undefined) {
      this.events[id] = line;
      if (event.type === 'delete') this.#deletions.set(event.target, id);
    } else if (first !== line)
      this.violate('inconsistent', `${id} was first received as "${first}", by ${reader} as "${line}"`);
    if (this.origins[id] === undefined) this.#identify(event);
    this.#checkText(reader, event, known);
  }

  violate(kind: ViolationKind, evidence: string): void {
    this.history.violate(kind, `${this.name}: ${evidence}`);
  }

  /** Finds the event's command. The checker reports an event that nobody sent. */
  #identify(event: RoomEvent): void {
    const { people } = this.history;
    const invocation = this.originOf(event);
    if (!invocation) return;
    this.origins[event.id] = invocation;
    if (invocation.observedId !== undefined && invocation.observedId !== event.id)
      this.violate(
        'duplicated',
        `${invocation.tag} was received as ${invocation.observedId} and as ${event.id}`,
      );
    invocation.observedId ??= event.id;
    if (!people.mayAct(event.user, invocation.invokedAt, this.history.tick()))
      this.violate('inconsistent', `${event.id} is by "${event.user.name}", which is not the author's name`);
  }

  /** Compares the text with the command that brought it, and with the deletions before this connection. */
  #checkText(reader: string, event: RoomEvent, known: number): void {
    if (event.type !== 'chat' && event.type !== 'edit') return;
    if (event.type === 'chat') {
      this.observedStates.intern(event);
      if (event.reply) this.#checkReply(reader, event.reply, known);
    } else if (event.data === '') this.emptyEdits.set(event.id, event.target);
    if (event.data === '') return;
    const sender = this.findByText(event.data);
    if (sender === undefined || textOf(sender.command) !== event.data)
      this.violate('inconsistent', `${reader} received ${event.id} as "${event.data}", which nobody sent`);
    else this.#checkMentions(event, event.mentions ?? [], sender);
    this.#checkDeletion(reader, event.type === 'chat' ? event.id : event.target, event.data, known);
  }

  /** Checks that a reply quotes the start of a text that its target has or had. */
  #checkReply(reader: string, { id, data }: Reply, known: number): void {
    if (data === '') return;
    const sender = this.findByText(data);
    const isOfTarget =
      sender?.command.type === 'edit' ? sender.command.target === id : sender === this.origins[id];
    if (!sender || !isOfTarget || !textOf(sender.command)?.startsWith(data))
      this.violate(
        'inconsistent',
        `${reader} received a reply to ${id} with "${data}", which is not its text`,
      );
    this.#checkDeletion(reader, id, data, known);
  }

  #checkDeletion(reader: string, message: number, text: string, known: number): void {
    if (known < (this.#deletions.get(message) ?? Number.POSITIVE_INFINITY)) return;
    const late = `${reader}, which connected after the deletion of ${message}`;
    this.violate('not deleted', `${late}, received "${text}"`);
  }

  /** Compares the first observation of a text's mentions with the people, and later ones with the first. */
  #checkMentions(event: RoomEvent, mentions: readonly User[], sender: Invocation): void {
    const textId = event.type === 'chat' ? (event.edited ?? event.id) : event.id;
    const first = this.mentions.get(textId);
    if (first === undefined) {
      this.mentions.set(textId, mentions);
      const { people } = this.history;
      const names = mentionedNames(textOf(sender.command) ?? '');
      const problem = people.mentionProblem(names, mentions, sender.invokedAt, this.history.tick());
      if (problem !== undefined) this.violate('inconsistent', `text of ${textId}: ${problem}`);
    } else if (describeUsers(first) !== describeUsers(mentions)) {
      const both = `${describeUsers(first)}, then ${describeUsers(mentions)}`;
      this.violate('inconsistent', `text of ${textId} mentioned ${both}`);
    }
  }
}

/** Names a command in a message to people. */
export function describe({ tag, room }: Request): string {
  return `${tag} in ${room}`;
}

/** Returns true when the event no longer has the text that it was sent with. */
function isChanged(event: ChatEvent | Extract<RoomEvent, { type: 'edit' }>): boolean {
  return event.data === '' || (event.type === 'chat' && event.edited !== undefined);
}

export function textOf(command: PostCommand): string | undefined {
  return command.type === 'chat' || command.type === 'edit' ? command.data : undefined;
}

/** Returns the part of an event that never changes, to compare and to show. */
export function describeEvent(event: RoomEvent): string {
  const { type, user, cid = 'no cid', at } = event;
  const target = type === 'chat' ? '' : ` of ${event.target}`;
  const emoji = type === 'react' || type === 'unreact' ? ` ${event.data}` : '';
  return `${type}${target}${emoji} by ${describeUser(user)}, ${cid}, ${at}`;
}

function describeUser({ id, name }: User): string {
  return `${name} (${id})`;
}

export function describeUsers(users: readonly User[]): string {
  return users.length === 0 ? 'nobody' : users.map(describeUser).join(', ');
}

/** The part of a message that changes may alter. */
export type MessageState = Pick<
  ChatEvent,
  'data' | 'reply' | 'mentions' | 'edited' | 'deleted' | 'reactions'
>;

/** Returns the changeable part of a message, to compare and to show. */
export function describeState(state: MessageState): string {
  const { data, reply, mentions = [], edited, deleted, reactions = [] } = state;
  const changes = [
    ...(reply === undefined ? [] : [`reply to ${reply.id} of ${describeUser(reply.user)}, "${reply.data}"`]),
    ...(mentions.length === 0 ? [] : [`mentions ${describeUsers(mentions)}`]),
    ...(edited === undefined ? [] : [`edited by ${edited}`]),
    ...(deleted === undefined ? [] : [`deleted by ${deleted}`]),
    ...reactions.map(({ id, user, data: emoji }) => `${emoji} of ${describeUser(user)}, ${id}`),
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

/** A reader's view of the room: its events, folded by the reducer. */
export class View {
  /** numbers of all messages, in the order received */
  readonly messages: number[] = [];
  /** numbers of the messages that `userId` wrote since it is the user */
  own: number[] = [];
  userId: string;
  readonly #interned: MessageStates;
  readonly #reducer: Reducer;
  readonly #states: (ChatEvent | undefined)[] = [];
  /** numbers of the replies to each message */
  readonly #replies = new Map<number, number[]>();

  constructor({ viewStates, history }: RoomHistory, userId: string) {
    this.#interned = viewStates;
    this.#reducer = history.reducer;
    this.userId = userId;
  }

  switchUser(userId: string): void {
    this.userId = userId;
    this.own = [];
  }

  message(id: number): ChatEvent | undefined {
    return this.#states[id];
  }

  apply(event: RoomEvent): void {
    if (event.type === 'chat') {
      this.#states[event.id] = this.#interned.intern(event);
      this.messages.push(event.id);
      if (event.user.id === this.userId) this.own.push(event.id);
      if (event.reply) this.#addReply(event.reply.id, event.id);
      return;
    }
    this.#update(event.target, (message) => this.#reducer.applyChange(message, event));
    for (const reply of this.#replies.get(event.target) ?? [])
      this.#update(reply, (message) => this.#reducer.applyToReply(message, event));
  }

  #addReply(target: number, reply: number): void {
    const replies = this.#replies.get(target);
    if (replies) replies.push(reply);
    else this.#replies.set(target, [reply]);
  }

  #update(id: number, change: (message: ChatEvent) => ChatEvent): void {
    const message = this.#states[id];
    if (message) this.#states[id] = this.#interned.intern(change(message));
  }
}
