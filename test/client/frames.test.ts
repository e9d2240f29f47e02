import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEvent, parseFrame, parsePage } from '../../src/client/state/frames.js';

const ann = { id: 'a', name: 'Ann' };
const chat = { id: 1, type: 'chat', user: ann, data: 'hi', at: 5, cid: 'c' };

test('frames of the contract come through as they are', () => {
  const frames = [
    { type: 'hello', room: 'lobby', epoch: 'e', last: 3, user: ann, complete: true },
    chat,
    { type: 'list', data: [ann], count: 1 },
    { type: 'join', user: ann, data: 'Ann joined.' },
    { type: 'left', user: ann, data: 'Ann left.' },
    { type: 'count', data: 120 },
    { type: 'ack', cid: 'c', id: 1 },
    { type: 'pong' },
    { type: 'error', cid: 'c', data: { code: 'too_fast', message: 'slowly' } },
  ];
  for (const frame of frames) expect(parseFrame(JSON.stringify(frame))).toEqual(frame);
});

test('a numbered event we do not know keeps its number', () => {
  expect(parseFrame('{"id":7,"type":"poll","question":"?"}')).toEqual({ id: 7, type: 'other' });
  expect(parseEvent({ id: 7, type: 'chat', user: null, data: 'x', at: 1 })).toEqual({ id: 7, type: 'other' });
});

test('an ack is no event, though it has a number', () => {
  expect(parseEvent({ type: 'ack', cid: 'c', id: 1 })).toBeUndefined();
});

test('what makes no sense is nothing', () => {
  for (const text of ['', 'x', '1', 'null', '[]', '{}', '{"type":"hello"}', '{"type":"constructor"}'])
    expect(parseFrame(text)).toBeUndefined();
  for (const id of [0, -1, 1.5, '1', 2 ** 60]) expect(parseEvent({ ...chat, id })).toBeUndefined();
});

test('nothing that can be sent makes the parser throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(() => parseFrame(text)).not.toThrow();
    }),
  );
});

test('a page is all or nothing: one event without a number spoils it', () => {
  const page = { epoch: 'e', last: 1, complete: true, messages: [chat] };
  expect(parsePage(page)).toEqual(page);
  expect(parsePage({ ...page, messages: [chat, {}] })).toBeUndefined();
  expect(parsePage({ ...page, epoch: 1 })).toBeUndefined();
});
