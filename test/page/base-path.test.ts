/** The page below BASE_PATH, with a name and a first room of its own. */

import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, messages, openBrowser, say, shows, watch } from '../chromium.js';
import { Door, temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';

const env = { BASE_PATH: '/chat/', SITE_NAME: 'Tea House', DEFAULT_ROOM: 'kitchen' };

describe.runIf(hasChromium)('the page below BASE_PATH', { timeout: 60_000 }, () => {
  it('signs in, writes, reloads, opens deep links, changes rooms, and has its worker there', async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder(), ...env } });
    const page = await (await openBrowser()).newPage();
    watch(page);
    await page.goto(`${origin}/chat/`);
    expect(await page.getByRole('heading').textContent()).toBe('Tea House');
    await page.getByRole('textbox').fill('Ann');
    await page.getByRole('button').first().click();
    await page.getByRole('textbox', { name: 'Message' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/chat/r/kitchen');
    await say(page, 'one');
    await shows(page, ['1 one']);
    expect(await page.title()).toBe('kitchen · Tea House');
    expect(await page.locator('.brand').textContent()).toBe('Tea House');
    await page.reload();
    await shows(page, ['1 one']);
    await page.goto(`${origin}/chat/r/r%C3%B6om`);
    await say(page, 'deep');
    await shows(page, ['1 deep']);
    await page.getByRole('link', { name: /^kitchen/ }).click();
    await page.getByRole('heading', { name: 'kitchen' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/chat/r/kitchen');
    await page.goBack();
    await page.getByRole('heading', { name: 'röom' }).waitFor();
    const scopes = () =>
      page.evaluate(async () => {
        await navigator.serviceWorker.ready;
        return (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope);
      });
    await expect.poll(scopes).toEqual([`${origin}/chat/`]);
    const keys = await page.evaluate(() => Object.keys(localStorage));
    expect(keys.filter((key) => !key.startsWith('/chat/ '))).toEqual([]);
  });

  it('opens offline', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder(), ...env } });
    const page = await (await openBrowser()).newPage();
    watch(page);
    const ann = await new Door(server.port, '/chat').signIn('Ann');
    await page.context().addCookies(
      ann.cookie.split('; ').map((pair) => {
        const at = pair.indexOf('=');
        return { name: pair.slice(0, at), value: pair.slice(at + 1), url: `${server.origin}/chat/` };
      }),
    );
    await page.goto(`${server.origin}/chat/r/kitchen`);
    await say(page, 'kept');
    await shows(page, ['1 kept']);
    const isCached = () =>
      page.evaluate(
        async () => (await caches.match('/chat/page')) !== undefined && (await caches.keys()).join(),
      );
    await expect.poll(isCached).toMatch(/^oneport \/chat\/ \w+$/);
    await expect.poll(() => cachedWindows(page), { timeout: 5_000 }).toBeGreaterThan(0);
    server.child.kill('SIGKILL');
    await server.exited;
    await page.reload();
    await expect.poll(() => messages(page)).toEqual(['1 kept']);
  });
});

/** The rooms in the page's IndexedDB. */
function cachedWindows(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const request = indexedDB.open('/chat/ oneport');
        request.onsuccess = () => {
          const keys = request.result.transaction('kept').objectStore('kept').getAllKeys();
          keys.onsuccess = () => {
            request.result.close();
            resolve(keys.result.filter((key) => String(key).includes(' room ')).length);
          };
        };
      }),
  );
}
