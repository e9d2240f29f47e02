/** The snapshot in the HTML is rendered before any request. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, noteHighlights, say, watch } from '../chromium.js';
import { cookies, openStage, type Stage } from '../stage.js';
import { keptText } from './offline-cache.js';
import { eventually, texts, untilRead } from './people.js';

/** A page that receives only its HTML and files: no socket, no API. */
async function openAlone(stage: Stage, as: string, path: string): Promise<Page> {
  const context = await stage.browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.addCookies(cookies(await stage.person(as), stage.door.origin));
  await context.routeWebSocket(/\/ws\//, () => {}); // accepted and never answered
  await context.route('**/api/**', (route) => route.abort());
  const page = await context.newPage();
  watch(page);
  await page.goto(stage.door.origin + path);
  return page;
}

/** The first and last number on the screen. */
const onScreen = (page: Page) =>
  page.evaluate(() => {
    const box = document.querySelector('.log')?.getBoundingClientRect() ?? new DOMRect();
    const rows = [...document.querySelectorAll('li.message[data-id]')].filter((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return bottom > box.top && top < box.bottom;
    });
    return [rows[0], rows.at(-1)].map((row) => Number(row?.getAttribute('data-id')));
  });

/** Runs from the page's first moment: notes milliseconds of outage whenever trouble was shown, and counts outages. */
function watchTroubles(): void {
  const troubles: number[] = [];
  Object.assign(window, { troubles, outages: 0 });
  let lost: number | undefined;
  let shown = false;
  let wasLive = false;
  new MutationObserver(() => {
    const dot = document.querySelector('.dot');
    const isLive = dot?.matches('.live') ?? false;
    if (dot) lost = isLive ? undefined : (lost ?? performance.now());
    if (wasLive && !isLive) Object.assign(window, { outages: Reflect.get(window, 'outages') + 1 });
    wasLive = isLive;
    const before = shown;
    shown = document.querySelector('.status p') !== null;
    if (shown && !before) troubles.push(performance.now() - (lost ?? performance.now()));
  }).observe(document, { attributes: true, childList: true, subtree: true });
}
const troubles = (page: Page) => page.evaluate(() => Reflect.get(window, 'troubles') as number[]);

describe.runIf(hasChromium)('a short outage', { timeout: 60_000 }, () => {
  it('is not shown; a longer one is', async () => {
    const stage = await openStage();
    await stage.says('Bob', 'lobby', 'hello');
    const context = await stage.browser.newContext();
    await context.addCookies(cookies(await stage.person('Ann'), stage.door.origin));
    await context.addInitScript(watchTroubles);
    let cut = () => {};
    let back = true;
    await context.routeWebSocket(/\/ws\//, (socket) => {
      if (!back) return void socket.close({ code: 1013 });
      const server = socket.connectToServer();
      cut = () => {
        void server.close();
        void socket.close({ code: 1012 });
      };
    });
    const page = await context.newPage();
    watch(page);
    await page.goto(`${stage.door.origin}/r/lobby`);
    const live = page.locator('.dot.live');
    await live.waitFor();
    cut();
    await page.waitForFunction(() => Reflect.get(window, 'outages') > 0);
    await page.evaluate(() => dispatchEvent(new Event('online'))); // reconnects at once
    await live.waitFor();
    await stage.says('Bob', 'lobby', 'again');
    await page.locator('li.message[data-id="2"]').waitFor();
    back = false;
    cut();
    await page.locator('.status p').waitFor();
    // on a busy machine the connection may take over a second at the start too
    const away = await troubles(page);
    expect([away.length > 0, away.filter((ms) => ms < 900)]).toEqual([true, []]);
  });
});

describe.runIf(hasChromium)('the snapshot', { timeout: 60_000 }, () => {
  it('shows the end of the room, the user and the rooms before any request', async () => {
    const stage = await openStage();
    for (const text of texts(60)) await stage.says('Bob', 'lobby', text);
    await stage.says('Ann', 'kitchen', 'mine');
    const page = await openAlone(stage, 'Ann', '/r/lobby');
    await page.locator('li.message[data-id="60"]').waitFor();
    await eventually(async () => (await onScreen(page))[1]).toBe(60);
    await page.getByRole('link', { name: /^kitchen/ }).waitFor();
    await eventually(() => page.locator('.status').textContent()).toBe('Connecting…'); // and not "Reconnecting"
    await eventually(() => page.locator('.people h2').textContent()).toMatch(/^Here now/);
    await page.goto(`${stage.door.origin}/r/kitchen`);
    await page.locator('li.message.mine').waitFor();
    expect(await page.locator('#snapshot').count()).toBe(0);
  });

  it('opens at the read position, and at a number', async () => {
    const stage = await openStage();
    for (const text of texts(160)) await stage.says('Bob', 'lobby', text);
    await stage.reads('Ann', 'lobby', 80);
    const page = await openAlone(stage, 'Ann', '/r/lobby');
    await page.locator('li.unread-divider').waitFor();
    const isAtDivider = async () => {
      const [first = 0, last = 0] = await onScreen(page);
      return first > 60 && first <= 81 && last > 81 && last < 120;
    };
    await eventually(isAtDivider).toBe(true);
    const count = async () => {
      const text = (await page.locator('.jump-latest').textContent()) ?? '';
      return Number(/^(\d+) new messages?$/.exec(text)?.[1]);
    };
    // a row that is cut off is not read yet
    const unread = async () => 160 - ((await onScreen(page))[1] ?? 0);
    await eventually(async () => Math.abs((await count()) - (await unread()))).toBeLessThanOrEqual(1);
    const linked = await openAlone(stage, 'Ann', '/r/kitchen');
    const highlights = await noteHighlights(linked);
    await linked.goto('about:blank');
    await linked.goto(`${stage.door.origin}/r/lobby#97`);
    await eventually(highlights).toContain(97);
  });

  it('stays at the end when pending messages appear', async () => {
    const stage = await openStage();
    for (const text of texts(30)) await stage.says('Bob', 'lobby', text);
    const page = await openAlone(stage, 'Ann', '/r/lobby');
    for (const text of texts(25)) await say(page, `mine ${text}`);
    for (let n = 0; n < 3; n++) {
      await page.locator('li.pending.waiting').nth(24).waitFor(); // and so stored
      const gap = () =>
        page
          .locator('.log')
          .evaluate((log) => Math.round(log.scrollHeight - log.clientHeight - log.scrollTop));
      await eventually(gap).toBeLessThan(2);
      await eventually(() => page.locator('.jump-latest').count()).toBe(0);
      await page.reload();
    }
  });

  it('is marked as read, and continues upwards, also after changes only and without storage', async () => {
    const stage = await openStage();
    for (const text of texts(10)) await stage.says('Bob', 'few', text);
    for (const text of texts(30)) await stage.says('Bob', 'liked', text);
    for (const name of ['Bob', 'Ann'])
      for (let target = 1; target <= 30; target++)
        await stage.post(name, 'liked', { type: 'react', target, data: '👍' });
    const page = await stage.open({ as: 'Ann', path: '/healthz' });
    await page.context().addInitScript(() => {
      IDBFactory.prototype.open = () => {
        throw new Error('no store');
      };
    });
    await page.goto(`${stage.door.origin}/r/few`);
    const ann = await stage.person('Ann');
    const read = async () => {
      const rooms = (await (await ann.get('/api/rooms')).json()) as { room: string; read: number }[];
      return rooms.find(({ room }) => room === 'few')?.read;
    };
    await eventually(read).toBe(10);
    await page.goto(`${stage.door.origin}/r/liked`);
    await page.locator('li.message[data-id="30"]').waitFor(); // the last fifty events are reactions
  });

  it('leaves no text that was deleted meanwhile, wherever the room opens', async () => {
    const stage = await openStage();
    for (const text of ['a slip', 'another']) await stage.says('Bob', 'lobby', text);
    const page = await stage.open({ as: 'Ann', path: '/r/lobby' });
    const kept = () => keptText(page);
    await eventually(kept).toContain('a slip');
    await untilRead(page, 'lobby', 2);
    await page.goto(`${stage.door.origin}/healthz`);
    await stage.post('Bob', 'lobby', { type: 'delete', target: 1 });
    for (const text of texts(120)) await stage.says('Bob', 'lobby', text);
    await page.goto(`${stage.door.origin}/r/lobby`);
    await page.locator('li.unread-divider').waitFor();
    await eventually(kept).not.toContain('a slip');
  });

  it('is continued with what was said since, once', async () => {
    const stage = await openStage();
    for (const text of texts(3)) await stage.says('Bob', 'lobby', text);
    const page = await stage.open({ as: 'Ann', path: '/r/lobby' });
    await page.locator('.dot.live').waitFor();
    await stage.says('Bob', 'lobby', 'text 4');
    await page.locator('li.message[data-id="4"]').waitFor();
    expect(await page.locator('li.message .text').allTextContents()).toEqual(texts(4));
  });

  it('is not in the cached page', async () => {
    const stage = await openStage();
    await stage.says('Bob', 'lobby', 'not for ever');
    const page = await stage.open({ as: 'Ann', path: '/r/lobby' });
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
    await page.reload(); // through the worker
    await page.locator('li.message[data-id="1"]').waitFor();
    const kept = () =>
      page.evaluate(async () => (await (await caches.match('/page'))?.text()) ?? 'nothing is kept');
    await eventually(kept).toMatch(/data-user="[\w-]+"/);
    expect(await kept()).toMatch(/id="snapshot"><\/script>/);
    expect(await kept()).not.toContain('not for ever');
  });
});
