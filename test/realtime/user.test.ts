import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import type { Connection } from '../../src/realtime/connection.js';
import { ConnectedUser, queueLimits } from '../../src/realtime/user.js';

const { limits } = readConfig({});

/** A user only holds connections, so any three objects will do. */
const [one, two, three] = [{}, {}, {}] as unknown as readonly [Connection, Connection, Connection];

it('holds no socket, one or several, and drops each that is closed', () => {
  const ann = new ConnectedUser({ id: 'a', name: 'Ann' }, limits);
  const held = (): number[] => [ann.connectionCount, [...ann.connections].length];
  expect(held()).toEqual([0, 0]);
  ann.addConnection(one);
  ann.addConnection(one);
  expect([...ann.connections]).toEqual([one]);
  ann.addConnection(two);
  ann.addConnection(three);
  expect([...ann.connections]).toEqual([one, two, three]);
  ann.removeConnection(one);
  expect([...ann.connections]).toEqual([two, three]);
  ann.removeConnection(three);
  ann.removeConnection(three);
  ann.removeConnection(two);
  expect(held()).toEqual([0, 0]);
  ann.addConnection(two);
  expect([...ann.connections]).toEqual([two]);
});

it('is idle until a message is sent, and again once the burst is full', () => {
  const ann = new ConnectedUser({ id: 'a', name: 'Ann' }, limits);
  expect(ann.isIdle(0)).toBe(true);
  ann.bucket.take(1000);
  expect(ann.isIdle(1000)).toBe(false);
  expect(ann.isIdle(60_000)).toBe(true);
});

/** A user with one socket whose burst is used up; the clock is at 0. */
function throttledUser() {
  const done: string[] = [];
  const socket = {
    resume: () => done.push('resumes'),
    close: ([code]: [number]) => done.push(`closes ${code}`),
  };
  const ann = new ConnectedUser({ id: 'a', name: 'Ann' }, limits);
  ann.addConnection(socket as unknown as Connection);
  while (ann.bucket.take(0));
  const queue = (count: number, bytes = 60) => {
    for (let n = 0; n < count; n++) ann.enqueue({ bytes, post: () => done.push('posts') });
  };
  return { ann, queue, done };
}

it('pauses reading two seconds after the queue is long, and resumes below half of that', () => {
  const { ann, queue, done } = throttledUser();
  queue(999);
  expect(ann.shouldPause(0)).toBe(false);
  queue(1);
  expect([0, 1999, 2000, 9000].map((now) => ann.shouldPause(now))).toEqual([false, false, true, true]);
  for (let now = 200; now <= 100_000; now += 200) ann.postQueued(now);
  expect([ann.queuedPosts, done.filter((what) => what === 'resumes')]).toEqual([500, []]);
  expect(ann.shouldPause(100_000)).toBe(false);
  queue(500);
  expect(ann.shouldPause(100_000)).toBe(true); // reading has not resumed
  for (let now = 100_200; now <= 200_200; now += 200) ann.postQueued(now);
  expect([ann.queuedPosts, done.at(-1)]).toEqual([499, 'resumes']);
  queue(600);
  expect([ann.shouldPause(201_000), ann.shouldPause(203_000)]).toEqual([false, true]);
});

it('pauses reading when many bytes wait', () => {
  const { ann, queue } = throttledUser();
  queue(4, 16_384);
  expect([ann.shouldPause(0), ann.shouldPause(2000)]).toEqual([false, true]);
});

it('is over the limit with 2,000 messages or 2 MiB waiting, and drops them when it disconnects', () => {
  const [many, long] = [throttledUser(), throttledUser()];
  many.queue(queueLimits.disconnectCount - 1);
  long.queue(100, 16_384);
  expect([many.ann.isOverLimit, long.ann.isOverLimit]).toEqual([false, false]);
  many.queue(1);
  long.queue(28, 16_384);
  expect([many.ann.isOverLimit, long.ann.isOverLimit]).toEqual([true, true]);
  many.ann.disconnect();
  expect([many.done, many.ann.queuedPosts, many.ann.queuedBytes]).toEqual([['closes 4429'], 0, 0]);
});

it('lets no message overtake those that wait', () => {
  const { ann, queue } = throttledUser();
  expect(ann.mayPost(10_000)).toBe(true);
  queue(1);
  expect(ann.mayPost(20_000)).toBe(false); // although there are tokens again
  ann.postQueued(20_000);
  expect(ann.mayPost(20_000)).toBe(true);
});
