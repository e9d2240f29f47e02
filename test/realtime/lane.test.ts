import { expect, it } from 'vitest';
import { type ThrottledUser, ThrottleQueue } from '../../src/realtime/throttle.js';

const MIB = 1024 * 1024;

it('throws out who keeps most when all together keep too much, and forgets who has nothing left', () => {
  const lane = new ThrottleQueue();
  const out: string[] = [];
  let turns = 0;
  const slowed = (name: string, bytes: number): ThrottledUser => ({
    queuedBytes: bytes,
    postQueued: () => ++turns > 100,
    disconnect: () => out.push(name),
  });
  for (let n = 0; n < 32; n++) lane.add(slowed(`flood ${n}`, 1.9 * MIB));
  for (let n = 0; n < 8; n++) lane.add(slowed(`hasty ${n}`, 1000));
  lane.tick(0);
  expect(out).toEqual([]); // 61 MiB
  for (let n = 32; n < 40; n++) lane.add(slowed(`flood ${n}`, 1.9 * MIB));
  lane.tick(50);
  expect(out).toEqual(Array.from({ length: 40 }, (_, n) => `flood ${n}`));
  turns = 100;
  lane.tick(100);
  turns = 0;
  lane.tick(150);
  expect(turns).toBe(0);
  lane.stop();
});
