/**
 * Unicode rules that names, rooms, messages, reactions and searches share: what draws nothing, how an emoji is
 * spelled, where a text may be cut. Pure. Regular expressions with large tables are compiled on first use, because the page loads this too.
 */

/**
 * Characters other than white space that draw nothing, as the inside of a character class. Beyond what Unicode marks as
 * ignorable: U+2800 (empty Braille pattern), U+FFFC (object replacement), U+1D159 (null notehead), U+16FE4 (Khitan
 * filler), interlinear and hieroglyph controls, private use.
 */
export const invisibleCharacters =
  '\\p{Cc}\\p{Cs}\\p{Co}\\p{Default_Ignorable_Code_Point}' +
  '\\u2800\\ufff9-\\ufffc\\u{1d159}\\u{16fe4}\\u{13430}-\\u{1343f}';

/** True when a reader would see nothing at all. Marks without a base count as nothing. */
export function drawsNothing(text: string): boolean {
  if (/[!-~]/.test(text)) return false; // most texts: spares the large tables
  nothing ??= new RegExp(`^[\\p{Z}${invisibleCharacters}\\p{M}]*$`, 'u');
  return nothing.test(text);
}
let nothing: RegExp | undefined;

/**
 * The one spelling of an emoji: fully qualified, as Unicode recommends it for interchange (RGI). Accepts it with and
 * without the variation selectors U+FE0E and U+FE0F, also inside a sequence. Returns undefined for anything that is not
 * exactly one emoji. An emoji newer than this JavaScript engine is accepted when its code point is reserved for one.
 */
export function canonicalEmoji(raw: string): string | undefined {
  if (raw.length > 64) return undefined;
  // not at load, because browsers before 2023 do not know the v flag
  patterns ??= {
    rgi: /^\p{RGI_Emoji}$/v,
    reserved:
      /^[\p{Extended_Pictographic}&&\p{Cn}&&[\u{1f6d0}-\u{1f6ff}\u{1fa70}-\u{1faff}]]\p{Emoji_Modifier}?$/v,
    textStyle: /([\p{Emoji}--\p{Emoji_Presentation}])(?!\p{Emoji_Modifier})/gv,
  };
  const bare = raw.replace(/[\ufe0e\ufe0f]/g, '');
  const emoji = bare.replace(patterns.textStyle, '$1\ufe0f');
  if (patterns.rgi.test(emoji)) return emoji;
  return patterns.reserved.test(bare) ? bare : undefined;
}
let patterns: { readonly rgi: RegExp; readonly reserved: RegExp; readonly textStyle: RegExp } | undefined;

/** Letters that have no decomposition but that people type without their stroke, or apart. Search folds them. */
export const PLAIN_LETTERS: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', æ: 'ae', œ: 'oe', þ: 'th', ø: 'o', ł: 'l', đ: 'd', ð: 'd', ħ: 'h', ŧ: 't', ı: 'i' },
  ς: 'σ',
};

/** Scripts without spaces between words, as the inside of a character class. */
export const spacelessScripts =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}';

/** One part of a search. Allows the quotation marks of any language, and the colon of Chinese keyboards. */
export const queryPartPattern =
  /(-?)(?:(from|in|has|before|after)[:：])?(?:["“”„«»「」『』]([^"“”„«»「」『』]*)["“”„«»「」『』]?|(\S+))/giu;

/** The characters that a reader sees, one by one. */
export function* graphemesOf(text: string): Generator<string> {
  segmenter ??= new Intl.Segmenter('und', { granularity: 'grapheme' });
  for (const { segment } of segmenter.segment(text)) yield segment;
}
let segmenter: Intl.Segmenter | undefined;

/** The beginning of a text: at most `limit` code points, cut between two graphemes unless the first alone is longer. */
export function excerpt(text: string, limit: number): string {
  if (text.length <= limit) return text;
  if (plainText.test(text.slice(0, limit + 1))) return text.slice(0, limit);
  let [points, end] = [0, 0];
  for (const grapheme of graphemesOf(text.slice(0, 4 * limit))) {
    points += [...grapheme].length;
    if (points > limit) break;
    end += grapheme.length;
  }
  return end > 0 ? text.slice(0, end) : [...text.slice(0, 2 * limit)].slice(0, limit).join('');
}
/** Characters of which each is a grapheme of its own, whatever stands beside it in this set. */
const plainText = /^[\n -\u02ff\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uff01-\uff5e]*$/;
