import { expect, test } from 'vitest';
import type { Database } from '../../src/client/outbox/db.js';
import { OfflineCache } from '../../src/client/rooms/cache.js';
import { ManualClock } from './clock.js';

test('writes nothing after the user has left the browser, however slow the deletion is', async () => {
  const clock = new ManualClock();
  const modes: string[] = [];
  const running: (() => void)[] = [];
  const run = (_store: string, mode: string) => {
    modes.push(mode);
    return new Promise<void>((resolve) => running.push(resolve));
  };
  const database = { run } as unknown as Database; // all that the cache calls
  const cache = new OfflineCache(database, clock, 'ann');
  const left = cache.destroy();
  cache.saveRooms(() => ({ epoch: 'e', rooms: [] }));
  clock.advance(1_500);
  for (const finish of running) finish();
  await left;
  expect(modes).toEqual(['readwrite']); // the deletion
});
