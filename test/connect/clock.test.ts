import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs, reconnectDelayMs } from '../../src/connect/clock.js';

test('retries the first time within half a second', () => {
  expect(backoffMs(0, () => 0.999)).toBeLessThan(500);
});

test('doubles the wait up to a limit', () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 50, 5000].map((tries) => backoffMs(tries, () => 1));
  expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, 15000]);
});

test('uses full jitter, from zero to the whole wait', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (tries, luck) => {
      expect(backoffMs(tries, () => luck)).toBeCloseTo(luck * backoffMs(tries, () => 1));
    }),
  );
});

test('waits longer after close code 4429', () => {
  expect(reconnectDelayMs(4429, 0, () => 0)).toBe(5000);
  expect(reconnectDelayMs(1012, 0, () => 0)).toBe(0);
});
