import { beforeEach, expect, test } from 'vitest';
import { ReadPositionSender, RoomEntries } from '../../src/client/rooms/list.js';
import { ManualClock } from './clock.js';

let clock: ManualClock;
let rooms: RoomEntries;
let sent: string[];
let arrives: boolean;
let marks: ReadPositionSender;
const quiet = () => new Promise(setImmediate);

beforeEach(() => {
  clock = new ManualClock();
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

/** Lets time pass and requests arrive. */
async function turn(ms: number): Promise<void> {
  clock.advance(ms);
  await quiet();
}

test('sends the first position at once, then the newest every two seconds', async () => {
  marks.markRead('lobby', 11);
  await turn(0);
  for (let id = 12; id <= 40; id++) marks.markRead('lobby', id);
  await turn(1_999);
  expect(sent).toEqual(['lobby 11']);
  await turn(1);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([['lobby 11', 'lobby 40'], 40]);
});

test('never goes back, and sends only news', async () => {
  marks.markRead('lobby', 10);
  marks.markRead('lobby', 3);
  await turn(5_000);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([[], 10]);
});

test('repeats what did not arrive unless there is a newer one', async () => {
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

test('sends everything when the page closes', async () => {
  marks.markRead('lobby', 11);
  await turn(0);
  marks.markRead('lobby', 30);
  marks.flush();
  await turn(5_000);
  expect(sent).toEqual(['lobby 11', 'lobby 30 leaving']);
});

test('follows other devices, and corrects a server that knows less', async () => {
  marks.onServerPosition('lobby', 50, 100);
  expect(rooms.entry('lobby')?.read).toBe(50);
  marks.onServerPosition('lobby', 20, 40); // a log that ends before the position is another one
  await turn(0);
  expect(sent).toEqual([]);
  marks.onServerPosition('lobby', 20, 100);
  await turn(0);
  expect([sent, rooms.entry('lobby')?.read]).toEqual([['lobby 50'], 50]);
});
