import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.js';
import type { Connection } from '../../src/realtime/connection.js';
import { ConnectedUser, queueLimits } from '../../src/realtime/user.js';

const { limits } = readConfig({});

/** A person only holds connections; any three objects will do. */
const [one, two, three] = [{}, {}, {}] as unknown as readonly [Connection, Connection, Connection];

it('has no socket, one, or several, and forgets each that is closed', () => {
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

it('is rested until they said something, and again when that is long ago', () => {
  const ann = new ConnectedUser({ id: 'a', name: 'Ann' }, limits);
  expect(ann.isIdle(0)).toBe(true);
  ann.bucket.take(1000);
  expect(ann.isIdle(1000)).toBe(false);
  expect(ann.isIdle(60_000)).toBe(true);
});

/** Somebody with one socket who has used up what they may say at once; the clock stands at 0. */
function hasty() {
  const done: string[] = [];
  const socket = {
    resume: () => done.push('reads on'),
    close: ([code]: [number]) => done.push(`closes ${code}`),
  };
  const ann = new ConnectedUser({ id: 'a', name: 'Ann' }, limits);
  ann.addConnection(socket as unknown as Connection);
  while (ann.bucket.take(0));
  const says = (count: number, bytes = 60) => {
    for (let n = 0; n < count; n++) ann.enqueue({ bytes, post: () => done.push('says') });
  };
  return { ann, says, done };
}

it('is paused when much waits, but looked at for two seconds before, and read again below half', () => {
  const { ann, says, done } = hasty();
  says(999);
  expect(ann.shouldPause(0)).toBe(false);
  says(1);
  expect([0, 1999, 2000, 9000].map((now) => ann.shouldPause(now))).toEqual([false, false, true, true]);
  for (let now = 200; now <= 100_000; now += 200) ann.postQueued(now);
  expect([ann.queuedPosts, done.filter((what) => what === 'reads on')]).toEqual([500, []]);
  expect(ann.shouldPause(100_000)).toBe(false);
  says(500);
  expect(ann.shouldPause(100_000)).toBe(true); // it has not been read on
  for (let now = 100_200; now <= 200_200; now += 200) ann.postQueued(now);
  expect([ann.queuedPosts, done.at(-1)]).toEqual([499, 'reads on']);
  says(600);
  expect([ann.shouldPause(201_000), ann.shouldPause(203_000)]).toEqual([false, true]);
});

it('is paused by bytes too', () => {
  const { ann, says } = hasty();
  says(4, 16_384);
  expect([ann.shouldPause(0), ann.shouldPause(2000)]).toEqual([false, true]);
});

it('keeps too much at 2,000 messages or 2 MiB, not at 1,999 or a hundred of the longest; thrown out, nothing waits', () => {
  const [many, long] = [hasty(), hasty()];
  many.says(queueLimits.disconnectCount - 1);
  long.says(100, 16_384);
  expect([many.ann.isOverLimit, long.ann.isOverLimit]).toEqual([false, false]);
  many.says(1);
  long.says(28, 16_384);
  expect([many.ann.isOverLimit, long.ann.isOverLimit]).toEqual([true, true]);
  many.ann.disconnect();
  expect([many.done, many.ann.queuedPosts, many.ann.queuedBytes]).toEqual([['closes 4429'], 0, 0]);
});

it('overtakes by no other way what waits', () => {
  const { ann, says } = hasty();
  expect(ann.mayPost(10_000)).toBe(true);
  says(1);
  expect(ann.mayPost(20_000)).toBe(false); // though there is budget again
  ann.postQueued(20_000);
  expect(ann.mayPost(20_000)).toBe(true);
});
