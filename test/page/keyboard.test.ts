/** Where keystrokes go, and that none destroys anything by accident, in Chromium. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { drawn, hasChromium, openBrowser, say, shows, signInByForm } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { type RunningServer, startServer } from '../process.js';
import { eventually, openPage, says, stopTimeOfDay, visitor } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder(), MESSAGE_RATE: '0' } });
const row = (page: Page, id: number) => page.locator(`li.message[data-id="${id}"]`);
const field = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const isComposing = (page: Page) => field(page).evaluate((element) => element === document.activeElement);

/** A page in which Ann has said this. */
async function said(...texts: readonly string[]): Promise<{ server: RunningServer; page: Page }> {
  const server = await start();
  const { page } = await openPage(server, 'Ann');
  for (const text of texts) await say(page, text);
  await row(page, texts.length).waitFor();
  return { server, page };
}

/** The text of a message, as the server has it. */
function stored(page: Page, id: number): Promise<string> {
  return page.evaluate(async (number) => {
    const answer = await fetch(`/api/rooms/lobby/messages?after=${number - 1}&limit=1`);
    const { messages } = (await answer.json()) as { messages: { data: string }[] };
    return messages[0]?.data ?? 'none';
  }, id);
}

/** Moves the focus to a message as the keyboard does. */
async function walkTo(page: Page, id: number): Promise<void> {
  await field(page).press('Escape');
  for (let step = 0; step < 20; step++) {
    const [at, isRow] = await page.evaluate(() => {
      const row = document.activeElement?.closest('li');
      return [Number(row?.dataset['id'] ?? 0), row === document.activeElement] as const;
    });
    if (at === id && isRow) return;
    const arrow = at < id ? 'ArrowDown' : 'ArrowUp';
    await page.keyboard.press(at === 0 ? 'Shift+Tab' : at === id ? 'Escape' : arrow);
  }
  throw new Error(`no way to message ${id}`);
}

describe.runIf(hasChromium)('a message', { timeout: 60_000 }, () => {
  it('is left alone when the user clicks it and types: the text goes to the composer', async () => {
    const { page } = await said('The agreed price is 100 euros');
    await row(page, 1).locator('.text').click();
    await page.keyboard.type('reach me here');
    expect(await field(page).inputValue()).toBe('reach me here');
    await page.keyboard.press('Enter');
    await shows(page, ['1 The agreed price is 100 euros', '2 reach me here']);
  });

  it('is not deleted by Delete and Enter after selecting its text with the mouse', async () => {
    const { page } = await said('keep this');
    await row(page, 1).locator('.text').dblclick();
    for (const key of ['Delete', 'Enter', 'Backspace', 'Enter']) await page.keyboard.press(key);
    expect(await page.getByRole('alertdialog').count()).toBe(0);
    expect(await stored(page, 1)).toBe('keep this');
  });

  it('takes single keys when it was reached by keyboard', async () => {
    const { page } = await said('one', 'two');
    await walkTo(page, 1);
    await page.keyboard.press('e');
    expect(await field(page).inputValue()).toBe('one');
    await page.locator('.mode', { hasText: 'one' }).waitFor();
    await page.locator('li.message.editing[data-id="1"]').waitFor();
    await page.keyboard.press('Escape');
    await walkTo(page, 2);
    await page.keyboard.press('r');
    await page.locator('.mode', { hasText: 'Replying to' }).waitFor();
  });

  it('takes no single key when they are turned off', async () => {
    const { page } = await said('one');
    await page.evaluate(() =>
      localStorage.setItem('oneport.settings', JSON.stringify({ singleKeys: false })),
    );
    await page.reload();
    await row(page, 1).waitFor();
    await walkTo(page, 1);
    await page.keyboard.press('Delete');
    await page.keyboard.type('e');
    expect(await page.getByRole('alertdialog').count()).toBe(0);
    expect(await field(page).inputValue()).toBe('e');
  });

  it('is deleted only after a confirmation whose focus is on Cancel, and can be restored', async () => {
    const { page } = await said('one');
    await walkTo(page, 1);
    await page.keyboard.press('Delete');
    await page.getByRole('alertdialog').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('alertdialog').waitFor({ state: 'detached' });
    await stopTimeOfDay(page);
    await page.keyboard.press('Delete');
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
    await shows(page, ['1 Message deleted']);
    expect(await stored(page, 1)).toBe('one');
    await row(page, 1).getByRole('button', { name: 'Undo' }).click();
    await shows(page, ['1 one']);
    expect(await row(page, 1).getByRole('button', { name: 'Undo' }).count()).toBe(0);
    expect(await stored(page, 1)).toBe('one');
  });

  it('is asked about before the next key can be typed', async () => {
    const { page } = await said('one');
    await walkTo(page, 1);
    const focused = await page.evaluate(() => {
      const event = new KeyboardEvent('keydown', { key: 'Delete', bubbles: true, cancelable: true });
      document.activeElement?.dispatchEvent(event);
      return document.activeElement?.textContent;
    });
    expect(focused).toBe('Cancel');
  });

  it('takes no single key while its emoji picker loads', async () => {
    const context = await (await openBrowser()).newContext({ serviceWorkers: 'block' });
    const page = await context.newPage();
    await page.route(/compact/, () => {}); // the names of emoji never arrive
    await signInByForm(page, (await start()).origin, 'Ann');
    await say(page, 'one');
    await row(page, 1).waitFor();
    await walkTo(page, 1);
    await page.keyboard.press('+');
    await page.keyboard.type('e');
    await drawn(page);
    expect(await page.locator('.mode').count()).toBe(0);
    expect(await field(page).inputValue()).toBe('e');
  });

  it('is deleted at the server after a few seconds, also when the page was closed before', async () => {
    const { server, page } = await said('one', 'two');
    const remove = async (id: number) => {
      await walkTo(page, id);
      await page.keyboard.press('Delete');
      await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
      await row(page, id).getByText('Message deleted').waitFor();
    };
    await remove(1);
    await eventually(() => stored(page, 1)).toBe('');
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await remove(2);
    await page.goto('about:blank');
    // a browser may drop the request of a closing page: then the next visit sends it
    await page.goto(`${server.origin}/r/lobby`);
    const bob = await visitor(server, 'Bob');
    const texts = async () => {
      const answer = await bob.get('/api/rooms/lobby/messages?after=0');
      return JSON.stringify(await answer.json());
    };
    await eventually(texts).not.toContain('two');
  });
});

describe.runIf(hasChromium)('the composer', { timeout: 60_000 }, () => {
  it('has left an edit before the next key can move the focus', async () => {
    const { page } = await said('one');
    await field(page).press('ArrowUp');
    await page.locator('.mode').waitFor();
    const hasMode = await field(page).evaluate((element) => {
      element.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
      return document.querySelector('.mode') !== null;
    });
    expect(hasMode).toBe(false);
  });

  it('has the focus when the page opens, and when another room is chosen', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'garden', 'hi');
    const { page } = await openPage(server, 'Ann');
    await eventually(() => isComposing(page)).toBe(true);
    await page.setViewportSize({ width: 1200, height: 700 });
    await page.locator('.rooms a', { hasText: 'garden' }).click();
    await page.locator('.composer [placeholder*="garden"]').waitFor();
    await eventually(() => isComposing(page)).toBe(true);
    await page.keyboard.press('Alt+ArrowUp');
    await page.locator('.composer [placeholder*="lobby"]').waitFor();
    expect(await isComposing(page)).toBe(true);
  });

  it('leaves the focus alone on a touch screen', async () => {
    const server = await start();
    const options = { hasTouch: true, isMobile: true, viewport: { width: 390, height: 700 } };
    const page = await (await (await openBrowser()).newContext(options)).newPage();
    await signInByForm(page, server.origin, 'Ann');
    await page.locator('.dot.live').waitFor();
    expect(await isComposing(page)).toBe(false);
  });

  it('takes what is typed or pasted while nothing else can', async () => {
    const { page } = await said('one');
    await page.locator('.day').click();
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await page.keyboard.type('hey');
    expect(await field(page).inputValue()).toBe('hey');
    await field(page).fill('');
    await row(page, 1).click();
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', 'pasted');
      const init = { clipboardData, bubbles: true, cancelable: true };
      document.activeElement?.dispatchEvent(new ClipboardEvent('paste', init));
    });
    expect(await field(page).inputValue()).toBe('pasted');
  });
});

describe.runIf(hasChromium)('a dialog with a field', { timeout: 60_000 }, () => {
  it('takes the first keystroke, whatever opened it', async () => {
    const { page } = await said('the salary list');
    await page.setViewportSize({ width: 1200, height: 700 });
    await page.getByRole('button', { name: 'Search', exact: true }).click();
    await page.keyboard.type('salary');
    expect(await page.getByRole('searchbox').inputValue()).toBe('salary');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+Shift+F');
    await page.keyboard.insertText('上海'); // as an input method does, without a key
    expect(await page.getByRole('searchbox').inputValue()).toBe('上海');
    expect(await field(page).inputValue()).toBe('');
  });

  it('goes to a room that is typed without a pause', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'garden', 'hi');
    const { page } = await openPage(server, 'Ann');
    await page.locator('.dot.live').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('garden');
    await page.keyboard.press('Enter');
    await page.keyboard.type('hello');
    await eventually(() => page.locator('.top h1').textContent()).toBe('garden');
    expect(await field(page).inputValue()).toBe('hello');
  });
});
