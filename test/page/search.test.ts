/** Searching on the page, against a real index and against slow ones. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { eventually, openPage, says, texts, visitor } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder() } });

const box = (page: Page) => page.getByRole('dialog', { name: 'Search' });

/** Puts in the whole query at once: slow keys would search for its beginning too. */
async function search(page: Page, query: string): Promise<void> {
  await page.keyboard.press('Control+Shift+F');
  await page.keyboard.insertText(query);
}

/** Counts requests, and answers those that a function answers. */
async function answering(page: Page, answer: (n: number) => object | undefined): Promise<() => number> {
  let count = 0;
  await page.route('**/api/search?*', async (route) => {
    const json = answer(++count);
    await (json ? route.fulfill({ json }) : route.continue());
  });
  return () => count;
}

/** Runs in the page. `pauseMs`: a promise of the milliseconds from the next input until it is said that there is nothing. */
function notePause(): void {
  const pauseMs = new Promise<number>((resolve) => {
    let typedAt = Number.NaN;
    const onInput = () => {
      typedAt = performance.now();
    };
    document.addEventListener('input', onInput, { once: true, capture: true });
    new MutationObserver(() => {
      if (document.body.textContent?.includes('No messages found.')) resolve(performance.now() - typedAt);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  Object.assign(window, { pauseMs });
}

/** Runs in the page: opens the search, and types and deletes a text before it is drawn, but after the first effects. */
async function typeAndDelete(): Promise<void> {
  const { requestAnimationFrame, setTimeout } = window;
  // the effects of earlier renderings come first, or they would take those of the dialog with them
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => setTimeout(resolve))));
  const frames: (() => void)[] = [];
  const timers: (() => void)[] = [];
  Object.assign(window, {
    requestAnimationFrame: (callback: () => void) => frames.push(callback),
    setTimeout: (callback: () => void) => timers.push(callback),
  });
  const keys = { key: 'F', ctrlKey: true, shiftKey: true, bubbles: true };
  document.body.dispatchEvent(new KeyboardEvent('keydown', keys));
  const put = (text: string) => {
    const field = document.querySelector<HTMLInputElement>('dialog input[type=search]');
    if (!field) throw new Error('the search is not open');
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
  put('tea');
  // Preact's timer for effects that no frame comes for, and the one that it starts
  for (let n = 0; n < 2; n++) for (const callback of timers.splice(0)) callback();
  put('');
  Object.assign(window, { requestAnimationFrame, setTimeout });
  for (const callback of frames) requestAnimationFrame(callback);
  for (const callback of timers) setTimeout(callback);
}

const scrolled = (page: Page) => page.locator('.results').evaluate((list) => list.scrollTop);

describe.runIf(hasChromium)('the search', { timeout: 60_000 }, () => {
  it('says how to narrow it down, and begins it', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'kitchen', 'tea at https://tea.example', 'tea');
    const { page } = await openPage(server, 'Ann');
    await search(page, 'tea ');
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Delete');
    await box(page)
      .getByRole('button', { name: /^has:link/ })
      .click();
    await page.keyboard.type(' tea from:bob');
    await box(page).getByText('1 result').waitFor();
    await eventually(() => box(page).locator('mark').allTextContents()).toEqual(['tea', 'tea']);
  });

  it('says so again when a text was deleted before it was drawn', async () => {
    const { page } = await openPage(await start(), 'Ann');
    await page.locator('.dot.live').waitFor();
    await page.evaluate(typeAndDelete);
    await box(page)
      .getByRole('button', { name: /^has:link/ })
      .waitFor();
  });

  it('keeps its results and where they were scrolled to while one of them is looked at', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'kitchen', ...texts(40));
    await eventually(async () => (await (await bob.get('/api/search?q=text')).json()).messages.length).toBe(
      40,
    );
    const { page } = await openPage(server, 'Ann');
    const requests = await answering(page, () => undefined);
    await search(page, 'text');
    await box(page).getByText('40 results').waitFor();
    await box(page)
      .getByRole('link', { name: /text 10$/ })
      .scrollIntoViewIfNeeded();
    const [before, asked] = [await scrolled(page), requests()];
    expect(before).toBeGreaterThan(100);
    await box(page)
      .getByRole('link', { name: /text 10$/ })
      .click();
    await page.getByRole('heading', { name: 'kitchen' }).waitFor();
    await page.getByRole('button', { name: 'Back to the results' }).click();
    await box(page).getByText('40 results').waitFor();
    await eventually(() => scrolled(page)).toBe(before);
    expect([await box(page).getByRole('searchbox').inputValue(), requests()]).toEqual(['text', asked]);
  });

  it('does not say that there is nothing while someone types or the index is behind', async () => {
    const { page } = await openPage(await start(), 'Ann');
    const message = {
      id: 1,
      type: 'chat',
      room: 'lobby',
      at: 0,
      data: 'tea',
      user: { id: 'b', name: 'Bob' },
    };
    const answers = [
      { messages: [], complete: false },
      { messages: [], complete: true, next: 9 },
      { messages: [message], complete: true },
    ];
    const requests = await answering(page, (n) => answers[n - 1] ?? { messages: [], complete: true });
    // looks at every frame, because the next answer takes it away
    const unfinished = page.waitForFunction(() =>
      document.querySelector('#search-hint')?.textContent?.startsWith('Nothing found so far'),
    );
    await search(page, 'tea');
    await unfinished;
    await box(page).getByText('1 result').waitFor();
    expect(requests()).toBe(3);
    await page.evaluate(notePause);
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText('qua');
    expect(await page.evaluate(() => Reflect.get(window, 'pauseMs'))).toBeGreaterThan(800);
    expect(requests()).toBe(4);
  });
});
