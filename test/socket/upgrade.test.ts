import { afterEach, expect, it, vi } from 'vitest';
import { Door } from '../../src/socket/upgrade.js';

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
  const door = new Door(parts as unknown as ConstructorParameters<typeof Door>[0]);
  const end = (): void => {
    clock += 3;
    answered.push(clock);
  };
  for (let n = 0; n < 10; n++) {
    const socket = { on: () => {}, writable: true, end };
    const request = { url: '/elsewhere', method: 'GET', headers: {}, socket: { remoteAddress: '' } };
    door.enter(request as never, socket as never, Buffer.alloc(0));
  }
  expect(answered).toHaveLength(0);
  await turn();
  expect(answered).toHaveLength(3);
  await turn();
  await turn();
  await turn();
  expect(answered).toHaveLength(10);
});
