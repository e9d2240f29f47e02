/** The emoji index: search, picker and `:shortcodes:`. Its data loads on first use. */
import { canonicalEmoji, graphemesOf } from '../../shared/text.js';

export interface Emoji {
  readonly char: string;
  readonly label: string;
  readonly tags: readonly string[];
  /** Unicode's group number: 0 smileys, 1 people, 3 animals … */
  readonly group: number;
  /** shortcodes without colons; the first is the usual one */
  readonly codes: readonly string[];
  /** five skin tones from light to dark, or none */
  readonly tones: readonly string[];
}

export interface EmojiIndex {
  readonly all: readonly Emoji[];
  readonly groups: readonly { readonly id: number; readonly name: string }[];
}

/** The fields of emojibase-data that are used; build.js removes the others. */
export interface RawEmoji {
  readonly unicode: string;
  readonly hexcode: string;
  readonly label: string;
  readonly tags?: readonly string[];
  readonly group?: number;
  readonly skins?: readonly { readonly unicode: string }[];
}
export type RawCodes = Readonly<Record<string, string | readonly string[]>>;
export interface RawGroups {
  readonly groups: readonly { readonly order: number; readonly message: string }[];
}

/** Skin tones and hair components are not emoji by themselves. */
const componentGroup = 2;
const skinToneCount = 5;

export function buildEmojiIndex(
  emoji: readonly RawEmoji[],
  codes: RawCodes,
  { groups }: RawGroups,
): EmojiIndex {
  const all = emoji.flatMap((raw): Emoji[] => {
    const { unicode, hexcode, label, tags = [], group, skins = [] } = raw;
    if (group === undefined || group === componentGroup) return [];
    const tones = skins.slice(0, skinToneCount).map(({ unicode }) => unicode);
    return [
      {
        char: standardSpelling(unicode),
        label,
        tags,
        group,
        codes: [codes[hexcode] ?? []].flat(),
        tones: tones.length === skinToneCount ? tones : [],
      },
    ];
  });
  const visibleGroups = groups.filter(({ order }) => order !== componentGroup);
  return { all, groups: visibleGroups.map(({ order, message }) => ({ id: order, name: message })) };
}

/** The data asks for colours (U+FE0F) also where an emoji has them anyway, as no keyboard does. */
export function standardSpelling(emoji: string): string {
  return emoji.replace(/^(\p{Emoji_Presentation})\ufe0f$/u, '$1');
}

/** Order: exact shortcode, shortcode prefix, name prefix, tags, words anywhere. */
export function findEmoji({ all }: EmojiIndex, query: string, limit: number): readonly Emoji[] {
  const queryWords = query
    .trim()
    .toLowerCase()
    .split(/[\s_]+/)
    .filter((word) => word !== '');
  const [first] = queryWords;
  if (first === undefined) return [];
  const joined = queryWords.join('_');
  const ranked = all
    .map((emoji) => ({ emoji, rank: rankOf(emoji, joined, queryWords) }))
    .filter(({ rank }) => rank < noMatchRank);
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, limit)
    .map(({ emoji }) => emoji);
}
const noMatchRank = 5;

function rankOf({ codes, label, tags }: Emoji, joined: string, queryWords: readonly string[]): number {
  if (codes.includes(joined)) return 0;
  if (/^\d+$/.test(joined)) return noMatchRank; // `at :30` is a time
  if (codes.some((code) => code.startsWith(joined))) return 1;
  const name = label.toLowerCase();
  if (name.startsWith(queryWords.join(' '))) return 2;
  const words = [...name.split(/[\s:,-]+/), ...tags, ...codes.flatMap((code) => code.split('_'))];
  const matches = (word: string) =>
    words.some((one) => one.startsWith(word)) || (!/^[\x20-\x7e]+$/.test(word) && name.includes(word));
  if (!queryWords.every(matches)) return noMatchRank;
  return queryWords.every((word) => tags.includes(word)) ? 3 : 4;
}

/** Shortcodes in code and URLs stay as they are. */
const literalPatterns = [
  /```[\s\S]*?(?:```|(?![\s\S]))/,
  /^~~~[\s\S]*?(?:^~~~|(?![\s\S]))/,
  /(?<!`)(``?)(?!`).+?(?<!`)\1(?!`)/,
  /(?<![\w+.-])(?:[a-z][\w+.-]*:\/\/|www\.)\S+/,
];
/**
 * Shortcodes do not touch letters, as in `user:id:42` and `10:30:45`. Chinese and Japanese are written
 * without spaces.
 */
const wordCharPattern = '(?![\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}])[\\p{L}\\p{N}_]';
/** One shortcode, or several in a row. */
const shortcodePattern = `(?<![:/\\\\]|${wordCharPattern})(?::[a-z0-9_+-]{1,40}:)+(?!:|${wordCharPattern})`;

export function containsShortcodeStart(text: string): boolean {
  if (!text.includes(':')) return false; // building the Unicode tables is slow
  shortcodeStart ??= new RegExp(`(?<![:/\\\\]|${wordCharPattern}):(?:[a-z0-9_+-]|$)`, 'u');
  return shortcodeStart.test(text);
}
let shortcodeStart: RegExp | undefined;

/** Unknown names stay as they are. */
export function replaceShortcodes(text: string, { all }: EmojiIndex): string {
  if (!containsShortcodeStart(text)) return text;
  const chars = new Map(all.flatMap(({ codes, char }) => codes.map((code) => [code, char])));
  const pattern = new RegExp(
    [...literalPatterns.map(({ source }) => source), shortcodePattern].join('|'),
    'gimu',
  );
  return text.replace(pattern, (match: string) =>
    match.startsWith(':') ? match.replace(/:([^:]+):/g, (raw, code) => chars.get(code) ?? raw) : match,
  );
}

/** One to three emoji and nothing else are shown large. */
export function isEmojiOnly(text: string): boolean {
  if (text.length > 60 || letterPattern.test(text) || !nonAsciiPattern.test(text)) return false;
  const graphemes = [...graphemesOf(text)].filter((grapheme) => grapheme.trim() !== '');
  return graphemes.length > 0 && graphemes.length <= maxLargeEmoji && graphemes.every(isEmoji);
}
const maxLargeEmoji = 3;

/** In any spelling, but not a sign such as `©` that is a letter unless it asks for colours. */
function isEmoji(grapheme: string): boolean {
  try {
    return /\p{Emoji_Presentation}|\ufe0f/u.test(grapheme) && canonicalEmoji(grapheme) !== undefined;
  } catch {
    return false; // browsers before 2023
  }
}
/** Quick test for most messages, because the emoji pattern is slow to build. */
const letterPattern = /[A-Za-z\u00c0-\u1fff\u3040-\u30ff\u3400-\ud7ff]/;
const nonAsciiPattern = /[\u0080-\uffff]/;
