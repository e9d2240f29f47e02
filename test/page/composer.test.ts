/** The composer in Chromium: no message waits, is lost, or repeats deleted text. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, openBrowser, say, shows, signInByForm } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { eventually, openPage, posts, says, visitor } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder() } });
const field = (page: Page) => page.getByRole('textbox', { name: 'Message' });

async function answer(page: Page, id: number): Promise<void> {
  await page.keyboard.press('Shift'); // the keyboard is in use
  await page.locator(`li.message[data-id="${id}"]`).focus();
  await page.keyboard.press('r');
  await page.locator('.mode').waitFor();
}

describe.runIf(hasChromium)('the composer', { timeout: 60_000 }, () => {
  it('keeps a message when the tab closes at once, even while emoji names load', async () => {
    const { origin } = await start();
    const context = await (await openBrowser()).newContext({ serviceWorkers: 'block' }); // nothing may be cached
    const page = await context.newPage();
    await signInByForm(page, origin, 'Ann');
    const asked: string[] = [];
    await page.route(/emojidata|compact/, (route) => void asked.push(route.request().url())); // never answered
    await say(page, 'frist');
    await shows(page, ['1 frist']);
    await field(page).press('ArrowUp');
    await eventually(() => field(page).inputValue()).toBe('frist');
    await say(page, 'first :tada:');
    await say(page, ':tada: one');
    await eventually(async () => asked.length).toBeGreaterThan(0);
    await say(page, 'two');
    await page.locator(':is(.waiting, [data-id]) .text', { hasText: 'two' }).waitFor(); // stored or sent
    await page.reload();
    await shows(page, ['1 first :tada:', '3 :tada: one', '4 two']);
  });

  it('shows what is answered as it is now, and answers nothing that was deleted', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', 'a secret', 'a slip');
    const { page } = await openPage(server, 'Ann');
    await shows(page, ['1 a secret', '2 a slip']);
    await answer(page, 1);
    await posts(bob, 'lobby', { type: 'delete', target: 1 });
    await page.locator('.mode', { hasText: 'Message deleted' }).waitFor();
    await say(page, 'yes');
    await answer(page, 2);
    await posts(bob, 'lobby', { type: 'edit', target: 2, data: 'a ship' });
    await page.locator('.mode', { hasText: 'a ship' }).waitFor();
    await say(page, 'oh');
    await page.locator('li', { hasText: 'oh' }).locator('.reply-card', { hasText: 'a ship' }).waitFor();
    const stored = async () => {
      const { messages } = (await (await bob.get('/api/rooms/lobby/messages')).json()) as {
        messages: { data: string; reply?: object }[];
      };
      return messages.filter(({ data }) => ['yes', 'oh'].includes(data)).map(({ reply }) => reply);
    };
    await eventually(stored).toMatchObject([undefined, { id: 2, data: 'a ship' }]);
  });

  it('sends with Enter once a name is complete, and completes it before', async () => {
    const server = await start();
    for (const name of ['Bob', 'Bobby']) await says(await visitor(server, name), 'kitchen', 'hi');
    const { page } = await openPage(server, 'Ann');
    await page.locator('.dot.live').waitFor();
    await field(page).fill('hello @bob'); // at once, so that the list is that of the whole name
    await page.getByRole('option', { name: 'Bobby' }).waitFor();
    await field(page).press('Enter');
    await shows(page, ['1 hello @bob']);
    await eventually(() => page.getByRole('option').count()).toBe(0);
    await field(page).fill('hello @bob');
    await page.getByRole('option', { name: 'Bobby' }).waitFor();
    await field(page).press('ArrowDown');
    await field(page).press('Enter');
    expect(await field(page).inputValue()).toBe('hello @Bobby ');
  });

  it('completes the name that is selected or clicked, whatever the server adds', async () => {
    const server = await start();
    for (const name of ['Bob', 'Bobby']) await (await visitor(server, name)).enters('lobby');
    await says(await visitor(server, 'Bobber'), 'kitchen', 'hi');
    const { page } = await openPage(server, 'Ann');
    await page.getByRole('complementary').getByText('Bobby').waitFor();
    let sendAnswer = () => {};
    const isSent = new Promise<void>((resolve) => {
      sendAnswer = resolve;
    });
    await page.route('**/api/people?*', async (route) => {
      await isSent;
      await route.continue();
    });
    await field(page).fill('@bob');
    await page.getByRole('option', { name: 'Bobby' }).waitFor();
    await field(page).press('ArrowDown');
    sendAnswer();
    await page.getByRole('option', { name: 'Bobber' }).waitFor();
    await field(page).press('Enter');
    expect(await field(page).inputValue()).toBe('@Bobby ');
    await eventually(() => page.getByRole('option').count()).toBe(0);
    await field(page).fill('@b');
    await page.getByRole('option', { name: 'Bobber' }).waitFor();
    await page.getByRole('option', { name: 'Bobby' }).evaluate((option: HTMLElement) => {
      const textarea = document.querySelector<HTMLTextAreaElement>('.composer textarea');
      if (textarea) textarea.value = '@bobb'; // the list changes, and is not drawn before the click
      textarea?.dispatchEvent(new InputEvent('input', { bubbles: true }));
      option.click();
    });
    expect(await field(page).inputValue()).toBe('@Bobby ');
  });

  it('edits no older message while the last one has no number', async () => {
    const { context, page } = await openPage(await start(), 'Ann');
    await say(page, 'one');
    await shows(page, ['1 one']);
    await context.setOffline(true);
    await page.locator('.dot:not(.live)').waitFor();
    await say(page, 'two');
    await field(page).press('ArrowUp');
    expect(await field(page).inputValue()).toBe('');
    await context.setOffline(false);
    await shows(page, ['1 one', '2 two']);
    await field(page).press('ArrowUp');
    expect(await field(page).inputValue()).toBe('two');
  });
});
