import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEvent, parseFoundPage, parseFrame, parsePage, parseRooms } from '../../src/client/decode.js';

const ann = { id: 'a', name: 'Ann' };
const chat = { id: 1, type: 'chat', user: ann, data: 'hi', at: 5, cid: 'c' };

test('parses the frames of the protocol', () => {
  const frames = [
    { type: 'hello', room: 'lobby', epoch: 'e', last: 3, user: ann, complete: true },
    chat,
    { type: 'list', data: [ann], count: 1 },
    { type: 'join', user: ann, data: 'Ann joined.' },
    { type: 'left', user: ann, data: 'Ann left.' },
    { type: 'count', data: 120 },
    { type: 'ack', cid: 'c', id: 1 },
    { ...chat, edited: 4, mentions: [ann], reactions: [{ id: 3, user: ann, data: '👍' }] },
    { ...chat, data: '', deleted: 5 },
    { ...chat, reply: { id: 3, user: ann, data: '' } },
    { id: 2, type: 'edit', user: ann, target: 1, data: 'ho', at: 6, mentions: [] },
    { id: 3, type: 'delete', user: ann, target: 1, at: 6, cid: 'd' },
    { id: 4, type: 'react', user: ann, target: 1, data: '👍', at: 6 },
    { id: 5, type: 'unreact', user: ann, target: 1, data: '👍', at: 6 },
    { type: 'typing', user: ann },
    { type: 'room', room: 'kitchen', last: 7, unread: 2, mentions: 1 },
    { type: 'room', room: 'kitchen', last: 7, read: 3, unread: 0, mentions: 0 },
    { type: 'pong' },
    { type: 'error', cid: 'c', data: { code: 'too_fast', message: 'slowly' } },
  ];
  for (const frame of frames) expect(parseFrame(frame)).toEqual(frame);
});

test('keeps the number of an unknown event', () => {
  expect(parseFrame({ id: 7, type: 'poll', question: '?' })).toEqual({ id: 7, type: 'other' });
  expect(parseEvent({ id: 7, type: 'chat', user: null, data: 'x', at: 1 })).toEqual({ id: 7, type: 'other' });
});

test('keeps the number of a malformed change', () => {
  for (const broken of [{ target: 'x' }, { target: 1, data: 7 }, {}])
    expect(parseEvent({ id: 7, type: 'edit', user: ann, at: 1, ...broken })).toEqual({
      id: 7,
      type: 'other',
    });
});

test('parses the answers of the protocol and rejects others', () => {
  const rooms = [{ room: 'lobby', last: 3, read: 1, unread: 0, mentions: 0, people: 2, joined: true }];
  const found = { messages: [{ ...chat, room: 'lobby' }], complete: false, next: 9 };
  expect([parseRooms(rooms), parseFoundPage(found)]).toEqual([rooms, found]);
  expect([
    parseRooms({}),
    parseRooms([{}]),
    parseFoundPage([]),
    parseFoundPage({ messages: [chat] }),
  ]).toEqual(Array(4).fill(undefined));
});

test('does not take an ack for an event', () => {
  expect(parseEvent({ type: 'ack', cid: 'c', id: 1 })).toBeUndefined();
});

test('rejects malformed frames', () => {
  for (const fields of [{}, { type: 1 }, { type: 'hello' }, { type: 'constructor' }])
    expect(parseFrame(fields)).toBeUndefined();
  for (const id of [0, -1, 1.5, '1', 2 ** 60]) expect(parseEvent({ ...chat, id })).toBeUndefined();
});

test('never throws, whatever is sent', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('id', 'type', 'user', 'data'), fc.jsonValue()), (fields) => {
      expect(() => parseFrame(fields)).not.toThrow();
    }),
  );
});

test('rejects a page with an event that has no number', () => {
  const page = { epoch: 'e', last: 1, complete: true, messages: [chat] };
  expect(parsePage(page)).toEqual(page);
  expect(parsePage({ ...page, messages: [chat, {}] })).toBeUndefined();
  expect(parsePage({ ...page, epoch: 1 })).toBeUndefined();
});
