/** What somebody does next, in a mixture as in real rooms; now and then what the rules forbid. */
import type { PostCommand } from '../../shared/protocol.js';
import { between, type Random } from './random.js';
import type { Story } from './story.js';
import { textOf } from './text.js';

/** Of a hundred commands. */
const MIX = { chat: 70, edit: 9, delete: 4, react: 10, unreact: 7 } as const;
/**
 * Of a hundred changes: of another's message though only one's own may be; of a number that may be any, or none. Of a
 * hundred deletions: of a message that was edited, so that there is more to delete than its own text.
 */
const CHANCE = { foreign: 8, stray: 4, edited: 50 } as const;
/** Most changes come soon: to one of so many of the newest messages, one's own or all, rather to the very newest. */
const NEWEST = { mine: 10, all: 30, given: 100 } as const;
const EMOJI = ['👍', '🎉', '😂', '🚀'] as const;

interface Reaction {
  readonly target: number;
  readonly data: string;
}

/** `story`: what this person was told so far. */
export function choose(story: Story, random: Random, cid: string): PostCommand {
  const type = typeBy(random);
  const target = type === 'chat' ? undefined : targetOf(type, story, random);
  if (type === 'chat' || target === undefined) return { type: 'chat', data: textOf(cid, random), cid };
  switch (type) {
    case 'edit':
      return { type, target, data: textOf(cid, random), cid };
    case 'delete':
      return { type, target, cid };
    case 'react':
      return { type, target, data: oneOf(EMOJI, random) ?? '', cid };
    case 'unreact':
      return { type, ...(given(story, random) ?? { target, data: oneOf(EMOJI, random) ?? '' }), cid };
  }
}

function typeBy(random: Random): PostCommand['type'] {
  let left = random() * 100;
  for (const type of ['edit', 'delete', 'react', 'unreact'] as const) {
    left -= MIX[type];
    if (left < 0) return type;
  }
  return 'chat';
}

/** Undefined while there is nothing to change. */
function targetOf(type: PostCommand['type'], story: Story, random: Random): number | undefined {
  const dice = random() * 100;
  const last = story.messages.at(-1) ?? 0;
  if (dice < CHANCE.stray) return between(random, 1, 2 * last + 2);
  const own = (type === 'edit' || type === 'delete') && dice >= CHANCE.stray + CHANCE.foreign;
  if (!own) return newest(story.messages, NEWEST.all, random);
  const edited = type === 'delete' && random() * 100 < CHANCE.edited ? myEdited(story) : undefined;
  return edited ?? newest(story.mine, NEWEST.mine, random);
}

function myEdited(story: Story): number | undefined {
  const mine = story.mine.slice(-NEWEST.all);
  return mine.findLast((id) => story.message(id)?.edited !== undefined);
}

/** A reaction of this person that stands. */
function given(story: Story, random: Random): Reaction | undefined {
  const standing = story.messages.slice(-NEWEST.given).flatMap((target) => {
    const mine = story.message(target)?.reactions?.filter(({ user }) => user.id === story.me) ?? [];
    return mine.map(({ data }) => ({ target, data }));
  });
  return oneOf(standing, random);
}

function newest(list: readonly number[], most: number, random: Random): number | undefined {
  return list.at(-1 - between(random, 0, between(random, 1, Math.min(most, list.length) + 1)));
}

function oneOf<T>(list: readonly T[], random: Random): T | undefined {
  return list[between(random, 0, list.length)];
}
