/** People for tests of the page: in Chromium, or over the API when only their messages matter. */
import type { BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import { openBrowser, signInByForm } from '../chromium.js';
import { Door, type Visitor } from '../harness.js';
import type { RunningServer } from '../process.js';

/** A user's browser with the page. */
export async function openPage(
  server: RunningServer,
  name: string,
  room = 'lobby',
): Promise<{ context: BrowserContext; page: Page }> {
  const context = await (await openBrowser()).newContext();
  const page = await context.newPage();
  await signInByForm(page, server.origin, name, room);
  return { context, page };
}

/** A user's browser whose page waits for its script until `sendScript` is called. */
export async function openBeforeScript(
  server: RunningServer,
  name: string,
): Promise<{ page: Page; sendScript: () => void }> {
  const context = await (await openBrowser()).newContext();
  await context.request.post(`${server.origin}/signin`, { data: { name } });
  const page = await context.newPage();
  let sendScript = () => {};
  const isSent = new Promise<void>((resolve) => {
    sendScript = resolve;
  });
  await page.route(/\/js\/(main|chunk).*\.js/, async (route) => {
    await isSent;
    await route.continue();
  });
  await page.goto(`${server.origin}/r/lobby`, { waitUntil: 'commit' });
  return { page, sendScript };
}

/** The same user in another browser. */
export async function onOtherDevice(
  server: RunningServer,
  { context }: { context: BrowserContext },
  room = 'lobby',
): Promise<{ context: BrowserContext; page: Page }> {
  const other = await (await openBrowser()).newContext();
  await other.addCookies(await context.cookies());
  const page = await other.newPage();
  await page.goto(`${server.origin}/r/${room}`);
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  return { context: other, page };
}

/** Opens a dialog from the menu of the page. */
export async function openDialog(page: Page, item: string): Promise<void> {
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.locator('.menu').getByText(item).click();
}

/** A user without a browser. */
export function visitor(server: RunningServer, name: string): Promise<Visitor> {
  return new Door(server.port).signIn(name);
}

/** Posts over the API; resolves with the numbers. */
export async function says(who: Visitor, room: string, ...texts: readonly string[]): Promise<number[]> {
  const ids: number[] = [];
  for (const data of texts) ids.push(await posts(who, room, { data }));
  return ids;
}

export async function posts(who: Visitor, room: string, posting: object): Promise<number> {
  const answer = await who.post(`/api/rooms/${room}/messages`, posting);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { id: number }).id;
}

/** `text 1` … `text n` */
export function texts(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `text ${n + 1}`);
}

/** Polls until the assertion holds. */
export function eventually<T>(ask: () => Promise<T>) {
  return expect.poll(ask, { timeout: 20_000, interval: 50 });
}

/**
 * Stops the time of day in the page, so that the time to undo a deletion does not run out however slow the machine is.
 * Returns the function that lets it go on.
 */
export async function stopTimeOfDay(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(() => {
    const { now } = Date;
    const stoppedAt = now();
    Date.now = () => stoppedAt;
    Object.assign(globalThis, {
      goOn: () => {
        Date.now = now;
      },
    });
  });
  return () => page.evaluate(() => Reflect.get(globalThis, 'goOn')());
}

/** Waits until the server has the user's read position, which the page sends some time after it has shown the message. */
export async function untilRead(page: Page, room: string, id: number): Promise<void> {
  await eventually(() =>
    page.evaluate(async (name) => {
      const rooms: { room: string; read: number }[] = await (await fetch('/api/rooms')).json();
      return rooms.find((entry) => entry.room === name)?.read;
    }, room),
  ).toBe(id);
}

/**
 * Notifications of the service worker. The page's own lock, because Chromium loses a notification that is shown while
 * others are read.
 */
export function notifications(page: Page): Promise<{ text: string; alertsAgain: unknown }[]> {
  return page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const shown = await navigator.locks.request('oneport.notifications', () =>
      registration.getNotifications(),
    );
    return shown.map((one) => ({
      text: `${one.title}: ${one.body}`,
      alertsAgain: Reflect.get(one, 'renotify'),
    }));
  });
}

/** Waits until one of these tabs is the one that notifies. It becomes that after its first paint. */
export async function untilNotifying(...tabs: readonly Page[]): Promise<void> {
  const leads = (tab: Page) =>
    tab.evaluate(() => {
      const own = 'a lock of this tab';
      return navigator.locks.request(own, async () => {
        const { held = [] } = await navigator.locks.query();
        const tabId = held.find(({ name }) => name === own)?.clientId;
        return held.some(({ name, clientId }) => clientId === tabId && name?.startsWith('oneport.notifier '));
      });
    });
  await eventually(async () => (await Promise.all(tabs.map(leads))).includes(true)).toBe(true);
}
