import { beforeEach, describe, expect, test } from 'vitest';
import type { Frame, LogEvent, Page } from '../../src/client/decode.js';
import { RoomStore } from '../../src/client/room/store.js';
import { firstId, lastId } from '../../src/client/room/timeline.js';
import { immediateClock } from './clock.js';

const ann = { id: 'ann', name: 'Ann' };
let server: { epoch: string; last: number };
let asked: object[];
let settled: string[];
let startedOver: number;
let shows: (() => void)[];
let news: number[];
let start: number | undefined;
let opened: number;
let reachable: boolean;
/** numbers of edits, with their targets */
let changes: ReadonlyMap<number, number>;
/** runs between the reading of the next page and its arrival */
let late: () => void;
let room: RoomStore;

function event(id: number): LogEvent {
  const target = changes.get(id);
  return target === undefined ? chat(id) : edit(id, target);
}
function edit(id: number, target: number): LogEvent {
  return { id, type: 'edit', user: ann, target, data: `text ${id}`, at: id };
}
function chat(id: number): LogEvent {
  return { id, type: 'chat', user: ann, data: `text ${id}`, at: id, cid: `cid-${id}` };
}
function run(from: number, to: number): LogEvent[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => event(from + n));
}
function hello(last: number, epoch = 'e', complete = true): Frame {
  return { type: 'hello', room: 'lobby', epoch, last, user: ann, complete };
}
async function load(where: { after?: number; before?: number; limit?: number }): Promise<Page | undefined> {
  asked.push(where);
  if (!reachable) return undefined;
  const { after, before = server.last + 1, limit = 50 } = where;
  const from = after === undefined ? Math.max(1, before - limit) : after + 1;
  const to = after === undefined ? before - 1 : Math.min(server.last, after + limit);
  const page = { ...server, complete: true, messages: run(from, Math.min(to, server.last)) };
  const between = late;
  late = () => {};
  between();
  return page;
}
const quiet = () => new Promise((resolve) => setTimeout(resolve, 0)).then(() => new Promise(setImmediate));

beforeEach(() => {
  server = { epoch: 'e', last: 100 };
  asked = [];
  settled = [];
  startedOver = 0;
  shows = [];
  news = [];
  start = undefined;
  opened = 0;
  reachable = true;
  changes = new Map();
  late = () => {};
  room = new RoomStore({
    load,
    clock: immediateClock,
    random: () => 0,
    onSettled: (cid) => settled.push(cid),
    onRefused: (cid, { code }) => settled.push(`${cid}: ${code}`),
    reconnect: () => startedOver++,
    schedule: (show) => shows.push(show),
    onEvents: (events) => news.push(...events.map(({ id }) => id)),
    start: async () => start,
    onOpened: () => opened++,
  });
});
/** Renders: buffered events are applied. */
function draw(): void {
  for (const show of shows.splice(0)) show();
}
async function open(): Promise<void> {
  for (const frame of [hello(100), ...run(51, 100)]) room.receive(frame);
  await quiet();
  draw();
}
/** Receives frames and renders. */
function comes(...frames: Frame[]): void {
  for (const frame of frames) room.receive(frame);
  draw();
}

test('knows where to resume', async () => {
  expect(room.resumePosition).toBeUndefined();
  await open();
  expect(room.resumePosition).toEqual({ after: 100, epoch: 'e' });
});

test('fills a gap in the numbers', async () => {
  await open();
  server.last = 106;
  comes(event(105));
  await quiet();
  expect([asked[0], lastId(room.timeline.value)]).toEqual([{ after: 100, limit: 500 }, 106]);
});

test('retries until a gap is filled', async () => {
  await open();
  comes(event(103)); // the server's page ends at 100
  await quiet();
  server.last = 103;
  while (lastId(room.timeline.value) < 103) await quiet();
  expect(asked.length).toBeGreaterThan(1);
});

test("settles the user's own messages, however they arrive", async () => {
  await open();
  settled.length = 0;
  comes(event(101));
  room.receive({ type: 'ack', cid: 'old', id: 3 });
  room.receive({ type: 'error', cid: 'new', data: { code: 'too_fast', message: '' } });
  await room.loadOlder();
  expect(settled.slice(0, 3)).toEqual(['cid-101', 'old', 'new: too_fast']);
  expect(settled).toContain('cid-1');
});

test('loads older pages until there are none', async () => {
  server.last = 300;
  for (const frame of [hello(300), ...run(251, 300)]) room.receive(frame);
  await quiet();
  room.pin(false);
  for (const from of [151, 51, 1]) {
    await Promise.all([room.loadOlder(), room.loadOlder()]);
    expect(firstId(room.timeline.value)).toBe(from);
  }
  await room.loadOlder();
  expect(asked.length).toBe(3);
});

test('starts over instead of merging a page of another log', async () => {
  await open();
  server.epoch = 'f';
  await room.loadOlder();
  expect([startedOver, room.timeline.value.events, room.resumePosition]).toEqual([1, [], undefined]);
});

test('drops everything of another epoch', async () => {
  await open();
  comes(hello(2, 'f', false), ...run(1, 2));
  await quiet();
  expect([lastId(room.timeline.value), room.resumePosition]).toEqual([2, { after: 2, epoch: 'f' }]);
});

test('opens anew when it is far behind', async () => {
  await open();
  room.receive(hello(50_000));
  expect([startedOver, room.resumePosition]).toEqual([1, undefined]);
});

test('shows an error without a message until the next hello', async () => {
  await open();
  room.receive({ type: 'error', data: { code: 'bad_command', message: 'what?' } });
  expect(room.notice.value?.message).toBe('what?');
  room.receive(hello(100));
  expect(room.notice.value).toBeUndefined();
});

test('applies fast events together, before the next rendering', async () => {
  await open();
  const before = room.timeline.value;
  for (const one of run(101, 120)) room.receive(one);
  expect([room.timeline.value === before, shows.length]).toEqual([true, 1]);
  draw();
  expect([lastId(room.timeline.value), news]).toEqual([120, run(101, 120).map(({ id }) => id)]);
});

test('resumes after events that wait for the rendering', async () => {
  await open();
  room.receive(event(101));
  expect(room.resumePosition).toEqual({ after: 101, epoch: 'e' });
});

test('applies a flood in pieces while nothing is rendered', async () => {
  await open();
  for (const one of run(101, 1100)) room.receive(one);
  expect(lastId(room.timeline.value)).toBe(1100);
});

test('opens at the read position and continues from its end', async () => {
  server.last = 1000;
  start = 300;
  for (const frame of [hello(1000), ...run(951, 1000)]) room.receive(frame);
  await quiet();
  draw();
  const t = room.timeline.value;
  expect([firstId(t), lastId(t), t.pinned, room.resumePosition?.after, asked.length]).toEqual([
    251,
    350,
    false,
    1000,
    1,
  ]);
  comes(event(1001));
  expect([lastId(room.timeline.value), room.resumePosition?.after, room.timeline.value.ahead]).toEqual([
    350,
    1001,
    [],
  ]);
});

test('opens at its end when the read position cannot be loaded', async () => {
  server = { epoch: 'e', last: 1000 };
  start = 300;
  reachable = false;
  for (const frame of [hello(1000), ...run(951, 1000)]) room.receive(frame);
  await quiet();
  expect([lastId(room.timeline.value), room.timeline.value.pinned]).toEqual([1000, true]);
});

test('holds back live events until it is open, also across a reconnect', async () => {
  await open();
  let decide = (_id: undefined) => {};
  const opening = room.open(new Promise((resolve) => (decide = resolve)));
  comes(event(101));
  expect(lastId(room.timeline.value)).toBe(100);
  comes(hello(102), event(101), event(102));
  decide(undefined);
  await opening;
  await quiet();
  expect([lastId(room.timeline.value), news]).toEqual([102, [101, 102]]);
});

test.each([
  ['a message in the window', 70, 70, 51],
  ['one far up', 5, 5, 1],
  ['the change of a message', 98, 12, 1],
])('goes to %s', async (_, asked, message, from) => {
  changes = new Map([[98, 12]]);
  await open();
  expect(await room.goTo(asked)).toBe(message);
  expect([firstId(room.timeline.value), room.timeline.value.pinned]).toEqual([from, false]);
});

test('stays where it is for a number beyond the end', async () => {
  await open();
  expect([await room.goTo(5000), room.timeline.value.pinned]).toEqual([undefined, true]);
});

test('goes to the latest target only', async () => {
  server.last = 1000;
  for (const frame of [hello(1000), ...run(951, 1000)]) room.receive(frame);
  await quiet();
  expect(await Promise.all([room.goTo(100), room.goTo(500)])).toEqual([undefined, 500]);
  expect(firstId(room.timeline.value)).toBe(451);
});

test('repeats a page that is older than the remembered changes', async () => {
  server.last = 2000;
  for (const frame of [hello(2000), ...run(1951, 2000)]) room.receive(frame);
  await quiet();
  draw();
  room.pin(false);
  late = () => {
    for (let id = 2001; id <= 2600; id++) room.receive(edit(id, 1951));
    draw();
    server.last = 2600;
  };
  await room.loadOlder();
  expect([asked.length, firstId(room.timeline.value)]).toEqual([2, 1851]);
});

describe('a snapshot', () => {
  const delivered = (from: number, to: number, last = 100) => ({
    user: ann,
    page: { epoch: 'e', last, complete: true, messages: run(from, to) },
  });

  test('is shown at once', () => {
    room.openFromSnapshot(delivered(51, 100));
    const { timeline, me, resumePosition: place } = room;
    expect([firstId(timeline.value), lastId(timeline.value), timeline.value.pinned]).toEqual([51, 100, true]);
    expect([me.value, place, asked, opened]).toEqual([ann, { after: 100, epoch: 'e' }, [], 1]);
  });

  test('is continued at its number, and what follows is new', async () => {
    room.openFromSnapshot(delivered(51, 100));
    const { value } = room.timeline;
    comes(hello(100));
    expect([room.timeline.value === value, room.me.value === ann]).toEqual([true, true]); // nothing to render
    comes(event(101));
    expect([lastId(room.timeline.value), news, asked]).toEqual([101, [101], []]);
  });

  test("settles the user's messages in it", () => {
    room.openFromSnapshot(delivered(99, 100));
    expect(settled).toEqual(['cid-99', 'cid-100']);
  });

  test('in the middle of the log is continued as well', async () => {
    server.last = 300;
    room.openFromSnapshot(delivered(51, 150, 300));
    expect([room.timeline.value.pinned, room.resumePosition]).toEqual([false, { after: 300, epoch: 'e' }]);
    comes(hello(301), event(301));
    expect([lastId(room.timeline.value), room.timeline.value.last]).toEqual([150, 301]);
    await room.loadNewer();
    expect([asked, lastId(room.timeline.value)]).toEqual([[{ after: 150, limit: 100 }], 250]);
  });

  test('of a replaced log is dropped', async () => {
    room.openFromSnapshot(delivered(51, 100));
    comes(hello(2, 'f', false), ...run(1, 2));
    await quiet();
    draw();
    expect([lastId(room.timeline.value), room.resumePosition]).toEqual([2, { after: 2, epoch: 'f' }]);
  });

  test('does not replace known events', async () => {
    await open();
    comes(event(101));
    room.openFromSnapshot(delivered(51, 100));
    expect(lastId(room.timeline.value)).toBe(101);
  });
});
