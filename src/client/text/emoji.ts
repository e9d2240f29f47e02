/** All emoji with their names in the page's language, loaded when first used: to find, to pick, to write by `:name:`. */
export interface Emoji {
  readonly char: string;
  readonly label: string;
  readonly tags: readonly string[];
  /** as in Unicode's own list: 0 smileys, 1 people, 3 animals … */
  readonly group: number;
  /** what stands between the colons; the first is its usual one */
  readonly codes: readonly string[];
  /** the same in five colours of skin, light to dark; none for most */
  readonly tones: readonly string[];
}

export interface EmojiIndex {
  readonly all: readonly Emoji[];
  readonly groups: readonly { readonly id: number; readonly name: string }[];
}

/** Of emojibase-data, as far as it is used here; build.js leaves the rest out of the page. */
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

/** Skin tones and hair by themselves say nothing. */
const componentGroup = 2;
const skinToneCount = 5;

export function buildEmojiIndex(
  emoji: readonly RawEmoji[],
  codes: RawCodes,
  { groups }: RawGroups,
): EmojiIndex {
  const all = emoji.flatMap((raw): Emoji[] => {
    const { unicode: char, hexcode, label, tags = [], group, skins = [] } = raw;
    if (group === undefined || group === componentGroup) return [];
    const tones = skins.slice(0, skinToneCount).map(({ unicode }) => unicode);
    return [
      {
        char,
        label,
        tags,
        group,
        codes: [codes[hexcode] ?? []].flat(),
        tones: tones.length === skinToneCount ? tones : [],
      },
    ];
  });
  const named = groups.filter(({ order }) => order !== componentGroup);
  return { all, groups: named.map(({ order, message }) => ({ id: order, name: message })) };
}

/** Best first: a code that is it, one that begins so, a name that does, then words anywhere. */
export function findEmoji({ all }: EmojiIndex, query: string, most: number): readonly Emoji[] {
  const wanted = query
    .trim()
    .toLowerCase()
    .split(/[\s_]+/)
    .filter((word) => word !== '');
  const [first] = wanted;
  if (first === undefined) return [];
  const whole = wanted.join('_');
  const ranked = all
    .map((emoji) => ({ emoji, rank: rankOf(emoji, whole, wanted) }))
    .filter(({ rank }) => rank < noMatchRank);
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, most)
    .map(({ emoji }) => emoji);
}
const noMatchRank = 5;

function rankOf({ codes, label, tags }: Emoji, whole: string, wanted: readonly string[]): number {
  if (codes.includes(whole)) return 0;
  if (codes.some((code) => code.startsWith(whole))) return 1;
  const name = label.toLowerCase();
  if (name.startsWith(wanted.join(' '))) return 2;
  const words = [...name.split(/[\s:,-]+/), ...tags, ...codes.flatMap((code) => code.split('_'))];
  const fits = (word: string) =>
    words.some((one) => one.startsWith(word)) || (!/^[\x20-\x7e]+$/.test(word) && name.includes(word));
  if (!wanted.every(fits)) return noMatchRank;
  return wanted.every((word) => tags.includes(word)) ? 3 : 4;
}

/** In code and in addresses it stays what it is. */
const literalPatterns = [
  /```[\s\S]*?(?:```|(?![\s\S]))/,
  /^~~~[\s\S]*?(?:^~~~|(?![\s\S]))/,
  /(?<!`)(``?)(?!`).+?(?<!`)\1(?!`)/,
  /(?<![\w+.-])(?:[a-z][\w+.-]*:\/\/|www\.)\S+/,
];
/** What it may not stand beside: so `user:id:42`, `10:30:45` stay. In Chinese and Japanese no space is put there. */
const wordCharPattern = '(?![\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}])[\\p{L}\\p{N}_]';
/** One, or several that follow each other. */
const shortcodePattern = `(?<![:/\\\\]|${wordCharPattern})(?::[a-z0-9_+-]{1,40}:)+(?!:|${wordCharPattern})`;

/** Somebody has begun to write one, or has written it. */
export function containsShortcodeStart(text: string): boolean {
  if (!text.includes(':')) return false; // the tables of all letters are slow to make
  shortcodeStart ??= new RegExp(`(?<![:/\\\\]|${wordCharPattern}):(?:[a-z0-9_+-]|$)`, 'u');
  return shortcodeStart.test(text);
}
let shortcodeStart: RegExp | undefined;

/** `:thumbsup:` becomes what it names; an unknown name stays as it is written. */
export function replaceShortcodes(text: string, { all }: EmojiIndex): string {
  if (!containsShortcodeStart(text)) return text;
  const chars = new Map(all.flatMap(({ codes, char }) => codes.map((code) => [code, char])));
  const parts = new RegExp(
    [...literalPatterns.map(({ source }) => source), shortcodePattern].join('|'),
    'gimu',
  );
  return text.replace(parts, (part: string) =>
    part.startsWith(':') ? part.replace(/:([^:]+):/g, (raw, code) => chars.get(code) ?? raw) : part,
  );
}

/** One to three emoji and nothing else: they are shown large. */
export function isEmojiOnly(text: string): boolean {
  if (text.length > 60 || letterPattern.test(text) || !nonAsciiPattern.test(text)) return false;
  try {
    emojiOnlyPattern ??= /^(?:\p{RGI_Emoji}\s*){1,3}$/v;
  } catch {
    emojiOnlyPattern = /^(?!)/; // a browser before 2023 shows them as it does others
  }
  return emojiOnlyPattern.test(text);
}
let emojiOnlyPattern: RegExp | undefined;
/** Most messages hold letters: the list of all emoji, slow to make, is not needed to tell. */
const letterPattern = /[A-Za-z\u00c0-\u1fff\u3040-\u30ff\u3400-\ud7ff]/;
const nonAsciiPattern = /[\u0080-\uffff]/;
