/**
 * The first minute of two people who have never seen the page: one makes a room and invites the other by its link, is
 * called by name, and replies. Everything is found by its role or by visible words. `npm run screenshots` films it.
 */
import { join } from 'node:path';
import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, openBrowser, watch } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';

const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' };
const phone: BrowserContextOptions = {
  reducedMotion: 'reduce',
  viewport: { width: 360, height: 720 },
  isMobile: true,
  hasTouch: true,
};

/** Numbers the pictures of a walk. Without a folder it takes none. */
function filmOf(walk: string): (page: Page, what: string) => Promise<void> {
  const folder = process.env['PICTURES'];
  let taken = 0;
  return async (page, what) => {
    if (folder === undefined) return;
    const name = `${walk} ${String(++taken).padStart(2, '0')} ${what}`.replaceAll(' ', '-');
    await page.screenshot({ path: join(folder, 'walk', `${name}.png`) });
  };
}

async function arrive(
  options: BrowserContextOptions,
  address: string,
  name: string,
  film: ReturnType<typeof filmOf>,
): Promise<Page> {
  const page = await (await (await openBrowser()).newContext(options)).newPage();
  watch(page);
  await page.goto(address);
  await page.getByRole('textbox', { name: 'Your name' }).fill(name);
  await film(page, `${name} signs in`);
  await press(page.getByRole('button', { name: 'Start chatting' }), options);
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  await film(page, `${name} is in`);
  return page;
}

/** With the finger on a phone. */
function press(target: Locator, { hasTouch }: BrowserContextOptions): Promise<void> {
  return hasTouch ? target.tap() : target.click();
}

/** The rooms are beside the messages, or behind a button. */
async function showRooms(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: /^Rooms/ });
  if (await button.isVisible()) await button.click();
  await page.getByRole('button', { name: 'New room' }).waitFor();
}

async function send(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

async function openRoom(page: Page, name: RegExp): Promise<void> {
  await showRooms(page);
  await page.getByRole('link', { name }).click();
}

describe.runIf(hasChromium)('the first minute', { timeout: 120_000 }, () => {
  it.each([
    ['on a desktop', desktop],
    ['on a phone', phone],
  ])('is enough to make a room, invite somebody, be called and reply %s', async (size, options) => {
    const film = filmOf(size);
    const server = await startServer({ env: { DATA_DIR: temporaryFolder() } });
    const from = performance.now();
    const ann = await arrive(options, server.origin, 'Ann', film);
    await showRooms(ann);
    await film(ann, 'rooms');
    await press(ann.getByRole('button', { name: 'New room' }), options);
    await ann.getByRole('textbox', { name: 'Room name' }).fill('Tea House!');
    await film(ann, 'new room');
    await press(ann.getByRole('button', { name: 'Create room' }), options);
    const link = await ann.getByText(/^https?:\/\/.*\/r\/tea-house$/).textContent();
    await film(ann, 'invitation');
    const bob = await arrive(options, link ?? '', 'Bob', film);
    await openRoom(ann, /^lobby/);
    await ann.getByRole('heading', { name: 'lobby' }).waitFor();
    await send(bob, '@Ann the kettle is on');
    await expect.poll(() => ann.title()).toMatch(/^\(1\)/);
    await film(ann, 'called');
    await openRoom(ann, /^tea-house.*1 unread message, you were mentioned/);
    const call = ann.getByText('@Ann the kettle is on', { exact: true });
    await (options.hasTouch ? call.tap() : call.hover());
    await film(ann, 'actions');
    await press(ann.getByRole('button', { name: 'Reply' }), options);
    await ann.getByText('Replying to').waitFor();
    await ann.getByRole('textbox', { name: 'Message' }).fill('I am coming');
    await film(ann, 'reply');
    await press(ann.getByRole('button', { name: 'Send' }), options);
    await bob.getByText('I am coming', { exact: true }).waitFor();
    await bob.getByText('In reply to').waitFor({ state: 'attached' });
    await film(bob, 'answered');
    expect(performance.now() - from).toBeLessThan(60_000);
  });
});
