/** How it feels to read a room of 100,000 messages: scrolling up through thousands, and jumping. */
import type { Page } from 'playwright-core';
import { applyBatch } from '../../src/chat/rules.js';
import type { Command } from '../../src/chat/types.js';
import { Store } from '../../src/store/store.js';
import { fitWindow, framesWhile, noted, type Spread, spread, watchSpeed } from './probe.js';

const SALT = '00'.repeat(16);

const BEAT = 5_000;
const YEAR_MS = 365 * 24 * 3600 * 1000;
const WORDS = 'the quick brown fox jumps over the lazy dog, again and again, and never tires of it'.split(
  ' ',
);

/** Writes so many messages of twenty people over a year, by the rules and the store themselves. */
export async function fill(folder: string, room: string, count: number): Promise<void> {
  const store = new Store(folder);
  const begin = Date.now() - YEAR_MS;
  for (let from = 0; from < count; from += BEAT) {
    const beat = Array.from({ length: Math.min(BEAT, count - from) }, (_, n) =>
      command(from + n, room, begin + Math.floor(((from + n) * YEAR_MS) / count)),
    );
    applyBatch(beat, store, (error) => {
      throw error;
    });
  }
  // The index follows by itself; here it is done before anything is measured.
  while (
    !(await store.search.find({ q: 'message', room: undefined, before: undefined, limit: 1 }))?.complete
  );
  store.close();
}

function command(n: number, room: string, at: number): Command {
  const who = Math.floor(n / 3) % 20;
  const user = { id: `filler${who}`, name: `Filler ${who}` };
  const text = WORDS.slice(0, 3 + ((n * 7) % (WORDS.length - 3))).join(' ');
  const data = n % 9 === 0 ? `**${n + 1}** \`${text}\` https://example.org/${n}` : `${n + 1} ${text}`;
  return { kind: 'message', room, user, data, at, salt: SALT, cid: `fill-${n}` };
}

export interface Read {
  readonly frames: Spread;
  readonly longTasks: Spread;
  /** messages that went through the window */
  readonly messages: number;
  /** the most rows that were in the page at once */
  readonly rows: number;
}

/** Goes up by the wheel until so many messages have passed. */
export function scrollUp(page: Page, messages: number): Promise<Read> {
  return measured(page, async () => {
    const from = await topmost(page);
    await page.locator('.log').hover();
    while ((await topmost(page)) > from - messages) {
      for (let n = 0; n < 10; n++) {
        await page.mouse.wheel(0, -360);
        await page.waitForTimeout(16);
      }
    }
  });
}

/** The same down. */
export function scrollDown(page: Page, messages: number): Promise<Read> {
  return measured(page, async () => {
    const from = await topmost(page);
    await page.locator('.log').hover();
    while ((await topmost(page)) < from + messages) {
      for (let n = 0; n < 10; n++) {
        await page.mouse.wheel(0, 360);
        await page.waitForTimeout(16);
      }
    }
  });
}

/** Page by page, by the keyboard. */
export function pageUp(page: Page, times: number): Promise<Read> {
  return measured(page, async () => {
    await page.locator('.log').focus();
    for (let n = 0; n < times; n++) {
      await page.keyboard.press('PageUp');
      await page.waitForTimeout(120);
    }
  });
}

/** Milliseconds until a message that was asked for is in view. */
export async function jump(page: Page, id: number): Promise<number> {
  return page.evaluate(
    (number) =>
      new Promise<number>((resolve) => {
        const from = performance.now();
        location.hash = String(number);
        const look = () => {
          const row = document.querySelector(`li.message.highlighted[data-id="${number}"]`);
          const { top = -1 } = row?.getBoundingClientRect() ?? {};
          if (top > 0 && top < innerHeight) resolve(performance.now() - from);
          else requestAnimationFrame(look);
        };
        look();
      }),
    id,
  );
}

/** Back to the newest. */
export async function toLatest(page: Page, last: number): Promise<number> {
  const from = performance.now();
  await page.locator('.jump-latest').click();
  await page.locator(`li.message[data-id="${last}"]`).waitFor();
  return performance.now() - from;
}

async function measured(page: Page, work: () => Promise<void>): Promise<Read> {
  await fitWindow(page);
  await watchSpeed(page);
  await page.evaluate(watchRows);
  const from = await topmost(page);
  const frames = await framesWhile(page, work);
  const { tasks } = await noted(page);
  return {
    frames: spread(frames),
    longTasks: spread(tasks.map(({ duration }) => duration)),
    messages: Math.abs(from - (await topmost(page))),
    rows: await page.evaluate(() => window.mostRows ?? 0),
  };
}

declare global {
  interface Window {
    mostRows: number | undefined;
  }
}

/** Runs in the page. */
function watchRows(): void {
  const list = document.querySelector('.messages');
  window.mostRows = list?.childElementCount ?? 0;
  new MutationObserver(() => {
    window.mostRows = Math.max(window.mostRows ?? 0, list?.childElementCount ?? 0);
  }).observe(list ?? document, { childList: true });
}

/** The number of the first message that can be seen. */
function topmost(page: Page): Promise<number> {
  return page.evaluate(() => {
    const edge = document.querySelector('.log')?.getBoundingClientRect().top ?? 0;
    const rows = [...document.querySelectorAll('li.message[data-id]')];
    const first = rows.find((row) => row.getBoundingClientRect().bottom > edge);
    return Number(first?.getAttribute('data-id') ?? 0);
  });
}
