import { describe, expect, it } from 'vitest';
import {
  hasLink,
  keyToken,
  linkToken,
  messageToken,
  nameToken,
  tokenize,
  tokenizeMessage,
} from '../../src/store/tokenize.js';
import { cpuMs } from '../harness.js';

const TOKENS: readonly (readonly [text: string, tokens: string])[] = [
  ['', ''],
  ['?! …', ''],
  ['The CAFE is closed', 'the cafe is closed'],
  ['Café crème', 'cafe creme'],
  ['tea-please!', 'tea please'],
  ['snake_case and/or', 'snake case and or'],
  ['ｆｕｌｌ width ﬁ', 'full width fi'],
  ['Hauptstraße STRASSE ẞ', 'hauptstrasse strasse ss'],
  ['Łódź', 'lodz'],
  ['Tromsø', 'tromso'],
  ['ılık İLIK', 'ilik ilik'],
  ['cœur CŒUR æon', 'coeur coeur aeon'],
  ['Đà Nẵng', 'da nang'],
  ['ΟΔΟΣ οδος', 'οδοσ οδοσ'],
  ['Ёлка', 'елка'],
  ["don't DON’T donʼt dont", 'dont dont dont dont'],
  ["'quoted' words'", 'quoted words'],
  ['1,000,000', '1000000'],
  ['1\u00a0000\u202f000', '1000000'],
  ['1 000 000', '1 000 000'],
  ['1’000’000', '1000000'],
  ['1,00 and 12,3456 and 1234,567', '1 00 and 12 3456 and 1234 567'],
  ['1.234 and 3,141.5', '1 234 and 3141 5'],
  ['192.168.1.100', '192 168 1 100'],
  ['我家在上海', '我 家 在 上 海'],
  ['iPhone手机', 'iphone 手 机'],
  ['ﾗｰﾒﾝ がぎ', 'ラ ー メ ン が ぎ'],
  ['안녕', '안 녕'],
  ['สวัสดี', 'ส ว ั ส ด ี'],
  ['🎉🎉 ok', '🎉 🎉 ok'],
  ['❤️ ❤', '❤ ❤'],
  ['مُحَمَّد', 'محمد'],
  ['a\ue000b \u{f0000}', 'a b'],
];

describe('tokenize', () => {
  it.each(TOKENS)('splits %j into %j', (text, tokens) => {
    expect(tokenize(text)).toBe(tokens);
  });

  it('takes time in proportion to the text', () => {
    for (const unit of ['1,000,', "a'", '’', '1', 'ſ̣', '上', '👩‍👧', '\u0301'])
      expect(
        cpuMs(() => tokenizeMessage(unit.repeat(4000))),
        unit,
      ).toBeLessThan(1000);
  });
});

describe('tokenizeMessage', () => {
  it.each([
    ['no apostrophe', 'no apostrophe'],
    ["l'eau est là", 'leau est la \ue000 eau'],
    ["the dog's bone, don't", 'the dogs bone dont \ue000 dog don'],
    ['O’Brien', 'obrien \ue000 brien'],
    ["'tis quoted'", 'tis quoted'],
  ])('adds the parts of words with an apostrophe: %j', (text, tokens) => {
    expect(tokenizeMessage(text)).toBe(tokens);
  });
});

describe('tokens of keys and names', () => {
  it('differ from each other and from every token of a text', () => {
    const keys = [0, 1, 2, 65_535, 65_536, 131_072, 1e9, 2 ** 40];
    const tokens = [
      ...keys.flatMap((key) => [keyToken('room', key), keyToken('person', key)]),
      ...['ann', 'o.brien', 'obrien', 'o-brien', '小明', ''].map(nameToken),
      messageToken,
      linkToken,
    ];
    expect(new Set(tokens).size).toBe(tokens.length);
    for (const token of tokens) expect(tokenize(token)).not.toBe(token);
    for (const token of tokens) expect(/["\s!-/:-@[-`{-~]/.test(token)).toBe(false);
  });
});

describe('hasLink', () => {
  it.each([
    ['see https://example.org', true],
    ['(HTTP://example.org)', true],
    ['http:// nothing', false],
    ['xhttp://a', false],
    ['example.org', false],
  ])('of %j is %j', (text, expected) => {
    expect(hasLink(text)).toBe(expected);
  });
});
