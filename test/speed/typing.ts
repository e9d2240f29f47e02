/** How long a person who types waits for their letters, while messages come by the thousand. */
import type { Page } from 'playwright-core';
import type { Door } from '../harness.js';
import { flood } from './crowd.js';
import { busySeconds, fitWindow, noted, type Spread, spread, watchSpeed } from './probe.js';

export interface Typed {
  /** Event Timing: from the key to the frame on the screen; a key that took less than 16 ms counts as 16 */
  readonly latency: Spread;
  /** the same by the page's own clock, to the end of the frame's work */
  readonly keys: Spread;
  readonly longTasks: Spread;
  /** part of the time that the page's main thread was at work */
  readonly busy: number;
  /** messages a second meanwhile */
  readonly rate: number;
}

const WARM_MS = 2_000;

/** Types so many letters into the composer, as fast as a quick typist. The page must be in the room. */
export async function typeWhile(
  page: Page,
  door: Door,
  room: string,
  rate: number,
  letters: number,
): Promise<Typed> {
  await fitWindow(page);
  const stop = rate > 0 ? await flood(door, room, rate) : () => 0;
  await page.waitForTimeout(WARM_MS);
  const session = await page.context().newCDPSession(page);
  const before = await busySeconds(session);
  await watchSpeed(page);
  const from = performance.now();
  await type(page, letters);
  const seconds = (performance.now() - from) / 1_000;
  const busy = await busySeconds(session);
  const said = stop();
  await page.waitForTimeout(500); // the browser tells of events some time after them
  const { interactions, keys, tasks } = await noted(page);
  const quick = Array.from({ length: Math.max(0, letters - interactions.length) }, () => 16);
  return {
    latency: spread([...interactions, ...quick]),
    keys: spread(keys),
    longTasks: spread(tasks.map(({ duration }) => duration)),
    busy: (busy - before) / seconds,
    rate: said / (seconds + WARM_MS / 1_000),
  };
}

async function type(page: Page, letters: number): Promise<void> {
  await page.locator('.composer textarea').focus();
  for (let n = 0; n < letters; n++) {
    const { keyboard } = page;
    const letter = 'the quick brown fox '[n % 20] ?? ' ';
    await keyboard.down(letter);
    await page.waitForTimeout(30);
    await keyboard.up(letter);
    await page.waitForTimeout(20 + ((n * 37) % 80)); // hands keep no beat
  }
}
