/** The same user on a second device, and the way back after signing out. */
import type { BrowserContext, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, openBrowser, say, shows } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { eventually, openDialog, openPage } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder() } });

async function openLink(url: string): Promise<Page> {
  const context: BrowserContext = await (await openBrowser()).newContext();
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

describe.runIf(hasChromium)('a one-time link', { timeout: 60_000 }, () => {
  it('signs in another device as the same user', async () => {
    const { page } = await openPage(await start(), 'Ann');
    await say(page, 'from here');
    await openDialog(page, 'Settings');
    await page.getByRole('button', { name: 'Create link' }).click();
    await page.getByRole('img', { name: 'QR code of the link' }).waitFor();
    const url = (await page.locator('.settings .link').textContent()) ?? '';
    const phone = await openLink(url);
    await phone.getByRole('button', { name: 'Continue' }).click();
    await shows(phone, ['1 from here']);
    await phone.getByRole('textbox', { name: 'Message' }).press('ArrowUp');
    await say(phone, 'from there');
    await eventually(() => page.locator('li.message .text').textContent()).toBe('from there');
    const late = await openLink(url);
    expect(await late.getByRole('button', { name: 'Continue' }).count()).toBe(0);
  });
});

/** Runs in the page. `cancelTops`: where the last button of the dialog was, at each change of the page. */
function noteCancel(): void {
  const cancelTops = new Set<number>();
  Object.assign(window, { cancelTops });
  new MutationObserver(() => {
    const cancel = [...document.querySelectorAll<HTMLElement>('.sign-out button')].at(-1);
    if (cancel) cancelTops.add(cancel.offsetTop);
  }).observe(document.body, { childList: true, subtree: true });
}

describe.runIf(hasChromium)('signing out', { timeout: 60_000 }, () => {
  it('asks first, with the focus on Cancel', async () => {
    const { page } = await openPage(await start(), 'Ann');
    await openDialog(page, 'Sign out');
    await eventually(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Cancel');
    await page.keyboard.press('Enter');
    await say(page, 'still here');
    await shows(page, ['1 still here']);
  });

  it('says how many messages are discarded, and moves no button for it', async () => {
    const { context, page } = await openPage(await start(), 'Ann');
    await page.locator('.dot.live').waitFor();
    await openDialog(page, 'Sign out'); // loads the dialog
    await page.getByRole('button', { name: 'Cancel' }).click();
    await context.setOffline(true);
    await page.locator('.dot:not(.live)').waitFor();
    await say(page, 'never sent');
    await page.locator('.pending').waitFor();
    await page.evaluate(noteCancel);
    await openDialog(page, 'Sign out');
    await page.getByText('1 unsent message will be discarded.').waitFor();
    expect(await page.evaluate(() => (Reflect.get(window, 'cancelTops') as Set<number>).size)).toBe(1);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByText('Couldn’t sign you out').waitFor();
  });

  it('gives a link that brings the same user back', async () => {
    const server = await start();
    const { page } = await openPage(server, 'Ann');
    await say(page, 'mine');
    await shows(page, ['1 mine']);
    await openDialog(page, 'Sign out');
    await page.getByRole('button', { name: 'Sign out with a link to come back' }).click();
    await page.getByText('Keep this link').waitFor();
    const url = (await page.locator('.sign-out .link').textContent()) ?? '';
    await page.getByRole('button', { name: 'Done' }).click();
    await page.waitForURL(/\/signin/);
    const again = await openLink(url);
    await again.getByRole('button', { name: /Continue|Come back/ }).click();
    await shows(again, ['1 mine']);
    await again.getByRole('textbox', { name: 'Message' }).press('ArrowUp');
    await eventually(() => again.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('mine');
  });

  it('leads to the form without a link', async () => {
    const { page } = await openPage(await start(), 'Ann');
    await openDialog(page, 'Sign out');
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.waitForURL(/\/signin/);
  });
});
