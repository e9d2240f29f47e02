/**
 * Characters that look alike: a selection from the data of Unicode Technical Standard #39 ("confusables.txt"), for the
 * scripts that are used to imitate Latin names.
 *
 * A row has the character that the others are mapped to, then the others. Capitals stand where only the capital looks alike,
 * because all characters are case-folded. Invariants: a character is in one row only, and no row maps into another.
 * Characters that folding decomposes are not listed, but their parts are: ″ is two ′. Additions to the standard: i is l
 * (because I is), w is vv, and Ν Η Υ by their capitals.
 */
/** Latin first, then Greek, Cyrillic, Armenian, Cherokee, Lisu, Coptic, Canadian syllables, others. */
const LATIN: readonly (readonly [string, string])[] = [
  ['a', 'ɑᴀ Α А Ꭺ ꓮ Ⲁ ᗅᗩ'],
  ['ae', 'æ ӕ'],
  ['b', 'ʙƅ Β ВЬ Ᏼ Ꮟ ꓐ Ⲃ ᗷᏏ'],
  ['c', 'ᴄ С Ꮯ ꓚ Ⲥ ᑕ'],
  ['d', 'ᴅ ԁ Ꭰ Ꮷ ꓓ ᗞᗪ'],
  ['e', 'ᴇ℮ ΕЕ ҽ Ꭼ ꓰ Ⲉ'],
  ['f', 'ꜰ Ϝ ք ꓝ ᖴ'],
  ['g', 'ɡɢᶃ Ԍ ց Ꮐ Ᏻ ꓖ'],
  ['h', 'ʜ Η Н Һ հ Ꮋ Ꮒ ꓧ Ⲏ ᕼ'],
  ['j', 'ȷᴊ ϳ Ј յ Ꭻ ꓙ ᒍ'],
  ['k', 'ᴋĸ Κ К Ꮶ ꓗ Ⲕ'],
  ['l', 'iɩɪʟǀ1|∣│ Ι І ꙇ ӏ Լ Ꭵ Ꮮ ꓲꓡ Ⲓ ᒪ ו ا١۱ 丨ㅣ'],
  ['n', 'ɴ Ν ո Ⲛ ꓠ ᑎ'],
  ['o', '0ᴏᴑ Ο О Օ ꓳ Ⲟ ס هہەھ٥۵ ०০੦૦୦௦౦೦൦๐໐၀ ჿ 〇'],
  ['oe', 'œ'],
  ['p', 'ᴘ Ρ Р Ꮲ ꓑ Ⲣ ᑭ'],
  ['q', 'ԛ զ ᑫ'],
  ['r', 'ʀ ᖇ Ꭱ Ꮢ ꓣ'],
  ['rn', 'mᴍ Μ Ϻ М Ꮇ ꓟ Ⲙ ᗰ'],
  ['s', 'ꜱƽ Ѕ Տ Ꮪ Ꮥ ꓢ ᔕ'],
  ['t', 'ᴛ Τ Т Ꭲ ꓔ Ⲧ'],
  ['u', 'ᴜʋ ս ꓴ ᑌ ∪'],
  ['v', 'ᴠ Ѵ Ꮩ ꓦ ᐯ ٧۷'],
  ['vv', 'wᴡɯ ԝ ѡ ա Ꮃ Ꮤ ꓪ ᗯ'],
  ['x', 'Χ Х ꓫ Ⲭ ᙭ ×'],
  ['y', 'ʏɣ Υ У Ү Ꭹ Ꮍ ꓬ Ⲩ'],
  ['z', 'ᴢ Ζ Ꮓ ꓜ'],
  ['2', 'ƨ ᒿ'],
  ['3', 'ʒȝɜ З ӡ'],
  ['4', 'Ꮞ'],
  ['6', 'б Ꮾ'],
  ['8', 'ȣ'],
];

const OTHER_SCRIPTS: readonly (readonly [string, string])[] = [
  ['г', 'Γ Ⲅ Ꮁ'],
  ['л', 'Λ'],
  ['п', 'Π'],
  ['ф', 'Φ Փ'],
  ['ө', 'Θ ɵ'],
  ['ə', 'ә ǝ'],
  ['þ', 'ϸ'],
  ['٢', '۲'],
  ['٣', '۳'],
  ['٨', '۸'],
  ['٩', '۹'],
  ['ك', 'ک ڪ'],
  ['ى', 'ی ي'],
  ['ー', '一—―ㅡ'],
  ['へ', 'ヘ'],
  ['二', 'ニ'],
  ['八', 'ハ'],
  ['力', 'カ'],
  ['卜', 'ト'],
  ['口', 'ロ囗'],
  ['夕', 'タ'],
  ['工', 'エ'],
  // marks and punctuation
  ['\u0306', '\u030c'], // breve, caron: ă ǎ
  ['\u0327', '\u0326'], // cedilla, comma below: ţ ț
  ["'", '’‘‛`′ʼʻʹˈꞌ՚׳'],
  ["''", '"“”„‟״'],
  ['-', '‐‒–−⁃˗'],
  ['.', '٠۰܁'],
  [',', '‚'],
  [':', '։׃∶꞉ː'],
  ['!', 'ǃ'],
  ['?', 'ʔɂ'],
  ['/', '⁄∕╱ノ丿'],
  ['\\', '∖╲丶'],
  ['*', '⁎∗٭'],
  ['·', '•‧∙⋅・'],
  ['~', '∼'],
  ['<', '‹'],
  ['>', '›'],
];

/** Three steps, because no single one folds ß ẞ SS, ſ S s, ς σ Σ and ı I i together. Decomposed, so that é equals é. */
export function foldCase(text: string): string {
  const folded = text.toLowerCase().toUpperCase().toLowerCase();
  return folded.replaceAll('ς', 'σ').normalize('NFKD');
}

/** Greek letters whose small form looks like another Latin letter than the capital. The table has the capital's. */
const SMALL_GREEK: ReadonlyMap<string, string> = new Map([
  ['ν', 'v'],
  ['η', 'n'],
  ['υ', 'u'],
  ['γ', 'y'],
]);

/** Between Latin letters, these small Greek letters look Latin: Steνe looks like Steve. In Greek words they are folded. */
export function foldGreek(text: string): string {
  if (!/\p{Script=Latin}/u.test(text)) return text;
  return text.replace(/[νηυγ]/gu, (letter) => SMALL_GREEK.get(letter) ?? letter);
}

/** Maps what NFKC would turn into a plain sigma or a space with an accent, and letters that NFKC does not decompose. */
export function foldBeforeNfkc(text: string): string {
  return text
    .replace(/[ϲϹ]/g, 'c')
    .replace(/[´΄᾽᾿῾]/g, "'")
    .replaceAll('˜', '~')
    .replace(/[\u{1f150}-\u{1f169}\u{1f170}-\u{1f189}]/gu, (shape) =>
      String.fromCharCode(0x61 + (((shape.codePointAt(0) ?? 0) - 0x1f150) & 31)),
    );
}

/** Each folded character with the one that it looks like. */
export const CONFUSABLES: ReadonlyMap<string, string> = new Map(
  [...LATIN, ...OTHER_SCRIPTS].flatMap(confusableEntries),
);

function confusableEntries([seen, row]: readonly [string, string]): (readonly [string, string])[] {
  return [...row.replaceAll(' ', '')].map((char) => [foldCase(char), seen] as const);
}

/** Replaces each character of a folded text by the one that it looks like. */
export function mapConfusables(folded: string): string {
  return Array.from(folded, (char) => CONFUSABLES.get(char) ?? char).join('');
}
