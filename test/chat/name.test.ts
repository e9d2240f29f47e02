import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONFUSABLES, foldCase, mapConfusables } from '../../src/chat/confusables.js';
import { parseName, skeleton, skeletonVersion } from '../../src/chat/names.js';

const anyText = fc.string({ unit: 'binary', maxLength: 80 });

const TEXAS = '\u{1f3f4}\u{e0075}\u{e0073}\u{e0074}\u{e0078}\u{e007f}';

function nameOf(raw: unknown): string | undefined {
  const parsed = parseName(raw);
  return parsed.ok ? parsed.name : undefined;
}

describe('a name', () => {
  it.each([
    ['  Ann   Lee ', 'Ann Lee'],
    ['e\u0301mile', '\u00e9mile'],
    ['李雷', '李雷'],
    ['محمد', 'محمد'],
    ['👩‍💻 dev', '👩‍💻 dev'],
    ['O’Neill-3', 'O’Neill-3'],
    ['x'.repeat(32), 'x'.repeat(32)],
    ['Zap ⚡\ufe0f', 'Zap ⚡'], // phones add U+FE0F where it is not needed
    ['Tea ☕\ufe0f ⭐\ufe0f', 'Tea ☕ ⭐'],
    ['OK 👍\ufe0f', 'OK 👍'],
    ['Heart ❤\ufe0f', 'Heart ❤\ufe0f'],
    ['Heart ❤', 'Heart ❤'],
    ['\u{1f3f3}\u200d🌈', '\u{1f3f3}\ufe0f\u200d🌈'], // and leave it out where it is
    ['علی\u200cرضا', 'علی\u200cرضا'],
    ['ශ්\u200dරීනාත්', 'ශ්\u200dරීනාත්'],
    ['മോഹന്\u200d', 'മോഹന്\u200d'],
    ['র\u200d্যাশ', 'র\u200d্যাশ'],
    ['葛\u{e0100}城', '葛\u{e0100}城'],
    [TEXAS, TEXAS],
  ])('%j is stored as %j', (raw, kept) => expect(nameOf(raw)).toBe(kept));

  it.each([
    [''],
    ['   '],
    ['x'.repeat(33)],
    ['a\u0000b'],
    ['a\u202eb'],
    ['a\u200bb'],
    ['a\u2066b'],
    ['\ud800'],
    [`z${'\u0301'.repeat(20)}`],
    ['\u3164'],
    ['\u2800'],
    ['Ann\u2800'],
    ['An\u2800n'],
    ['Ann\u{1d159}'],
    ['\u{1d159}'],
    ['Ann\u{16fe4}'],
    ['\ufffc'],
    ['\u0332'],
    ['\u20dd'],
    ['\ue000'],
    ['Ann\u200c'],
    ['Ann\u200d'],
    ['A\u200cnn'],
    ['علی\u200c'],
    ['a\u{e0100}'],
    ['\u{1f3f4}\u{e0075}'],
    [1],
    [null],
    [undefined],
    [['Ann']],
    [{}],
  ])('%j is refused', (raw) => expect(nameOf(raw)).toBeUndefined());

  it('never throws, and returns valid names only', () => {
    fc.assert(
      fc.property(anyText, (raw) => {
        const name = nameOf(raw);
        if (name === undefined) return;
        expect(nameOf(name)).toBe(name);
        expect([...new Intl.Segmenter('und').segment(name)].length).toBeLessThanOrEqual(32);
        expect(name).toBe(name.normalize('NFC').trim());
      }),
      { numRuns: 2000 },
    );
  });
});

/** Names with the marks of their orthography, and without one of them. */
const livingOrthographies: readonly [name: string, other: string][] = [
  ['Nguyễn', 'Nguyên'], // Vietnamese
  ['Hạnh', 'Hanh'],
  ['Ṣọlá', 'Ṣolá'], // Yoruba: a dot, and the line that some write
  ['Ṣo\u0329lá', 'Ṣolá'],
  ['Jonė\u0303', 'Jone\u0303'], // Lithuanian
  ['Žyginta\u0303s', 'Zyginta\u0303s'],
  ['Ṱhalukanyo', 'Thalukanyo'], // Venda
  ['Ṉiri', 'Niri'], // Pitjantjatjara
  ['Ko\u0358', 'Ko'], // Taiwanese
  ['K\u0313ala', 'Kala'], // Salish
  ['Ṛta', 'R̥ta'], // transcribed Sanskrit
  ['Γιάννης', 'Γιαννης'],
  ['Андрей', 'Андреи'],
  ['ปิติ', 'ปีติ'], // Thai
  ['น้ำ', 'นำ'],
  ['שָׁלוֹם', 'שלום'], // Hebrew
  ['סָמָה', 'סמה'], // the first letter of it looks like an o
  ['مُحَمَّد', 'محمد'], // Arabic
  ['اِيمان', 'ايمان'],
  ['नीता', 'निता'], // Devanagari
  ['অনিতা', 'অনীতা'], // Bengali
  ['மீனா', 'மினா'], // Tamil
  ['မြ', 'မ'], // Burmese
  ['ܫ\u0320', 'ܫ'], // Syriac
  ['ガク', 'カク'],
  ['ぱぱ', 'はは'],
];

describe('a name with the marks of its orthography', () => {
  it.each(livingOrthographies)('%s is kept as it is', (name) =>
    expect(nameOf(name)).toBe(name.normalize('NFC')),
  );
});

/** Marks of no living orthography, and marks that belong to letters of other scripts. */
const unusedMarks = [
  ...['\u0332', '\u0333', '\u0347', '\u0316', '\u032a', '\u0363', '\u0320'],
  ...['\u035c', '\u035f', '\u0361', '\u0362', '\u1ab0', '\u1dc4', '\u20d2', '\u20e5', '\ufe20'],
  ...['\u0483', '\u05b8', '\u064e', '\u0903', '\u0e34', '\u3099'],
];

describe('a skeleton', () => {
  it.each([
    ['Ann', 'ann'],
    ['Ann', 'Аnn'], // Cyrillic А
    ['Ann', 'Ａｎｎ'],
    ['paypal', 'PayPaI'],
    ['paypal', 'раураl'],
    ['Bob', 'B0b'],
    ['Straße', 'STRASSE'],
    ['scope', 'ѕсоре'],
    ['scope', 'sϲope'], // a lunate sigma
    ['Ann Lee', 'AnnLee'],
    ['Ann Lee', 'Ann\u00a0\u3000Lee'],
    ["O'Neill", 'O’Neill'],
    ["O'Neill", 'O´Neill'],
    ["x'", 'x′'],
    ["x''", 'x″'],
    ['x"', 'x″'],
    ['x~', 'x˜'],
    ['São', 'Sa\u0303o'],
    // names of databases that older rules allowed
    ['Moderator', 'Moderator\u2800'],
    ['Moderator', 'Mod\u2800erator'],
    ['Moderator', 'Moderator\u{1d159}'],
    ['Moderator', 'Moderator\u{16fe4}'],
    ['Moderator', 'Moderator\u0640'],
    ['Moderator', 'Moderator\u0332'],
    ['Moderator', 'Moderator\u20dd'],
    ['Moderator', 'M\u0336o\u0336derator'],
    ...unusedMarks.map((mark): [string, string] => ['Ann', `An${mark}n`]),
    ['Ann', 'Аn\u0347n'], // Cyrillic А
    ['Ann', 'Ꭺ\u0e34nn'], // Cherokee Ꭺ
    ['Zoé', 'Zoe\u0347\u0301'],
    ['İpek', 'I\u0347\u0307pek'],
    ['שלום', 'ש\u0347לום'],
    ['مُحَمَّد', 'مُحَمـَّد'],
    ['ANN', '🅐🅝🅝'],
    ['ABZ', '🅰🅱🆉'],
    ['علیرضا', 'علی\u200cرضا'],
    ['محمد', 'محمـد'],
  ])('is the same for %s and %s', (one, other) => expect(skeleton(other)).toBe(skeleton(one)));

  it.each([
    ['Ann', 'Anne'],
    ['Bob', 'Rob'],
    ['李雷', '李梅'],
    ['Ольга', 'Игорь'],
    ['Zoé', 'Zoi'],
    ['Ann Lee', 'Ann~Lee'],
    ['São', 'Sa~o'],
    ['São', 'Sao'],
    ["x'", 'x"'],
    ...livingOrthographies,
  ])('differs for %s and %s', (one, other) => expect(skeleton(other)).not.toBe(skeleton(one)));

  it('ignores spaces and keeps accents', () => {
    expect(skeleton(' ~ a b ~ ')).toBe('~ab~');
    const marks = [...CONFUSABLES.keys()].filter((char) => /[\p{M}\p{Z}]/u.test(char));
    expect(marks).toEqual(['\u030c', '\u0326']); // which are read as other accents: breve, cedilla
  });

  it('maps single folded characters, and none to another mapped one', () => {
    for (const [char, seen] of CONFUSABLES) {
      expect([[...char].length, foldCase(char)]).toEqual([1, char]);
      expect([seen, mapConfusables(seen)]).toEqual([seen, seen]);
    }
  });

  it('has a new version whenever the table changes', () => {
    const table = createHash('sha256')
      .update(JSON.stringify([...CONFUSABLES]))
      .digest('hex');
    expect([skeletonVersion, table.slice(0, 16)]).toEqual(['5', 'c40a0bb494cf9e4c']);
  });

  it('is the same in upper case for plain names, and never throws', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9 ]{1,20}$/), (name) => {
        expect(skeleton(name.toUpperCase())).toBe(skeleton(name.toLowerCase()));
      }),
    );
    fc.assert(fc.property(anyText, (raw) => typeof skeleton(raw.toWellFormed()) === 'string'));
  });
});
