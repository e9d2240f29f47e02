/** Notifications: once, from one tab, and not for the room in view. */
import type { BrowserContext, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, shows, useWholeBrowser } from '../chromium.js';
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

const shown = async (page: Page) => (await notifications(page)).map(({ text }) => text);

/** Reads notifications in this tab. The returned function waits until another one is about to be shown, and ends it. */
async function readForLong(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(
    () =>
      new Promise<void>((isReading) => {
        const reading = () =>
          new Promise((endReading) => {
            Object.assign(window, { endReading });
            isReading();
          });
        void navigator.locks.request('oneport.notifications', reading);
      }),
  );
  const waiting = () =>
    page.evaluate(async () => {
      const { pending = [] } = await navigator.locks.query();
      return pending.filter(({ name }) => name === 'oneport.notifications').length;
    });
  return async () => {
    await eventually(waiting).toBeGreaterThan(0);
    await page.evaluate(() => Reflect.get(window, 'endReading')());
  };
}

async function secondTab(context: BrowserContext, origin: string, room: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${origin}/r/${room}`);
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  return page;
}

describe.runIf(hasChromium)('notifications', { timeout: 60_000 }, () => {
  it('show a mention in another room once for all tabs, and lead to it', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const bob = await visitor(server, 'Bob');
    await says(bob, 'kitchen', 'zero');
    const { context, page } = await openPage(server, 'Ann', 'kitchen');
    await context.grantPermissions(['notifications'], { origin: server.origin });
    await shows(page, ['1 zero']);
    await untilRead(page, 'kitchen', 1);
    await page.goto(`${server.origin}/r/lobby`);
    await page.evaluate(() => navigator.serviceWorker.ready);
    const other = await secondTab(context, server.origin, 'lobby');
    await untilNotifying(page, other);
    await says(bob, 'kitchen', 'nothing for her');
    const endReading = await readForLong(other);
    await says(bob, 'kitchen', 'where are you, @Ann?');
    await endReading();
    await eventually(() => shown(page)).toEqual(['Bob · kitchen: where are you, @Ann?']);
    for (const tab of [page, other])
      await eventually(() =>
        tab.getByRole('navigation').locator('a', { hasText: 'kitchen' }).textContent(),
      ).toMatch(/2/);
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
    await worker.evaluate(async () => {
      const { registration } = globalThis as unknown as { registration: ServiceWorkerRegistration };
      const [notification] = await registration.getNotifications();
      const event = Object.assign(new Event('notificationclick'), { notification, waitUntil: () => {} });
      dispatchEvent(event);
    });
    await eventually(async () =>
      [page, other].map((tab) => new URL(tab.url()).pathname + new URL(tab.url()).hash),
    ).toContain('/r/kitchen#3');
  });

  it('alert each time, follow the text of their message, and close when it was deleted or read', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const bob = await visitor(server, 'Bob');
    const { context, page } = await openPage(server, 'Ann', 'kitchen');
    await context.grantPermissions(['notifications'], { origin: server.origin });
    await page.goto(`${server.origin}/r/lobby`);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.locator('.dot.live').waitFor();
    await untilNotifying(page);
    await says(bob, 'kitchen', '@Ann, **one**');
    await eventually(() => shown(page)).toEqual(['Bob · kitchen: @Ann, one']);
    const [id = 0] = await says(bob, 'kitchen', '@Ann, two');
    await eventually(() => shown(page)).toEqual(['Bob · kitchen: @Ann, two']);
    expect(await notifications(page)).toMatchObject([{ alertsAgain: true }]);
    await posts(bob, 'kitchen', { type: 'edit', target: id, data: '@Ann, 2' });
    await eventually(() => shown(page)).toEqual(['Bob · kitchen: @Ann, 2']);
    await posts(bob, 'kitchen', { type: 'delete', target: id });
    await eventually(() => shown(page)).toEqual([]);
    await says(bob, 'kitchen', '@Ann, three');
    await eventually(() => shown(page)).toEqual(['Bob · kitchen: @Ann, three']);
    await page.bringToFront();
    await page
      .getByRole('navigation')
      .getByRole('link', { name: /^kitchen/ })
      .click();
    await eventually(() => shown(page)).toEqual([]);
  });

  it('are silent for the room in view, and in "do not disturb"', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const bob = await visitor(server, 'Bob');
    const { context, page } = await openPage(server, 'Ann');
    await context.grantPermissions(['notifications'], { origin: server.origin });
    const disturb = (isOff: boolean) =>
      page.evaluate(
        (doNotDisturb) => localStorage.setItem('oneport.settings', JSON.stringify({ doNotDisturb })),
        isOff,
      );
    await disturb(true);
    await page.reload();
    await page.evaluate(() => navigator.serviceWorker.ready);
    await untilNotifying(page);
    await says(bob, 'den', '@Ann, not now');
    await page.getByRole('button', { name: 'Mentions, 1 unread' }).waitFor();
    await disturb(false);
    await page.reload();
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.bringToFront();
    await untilNotifying(page);
    await says(bob, 'lobby', '@Ann, here');
    await shows(page, ['1 @Ann, here']);
    await says(bob, 'kitchen', '@Ann, there');
    await eventually(() => shown(page)).toContain('Bob · kitchen: @Ann, there');
    expect(await shown(page)).toEqual(['Bob · kitchen: @Ann, there']);
  });
});
