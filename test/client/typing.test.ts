import { expect, test } from 'vitest';
import { TypingList, TypingSender } from '../../src/client/room/presence.js';
import { ManualClock } from './clock.js';

const ann = { id: 'a', name: 'Ann' };
const bob = { id: 'b', name: 'Bob' };

test('shows typing users for five seconds, in the order they started', () => {
  const clock = new ManualClock();
  const typing = new TypingList(clock);
  const names = () => typing.users.value.map(({ name }) => name);
  typing.onTyping(ann);
  clock.advance(3_000);
  typing.onTyping(bob);
  typing.onTyping(ann);
  clock.advance(4_999);
  expect(names()).toEqual(['Ann', 'Bob']);
  clock.advance(1);
  expect(names()).toEqual([]);
});

test('stops when their message arrives', () => {
  const typing = new TypingList(new ManualClock());
  for (const one of [ann, bob]) typing.onTyping(one);
  typing.remove('a');
  typing.remove('nobody');
  expect(typing.users.value).toEqual([bob]);
  typing.clear();
  expect(typing.users.value).toEqual([]);
});

test('sends at the first keystroke, then every three seconds, and anew after a message', () => {
  const clock = new ManualClock();
  let told = 0;
  let live = true;
  const teller = new TypingSender(clock, () => {
    if (live) told++;
    return live;
  });
  for (let n = 0; n < 29; n++) {
    teller.onInput();
    clock.advance(100);
  }
  expect(told).toBe(1);
  clock.advance(100);
  teller.onInput();
  teller.reset();
  teller.onInput();
  expect(told).toBe(3);
  teller.reset();
  live = false;
  teller.onInput();
  live = true; // it was not sent, so the next keystroke sends it
  teller.onInput();
  expect(told).toBe(4);
});
