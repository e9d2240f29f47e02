import { expect, test } from 'vitest';
import type { Frame } from '../../src/client/decode.js';
import { applyPresence, noPeople } from '../../src/client/room/presence.js';

const ann = { id: 'a', name: 'Ann' };
const bob = { id: 'b', name: 'Bob' };
const eve = { id: 'e', name: 'Eve' };

function after(...frames: readonly Frame[]) {
  return frames.reduce(applyPresence, noPeople);
}

test('follows the list, joining and leaving', () => {
  const list: Frame = { type: 'list', data: [eve, ann], count: 2 };
  const join: Frame = { type: 'join', user: bob, data: 'Bob joined.' };
  const left: Frame = { type: 'left', user: eve, data: 'Eve left.' };
  expect(after(list, join)).toEqual({ users: [ann, bob, eve], count: 3 });
  expect(after(list, join, left)).toEqual({ users: [ann, bob], count: 2 });
});

test('counts a user who joins twice once', () => {
  const join: Frame = { type: 'join', user: bob, data: '' };
  expect(after(join, join)).toEqual({ users: [bob], count: 1 });
});

test('changes only the count in a large room', () => {
  const list: Frame = { type: 'list', data: [ann, bob], count: 5000 };
  expect(after(list, { type: 'count', data: 5001 })).toEqual({ users: [ann, bob], count: 5001 });
});

test('never counts fewer people than it names', () => {
  const list: Frame = { type: 'list', data: [ann], count: 2 };
  const left: Frame = { type: 'left', user: bob, data: '' };
  expect(after(list, left)).toEqual({ users: [ann], count: 1 });
  expect(after(list, left, left).count).toBe(1);
});
