/**
 * Generates the workload: random commands in a mix like that of real rooms, some of which the rules forbid. All
 * randomness comes from the seed, so that a run can be repeated.
 */
import type { PostCommand } from '../shared/protocol.js';
import type { View } from './history.js';

/** Returns a number in [0, 1). */
export type Random = () => number;

/** Per 100 commands. */
const MIX = { chat: 70, edit: 9, delete: 4, react: 10, unreact: 7 } as const;
/**
 * Percentages. Changes: of another author's message although the rules forbid it; of a random number, which may not
 * exist. Deletions: of an edited message, because its edits hold text that must go too. Messages: with mentions; replies.
 */
const PERCENT = { foreignTarget: 8, strayTarget: 4, editedTarget: 50, mention: 15, reply: 15 } as const;
/** Most changes come soon: targets are among the newest N messages, the very newest most often. */
const NEWEST = { own: 10, all: 30, reacted: 100, names: 16 } as const;
/** Maximum number of mentions in a text. */
const MAX_MENTIONS = 2;
const EMOJI = ['👍', '🎉', '😂', '🚀'] as const;

const LETTERS = 'abcdefghijklmnopqrstuvwxy';
const WORD_LETTERS = 14;
/** Ends every word of a message, and no other word in the files. */
const WORD_SUFFIX = 'zq';
/** Matches a marker: the end of a word, unique to one message. */
const MARKER_PATTERN = /[a-y]{10}zq/g;
export const MARKER_LENGTH = 12;
/** Is in every text, so that one search finds all messages. */
export const COMMON_WORD = 'said';
/** Letters for names, of which no two look alike, also side by side (`vv` looks like `w`, `rn` like `m`). */
export const NAME_LETTERS = 'abcdefghjkpqrstuvxyz';

/** Returns the mulberry32 generator. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns an integer in [min, max). */
export function randomInt(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min));
}

/**
 * Returns the next command of the person whose view this is, without a cid. `tag` starts its text, if it has one. `names`
 * are names to mention, the newest last.
 */
export function nextCommand(view: View, names: readonly string[], random: Random, tag: string): PostCommand {
  const type = randomType(random);
  const target = type === 'chat' ? undefined : randomTarget(type, view, random);
  if (type === 'chat' || target === undefined)
    return { type: 'chat', data: messageText(tag, names, random), ...randomReply(view, random) };
  switch (type) {
    case 'edit':
      return { type, target, data: messageText(tag, names, random) };
    case 'delete':
      return { type, target };
    case 'react':
      return { type, target, data: pick(EMOJI, random) ?? '' };
    case 'unreact':
      return { type, ...(ownReaction(view, random) ?? { target, data: pick(EMOJI, random) ?? '' }) };
  }
}

function randomReply(view: View, random: Random): { readonly reply?: number } {
  if (random() * 100 >= PERCENT.reply) return {};
  const reply = randomTarget('chat', view, random);
  return reply === undefined ? {} : { reply };
}

function randomType(random: Random): PostCommand['type'] {
  let rest = random() * 100;
  for (const type of ['edit', 'delete', 'react', 'unreact'] as const) {
    rest -= MIX[type];
    if (rest < 0) return type;
  }
  return 'chat';
}

/** Returns undefined while there is no message to change. */
function randomTarget(type: PostCommand['type'], view: View, random: Random): number | undefined {
  const roll = random() * 100;
  const last = view.messages.at(-1) ?? 0;
  if (roll < PERCENT.strayTarget) return randomInt(random, 1, 2 * last + 2);
  const own = (type === 'edit' || type === 'delete') && roll >= PERCENT.strayTarget + PERCENT.foreignTarget;
  if (!own) return pickNewest(view.messages, NEWEST.all, random);
  const edited = type === 'delete' && random() * 100 < PERCENT.editedTarget ? ownEdited(view) : undefined;
  return edited ?? pickNewest(view.own, NEWEST.own, random);
}

function ownEdited(view: View): number | undefined {
  return view.own.slice(-NEWEST.all).findLast((id) => view.message(id)?.edited !== undefined);
}

/** Returns a reaction that this person gave and has not taken back. */
function ownReaction(view: View, random: Random): { target: number; data: string } | undefined {
  const given = view.messages.slice(-NEWEST.reacted).flatMap((target) => {
    const own = view.message(target)?.reactions?.filter(({ user }) => user.id === view.userId) ?? [];
    return own.map(({ data }) => ({ target, data }));
  });
  return pick(given, random);
}

function pickNewest<T>(list: readonly T[], max: number, random: Random): T | undefined {
  return list.at(-1 - randomInt(random, 0, randomInt(random, 1, Math.min(max, list.length) + 1)));
}

export function pick<T>(list: readonly T[], random: Random): T | undefined {
  return list[randomInt(random, 0, list.length)];
}

/**
 * Returns a text that identifies itself: its tag, mentions, then one random word, repeated. So the checker
 * knows the command of a text without asking the server, and recognises any piece of it in a file.
 */
export function messageText(tag: string, names: readonly string[], random: Random): string {
  const start = Array.from({ length: WORD_LETTERS }, () => LETTERS[randomInt(random, 0, LETTERS.length)]);
  const word = start.join('') + WORD_SUFFIX;
  const words = Array.from({ length: randomInt(random, 1, 12) }, () => word);
  return [tag, COMMON_WORD, ...randomMentions(names, random), ...words].join(' ');
}

function randomMentions(names: readonly string[], random: Random): string[] {
  if (random() * 100 >= PERCENT.mention) return [];
  const count = randomInt(random, 1, MAX_MENTIONS + 1);
  return Array.from({ length: count }, () => pickNewest(names, NEWEST.names, random))
    .filter((name) => name !== undefined)
    .map((name) => `@${name}`);
}

/** Returns the names that a text of `messageText` mentions, in order. */
export function mentionedNames(text: string): string[] {
  return Array.from(text.matchAll(/@([\w-]+)/g), ([, name = '']) => name);
}

/** Returns the tag of a text of `messageText`; undefined for any other text. */
export function tagOfText(text: string): string | undefined {
  const end = text.indexOf(' ');
  return end < 0 ? undefined : text.slice(0, end);
}

/** Returns the word that no other text has. */
export function wordOf(text: string): string {
  return text.slice(text.lastIndexOf(' ') + 1);
}

/** Returns the last letters of a text's word. A search index may not store the start of a word that others share. */
export function markerOf(text: string): string {
  return text.slice(-MARKER_LENGTH);
}

/** Returns all markers in bytes that were read as Latin-1. */
export function markersIn(bytes: string): string[] {
  return bytes.match(MARKER_PATTERN) ?? [];
}

/** Shortens the repeated words of texts in a message to people. */
export function abbreviate(evidence: string): string {
  return evidence.replace(/([a-y]{14}zq)(?: \1)+/g, '$1 …');
}
