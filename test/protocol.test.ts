import emojiData from 'emojibase-data/en/compact.json' with { type: 'json' };
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseCid,
  parseCommand,
  parseEmoji,
  parseRoom,
  parseRoomSegment,
  parseText,
  parseWholeNumber,
} from '../src/shared/parse.js';
import { CLOSE, LIMITS, mayReconnect } from '../src/shared/protocol.js';
import { excerpt } from '../src/shared/text.js';

const emojiList: readonly {
  readonly unicode: string;
  readonly group?: number;
  readonly skins?: readonly { readonly unicode: string }[];
}[] = emojiData;
const anyText = fc.string({ unit: 'binary', maxLength: 200 });

describe('a room', () => {
  it.each([
    ['Lobby', 'lobby'],
    ['a-b_9', 'a-b_9'],
    ['厨房', '厨房'],
    ['हिन्दी', 'हिन्दी'],
    ['ÉCOLE', 'école'],
    ['ｌｏｂｂｙ', 'lobby'], // as a Japanese keyboard types it
    ['ﬁsh', 'fish'],
  ])('%s is parsed as %s', (raw, room) => expect(parseRoom(raw)).toBe(room));
  it.each(['', 'a b', 'a/b', '..', 'x'.repeat(65), 'a\u0000', '\ud800', '😀'])('%j is refused', (raw) => {
    expect(parseRoom(raw)).toBeUndefined();
    expect(parseRoom(raw, () => true)).toBeUndefined();
  });
  it.each([
    'lobby\u3164',
    'lob\u034fby',
    'lobby\ufe0f',
    'lobby\u{e0100}',
    'علی\u200cرضا',
    '\u3164',
    '\uffa0',
    '\u034f',
    '\u0301',
    '-\u0301',
    `a${'\u0301'.repeat(6)}`,
    'lobby\u{16fe4}',
  ])('%j is refused unless an older database has it', (raw) => {
    expect(parseRoom(raw)).toBeUndefined();
    const older = raw.normalize('NFC');
    if (/\u200c/.test(raw)) return; // was never allowed
    expect(parseRoom(raw, (room) => room === older)).toBe(older);
  });
  it('is the room of an older database if that was another one', () => {
    expect(parseRoom('ＬＯＢＢＹ', (room) => room === 'ｌｏｂｂｙ')).toBe('ｌｏｂｂｙ');
    expect(parseRoom('ＬＯＢＢＹ', (room) => room === 'lobby')).toBe('lobby');
  });
  it('is percent-encoded in a path', () => {
    expect(parseRoomSegment('%E5%8E%A8')).toBe('厨');
    expect(parseRoomSegment('%E5%8E')).toBeUndefined();
    expect(parseRoomSegment('a%2Fb')).toBeUndefined();
  });
  it('is the same when parsed again', () => {
    fc.assert(
      fc.property(anyText, (raw) => {
        const room = parseRoom(raw);
        if (room !== undefined) expect(parseRoom(room)).toBe(room);
      }),
    );
  });
});

describe('a text', () => {
  const text = (raw: unknown): string => {
    const parsed = parseText(raw);
    return parsed.ok ? parsed.value : parsed.problem.code;
  };
  it('loses leading blank lines, trailing white space and control characters only', () => {
    expect(text('\n \t\r\n  a\r\nb\tc\rd \n ')).toBe('  a\nb\tc\nd');
    expect(text('    if x:\n        y')).toBe('    if x:\n        y');
    expect(text('\u3000段落')).toBe('\u3000段落');
    expect(text('a\u0000b\u001b[31mc\u009bd')).toBe('ab[31mcd');
    expect(text('<script>\u202e')).toBe('<script>\u202e');
    expect(text('x'.repeat(4000))).toHaveLength(4000);
    expect(text('😀'.repeat(4000))).toBe('😀'.repeat(4000));
  });
  it.each([
    ['', 'empty_text'],
    [' \n\t ', 'empty_text'],
    ['\u200b\u200d\ufeff', 'empty_text'],
    ['\u0000', 'empty_text'],
    ['\u2800', 'empty_text'],
    ['\u2800 \n\u{1d159}', 'empty_text'],
    ['\ufffc', 'empty_text'],
    ['\u0301', 'empty_text'],
    ['\ue000', 'empty_text'],
    ['\u{16fe4}', 'empty_text'],
    ['x'.repeat(4001), 'text_too_long'],
    ['a\ud800', 'bad_text'],
    [7, 'bad_text'],
    [null, 'bad_text'],
  ])('%j is refused: %s', (raw, code) => expect(text(raw)).toBe(code));
  it('is the same when parsed again', () => {
    fc.assert(
      fc.property(anyText, (raw) => {
        const parsed = parseText(raw);
        if (parsed.ok) expect(parseText(parsed.value)).toEqual(parsed);
      }),
    );
  });
});

describe('a reaction', () => {
  const emojiOf = (raw: unknown): string => {
    const parsed = parseEmoji(raw);
    return parsed.ok ? parsed.value : parsed.problem.code;
  };
  it.each([
    ['👍\ufe0f', '👍'],
    ['❤', '❤\ufe0f'],
    ['❤\ufe0e', '❤\ufe0f'],
    ['\u{1f3f3}\u200d🌈', '\u{1f3f3}\ufe0f\u200d🌈'],
    ['❤\u200d🔥', '❤\ufe0f\u200d🔥'],
    ['\u{1f441}\u200d\u{1f5e8}', '\u{1f441}\ufe0f\u200d\u{1f5e8}\ufe0f'],
    ['\u261d\ufe0f🏿', '\u261d🏿'],
    ['1\u20e3', '1\ufe0f\u20e3'],
    ['🇩🇪', '🇩🇪'],
    ['\u{1f8ff}', 'bad_emoji'], // reserved, but not for an emoji
    ['\u{1faff}', '\u{1faff}'], // reserved for one
    ['1', 'bad_emoji'],
    ['\ufe0f', 'bad_emoji'],
    ['🇩', 'bad_emoji'],
    ['👍👍', 'bad_emoji'],
    ['x', 'bad_emoji'],
    [7, 'bad_emoji'],
  ])('%j is parsed as %j', (raw, emoji) => expect(emojiOf(raw)).toBe(emoji));

  it('is every emoji of the picker in every spelling, stored as Unicode recommends', () => {
    const components = 2; // skin tones and hair: the picker leaves them out, and regional letters, which have no group
    const known = emojiList
      .filter(({ group }) => group !== undefined && group !== components)
      .flatMap((one) => [one, ...(one.skins ?? [])]);
    expect(known.length).toBeGreaterThan(3_800);
    for (const { unicode } of known) {
      const emoji = emojiOf(unicode);
      expect(emoji.replaceAll('\ufe0f', '')).toBe(unicode.replaceAll('\ufe0f', ''));
      for (const spelling of [emoji, unicode.replaceAll('\ufe0f', ''), `${emoji}\ufe0f`])
        expect(emojiOf(spelling)).toBe(emoji);
    }
  });
});

describe('the beginning of a text', () => {
  const family = '👩‍👩‍👧‍👦';
  it.each([
    ['short', 10, 'short'],
    ['abcdef', 3, 'abc'],
    ['😀😀😀', 2, '😀😀'],
    [`ab${family}`, 5, 'ab'],
    [`a${family}b`, 8, `a${family}`],
    ['e\u0301e\u0301', 3, 'e\u0301'],
    [`a${'\u0301'.repeat(300)}`, 4, 'a\u0301\u0301\u0301'],
    ['你好吗', 2, '你好'],
  ])('of %j up to %i is %j', (text, limit, head) => expect(excerpt(text, limit)).toBe(head));
  it('is never too long and never ends in half a character', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.integer({ min: 1, max: 200 }),
        (text, n) => {
          const head = excerpt(text, n);
          expect([...head].length).toBeLessThanOrEqual(n);
          expect(head.isWellFormed() && text.startsWith(head)).toBe(true);
        },
      ),
    );
  });
});

describe('a command', () => {
  it('keeps known fields only', () => {
    const frame = '{"type":"chat","data":"hi","cid":"a-1","id":9,"user":"x","__proto__":{"admin":true}}';
    expect(parseCommand(frame)).toEqual({
      ok: true,
      value: { type: 'chat', data: 'hi', cid: 'a-1' },
    });
    expect(parseCommand('{"type":"ping"}')).toEqual({ ok: true, value: { type: 'ping' } });
  });
  it.each([
    ['', 'bad_command'],
    ['hi', 'bad_command'],
    ['1', 'bad_command'],
    ['null', 'bad_command'],
    ['[]', 'bad_command'],
    ['['.repeat(8000), 'bad_command'],
    ['{}', 'unknown_type'],
    ['{"type":"__proto__"}', 'unknown_type'],
    ['{"type":"constructor"}', 'unknown_type'],
    ['{"__proto__":{"type":"chat"}}', 'unknown_type'],
    ['{"type":"chat"}', 'bad_text'],
    ['{"type":"chat","data":"x","cid":""}', 'bad_cid'],
    ['{"type":"chat","data":"x","cid":"a b"}', 'bad_cid'],
    ['{"type":"chat","data":"x","cid":7}', 'bad_cid'],
  ])('%j is refused: %s', (frame, code) =>
    expect(parseCommand(frame)).toMatchObject({ ok: false, problem: { code } }),
  );
  it('returns the cid of a refused command', () =>
    expect(parseCommand('{"type":"nonsense","cid":"c"}')).toMatchObject({ ok: false, cid: 'c' }));
  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.json()), (frame) => typeof parseCommand(frame).ok === 'boolean'),
    );
  });
});

describe('the parsers', () => {
  it('accept digits as a number', () => {
    expect([parseWholeNumber('0'), parseWholeNumber('17')]).toEqual([0, 17]);
    for (const raw of ['', '-1', '1.5', '1e3', ' 1', '99999999999999999', 'x'])
      expect(parseWholeNumber(raw)).toBeUndefined();
  });
  it('accept a missing cid', () => {
    expect(parseCid(undefined)).toEqual({ ok: true, value: undefined });
    expect(parseCid('x'.repeat(64)).ok).toBe(true);
    expect(parseCid('x'.repeat(65)).ok).toBe(false);
  });
  it('know after which codes a client reconnects', () => {
    expect(
      [CLOSE.restart, CLOSE.tooFast, CLOSE.tooSlow, CLOSE.newEpoch, [1006], [1001]].map(([code]) =>
        mayReconnect(Number(code)),
      ),
    ).toEqual(Array(6).fill(true));
    expect(
      [CLOSE.notSignedIn, CLOSE.signedOut, CLOSE.invalidRoom, CLOSE.protocolError, [1008], [1009]].map(
        ([code]) => mayReconnect(Number(code)),
      ),
    ).toEqual(Array(6).fill(false));
    expect(LIMITS.frameBytes).toBe(65_536);
  });
});
