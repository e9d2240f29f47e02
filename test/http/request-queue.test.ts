/** The turns of addresses, with a clock in the test's hand: each request takes as long as the test says. */
import type { IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { readConfig } from '../../src/config.js';
import { RequestQueue } from '../../src/http/request-queue.js';

function startQueue() {
  let clock = 1000;
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => clock);
  onTestFinished(() => spy.mockRestore());
  const queue = new RequestQueue(readConfig({}).trustedProxies);
  const log: string[] = [];
  const ask = (address: string, ms: number): void => {
    const request = { headers: {}, socket: { remoteAddress: address } } as unknown as IncomingMessage; // all that is read
    queue.add(request, () => {
      clock += ms;
      log.push(address);
    });
  };
  const untilDone = async (count: number): Promise<void> => {
    while (log.length < count) await new Promise(setImmediate);
  };
  return { ask, log, untilDone };
}

describe('requests that wait', () => {
  it('of an address that asks now and then come before the next ones of a flood', async () => {
    const { ask, log, untilDone } = startQueue();
    const flood = Array.from({ length: 10 }, (_, n) => `192.0.2.${n + 1}`);
    for (let n = 0; n < 20; n++) for (const address of flood) ask(address, 5);
    await untilDone(60);
    ask('198.51.100.1', 1);
    const before = log.length;
    await untilDone(201);
    expect(log.indexOf('198.51.100.1') - before).toBeLessThan(3);
  });

  it('get the same time by address, however much each takes', async () => {
    const { ask, log, untilDone } = startQueue();
    for (let n = 0; n < 100; n++) ask('192.0.2.1', 8);
    for (let n = 0; n < 100; n++) ask('192.0.2.2', 2);
    await untilDone(100);
    const share = (address: string): number => log.filter((one) => one === address).length;
    expect(share('192.0.2.2') / share('192.0.2.1')).toBeGreaterThan(3);
    await untilDone(200);
  });
});
