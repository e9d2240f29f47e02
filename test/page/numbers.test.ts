/** Numbers of messages, and links to them, in Chromium. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, noteHighlights, openBrowser, signInByForm } from '../chromium.js';
import { temporaryFolder, type Visitor } from '../harness.js';
import { startServer } from '../process.js';
import { eventually, openPage, posts, says, texts, visitor } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder(), MESSAGE_RATE: '0' } });
const row = (page: Page, id: number) => page.locator(`li.message[data-id="${id}"]`);
const number = (page: Page, id: number) => row(page, id).locator('.meta .number');
/** Many messages, thirty at a time. */
const fill = (who: Visitor, count: number) =>
  Promise.all(Array.from({ length: 30 }, () => says(who, 'lobby', ...texts(count / 30))));

describe.runIf(hasChromium)('the number of a message', { timeout: 60_000 }, () => {
  it('shows on hover and focus, and says why numbers are skipped', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'lobby', 'one', 'two');
    const { page } = await openPage(server, 'Ann');
    await row(page, 2).waitFor();
    expect(await number(page, 1).isVisible()).toBe(false);
    await row(page, 1).hover();
    await eventually(() => number(page, 1).isVisible()).toBe(true);
    expect(await number(page, 1).textContent()).toBe('#1');
    expect(await number(page, 1).getAttribute('title')).toContain('edits and reactions');
    await page.mouse.move(600, 5);
    await page.keyboard.press('Shift+Tab');
    await eventually(() => number(page, 2).isVisible()).toBe(true);
  });

  it('shows always when the setting says so', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'lobby', 'one', 'two');
    const { page } = await openPage(server, 'Ann');
    await page.locator('[popovertarget=menu]').click();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('switch', { name: 'Always show message numbers' }).click();
    await page.keyboard.press('Escape');
    for (const id of [1, 2]) await eventually(() => number(page, id).isVisible()).toBe(true);
    await page.reload();
    await row(page, 2).waitFor();
    expect(await number(page, 1).isVisible()).toBe(true);
  });

  it('stands in one place in all rows of a phone: over the row that was tapped', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'lobby', 'one', 'two', 'three');
    const options = { hasTouch: true, isMobile: true, viewport: { width: 360, height: 640 } };
    const page = await (await (await openBrowser()).newContext(options)).newPage();
    await signInByForm(page, server.origin, 'Ann');
    await row(page, 3).waitFor();
    const visible = await page
      .locator('.meta .number')
      .evaluateAll(
        (links) => links.filter((link) => link.checkVisibility({ visibilityProperty: true })).length,
      );
    expect(visible).toBe(0);
    await row(page, 2).locator('.text').tap();
    expect(await row(page, 2).locator('.dates .number').textContent()).toBe('#2');
  });
});

describe.runIf(hasChromium)('a link to a number', { timeout: 60_000 }, () => {
  it('of an edit opens its message, and says so', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', 'one', 'two');
    await posts(bob, 'lobby', { type: 'edit', target: 1, data: 'first' });
    const { page } = await openPage(server, 'Ann');
    const highlights = await noteHighlights(page);
    await page.goto(`${server.origin}/r/lobby#3`);
    await page.locator('.notice', { hasText: '#3 is a change of message 1' }).waitFor();
    await eventually(highlights).toContain(1);
  });

  it('beyond the end says so, and highlights nothing', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'lobby', 'one');
    const { page } = await openPage(server, 'Ann');
    const highlights = await noteHighlights(page);
    await page.goto(`${server.origin}/r/lobby#999999`);
    await page.locator('.notice', { hasText: 'There is no message 999999 yet.' }).waitFor();
    expect(await highlights()).toEqual([]);
    expect(await page.locator('.jump-latest').count()).toBe(0);
  });

  it('marks nothing before it as read in a room that was never read', async () => {
    const server = await start();
    await fill(await visitor(server, 'Bob'), 300);
    await says(await visitor(server, 'Cid'), 'kitchen', 'hi');
    const { page } = await openPage(server, 'Ann', 'kitchen');
    const read = () =>
      page.evaluate(async () => {
        const rooms = (await (await fetch('/api/rooms')).json()) as { room: string; read: number }[];
        return rooms.find(({ room }) => room === 'lobby')?.read;
      });
    const highlights = await noteHighlights(page);
    await page.goto(`${server.origin}/r/lobby#150`);
    await eventually(highlights).toContain(150);
    await page.mouse.move(400, 300);
    await page.mouse.wheel(0, 200);
    await page.goto(`${server.origin}/r/kitchen`); // closing the page sends the read position
    await eventually(read).toBe(0);
    await page.goto(`${server.origin}/r/lobby`);
    await row(page, 300).waitFor();
    await eventually(read).toBe(300);
  });
});

describe.runIf(hasChromium)('the End key', { timeout: 60_000 }, () => {
  it('goes to the latest message, which may have to be loaded', async () => {
    const server = await start();
    await fill(await visitor(server, 'Bob'), 900);
    const { page } = await openPage(server, 'Ann');
    await page.goto(`${server.origin}/r/lobby#100`);
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute('data-id'))).toBe('100');
    await page.keyboard.press('End');
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute('data-id'))).toBe('900');
    await page.locator('.jump-latest').waitFor({ state: 'detached' });
  });
});
