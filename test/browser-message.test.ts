/** Messages in Chromium: edit, reply, react, complete; and hostile text. */
import type { Browser, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import {
  drawn,
  hasChromium,
  messages,
  noteHighlights,
  openBrowser,
  say,
  shows,
  signInByForm,
} from './chromium.js';
import { temporaryFolder } from './harness.js';
import { eventually, posts, says, texts, visitor } from './page/people.js';
import { type RunningServer, startServer } from './process.js';

const NO_LIMITS = { MESSAGE_RATE: '0', CONNECTIONS_PER_PERSON: '0', SIGNINS_PER_MINUTE: '0' };

async function open(): Promise<{ server: RunningServer; origin: string; browser: Browser }> {
  const server = await startServer({ env: { DATA_DIR: temporaryFolder(), ...NO_LIMITS } });
  return { server, origin: server.origin, browser: await openBrowser() };
}

async function enter(browser: Browser, origin: string, name: string, width = 1100): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width, height: 720 } })).newPage();
  await signInByForm(page, origin, name);
  return page;
}

const row = (page: Page, id: number) => page.locator(`li.message[data-id="${id}"]`);
const field = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const focused = (page: Page) =>
  page.evaluate(() => document.activeElement?.getAttribute('data-id') ?? document.activeElement?.tagName);

/** Waits until the list has not moved for ten frames: scrolling has ended. */
const untilStill = (page: Page) =>
  page.locator('.log').evaluate(
    (log) =>
      new Promise<void>((resolve) => {
        let [top, frames] = [log.scrollTop, 0];
        const look = () => {
          frames = log.scrollTop === top ? frames + 1 : 0;
          top = log.scrollTop;
          if (frames === 10) resolve();
          else requestAnimationFrame(look);
        };
        look();
      }),
  );

/** The messages that show a toolbar. */
const toolbars = (page: Page) =>
  page
    .locator('li.message:has(.toolbar)')
    .evaluateAll((rows) => rows.map((one) => one.getAttribute('data-id')));

describe.runIf(hasChromium)('messages', { timeout: 90_000 }, () => {
  it('are edited and deleted by their author with the keyboard, and the focus stays', async () => {
    const { origin, browser } = await open();
    const ann = await enter(browser, origin, 'Ann');
    const bob = await enter(browser, origin, 'Bob');
    await say(ann, 'frist');
    for (const page of [ann, bob]) await shows(page, ['1 frist']);
    await field(ann).press('ArrowUp');
    await field(ann).fill('first');
    await field(ann).press('Enter');
    await shows(bob, ['1 first']);
    await row(bob, 1).getByText('edited').waitFor();
    await bob.keyboard.press('Shift'); // the keyboard is in use
    await row(bob, 1).focus();
    await bob.keyboard.press('e'); // not Bob's message
    await bob.keyboard.press('Delete');
    await drawn(bob);
    expect(await bob.getByRole('alertdialog').count()).toBe(0);
    await row(ann, 1).focus();
    await ann.keyboard.press('Delete');
    await ann.getByRole('alertdialog').waitFor();
    await ann.keyboard.press('Escape');
    await ann.getByRole('alertdialog').waitFor({ state: 'detached' });
    expect(await focused(ann)).toBe('1');
    await ann.keyboard.press('Delete');
    await ann.getByRole('alertdialog').waitFor();
    await ann.keyboard.press('Tab'); // from Cancel
    await ann.keyboard.press('Enter');
    await shows(bob, ['1 Message deleted']);
    expect(await focused(ann)).toBe('1');
    expect(await ann.content()).not.toContain('frist');
  });

  it('take reactions: one click adds, another removes, and names are shown', async () => {
    const { origin, browser } = await open();
    const ann = await enter(browser, origin, 'Ann');
    const bob = await enter(browser, origin, 'Bob');
    await say(ann, 'cake');
    await row(bob, 1).hover();
    await row(bob, 1).getByRole('button', { name: 'React with 👍' }).click();
    const chip = row(ann, 1).locator('.chip');
    await chip.filter({ hasText: '1' }).waitFor();
    await chip.click();
    await row(bob, 1).locator('.chip[aria-pressed="true"]', { hasText: '2' }).waitFor();
    expect(await row(bob, 1).locator('.chip').getAttribute('aria-label')).toMatch(/👍.* 2: .*You.*Ann/);
    await chip.click();
    await row(bob, 1).locator('.chip', { hasText: '1' }).waitFor();
    await ann.keyboard.press('Shift'); // the keyboard is in use
    await row(ann, 1).focus();
    await ann.keyboard.press('+');
    await ann.getByRole('searchbox', { name: 'Search emoji' }).fill('tada');
    await ann.keyboard.press('Enter');
    await row(bob, 1).locator('.chip', { hasText: '🎉' }).waitFor();
    expect(await focused(ann)).toBe('1');
  });

  it('show one toolbar, where the user pointed or went last', async () => {
    const { origin, browser } = await open();
    const ann = await enter(browser, origin, 'Ann');
    for (let n = 1; n <= 4; n++) await say(ann, `line ${n}`);
    await row(ann, 4).waitFor();
    const shown = (id: number) => expect.poll(() => toolbars(ann)).toEqual([String(id)]);
    await row(ann, 4).hover();
    await shown(4);
    await row(ann, 2).focus();
    await shown(2);
    await ann.keyboard.press('ArrowUp');
    await shown(1);
    await row(ann, 3).hover();
    await shown(3);
    await ann.keyboard.press('ArrowDown');
    await shown(2);
    await ann.keyboard.press('Enter'); // into the toolbar, which stays while it is used
    await row(ann, 4).hover();
    await drawn(ann);
    await shown(2);
    await ann.keyboard.press('Escape');
    await row(ann, 3).hover();
    await shown(3);
    await row(ann, 3).getByRole('button', { name: 'React with 👍' }).click();
    await row(ann, 3).locator('.chip').waitFor();
    await row(ann, 3).locator('.state').waitFor({ state: 'detached' }); // no row moves any more
    await row(ann, 1).hover();
    await shown(1);
    expect(await focused(ann)).toBe('3');
    await field(ann).hover();
    await shown(3);
    await field(ann).focus();
    await expect.poll(() => toolbars(ann)).toEqual([]);
  });

  it('are replied to with a card that leads back', async () => {
    const { server, origin, browser } = await open();
    const ann = await enter(browser, origin, 'Ann');
    await say(ann, 'who brings **cake**?');
    await row(ann, 1).focus();
    await ann.keyboard.press('r');
    await ann.keyboard.type('me');
    await ann.keyboard.press('Enter');
    await row(ann, 2).locator('.reply-card', { hasText: 'who brings cake?' }).waitFor();
    const stored = await ann.evaluate(async () => (await fetch('/api/rooms/lobby/messages')).json());
    expect(stored.messages[1]).toMatchObject({ data: 'me', reply: { id: 1, data: 'who brings **cake**?' } });
    await says(await visitor(server, 'Bob'), 'lobby', ...texts(60));
    await row(ann, 62).waitFor();
    await untilStill(ann); // the list follows the new messages until then
    await ann.locator('.log').hover();
    const highlights = await noteHighlights(ann);
    await eventually(async () => {
      await ann.mouse.wheel(0, -20_000); // at its end, earlier rows are drawn above
      return row(ann, 2).count();
    }).toBe(1);
    await row(ann, 2).locator('.reply-card').click();
    await expect.poll(highlights).toContain(1);
    expect(await focused(ann)).toBe('1');
  });

  it('complete users and emoji with the keyboard, and leave a composition alone', async () => {
    const { origin, browser } = await open();
    const ann = await enter(browser, origin, 'Ann');
    const bob = await enter(browser, origin, 'Bob Lee');
    await field(ann).pressSequentially('hi @b');
    await ann.getByRole('option', { name: 'Bob Lee' }).waitFor();
    expect(await field(ann).getAttribute('aria-activedescendant')).toBe('completion-0');
    await field(ann).dispatchEvent('keydown', {
      key: 'Enter',
      keyCode: 229,
      isComposing: true,
      bubbles: true,
    });
    expect(await field(ann).inputValue()).toBe('hi @b');
    await field(ann).press('Enter');
    expect(await field(ann).inputValue()).toBe('hi @Bob Lee ');
    await field(ann).pressSequentially(':thumbsu');
    await ann.getByRole('option', { name: ':thumbsup:' }).waitFor();
    await field(ann).press('Tab');
    await field(ann).pressSequentially(':tada:');
    await field(ann).press('Escape');
    await field(ann).press('Enter');
    await row(bob, 1).locator('.mention.me', { hasText: '@Bob Lee' }).waitFor();
    expect((await messages(bob))[0]).toMatch(/^1 hi @Bob Lee 👍.* 🎉$/u);
  });

  it('keep the draft while something else is written', async () => {
    const { origin, browser } = await open();
    const ann = await enter(browser, origin, 'Ann');
    await say(ann, 'one');
    await row(ann, 1).waitFor();
    await field(ann).fill('half a thought');
    await row(ann, 1).focus();
    await ann.keyboard.press('e');
    expect(await field(ann).inputValue()).toBe('one');
    await field(ann).press('Escape');
    expect(await field(ann).inputValue()).toBe('half a thought');
    await field(ann).selectText();
    await field(ann).press('Control+b');
    expect(await field(ann).inputValue()).toBe('**half a thought**');
    await field(ann).press('Control+z');
    expect(await field(ann).inputValue()).toBe('half a thought');
  });

  it('show hostile text as text, at 320 pixels too', async () => {
    const { origin, browser } = await open();
    const page = await enter(browser, origin, '<b>Ann</b>', 320);
    const hostile = [
      '<img src=x onerror="document.title=1"><script>document.title=2</script>',
      '[a](javascript:document.title=3) <a href="javascript:alert(1)">b</a>',
      'W'.repeat(1_100),
      '\u202Eevil.exe',
      `z${'\u0301'.repeat(200)}`,
      `${'> '.repeat(200)}${'*'.repeat(300)}${'['.repeat(300)}`,
    ];
    for (const text of hostile) await say(page, text);
    await row(page, hostile.length).waitFor();
    const found = await page.evaluate(() => ({
      bad: document.querySelectorAll('.text :is(img, script, iframe, [onerror], a[href^="javascript"])')
        .length,
      width: document.documentElement.scrollWidth,
      wide: [...document.querySelectorAll('.text')].some((text) => text.scrollWidth > text.clientWidth + 1),
      tall: document.querySelector('li[data-id="5"]')?.getBoundingClientRect().height ?? 999,
      title: document.title,
    }));
    expect(found).toMatchObject({ bad: 0, width: 320, wide: false });
    expect(found.tall).toBeLessThan(120);
    expect(found.title).not.toMatch(/^[123]$/);
  });

  it('stay at the end, or where they are read, whatever arrives or changes', async () => {
    const { server, origin, browser } = await open();
    const ann = await enter(browser, origin, 'Ann');
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', ...texts(80));
    await row(ann, 80).waitFor();
    await untilStill(ann);
    await ann.locator('.log').hover();
    await ann.mouse.wheel(0, -600);
    await ann.locator('.jump-latest').waitFor();
    const seen = () =>
      ann.evaluate(() => {
        const edge = document.querySelector('.log')?.getBoundingClientRect().top ?? 0;
        const rows = [...document.querySelectorAll('li.message[data-id]')];
        const first = rows.find((one) => one.getBoundingClientRect().top >= edge);
        return [first?.getAttribute('data-id'), Math.round((first?.getBoundingClientRect().top ?? 0) - edge)];
      });
    await untilStill(ann);
    const before = await seen();
    await posts(bob, 'lobby', { type: 'edit', target: 41, data: 'grown\n'.repeat(8) });
    await says(bob, 'lobby', 'one more');
    await ann.locator('.jump-latest', { hasText: '1 new message' }).waitFor();
    expect(await seen()).toEqual(before);
    await ann.locator('.jump-latest').click();
    await row(ann, 82).waitFor();
    await ann.locator('.jump-latest').waitFor({ state: 'detached' });
  });
});
