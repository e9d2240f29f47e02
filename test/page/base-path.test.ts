/** The page below BASE_PATH, with a name and a first room of its own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasChromium, messages, openBrowser, say, shows, signInByForm, watch } from '../chromium.js';
import { Door, hasTool, temporaryFolder } from '../harness.js';
import { freePort, startServer, untilListening } from '../process.js';

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
    await expect.poll(() => cachedWindows(page)).toBeGreaterThan(0);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    server.child.kill('SIGKILL');
    await server.exited;
    await page.reload();
    await expect.poll(() => messages(page)).toEqual(['1 kept']);
  });
});

describe.runIf(hasChromium && hasTool('nginx'))('two chats on one host', { timeout: 60_000 }, () => {
  it('keep their sessions, drafts, settings and offline pages apart', async () => {
    const first = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const second = await startServer({ env: { DATA_DIR: temporaryFolder(), ...env } });
    const origin = await startNginx({ '/': first.port, '/chat/': second.port });
    const context = await (await openBrowser()).newContext();
    const [one, two] = [await context.newPage(), await context.newPage()];
    await signInByForm(one, origin, 'Ann');
    await signInByForm(two, `${origin}/chat`, 'Bob');
    await say(one, 'in the first');
    await shows(one, ['1 in the first']);
    await say(two, 'in the second');
    await shows(two, ['1 in the second']);
    const draft = (page: Page) => page.getByRole('textbox', { name: 'Message' });
    await draft(one).fill('draft of Ann');
    await draft(two).fill('draft of Bob');
    const caches = () => two.evaluate(async () => (await globalThis.caches.keys()).sort());
    await expect
      .poll(caches)
      .toEqual([expect.stringMatching(/^oneport \/chat\/ \w+$/), expect.stringMatching(/^oneport \w+$/)]);
    for (const page of [one, two]) await page.reload();
    await shows(one, ['1 in the first']);
    await shows(two, ['1 in the second']);
    expect(await draft(one).inputValue()).toBe('draft of Ann');
    expect(await draft(two).inputValue()).toBe('draft of Bob');
    const signedIn = (page: Page, base: string) =>
      page.evaluate(async (path) => (await (await fetch(path)).json()).name, `${base}/api/me`);
    expect([await signedIn(one, ''), await signedIn(two, '/chat')]).toEqual(['Ann', 'Bob']);
  });
});

/** Runs nginx with a server for each path; returns its origin. */
async function startNginx(servers: Readonly<Record<string, number>>): Promise<string> {
  const [port, folder] = [await freePort(), temporaryFolder()];
  const locations = Object.entries(servers).map(
    ([path, server]) => `location ${path} { proxy_pass http://127.0.0.1:${server}; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }`,
  );
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${temporary.join(' ')}
      map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
      server { listen 127.0.0.1:${port}; ${locations.join('\n')} } }`,
  );
  const nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  onTestFinished(async () => {
    nginx.kill('SIGTERM');
    if (nginx.exitCode === null) await once(nginx, 'exit');
  });
  await untilListening(port);
  return `http://127.0.0.1:${port}`;
}

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
