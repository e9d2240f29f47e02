import { afterEach, expect, it, vi } from 'vitest';
import { UpgradeHandler } from '../../src/realtime/upgrade.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets immediates that are due run. */
const turn = (): Promise<void> => new Promise(setImmediate);

it('lets in as many as fit into a few milliseconds, then others have their turn', async () => {
  let clock = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const answered: number[] = [];
  const parts = { config: { trustedProxies: { check: () => false }, limits: {} }, hub: {} };
  const door = new UpgradeHandler(parts as unknown as ConstructorParameters<typeof UpgradeHandler>[0]);
  const end = (): void => {
    clock += 3;
    answered.push(clock);
  };
  const knock = (): void => {
    const socket = { on: () => {}, writable: true, end };
    const request = { url: '/elsewhere', method: 'GET', headers: {}, socket: { remoteAddress: '' } };
    door.handle(request as never, socket as never, Buffer.alloc(0));
  };
  for (let n = 0; n < 10; n++) knock();
  expect(answered).toHaveLength(2); // at once; the others wait
  await turn();
  expect(answered).toHaveLength(4);
  for (let n = 0; n < 3; n++) await turn();
  expect(answered).toHaveLength(10);
  knock();
  expect(answered).toHaveLength(11); // nobody waits any more
});
