import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseCid,
  parseCommand,
  parseRoom,
  parseRoomSegment,
  parseText,
  parseWholeNumber,
} from '../src/shared/parse.js';
import { CLOSE, LIMITS, mayReconnect } from '../src/shared/protocol.js';

const anyText = fc.string({ unit: 'binary', maxLength: 200 });

describe('a room', () => {
  it.each([
    ['Lobby', 'lobby'],
    ['a-b_9', 'a-b_9'],
    ['厨房', '厨房'],
    ['हिन्दी', 'हिन्दी'],
    ['ÉCOLE', 'école'],
  ])('%s is %s', (raw, room) => expect(parseRoom(raw)).toBe(room));
  it.each(['', 'a b', 'a/b', '..', 'x'.repeat(65), 'a\u0000', '\ud800', '😀'])('%j is none', (raw) =>
    expect(parseRoom(raw)).toBeUndefined(),
  );
  it('in a path is percent-encoded', () => {
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
  it('is trimmed and cleaned of controls, and otherwise as it was', () => {
    expect(text('  a\r\nb\tc\rd ')).toBe('a\nb\tc\nd');
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

describe('a command', () => {
  it('keeps known fields only', () => {
    const frame = '{"type":"chat","data":"hi","cid":"a-1","id":9,"user":"x","__proto__":{"admin":true}}';
    expect(parseCommand(frame)).toEqual({
      ok: true,
      value: { type: 'chat', data: 'hi', cid: 'a-1' },
      cid: 'a-1',
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
  it('says of which cid it was, when it was one', () =>
    expect(parseCommand('{"type":"nonsense","cid":"c"}')).toMatchObject({ ok: false, cid: 'c' }));
  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.json()), (frame) => typeof parseCommand(frame).ok === 'boolean'),
    );
  });
});

describe('small things', () => {
  it('counts are digits', () => {
    expect([parseWholeNumber('0'), parseWholeNumber('17')]).toEqual([0, 17]);
    for (const raw of ['', '-1', '1.5', '1e3', ' 1', '99999999999999999', 'x'])
      expect(parseWholeNumber(raw)).toBeUndefined();
  });
  it('cids are optional', () => {
    expect(parseCid(undefined)).toEqual({ ok: true, value: undefined });
    expect(parseCid('x'.repeat(64)).ok).toBe(true);
    expect(parseCid('x'.repeat(65)).ok).toBe(false);
  });
  it('who may come back', () => {
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
