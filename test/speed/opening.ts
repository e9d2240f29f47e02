/** How long it takes until a room can be used, on a processor four times as slow. */
import { setTimeout as pause } from 'node:timers/promises';
import type { BareBrowser, BarePage } from './bare.js';

/** Milliseconds after the navigation began. */
export interface Opened {
  /** the composer takes a key */
  readonly writable: number;
  /** the history is drawn */
  readonly history: number;
  /** the longest task until then, itself */
  readonly longestTask: number;
}

const SLOWER = 4;
const VIEW = { width: 1280, height: 800 };
/** The page is left alone for so long: who asks it runs a script in it, on the slow processor too. */
const ALONE_MS = 3_000;
const PATIENCE_MS = 30_000;

/** Opens a room in a new page. In a new context it is a first visit; where a service worker is, a later one. */
export async function open(browser: BareBrowser, context: string, url: string): Promise<Opened> {
  const page = await browser.page(context, VIEW);
  await page.ask('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  await page.ask('Page.navigate', { url });
  await pause(ALONE_MS);
  const until = Date.now() + PATIENCE_MS;
  while (!(await page.run(() => performance.getEntriesByName('history').length > 0))) {
    if (Date.now() > until) throw new Error('the history was not drawn');
    await pause(250);
  }
  await type(page, 'k');
  const opened = await page.run(read);
  await page.close();
  if (!opened.text.endsWith('k')) throw new Error('the key did not arrive');
  const early = opened.tasks.filter(([start]) => start < opened.history);
  return { ...opened, longestTask: Math.max(0, ...early.map(([, duration]) => duration)) };
}

/** A later visit: the service worker has all files of the page. */
export async function installWorker(browser: BareBrowser, context: string, url: string): Promise<void> {
  const page = await browser.page(context, VIEW);
  await page.ask('Page.navigate', { url });
  await pause(ALONE_MS);
  await page.run(() => navigator.serviceWorker.ready.then(() => true));
  await pause(ALONE_MS); // what is kept of the room is written after a while
  await page.close();
}

async function type(page: BarePage, key: string): Promise<void> {
  await page.run(() => document.querySelector<HTMLElement>('.composer textarea')?.focus());
  await page.ask('Input.dispatchKeyEvent', { type: 'keyDown', text: key, key });
  await page.ask('Input.dispatchKeyEvent', { type: 'keyUp', key });
}

/** Runs in the page. */
function read() {
  const at = (mark: string) => performance.getEntriesByName(mark)[0]?.startTime ?? Number.NaN;
  return new Promise<Pick<Opened, 'writable' | 'history'> & { text: string; tasks: [number, number][] }>(
    (resolve) => {
      const give = (tasks: PerformanceEntryList) =>
        resolve({
          writable: at('writable'),
          history: at('history'),
          text: document.querySelector<HTMLTextAreaElement>('.composer textarea')?.value ?? '',
          tasks: tasks.map(({ startTime, duration }) => [startTime, duration]),
        });
      new PerformanceObserver((list) => give(list.getEntries())).observe({
        type: 'longtask',
        buffered: true,
      });
      setTimeout(() => give([]), 1_000); // there were none
    },
  );
}
