/** Being called: mentions and replies reach a user in every room, and unread counts are counts of messages. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, say, shows, useWholeBrowser } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import {
  eventually,
  notifications,
  openPage,
  posts,
  says,
  untilNotifying,
  untilRead,
  visitor,
} from './people.js';

useWholeBrowser();

const start = () => startServer({ env: { DATA_DIR: temporaryFolder() } });
const inList = (page: Page, room: string) => page.locator('.rooms a', { hasText: room }).locator('.badge');
const shown = async (page: Page) => (await notifications(page)).map(({ text }) => text);

async function openWithNotifications(name: string) {
  const server = await start();
  const { context, page } = await openPage(server, name);
  await context.grantPermissions(['notifications'], { origin: server.origin });
  await page.reload();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.locator('.dot.live').waitFor();
  await untilNotifying(page);
  return { server, page };
}

describe.runIf(hasChromium)('a mention', { timeout: 60_000 }, () => {
  it('reaches a user in a room that they never opened', async () => {
    const { server, page } = await openWithNotifications('Carl');
    await says(await visitor(server, 'Dora'), 'den', 'first', '@Carl come here');
    await page.getByRole('button', { name: 'Mentions, 1 unread' }).waitFor();
    await eventually(() => inList(page, 'den').textContent()).toContain('@1');
    await eventually(() => page.title()).toBe('(1) lobby · Oneport');
    await eventually(() => shown(page)).toEqual(['Dora · den: @Carl come here']);
    await page.locator('.rooms a', { hasText: 'den' }).click();
    await shows(page, ['1 first', '2 @Carl come here']);
    await eventually(() => page.title()).toBe('den · Oneport');
    await page.getByRole('button', { name: 'Mentions', exact: true }).waitFor();
  });
});

describe.runIf(hasChromium)('a reply', { timeout: 60_000 }, () => {
  it('reaches the user whose message it answers', async () => {
    const { server, page } = await openWithNotifications('Carl');
    await page.goto(`${server.origin}/r/kitchen`);
    await say(page, 'who cooks?');
    await shows(page, ['1 who cooks?']);
    await page.goto(`${server.origin}/r/lobby`);
    await page.locator('.dot.live').waitFor();
    await untilNotifying(page);
    await posts(await visitor(server, 'Dora'), 'kitchen', { data: 'I do', reply: 1 });
    await eventually(() => inList(page, 'kitchen').textContent()).toContain('@1');
    await eventually(() => shown(page)).toEqual(['Dora · kitchen: I do']);
  });

  it('shows the answered message as it is now, and cannot be broken by an edit', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', 'the **meeting** is at 3');
    const { page } = await openPage(server, 'Ann');
    await page.keyboard.press('Shift');
    await page.locator('li[data-id="1"]').focus();
    await page.keyboard.press('r');
    await page.keyboard.type('fine');
    await page.keyboard.press('Enter');
    const answer = page.locator('li[data-id="2"]');
    const card = answer.locator('.reply-card');
    await eventually(() => card.textContent()).toBe('In reply to Bob the meeting is at 3');
    await posts(bob, 'lobby', { type: 'edit', target: 1, data: 'the meeting is at 4' });
    await eventually(() => card.textContent()).toContain('at 4');
    await page.getByRole('textbox', { name: 'Message' }).press('ArrowUp');
    await eventually(() => page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('fine');
    await say(page, 'fine by me');
    await eventually(() => answer.locator('.text').textContent()).toBe('fine by me');
    expect(await card.textContent()).toContain('at 4');
    await answer.focus();
    await eventually(() => answer.getAttribute('aria-label')).toMatch('in reply to');
    await posts(bob, 'lobby', { type: 'delete', target: 1 });
    await eventually(() => card.textContent()).toBe('In reply to Bob Message deleted');
  });

  it('shows the answered message while it waits', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'lobby', 'hungry?');
    const { context, page } = await openPage(server, 'Ann');
    await shows(page, ['1 hungry?']);
    await context.setOffline(true);
    await page.locator('.dot:not(.live)').waitFor();
    await page.keyboard.press('Shift');
    await page.locator('li[data-id="1"]').focus();
    await page.keyboard.press('r');
    await page.keyboard.type('yes');
    await page.keyboard.press('Enter');
    await page.locator('li.pending .reply-card', { hasText: 'hungry?' }).waitFor();
    await context.setOffline(false);
    await page.locator('li[data-id="2"] .reply-card', { hasText: 'hungry?' }).waitFor();
  });
});

describe.runIf(hasChromium)('unread counts', { timeout: 60_000 }, () => {
  it('count messages of others that are still there, and nothing else', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'kitchen', 'zero');
    const { page } = await openPage(server, 'Ann', 'kitchen');
    await shows(page, ['1 zero']);
    await untilRead(page, 'kitchen', 1);
    await page.goto(`${server.origin}/r/lobby`);
    await page.locator('.dot.live').waitFor();
    await posts(bob, 'kitchen', { type: 'react', target: 1, data: '👍' });
    await posts(bob, 'kitchen', { type: 'edit', target: 1, data: 'nil' });
    const gone = await posts(bob, 'kitchen', { data: 'a slip' });
    await page.evaluate(() =>
      fetch('/api/rooms/kitchen/messages', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ data: 'mine' }),
      }),
    );
    await eventually(() => inList(page, 'kitchen').textContent()).toBe('1, 1 unread message');
    await posts(bob, 'kitchen', { type: 'delete', target: gone });
    await eventually(() => inList(page, 'kitchen').count()).toBe(0);
    await eventually(() => page.title()).toBe('lobby · Oneport');
  });
});
