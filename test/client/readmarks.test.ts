import { beforeEach, expect, test } from 'vitest';
import { ReadMarks } from '../../src/client/state/readmarks.js';
import { Rooms } from '../../src/client/state/rooms.js';
import { HandClock } from './clock.js';

let clock: HandClock;
let rooms: Rooms;
let sent: string[];
let arrives: boolean;
let marks: ReadMarks;
const quiet = () => new Promise(setImmediate);

beforeEach(() => {
  clock = new HandClock();
  rooms = new Rooms();
  rooms.refreshed([{ room: 'lobby', last: 100, read: 10, people: 1, joined: true }]);
  sent = [];
  arrives = true;
  const put = async (room: string, id: number, leaving: boolean) => {
    sent.push(`${room} ${id}${leaving ? ' leaving' : ''}`);
    return arrives;
  };
  marks = new ReadMarks({ rooms, put, clock });
});

/** Time passes, and what is on its way arrives. */
async function turn(ms: number): Promise<void> {
  clock.turn(ms);
  await quiet();
}

test('the first goes at once, then the newest every two seconds', async () => {
  marks.read('lobby', 11);
  await turn(0);
  for (let id = 12; id <= 40; id++) marks.read('lobby', id);
  await turn(1_999);
  expect(sent).toEqual(['lobby 11']);
  await turn(1);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([['lobby 11', 'lobby 40'], 40]);
});

test('a mark never goes back, and what is no news is not sent', async () => {
  marks.read('lobby', 10);
  marks.read('lobby', 3);
  await turn(5_000);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([[], 10]);
});

test('one that did not arrive is said again, later, if there is no newer one', async () => {
  arrives = false;
  marks.read('lobby', 20);
  await turn(0);
  marks.read('lobby', 25);
  await turn(2_000);
  arrives = true;
  await turn(10_000);
  await turn(10_000);
  expect([sent.at(-1), new Set(sent)]).toEqual(['lobby 25', new Set(['lobby 20', 'lobby 25'])]);
});

test('a page that goes away says all at once', async () => {
  marks.read('lobby', 11);
  await turn(0);
  marks.read('lobby', 30);
  marks.leave();
  await turn(5_000);
  expect(sent).toEqual(['lobby 11', 'lobby 30 leaving']);
});

test('what another device has read moves it here; a server that knows less is told', async () => {
  marks.told('lobby', 50, 100);
  expect(rooms.entry('lobby')?.read).toBe(50);
  marks.told('lobby', 20, 40); // a log that ends before my mark: another one
  await turn(0);
  expect(sent).toEqual([]);
  marks.told('lobby', 20, 100);
  await turn(0);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([['lobby 50'], 50]);
});
