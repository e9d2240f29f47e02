import { beforeEach, expect, test } from 'vitest';
import type { Frame, LogEvent, Page } from '../../src/client/state/frames.js';
import { Room } from '../../src/client/state/room.js';
import { bottom, top } from '../../src/client/state/transcript.js';
import { hasty } from './clock.js';

const ann = { id: 'ann', name: 'Ann' };
let server: { epoch: string; last: number };
let asked: object[];
let settled: string[];
let startedOver: number;
let room: Room;

function event(id: number): LogEvent {
  return { id, type: 'chat', user: ann, data: `text ${id}`, at: id, cid: `cid-${id}` };
}
function run(from: number, to: number): LogEvent[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => event(from + n));
}
function hello(last: number, epoch = 'e', complete = true): Frame {
  return { type: 'hello', room: 'lobby', epoch, last, user: ann, complete };
}
async function load(where: { after?: number; before?: number; limit?: number }): Promise<Page> {
  asked.push(where);
  const { after, before = server.last + 1, limit = 50 } = where;
  const from = after === undefined ? Math.max(1, before - limit) : after + 1;
  const to = after === undefined ? before - 1 : Math.min(server.last, after + limit);
  return { ...server, complete: true, messages: run(from, to) };
}
const quiet = () => new Promise((resolve) => setTimeout(resolve, 0)).then(() => new Promise(setImmediate));

beforeEach(() => {
  server = { epoch: 'e', last: 100 };
  asked = [];
  settled = [];
  startedOver = 0;
  room = new Room({
    load,
    clock: hasty,
    random: () => 0,
    settled: (cid) => settled.push(cid),
    refused: (cid, { code }) => settled.push(`${cid}: ${code}`),
    startOver: () => startedOver++,
  });
});
function open(): void {
  for (const frame of [hello(100), ...run(51, 100)]) room.take(frame);
}

test('knows where to go on', () => {
  expect(room.place).toBeUndefined();
  open();
  expect(room.place).toEqual({ after: 100, epoch: 'e' });
});

test('a hole in the numbers is loaded, and closed', async () => {
  open();
  server.last = 106;
  room.take(event(105));
  await quiet();
  expect([asked[0], bottom(room.transcript.value)]).toEqual([{ after: 100, limit: 500 }, 106]);
});

test('a hole is loaded again until it is closed', async () => {
  open();
  room.take(event(103)); // the server we ask knows no more than 100 yet
  await quiet();
  server.last = 103;
  while (bottom(room.transcript.value) < 103) await quiet();
  expect(asked.length).toBeGreaterThan(1);
});

test('mine that are in the log are settled, however they were learned', async () => {
  open();
  settled.length = 0;
  room.take(event(101));
  room.take({ type: 'ack', cid: 'old', id: 3 });
  room.take({ type: 'error', cid: 'new', data: { code: 'too_fast', message: '' } });
  await room.loadOlder();
  expect(settled.slice(0, 3)).toEqual(['cid-101', 'old', 'new: too_fast']);
  expect(settled).toContain('cid-1');
});

test('older ones come in pages until there are none', async () => {
  server.last = 300;
  for (const frame of [hello(300), ...run(251, 300)]) room.take(frame);
  room.pin(false);
  for (const from of [151, 51, 1]) {
    await Promise.all([room.loadOlder(), room.loadOlder()]);
    expect(top(room.transcript.value)).toBe(from);
  }
  await room.loadOlder();
  expect(asked.length).toBe(3);
});

test('a page of another log is not mixed in: the room starts over', async () => {
  open();
  server.epoch = 'f';
  await room.loadOlder();
  expect([startedOver, room.transcript.value.events, room.place]).toEqual([1, [], undefined]);
});

test('another epoch: all is dropped, and what follows is taken', () => {
  open();
  for (const frame of [hello(2, 'f', false), ...run(1, 2)]) room.take(frame);
  expect([bottom(room.transcript.value), room.place]).toEqual([2, { after: 2, epoch: 'f' }]);
});

test('far behind, the room is opened anew instead of reading it all', () => {
  open();
  room.take(hello(50_000));
  expect([startedOver, room.place]).toEqual([1, undefined]);
});

test('a refusal that belongs to nothing is said, until the next hello', () => {
  open();
  room.take({ type: 'error', data: { code: 'bad_command', message: 'what?' } });
  expect(room.notice.value?.message).toBe('what?');
  room.take(hello(100));
  expect(room.notice.value).toBeUndefined();
});
