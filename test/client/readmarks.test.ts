import { beforeEach, expect, test } from 'vitest';
import { ReadPositionSender, RoomEntries } from '../../src/client/rooms/list.js';
import { HandClock } from './clock.js';

let clock: HandClock;
let rooms: RoomEntries;
let sent: string[];
let arrives: boolean;
let marks: ReadPositionSender;
const quiet = () => new Promise(setImmediate);

beforeEach(() => {
  clock = new HandClock();
  rooms = new RoomEntries();
  rooms.replaceAll([{ room: 'lobby', last: 100, read: 10, unread: 0, mentions: 0, people: 1, joined: true }]);
  sent = [];
  arrives = true;
  const put = async (room: string, id: number, leaving: boolean) => {
    sent.push(`${room} ${id}${leaving ? ' leaving' : ''}`);
    return arrives;
  };
  marks = new ReadPositionSender({ rooms, send: put, clock });
});

/** Time passes, and what is on its way arrives. */
async function turn(ms: number): Promise<void> {
  clock.turn(ms);
  await quiet();
}

test('the first goes at once, then the newest every two seconds', async () => {
  marks.markRead('lobby', 11);
  await turn(0);
  for (let id = 12; id <= 40; id++) marks.markRead('lobby', id);
  await turn(1_999);
  expect(sent).toEqual(['lobby 11']);
  await turn(1);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([['lobby 11', 'lobby 40'], 40]);
});

test('a mark never goes back, and what is no news is not sent', async () => {
  marks.markRead('lobby', 10);
  marks.markRead('lobby', 3);
  await turn(5_000);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([[], 10]);
});

test('one that did not arrive is said again, later, if there is no newer one', async () => {
  arrives = false;
  marks.markRead('lobby', 20);
  await turn(0);
  marks.markRead('lobby', 25);
  await turn(2_000);
  arrives = true;
  await turn(10_000);
  await turn(10_000);
  expect([sent.at(-1), new Set(sent)]).toEqual(['lobby 25', new Set(['lobby 20', 'lobby 25'])]);
});

test('a page that goes away says all at once', async () => {
  marks.markRead('lobby', 11);
  await turn(0);
  marks.markRead('lobby', 30);
  marks.flush();
  await turn(5_000);
  expect(sent).toEqual(['lobby 11', 'lobby 30 leaving']);
});

test('what another device has read moves it here; a server that knows less is told', async () => {
  marks.onServerPosition('lobby', 50, 100);
  expect(rooms.entry('lobby')?.read).toBe(50);
  marks.onServerPosition('lobby', 20, 40); // a log that ends before my mark: another one
  await turn(0);
  expect(sent).toEqual([]);
  marks.onServerPosition('lobby', 20, 100);
  await turn(0);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([['lobby 50'], 50]);
});
