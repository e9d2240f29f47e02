/** The page without network, with an old outbox, and during a deployment. */
import { cpSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page, Worker } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, openBrowser, say, shows, useWholeBrowser, watch } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { freePort, ROOT, type RunningServer, startServer } from '../process.js';
import { keptKeys, keptText } from './offline-cache.js';
import { eventually, openDialog, openPage, posts, says, visitor } from './people.js';

useWholeBrowser();

async function stop(server: RunningServer): Promise<void> {
  server.child.kill('SIGKILL');
  await server.exited;
}

/** Waits until the service worker has its files and the last window is cached. */
async function kept(page: Page, room = 'lobby'): Promise<void> {
  await page.evaluate(() => navigator.serviceWorker.ready);
  await eventually(async () => (await keptKeys(page)).some((key) => key.endsWith(` room ${room}`))).toBe(
    true,
  );
}

/** Follows a link of the page. */
async function goTo(page: Page, path: string): Promise<void> {
  await page.evaluate((href) => {
    const link = document.createElement('a');
    link.href = href;
    document.body.append(link);
    link.click();
  }, path);
}

async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  watch(page);
  await page.goto(url);
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  return page;
}

describe.runIf(hasChromium)('without network', { timeout: 60_000 }, () => {
  it('opens with its cache, says so, takes messages, and catches up later', async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    const server = await startServer({ env });
    const { context, page } = await openPage(server, 'Ann');
    for (const text of ['one', 'two']) await say(page, text);
    await shows(page, ['1 one', '2 two']);
    await posts(await visitor(server, 'Cem'), 'lobby', { type: 'react', target: 1, data: '👍' });
    await page.locator('[data-id="1"] .chip').click();
    await page.locator('[data-id="1"] .chip', { hasText: '2' }).waitFor();
    await eventually(() => lettersOf(page)).toBe(0);
    await kept(page);
    await eventually(() => keptText(page)).toContain('"seen":4');
    await page.close();
    await stop(server);
    const later = await open(context, `${server.origin}/`);
    await shows(later, ['1 one', '2 two']);
    await later.locator('[data-id="1"] .chip[aria-pressed=true]').waitFor();
    await eventually(() => later.locator('.status').textContent()).toMatch(/Connecting|Connection lost/);
    await say(later, 'three');
    await later.locator('li.pending.waiting').waitFor();
    const back = await startServer({ env });
    await shows(later, ['1 one', '2 two', '5 three'], 40_000);
    await says(await visitor(back, 'Bob'), 'lobby', 'four');
    await shows(later, ['1 one', '2 two', '5 three', '6 four']);
  });

  it('keeps edits and reactions over a closed page, and sends them once', async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    const server = await startServer({ env });
    const bob = await visitor(server, 'Bob');
    const { context, page } = await openPage(server, 'Ann');
    await say(page, 'teh');
    await shows(page, ['1 teh']);
    await posts(bob, 'lobby', { type: 'react', target: 1, data: '👍' });
    await page.locator('[data-id="1"] .chip').waitFor();
    await kept(page);
    await stop(server);
    await page.locator('[data-id="1"] .chip').click();
    const field = page.getByRole('textbox', { name: 'Message' });
    await field.press('ArrowUp');
    await field.fill('the');
    await field.press('Enter');
    await eventually(() => lettersOf(page)).toBe(2);
    await page.close();
    await startServer({ env });
    const later = await open(context, `${server.origin}/r/lobby`);
    await shows(later, ['1 the']);
    await eventually(() => lettersOf(later)).toBe(0);
    const log: { id: number; type: string }[] = (await (await bob.get('/api/rooms/lobby/messages')).json())
      .messages;
    expect(log.map(({ type }) => type).sort()).toEqual(['chat', 'edit', 'react', 'react']);
  });

  it('leaves nothing in the browser after signing out', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const { page } = await openPage(server, 'Ann');
    await say(page, 'secret');
    await shows(page, ['1 secret']);
    await page.getByRole('textbox', { name: 'Message' }).fill('half a secret');
    await kept(page);
    await openDialog(page, 'Sign out');
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.waitForURL(/signin/);
    const pages = () =>
      page.evaluate(async () => {
        const kept = (await caches.keys()).map(async (name) => (await caches.open(name)).match('/page'));
        return (await Promise.all(kept)).filter(Boolean).length;
      });
    await eventually(pages).toBe(0);
    const texts = await page.evaluate(() => JSON.stringify({ ...localStorage }));
    expect([texts.includes('secret'), await keptKeys(page)]).toEqual([false, []]);
  });

  it('asks before unsent messages of any room are discarded', async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    const server = await startServer({ env });
    const { page } = await openPage(server, 'Ann');
    await page.locator('.dot.live').waitFor();
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null); // it has the dialog
    await stop(server);
    await say(page, 'not sent yet');
    await page.locator('li.pending.waiting').waitFor();
    await goTo(page, '/r/kitchen');
    await say(page, 'nor this');
    await page.locator('li.pending.waiting').waitFor();
    await openDialog(page, 'Sign out');
    await page.getByText('2 unsent messages will be discarded.').waitFor();
  });

  it('removes a text that is deleted while another room is shown', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', 'a slip', 'another');
    const { page } = await openPage(server, 'Ann');
    await shows(page, ['1 a slip', '2 another']);
    await kept(page);
    expect(await keptText(page)).toContain('a slip');
    await goTo(page, '/r/kitchen');
    await shows(page, []);
    await posts(bob, 'lobby', { type: 'delete', target: 1 });
    await eventually(() => keptText(page)).not.toContain('a slip');
    expect(await keptText(page)).toContain('another');
  });

  it('removes a text that was deleted while it was disconnected', async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    const server = await startServer({ env });
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', 'a slip', 'another');
    const { context, page } = await openPage(server, 'Ann');
    await shows(page, ['1 a slip', '2 another']);
    await kept(page);
    await goTo(page, '/r/kitchen');
    await page.locator('.dot.live').waitFor();
    await context.setOffline(true);
    await stop(server);
    await startServer({ env });
    await posts(bob, 'lobby', { type: 'delete', target: 1 });
    await context.setOffline(false);
    await eventually(() => keptText(page)).not.toContain('a slip');
  });

  it('sends a message stored by an older version of the page', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const context = await (await openBrowser()).newContext();
    const signedIn = await context.request.post(`${server.origin}/signin`, { data: { name: 'Ann' } });
    const { id } = await signedIn.json();
    const page = await context.newPage();
    await page.goto(`${server.origin}/healthz`);
    await page.evaluate(
      (user) =>
        new Promise<void>((resolve) => {
          const request = indexedDB.open('oneport', 1);
          request.onupgradeneeded = () => {
            const letters = request.result.createObjectStore('outbox', {
              keyPath: 'seq',
              autoIncrement: true,
            });
            letters.createIndex('user', 'user');
            letters.createIndex('cid', 'cid', { unique: true });
            letters.add({ user, room: 'lobby', cid: 'old-1', data: 'from before', at: 1 });
            letters.add({ user, room: 'kitchen', cid: 'old-2', data: 'elsewhere', at: 1 });
          };
          request.onsuccess = () => {
            request.result.close();
            resolve();
          };
        }),
      id,
    );
    watch(page);
    await page.goto(`${server.origin}/r/lobby`);
    await shows(page, ['1 from before']);
    await page.goto(`${server.origin}/r/kitchen`);
    await shows(page, ['1 elsewhere']);
  });
});

describe.runIf(hasChromium)('a deployment', { timeout: 120_000 }, () => {
  it('is announced and never forced; an open page keeps its parts, the next one is new', async () => {
    const root = copyOfThis();
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    const server = await startServer({ env, root });
    const { context, page } = await openPage(server, 'Ann');
    await say(page, 'before');
    await shows(page, ['1 before']);
    await kept(page);
    await page.reload(); // the service worker controls the page from now on
    await shows(page, ['1 before']);
    await stop(server);
    deployAnother(root);
    await startServer({ env, root });
    await page.getByText('A new version of this page is available.').waitFor();
    await page.keyboard.press('Control+k');
    await page
      .getByRole('dialog')
      .getByRole('combobox')
      .or(page.getByRole('dialog').getByRole('textbox'))
      .first()
      .waitFor();
    expect(await page.locator('meta[name=deploy]').count()).toBe(0);
    const [old] = await cacheNames(page);
    const closed = await open(context, `${server.origin}/r/lobby`);
    await eventually(() => hasWaitingWorker(closed)).toBe(true);
    const isCounted = await countOfOnePage(context);
    await closed.close();
    await isCounted();
    const next = await open(context, `${server.origin}/r/lobby`);
    await shows(next, ['1 before']);
    expect(await cacheNames(page)).toEqual([old, 'oneport another']); // the old page was the only open one
    expect(await next.locator('meta[name=deploy]').count()).toBe(1);
    await page.close();
    await next.reload();
    await next.getByRole('textbox', { name: 'Message' }).waitFor();
    const stopActiveWorker = await workerStopper(next);
    const remaining = async () => {
      const names = await cacheNames(next);
      if (names.length > 1) await stopActiveWorker();
      return names;
    };
    await expect.poll(remaining, { timeout: 40_000, interval: 1_000 }).toEqual(['oneport another']);
  });
});

function cacheNames(page: Page): Promise<string[]> {
  return page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith('oneport')));
}

/** Is a new worker installed, which waits until it can replace the old one? */
function hasWaitingWorker(page: Page): Promise<boolean> {
  return page.evaluate(async () => !!(await navigator.serviceWorker.getRegistration())?.waiting);
}

/** Waits until the waiting worker has looked for open pages and found one. */
async function countOfOnePage(context: BrowserContext): Promise<() => Promise<void>> {
  for (const worker of context.serviceWorkers())
    await worker.evaluate(() => {
      const clients: { matchAll(options: object): Promise<unknown[]> } = Reflect.get(globalThis, 'clients');
      const matchAll = clients.matchAll.bind(clients);
      clients.matchAll = async (options) => {
        const pages = await matchAll(options);
        if (pages.length === 1) Object.assign(globalThis, { foundOne: true });
        return pages;
      };
    });
  const foundOne = (worker: Worker) => worker.evaluate(() => Reflect.get(globalThis, 'foundOne') === true);
  return () =>
    eventually(async () => (await Promise.all(context.serviceWorkers().map(foundOne))).includes(true)).toBe(
      true,
    );
}

/**
 * Stops the active worker, but not a waiting one. A new worker may replace the old one only while that does nothing.
 * Chromium therefore stops the old one, but a request at that moment starts it again. It then stops once it is idle
 * for 30 seconds, and never while Playwright is attached to it.
 */
async function workerStopper(page: Page): Promise<() => Promise<void>> {
  const cdp = await page.context().newCDPSession(page);
  let active: string | undefined;
  cdp.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
    active = versions.find(({ status }) => status === 'activated')?.versionId ?? active;
  });
  await cdp.send('ServiceWorker.enable');
  return async () => {
    if (active) await cdp.send('ServiceWorker.stopWorker', { versionId: active });
  };
}

function lettersOf(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const request = indexedDB.open('oneport');
        request.onsuccess = () => {
          const count = request.result.transaction('outbox').objectStore('outbox').count();
          count.onsuccess = () => {
            request.result.close();
            resolve(count.result);
          };
        };
      }),
  );
}

/** The built server and page in a folder of their own. */
function copyOfThis(): string {
  const root = temporaryFolder();
  for (const part of ['dist', 'public', 'package.json'])
    cpSync(join(ROOT, part), join(root, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  return root;
}

/** Another version of the page: all its files have other names, the old ones are gone. */
function deployAnother(root: string): void {
  const files = join(root, 'public', 'js');
  const names = readdirSync(files).filter((name) => /-[A-Z0-9]{8}\.(js|css)$/.test(name));
  const renamed = (text: string) => names.reduce((all, name) => all.replaceAll(name, other(name)), text);
  const rewrite = (path: string) => writeFileSync(path, renamed(readFileSync(path, 'utf8')));
  for (const name of names) {
    rewrite(join(files, name));
    renameSync(join(files, name), join(files, other(name)));
  }
  rewrite(join(files, 'files.json'));
  const { version } = JSON.parse(readFileSync(join(root, 'public', 'version.json'), 'utf8'));
  for (const path of ['version.json', 'sw.js', ...readdirSync(files).map((name) => join('js', name))]) {
    const text = readFileSync(join(root, 'public', path), 'utf8');
    writeFileSync(join(root, 'public', path), renamed(text).replaceAll(version, 'another'));
  }
  const html = join(root, 'public', 'index.html');
  writeFileSync(
    html,
    readFileSync(html, 'utf8').replace('</head>', '<meta name="deploy" content="another" /></head>'),
  );
}

function other(name: string): string {
  return name.replace(/-[A-Z0-9]{8}\./, (hash) =>
    hash[1] === 'Z' ? `-Y${hash.slice(2)}` : `-Z${hash.slice(2)}`,
  );
}

it('leaves every file of the first load with the service worker', () => {
  const built = (file: string) => readFileSync(join(ROOT, 'public', file), 'utf8');
  const files: Readonly<Record<string, string | string[]>> = JSON.parse(built('js/files.json'));
  const begins = Object.values(files).flat();
  expect(begins.length).toBeGreaterThan(3);
  const worker = built('sw.js');
  expect(begins.filter((file) => !worker.includes(`"${file}"`))).toEqual([]);
});
