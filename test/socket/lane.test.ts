import { expect, it } from 'vitest';
import { Lane, type Slowed } from '../../src/socket/lane.js';

const MIB = 1024 * 1024;

it('throws out who keeps most when all together keep too much, and forgets who has nothing left', () => {
  const lane = new Lane();
  const out: string[] = [];
  let turns = 0;
  const slowed = (name: string, bytes: number): Slowed => ({
    bytes,
    postWaiting: () => ++turns > 100,
    throwOut: () => out.push(name),
  });
  for (let n = 0; n < 32; n++) lane.add(slowed(`flood ${n}`, 1.9 * MIB));
  for (let n = 0; n < 8; n++) lane.add(slowed(`hasty ${n}`, 1000));
  lane.turn(0);
  expect(out).toEqual([]); // 61 MiB
  for (let n = 32; n < 40; n++) lane.add(slowed(`flood ${n}`, 1.9 * MIB));
  lane.turn(50);
  expect(out).toEqual(Array.from({ length: 40 }, (_, n) => `flood ${n}`));
  turns = 100;
  lane.turn(100);
  turns = 0;
  lane.turn(150);
  expect(turns).toBe(0);
  lane.stop();
});
