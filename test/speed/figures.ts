/** The measurements put together: a server, a browser, and what came out in words. For the table, and for a test. */
import type { Browser, Page } from 'playwright-core';
import { openBrowser, signInByForm } from '../chromium.js';
import { Door, temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { cookies } from '../stage.js';
import { BareBrowser } from './bare.js';
import { fill, jump, pageUp, type Read, scrollDown, scrollUp, toLatest } from './long.js';
import { installWorker, type Opened, open } from './opening.js';
import { fitWindow, heapBytes, type Spread, spread } from './probe.js';
import { typeWhile } from './typing.js';

export interface Figure {
  readonly what: string;
  readonly value: string;
  /** the number that counts, for a test */
  readonly figure: number;
}

const VIEW = { viewport: { width: 1280, height: 800 } };
const ROOM = 'hall';
const RATE = 1_000;

async function stage(folder = temporaryFolder()): Promise<{ door: Door; browser: Browser }> {
  const { port } = await startServer({ env: { DATA_DIR: folder } });
  return { door: new Door(port), browser: await openBrowser() };
}

async function enter(browser: Browser, door: Door): Promise<Page> {
  const page = await (await browser.newContext(VIEW)).newPage();
  await signInByForm(page, door.origin, 'Ann', ROOM);
  await page.locator('.dot.live').waitFor();
  return page;
}

/** From a key to the screen, at rest and with a thousand messages a second. */
export async function figuresOfTyping(letters: number): Promise<readonly Figure[]> {
  const { door, browser } = await stage();
  const page = await enter(browser, door);
  const calm = await typeWhile(page, door, ROOM, 0, Math.ceil(letters / 2));
  const busy = await typeWhile(page, door, ROOM, RATE, letters);
  const rate = Math.round(busy.rate);
  return [
    of('key to screen, room at rest', calm.latency),
    of(`key to screen, ${rate} messages/s arriving`, busy.latency),
    of(`tasks over 50 ms meanwhile`, busy.longTasks, `${busy.longTasks.count}`),
    figure('main thread at work meanwhile', busy.busy * 100, '%'),
  ];
}

/** A first and a later visit, on a processor four times as slow: the median of several. */
export async function figuresOfOpening(times: number): Promise<readonly Figure[]> {
  const folder = temporaryFolder();
  await fill(folder, ROOM, 2_000);
  const { port } = await startServer({ env: { DATA_DIR: folder } });
  const door = new Door(port);
  const ann = cookies(await door.signIn('Ann'), door.origin);
  const url = `${door.origin}/r/${ROOM}`;
  const browser = await BareBrowser.open();
  const first: Opened[] = [];
  for (let n = 0; n < times; n++) first.push(await open(browser, await browser.context(ann), url));
  const context = await browser.context(ann);
  await installWorker(browser, context, url);
  const later: Opened[] = [];
  for (let n = 0; n < times; n++) later.push(await open(browser, context, url));
  return [...opened('first visit', first), ...opened('later visit', later)];
}

function opened(visit: string, all: readonly Opened[]): readonly Figure[] {
  const median = (of: (one: Opened) => number) => spread(all.map(of)).p50;
  return [
    figure(
      `${visit}, CPU 4 times slower: one can write after`,
      median(({ writable }) => writable),
      'ms',
    ),
    figure(
      `${visit}: the history is drawn after`,
      median(({ history }) => history),
      'ms',
    ),
    figure(
      `${visit}: longest task`,
      median(({ longestTask }) => longestTask),
      'ms',
    ),
  ];
}

/** A room of very many messages: read, and jumped about in. */
export async function figuresOfLong(count: number, messages: number): Promise<readonly Figure[]> {
  const folder = temporaryFolder();
  await fill(folder, ROOM, count);
  const { door, browser } = await stage(folder);
  const page = await enter(browser, door);
  await fitWindow(page);
  await page.locator(`li.message[data-id="${count}"]`).waitFor();
  const session = await page.context().newCDPSession(page);
  const up = await scrollUp(page, messages);
  const all = [
    ...read(`scrolled up ${up.messages} of ${count.toLocaleString('en')} messages`, up),
    ...read('scrolled down', await scrollDown(page, messages / 3)),
    ...read('30 times PageUp', await pageUp(page, 30)),
  ];
  for (const id of [1, count / 2]) all.push(figure(`jump to #${id}`, await jump(page, id), 'ms'));
  all.push(figure('jump to the newest', await toLatest(page, count), 'ms'));
  all.push(figure('JS heap after all that', (await heapBytes(session)) / 1e6, 'MB'));
  return all;
}

function read(what: string, { frames, longTasks, rows }: Read): readonly Figure[] {
  return [
    of(`${what}: a frame`, frames),
    of(`${what}: tasks over 50 ms`, longTasks, `${longTasks.count} in ${frames.count} frames`),
    figure(`${what}: rows in the page, at most`, rows, ''),
  ];
}

function of(what: string, { p50, p95, longest }: Spread, value?: string): Figure {
  const ms = (number: number) => `${Math.round(number)} ms`;
  return {
    what,
    value: value ?? `p50 ${ms(p50)}, p95 ${ms(p95)}, longest ${ms(longest)}`,
    figure: value === undefined ? p95 : longest,
  };
}

function figure(what: string, number: number, unit: string): Figure {
  const value = number < 10 ? number.toFixed(1) : String(Math.round(number));
  return { what, value: `${value} ${unit}`.trim(), figure: number };
}
