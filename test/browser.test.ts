/** The page in Chromium, with the real server as a process. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BrowserContext, Cookie } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  FALLBACKS,
  hasChromium,
  messages,
  openBrowser,
  openProfile,
  say,
  shows,
  signInByForm,
  watch,
} from './chromium.js';
import { temporaryFolder } from './harness.js';
import { freePort, startServer } from './process.js';

describe.runIf(hasChromium)('the page', { timeout: 60_000 }, () => {
  it('lets two people chat', async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const browser = await openBrowser();
    const [ann, bob] = [
      await (await browser.newContext()).newPage(),
      await (await browser.newContext()).newPage(),
    ];
    await signInByForm(ann, origin, 'Ann');
    await signInByForm(bob, origin, 'Bob');
    await say(ann, 'hello Bob');
    await shows(bob, ['1 hello Bob']);
    await say(bob, 'hello Ann');
    await shows(ann, ['1 hello Bob', '2 hello Ann']);
    await ann.getByRole('complementary').getByText('Bob').waitFor();
    await bob.close();
    await ann.getByRole('complementary').getByText('Bob').waitFor({ state: 'detached' });
  });

  it('has a sign-in form that works without JavaScript and explains errors', async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const browser = await openBrowser();
    const first = await (await browser.newContext()).newPage();
    await signInByForm(first, origin, 'Ann');
    const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    await page.goto(`${origin}/r/kitchen`);
    await page.getByRole('textbox').fill('ANN');
    await page.getByRole('button').first().click();
    await page.getByRole('alert').filter({ hasText: 'is taken' }).waitFor();
    await page.getByRole('textbox').fill('Anne');
    await page.getByRole('button').first().click();
    await page.waitForURL(`${origin}/r/kitchen`);
  });

  it('returns to the message of the address after the sign-in, with and without JavaScript', async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const browser = await openBrowser();
    for (const javaScriptEnabled of [true, false]) {
      const page = await (await browser.newContext({ javaScriptEnabled })).newPage();
      await page.goto(`${origin}/r/kitchen#2`);
      await page.getByRole('textbox').fill(`Ann ${javaScriptEnabled}`);
      await page.getByRole('button').first().click();
      await page.waitForURL(`${origin}/r/kitchen#2`);
    }
  });

  it('says that the browser blocks cookies', async () => {
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const origin = await withoutCookies(server.origin);
    const page = await (await (await openBrowser()).newContext()).newPage();
    await page.goto(`${origin}/r/kitchen`);
    expect(await page.locator('#problem').textContent()).toBe('');
    await page.getByRole('textbox').fill('Ann');
    await page.getByRole('button').first().click();
    await page.getByRole('alert').getByText('blocks cookies').waitFor();
    await page.getByRole('button', { name: '中文' }).click(); // is no sign-in
    await page.waitForURL(/lang=/);
    expect(await page.locator('#problem').textContent()).toBe('');
  });

  it('shows hostile text as text, and keeps its layout at 320 pixels', async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const browser = await openBrowser();
    const page = await (await browser.newContext({ viewport: { width: 320, height: 640 } })).newPage();
    await signInByForm(page, origin, '<b>Ann</b>');
    const hostile = [
      '<img src=x onerror="document.title=1">',
      '<script>document.title=2</script>',
      'javascript:alert(1)',
      'W'.repeat(1_100),
      '\u202Eevil.exe',
      `z${'\u0301'.repeat(200)}`,
    ];
    for (const text of hostile) await say(page, text);
    await shows(
      page,
      hostile.map((text, n) => `${n + 1} ${text}`),
    );
    expect(await page.title()).toContain('Oneport');
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(320);
  });

  it('does not send half a word of a composition', async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const page = await (await (await openBrowser()).newContext()).newPage();
    await signInByForm(page, origin, 'Ann');
    const field = page.getByRole('textbox', { name: 'Message' });
    await field.fill('上海');
    await field.dispatchEvent('keydown', { key: 'Enter', keyCode: 229, isComposing: true, bubbles: true });
    await field.press('Shift+Enter');
    await field.pressSequentially('东边');
    expect(await messages(page)).toEqual([]);
    await field.press('Enter');
    await shows(page, ['1 上海\n东边']);
  });

  it('resumes after kill -9 at its number, and sends pending messages once and in order', async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    const server = await startServer({ env });
    const page = await (await (await openBrowser()).newContext()).newPage();
    await signInByForm(page, server.origin, 'Ann');
    await say(page, 'before');
    await shows(page, ['1 before']);
    server.child.kill('SIGKILL');
    await server.exited;
    await say(page, 'while it was gone');
    await say(page, 'and once more');
    await page.locator('li.pending').nth(1).waitFor();
    await startServer({ env });
    await shows(page, ['1 before', '2 while it was gone', '3 and once more'], 40_000);
    expect(await page.locator('li.pending').count()).toBe(0);
  });

  it('keeps unsent messages over a closed tab, and two tabs send them once', async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    const server = await startServer({ env });
    const context = await (await openBrowser()).newContext();
    const page = await context.newPage();
    await signInByForm(page, server.origin, 'Ann');
    server.child.kill('SIGKILL');
    await server.exited;
    for (const text of ['one', 'two', 'three']) await say(page, text);
    await page.locator('li.pending.waiting').nth(2).waitFor();
    await page.close();
    await startServer({ env });
    const tabs = [await context.newPage(), await context.newPage()];
    for (const tab of tabs) watch(tab);
    await Promise.all(tabs.map((tab) => tab.goto(`${server.origin}/r/lobby`)));
    for (const tab of tabs) await shows(tab, ['1 one', '2 two', '3 three']);
  });

  it('keeps what was written before the server answered', async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const context = await (await openBrowser()).newContext();
    const page = await context.newPage();
    await page.routeWebSocket(/\/ws\//, () => {}); // accepted and never answered
    await page.route(FALLBACKS, () => {});
    await signInByForm(page, origin, 'Ann');
    for (const text of ['one', 'two']) await say(page, text);
    await page.locator('li.pending.waiting').nth(1).waitFor();
    await page.close();
    const next = await context.newPage();
    watch(next);
    await next.goto(`${origin}/r/lobby`);
    await shows(next, ['1 one', '2 two']);
  });

  it('sends what the browser cannot store, and says so, though another tab leads', async () => {
    const env = { DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
    const server = await startServer({ env });
    const context = await (await openBrowser()).newContext();
    const [leader, page] = [await context.newPage(), await context.newPage()];
    await signInByForm(leader, server.origin, 'Ann');
    await say(leader, 'zero');
    await shows(leader, ['1 zero']);
    await page.addInitScript(() => {
      Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' }); // a background tab
      IDBObjectStore.prototype.add = () => new EventTarget() as IDBRequest<IDBValidKey>; // nothing is ever written
      Object.defineProperty(IDBTransaction.prototype, 'oncomplete', { set() {} }); // and nobody is told
    });
    watch(page);
    await page.goto(`${server.origin}/r/lobby`);
    await shows(page, ['1 zero']);
    server.child.kill('SIGKILL');
    await server.exited;
    for (const text of ['one', 'two']) await say(page, text);
    await page.locator('li.pending.unpersisted', { hasText: 'Keep this page open' }).nth(1).waitFor();
    await startServer({ env });
    for (const tab of [page, leader]) await shows(tab, ['1 zero', '2 one', '3 two'], 40_000);
    expect(await page.locator('li.pending').count()).toBe(0);
  });

  it('stores each message once when the server is killed between send and echo, many times', {
    timeout: 120_000,
  }, async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const profile = temporaryFolder();
    const said: string[] = [];
    let cookies: Cookie[] = []; // Chromium writes its own cookies to disk only now and then
    for (let round = 0; round < 5; round++) {
      const context = await openProfile(profile);
      const page = context.pages()[0] ?? (await context.newPage());
      await context.addCookies(cookies);
      if (round === 0) await signInByForm(page, origin, 'Ann');
      else await page.goto(`${origin}/r/lobby`);
      cookies = await context.cookies();
      await page.getByRole('textbox', { name: 'Message' }).waitFor();
      for (const text of [`${round}-a`, `${round}-b`]) {
        await say(page, text);
        said.push(text);
        await page.locator(':is(.waiting, [data-id]) .text', { hasText: text }).first().waitFor(); // stored or sent
      }
      await crash(context, profile);
    }
    const context = await openProfile(profile);
    await context.addCookies(cookies);
    const page = await context.newPage();
    await page.goto(`${origin}/r/lobby`);
    await shows(
      page,
      said.map((text, n) => `${n + 1} ${text}`),
    );
  });

  it('redirects to the sign-in form once when the session is over', async () => {
    const { origin } = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const context = await (await openBrowser()).newContext();
    const page = await context.newPage();
    await signInByForm(page, origin, 'Ann', 'kitchen');
    await page.evaluate(() => void fetch('/signout', { method: 'POST' }));
    await page.waitForURL(/\/signin/);
    await page.getByRole('textbox').fill('Bob'); // the name of before stays reserved
    await page.getByRole('button').first().click();
    await page.getByRole('textbox', { name: 'Message' }).waitFor();
  });
});

/** The address of a proxy that lets no cookie pass. */
async function withoutCookies(origin: string): Promise<string> {
  const proxy = createServer((request, response) => {
    const { cookie: _, ...headers } = request.headers;
    const { method, url = '/' } = request;
    const forwarded = httpRequest(new URL(url, origin), { method, headers }, (answer) => {
      const { 'set-cookie': _dropped, ...kept } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, kept);
      answer.pipe(response);
    });
    request.pipe(forwarded);
  });
  proxy.listen(0, '127.0.0.1');
  onTestFinished(() => void proxy.close());
  await once(proxy, 'listening');
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

/** Ends the browser as a crash does: no tab hears of it. */
async function crash(context: BrowserContext, profile: string): Promise<void> {
  const closed = new Promise<void>((resolve) => context.once('close', () => resolve()));
  const pids = execFileSync('pgrep', ['-f', `user-data-dir=${profile}`], { encoding: 'utf8' });
  for (const pid of pids.trim().split('\n')) kill(Number(pid));
  await closed;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended with its parent
  }
}
