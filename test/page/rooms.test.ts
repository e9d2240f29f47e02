/** Many rooms in one page: switching, opening positions, unread counts and read positions. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { drawn, hasChromium, messages, say, shows } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { eventually, onOtherDevice, openPage, posts, says, texts, untilRead, visitor } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder() } });

/** Follows a link of the page. */
async function follow(page: Page, path: string): Promise<void> {
  await page.evaluate((href) => {
    const link = document.createElement('a');
    link.href = href;
    document.body.append(link);
    link.click();
    link.remove();
  }, path);
}

async function titled(page: Page, title: string): Promise<void> {
  await page.waitForFunction((expected) => document.title === expected, title);
}

/** The visible numbers, first and last. */
function inView(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const box = document.querySelector('.log')?.getBoundingClientRect();
    return [...document.querySelectorAll<HTMLElement>('li.message[data-id]')].flatMap((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return box && bottom > box.top && top < box.bottom ? [Number(row.dataset['id'])] : [];
    });
  });
}

describe.runIf(hasChromium)('rooms', { timeout: 60_000 }, () => {
  it('change without loading a page, back and forth, each as it was', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    const { page } = await openPage(server, 'Ann');
    await say(page, 'in the lobby');
    await shows(page, ['1 in the lobby']);
    await page.evaluate(() => Object.assign(window, { same: true }));
    await page.getByRole('textbox', { name: 'Message' }).fill('half a thought');
    await follow(page, '/r/kitchen');
    await shows(page, []);
    await say(page, 'in the kitchen');
    await shows(page, ['1 in the kitchen']);
    await says(bob, 'lobby', 'meanwhile');
    await page.goBack();
    await shows(page, ['1 in the lobby', '2 meanwhile']);
    expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('half a thought');
    await drawn(page); // or the message would still be unread
    await page.goForward();
    await shows(page, ['1 in the kitchen']);
    await titled(page, 'kitchen · Oneport');
    expect(await page.evaluate(() => 'same' in window)).toBe(true);
    await says(bob, 'kitchen', 'here too');
    await shows(page, ['1 in the kitchen', '2 here too']);
  });

  it('open at the number in the address', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', ...texts(400));
    const { page } = await openPage(server, 'Ann');
    await page.locator('[data-id="400"]').waitFor();
    await follow(page, '/r/lobby#100');
    await page.locator('[data-id="100"]').waitFor();
    await eventually(() => inView(page)).toContain(100);
    expect(new URL(page.url()).hash).toBe('#100');
    await page.goto('about:blank');
    await page.goto(`${server.origin}/r/lobby#200`);
    await eventually(() => inView(page)).toContain(200);
  });

  it('open at the read position when much is new', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', ...texts(20));
    const ann = await openPage(server, 'Ann');
    await ann.page.locator('[data-id="20"]').waitFor();
    await untilRead(ann.page, 'lobby', 20);
    await ann.page.goto('about:blank');
    await says(bob, 'lobby', ...texts(300));
    await ann.page.goto(`${server.origin}/r/lobby`);
    await eventually(() => inView(ann.page)).toContain(21);
    expect((await messages(ann.page)).some((text) => text.startsWith('320 '))).toBe(false);
  });

  it('show unread messages in title and icon, and share read positions with other devices', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'kitchen', 'zero');
    const ann = await openPage(server, 'Ann', 'kitchen');
    await shows(ann.page, ['1 zero']);
    await untilRead(ann.page, 'kitchen', 1);
    await follow(ann.page, '/r/lobby');
    await titled(ann.page, 'lobby · Oneport');
    const phone = await onOtherDevice(server, ann, 'lobby');
    await says(bob, 'kitchen', 'one', 'two', 'three');
    for (const { page } of [ann, phone]) await titled(page, '(3) lobby · Oneport');
    expect(await ann.page.locator('link[rel=icon]').getAttribute('href')).toBe('/icon-unread.svg');
    await follow(phone.page, '/r/kitchen');
    await shows(phone.page, ['1 zero', '2 one', '3 two', '4 three']);
    await titled(ann.page, 'lobby · Oneport');
    expect(await ann.page.locator('link[rel=icon]').getAttribute('href')).toBe('/icon.svg');
  });

  it('converge: a page that was away, one that was there, and one that opens later', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', ...texts(30));
    const there = await openPage(server, 'Ann');
    const away = await openPage(server, 'Cid');
    for (const { page } of [there, away]) await page.locator('[data-id="30"]').waitFor();
    await follow(away.page, '/r/kitchen');
    for (let id = 1; id <= 30; id++) {
      await posts(bob, 'lobby', { type: 'react', target: id, data: '👍' });
      if (id % 3 === 0) await posts(bob, 'lobby', { type: 'edit', target: id, data: `new ${id}` });
      if (id % 5 === 0) await posts(bob, 'lobby', { type: 'delete', target: id });
      if (id % 7 === 0 && id % 5 !== 0)
        await posts(bob, 'lobby', { type: 'unreact', target: id, data: '👍' });
    }
    await says(bob, 'lobby', 'done');
    await follow(away.page, '/r/lobby');
    const later = await openPage(server, 'Dee');
    const state = (page: Page) =>
      page
        .locator('li.message[data-id]')
        .evaluateAll((rows) =>
          rows
            .slice(-31)
            .map((row) => [
              row.getAttribute('data-id'),
              row.querySelector('.text')?.textContent,
              row.querySelectorAll('.reactions button').length,
            ]),
        );
    for (const { page } of [there, away, later]) await page.locator('.text', { hasText: 'done' }).waitFor();
    const expected = await state(there.page);
    expect(expected.filter(([, text]) => String(text).startsWith('new')).length).toBe(8);
    for (const { page } of [away, later]) await eventually(() => state(page)).toEqual(expected);
  });
});

describe.runIf(hasChromium)('without connection', { timeout: 60_000 }, () => {
  it('hides the numbers of people until it is back', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'kitchen', 'hi');
    await bob.enters('kitchen');
    const { context, page } = await openPage(server, 'Ann');
    await page.setViewportSize({ width: 1280, height: 720 });
    const kitchen = page.locator('.rooms a', { hasText: 'kitchen' }).locator('.present');
    const counts = page.locator('.present, .top .count, .people .count');
    const seen = async () => (await counts.all()).map((one) => one.isVisible());
    await eventually(() => kitchen.isVisible()).toBe(true);
    await page.getByRole('button', { name: 'People here: 1' }).waitFor();
    const before = (await seen()).length;
    expect(await Promise.all(await seen())).not.toContain(false);
    await context.setOffline(true);
    await page.getByRole('heading', { name: 'Here before you went offline' }).waitFor();
    await eventually(async () => Promise.all(await seen())).toEqual(Array(before).fill(false));
    await page.getByRole('button', { name: 'People here', exact: true }).waitFor();
    await context.setOffline(false);
    await page.getByRole('heading', { name: /^Here now/ }).waitFor();
    await eventually(async () => Promise.all(await seen())).not.toContain(false);
  });
});
