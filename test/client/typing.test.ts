import { expect, test } from 'vitest';
import { TypingList, TypingSender } from '../../src/client/room/presence.js';
import { HandClock } from './clock.js';

const ann = { id: 'a', name: 'Ann' };
const bob = { id: 'b', name: 'Bob' };

test('who writes is shown for five seconds after the last word of it, in the order they began', () => {
  const clock = new HandClock();
  const typing = new TypingList(clock);
  const names = () => typing.users.value.map(({ name }) => name);
  typing.onTyping(ann);
  clock.turn(3_000);
  typing.onTyping(bob);
  typing.onTyping(ann);
  clock.turn(4_999);
  expect(names()).toEqual(['Ann', 'Bob']);
  clock.turn(1);
  expect(names()).toEqual([]);
});

test('their message ends it', () => {
  const typing = new TypingList(new HandClock());
  for (const one of [ann, bob]) typing.onTyping(one);
  typing.remove('a');
  typing.remove('nobody');
  expect(typing.users.value).toEqual([bob]);
  typing.clear();
  expect(typing.users.value).toEqual([]);
});

test('I tell at the first stroke, and then every three seconds; anew after a message', () => {
  const clock = new HandClock();
  let told = 0;
  let live = true;
  const teller = new TypingSender(clock, () => {
    if (live) told++;
    return live;
  });
  for (let n = 0; n < 29; n++) {
    teller.onInput();
    clock.turn(100);
  }
  expect(told).toBe(1);
  clock.turn(100);
  teller.onInput();
  teller.reset();
  teller.onInput();
  expect(told).toBe(3);
  teller.reset();
  live = false;
  teller.onInput();
  live = true; // it could not be told: the next stroke tells it
  teller.onInput();
  expect(told).toBe(4);
});
