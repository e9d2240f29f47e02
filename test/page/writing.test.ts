/** What is being written, in a real browser: nothing of it waits, is lost, or says what is not there any more. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, openBrowser, say, shows, signInByForm } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { eventually } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder() } });
const field = (page: Page) => page.getByRole('textbox', { name: 'Message' });

describe.runIf(hasChromium)('what is written', { timeout: 60_000 }, () => {
  it('outlives the tab at once, also while the names of the emoji are on their way', async () => {
    const { origin } = await start();
    const context = await (await openBrowser()).newContext({ serviceWorkers: 'block' }); // they are not to be kept
    const page = await context.newPage();
    await signInByForm(page, origin, 'Ann');
    const asked: string[] = [];
    await page.route(/emojidata|compact/, (route) => void asked.push(route.request().url())); // never answered
    await say(page, 'frist');
    await shows(page, ['1 frist']);
    await field(page).press('ArrowUp');
    await eventually(() => field(page).inputValue()).toBe('frist');
    await say(page, 'first :tada:');
    await say(page, ':tada: one');
    await say(page, 'two');
    await page.reload();
    await shows(page, ['1 first :tada:', '3 :tada: one', '4 two']);
    expect(asked.length).toBeGreaterThan(0);
  });
});
