/**
 * What a reader's events come to, folded as the page folds them. Readers are many and told the same: equal messages are
 * kept once for all of them, in the pool.
 */
import type { ChatEvent, RoomEvent } from '../../shared/protocol.js';
import { applyChange } from '../../shared/reducer.js';

/** All of a message that a change may alter, as one string, to compare and to show. */
export function stateOf({ data, edited, deleted, reactions = [] }: Became): string {
  const marks = [
    ...(edited === undefined ? [] : [`edited by ${edited}`]),
    ...(deleted === undefined ? [] : [`deleted by ${deleted}`]),
    ...reactions.map(({ id, user, data: emoji }) => `${emoji} of ${user.id} (${id})`),
  ];
  return [`"${data}"`, ...marks].join(', ');
}

export type Became = Pick<ChatEvent, 'data' | 'edited' | 'deleted' | 'reactions'>;

/** The different states in which messages were ever seen, each once, by number. */
export class Pool {
  readonly #states: (ChatEvent[] | undefined)[] = [];

  /** The first that was like this one. */
  one(message: ChatEvent): ChatEvent {
    const states = this.of(message.id);
    const state = stateOf(message);
    const known = states.find((other) => other === message || stateOf(other) === state);
    if (known) return known;
    states.push(message);
    this.#states[message.id] = states;
    return message;
  }

  of(id: number): ChatEvent[] {
    return this.#states[id] ?? [];
  }
}

export class Story {
  /** numbers of the messages, in the order in which they were told; and of those that the reader said */
  readonly messages: number[] = [];
  readonly mine: number[] = [];
  readonly me: string;
  readonly #pool: Pool;
  readonly #states: (ChatEvent | undefined)[] = [];

  constructor(pool: Pool, me: string) {
    this.#pool = pool;
    this.me = me;
  }

  message(id: number): ChatEvent | undefined {
    return this.#states[id];
  }

  tell(event: RoomEvent): void {
    if (event.type === 'chat') {
      this.#states[event.id] = this.#pool.one(event);
      this.messages.push(event.id);
      if (event.user.id === this.me) this.mine.push(event.id);
      return;
    }
    const before = this.#states[event.target];
    if (before) this.#states[event.target] = this.#pool.one(applyChange(before, event));
  }
}
