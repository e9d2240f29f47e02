/** How long it takes until a room can be used, on a processor four times as slow. */
import type { BrowserContext } from 'playwright-core';
import { noted, watchOpening } from './probe.js';

/** Milliseconds after the navigation began. */
export interface Opened {
  /** the composer takes a key */
  readonly writable: number;
  /** the history is drawn */
  readonly history: number;
  /** Largest Contentful Paint: what is largest is on the screen */
  readonly painted: number;
  /** the longest task until then, itself */
  readonly longestTask: number;
}

const SLOWER = 4;

/** Opens a room in a new page. In a new context it is a first visit; where a service worker is, a later one. */
export async function open(context: BrowserContext, url: string): Promise<Opened> {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  await watchOpening(page);
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(() => performance.getEntriesByName('history').length > 0);
  await page.locator('.composer textarea').press('k');
  const paints = await page.evaluate(paint);
  const opened = await page.evaluate(() => ({
    writable: performance.getEntriesByName('writable')[0]?.startTime ?? Number.NaN,
    history: performance.getEntriesByName('history')[0]?.startTime ?? Number.NaN,
    text: document.querySelector<HTMLTextAreaElement>('.composer textarea')?.value,
  }));
  if (!opened.text?.endsWith('k')) throw new Error('the key did not arrive');
  const { tasks } = await noted(page);
  const early = tasks.filter(({ start }) => start < opened.history);
  await page.close();
  return {
    writable: opened.writable,
    history: opened.history,
    painted: paints,
    longestTask: Math.max(0, ...early.map(({ duration }) => duration)),
  };
}

/** Runs in the page. */
function paint(): Promise<number> {
  return new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntries().at(-1)?.startTime ?? Number.NaN)).observe({
      type: 'largest-contentful-paint',
      buffered: true,
    });
  });
}

/** A later visit: the service worker has all files of the page. */
export async function installWorker(context: BrowserContext, url: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(url);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForTimeout(2_500); // what is kept of the room is written after a while
  await page.close();
}
