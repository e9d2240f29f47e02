/** A real Chromium, and people who use the page in it. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, onTestFinished } from 'vitest';
import { hasTool } from './harness.js';

export const CHROMIUM = '/usr/bin/chromium';
export const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];
/**
 * Chromium without the window around the page. It takes half the time. It knows neither notifications
 * nor settings, and is late to replace a service worker. */
const SHELL = '/usr/bin/chromium-headless-shell';

export const hasChromium = hasTool('chromium');

let executablePath = existsSync(SHELL) ? SHELL : CHROMIUM;
let sharedBrowser: Promise<Browser> | undefined;
afterAll(async () => (await sharedBrowser)?.close());

/** Call it in a test file that needs what the shell lacks. */
export function useWholeBrowser(): void {
  executablePath = CHROMIUM;
}

/** The browser of a test file, because starting one takes a second. Its contexts, which share nothing, end with the test. */
export async function openBrowser(): Promise<Browser> {
  sharedBrowser ??= chromium.launch({ executablePath, args: FLAGS });
  const browser = await sharedBrowser;
  onTestFinished(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
  });
  return browser;
}

/** A browser with a profile on disk, which outlives it: what a person's own browser is. */
export async function openProfile(folder: string): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(folder, { executablePath: CHROMIUM, args: FLAGS });
  onTestFinished(() => context.close().catch(() => {}));
  return context;
}

/** Opens the chat by the form, as a newcomer does. Problems of the page (errors, refused by the policy) fail the test. */
export async function signInByForm(page: Page, origin: string, name: string, room = 'lobby'): Promise<void> {
  watch(page);
  await page.goto(`${origin}/r/${room}`);
  await page.getByRole('textbox').fill(name);
  await page.getByRole('button').first().click();
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
}

/** What the page complains of; a lost connection is no fault of the page. */
export function watch(page: Page): void {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (
      message.type() === 'error' &&
      !/ERR_|WebSocket|Failed to load resource|fetching the script/.test(message.text())
    )
      faults.push(message.text());
  });
  onTestFinished(() => {
    if (faults.length > 0) throw new Error(`the page complained: ${faults.join('\n')}`);
  });
}

export async function say(page: Page, text: string): Promise<void> {
  const field = page.getByRole('textbox', { name: 'Message' });
  await field.fill(text);
  await field.press('Enter');
}

/** The numbered messages on the page, as `number text`. */
export function messages(page: Page): Promise<string[]> {
  return page
    .locator('li.message[data-id]')
    .evaluateAll((rows) =>
      rows.map((row) => `${row.getAttribute('data-id')} ${row.querySelector('.text')?.textContent}`),
    );
}

/** Waits until the page shows exactly these. */
export async function shows(page: Page, expected: readonly string[], patience = 20_000): Promise<void> {
  const until = Date.now() + patience;
  for (;;) {
    const shown = await messages(page);
    if (JSON.stringify(shown) === JSON.stringify(expected)) return;
    if (Date.now() > until)
      throw new Error(`the page shows ${JSON.stringify(shown)}, not ${JSON.stringify(expected)}`);
    await page.waitForTimeout(25);
  }
}

/** Requests of the transports that the page falls back to when WebSocket gives no answer for some seconds. */
export const FALLBACKS = /\/events\?|[?&]wait=/;

/** Waits until the page has drawn what was changed before. It draws in the next frame, so an earlier look sees the old state. */
export function drawn(page: Page): Promise<void> {
  return page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
      }),
  );
}

/**
 * Notes which messages are highlighted from now on, in this document and in those that follow. A highlight ends after
 * seconds, so a test that stands still would miss it.
 */
export async function noteHighlights(page: Page): Promise<() => Promise<number[]>> {
  await page.addInitScript(watchHighlights);
  await page.evaluate(watchHighlights);
  return () => page.evaluate(() => Reflect.get(globalThis, 'highlights') as number[]);
}

/** Runs in the page. */
function watchHighlights(): void {
  const highlights: number[] = [];
  Object.assign(globalThis, { highlights });
  new MutationObserver(() => {
    for (const row of document.querySelectorAll<HTMLElement>('li.message.highlighted'))
      highlights.push(Number(row.dataset['id']));
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] });
}
