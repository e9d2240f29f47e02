/**
 * What the log comes to, by the rules of docs/protocol.md, written down a second time: of the server's own rules and of
 * the page's reducer nothing is used here, since both are on trial. It knows every message at every place of the log.
 */
import { LIMITS, type PostCommand, type Reaction } from '../../shared/protocol.js';
import type { Became } from './story.js';

/** A message after number `from`. */
interface State extends Omit<Became, 'reactions'> {
  readonly from: number;
  readonly reactions: readonly Reaction[];
}

interface Life {
  readonly author: string;
  /** of its own and of its edits, as they were sent */
  readonly texts: string[];
  readonly states: State[];
}

type Change = Exclude<PostCommand, { readonly type: 'chat' }>;

export class Ledger {
  /** the newest number */
  last = 0;
  readonly #lives = new Map<number, Life>();

  /** The next number is what this person sent. @returns the code with which it should have been refused */
  enter(id: number, author: string, posting: PostCommand): string | undefined {
    this.last = id;
    if (posting.type === 'chat') {
      const state = { from: id, data: posting.data, reactions: [] };
      this.#lives.set(id, { author, texts: [posting.data], states: [state] });
      return undefined;
    }
    const wrong = this.refusal(posting, author, id);
    const life = this.#lives.get(posting.target);
    const before = life?.states.at(-1);
    if (wrong !== undefined || !life || !before) return wrong;
    if (posting.type === 'edit') life.texts.push(posting.data);
    life.states.push({ ...after(before, posting, id, author), from: id });
    return undefined;
  }

  /** The code with which the rules refuse it right after number `place`; undefined when they allow it. */
  refusal(posting: PostCommand, author: string, place: number): string | undefined {
    if (posting.type === 'chat') return undefined;
    const life = this.#lives.get(posting.target);
    const state = life?.states.findLast(({ from }) => from <= place);
    if (!life || !state) return 'no_message';
    if (state.deleted !== undefined) return 'deleted';
    if (posting.type === 'edit' || posting.type === 'delete')
      return life.author === author ? undefined : 'not_yours';
    const stands = state.reactions.some(({ user, data }) => user.id === author && data === posting.data);
    if (posting.type === 'unreact') return stands ? undefined : 'not_there';
    if (stands) return 'already_there';
    return state.reactions.length < LIMITS.reactionsPerMessage ? undefined : 'too_many_reactions';
  }

  /** Each message, with all that it has been, in the order of their numbers. */
  lives(): Iterable<readonly [id: number, life: Readonly<Life>]> {
    return this.#lives;
  }

  /** What the message has come to. */
  end(id: number): Became | undefined {
    return this.#lives.get(id)?.states.at(-1);
  }

  isDeleted(id: number): boolean {
    return this.end(id)?.deleted !== undefined;
  }

  /** All texts that must be gone: of deleted messages, and of their edits. */
  *erased(): Iterable<string> {
    for (const [id, { texts }] of this.#lives) if (this.isDeleted(id)) yield* texts;
  }
}

function after(
  { data, edited, reactions }: State,
  change: Change,
  id: number,
  author: string,
): Omit<State, 'from'> {
  const others = edited === undefined ? {} : { edited };
  switch (change.type) {
    case 'edit':
      return { data: change.data, edited: id, reactions };
    case 'delete':
      return { data: '', deleted: id, reactions: [] };
    case 'react': {
      const given = { id, user: { id: author, name: '' }, data: change.data };
      return { data, ...others, reactions: [...reactions, given] };
    }
    case 'unreact': {
      const isTaken = (one: Reaction): boolean => one.user.id === author && one.data === change.data;
      return { data, ...others, reactions: reactions.filter((one) => !isTaken(one)) };
    }
  }
}
