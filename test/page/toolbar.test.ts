/** The active message, by mouse, key and touch, in Chromium. */
import type { Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { drawn, hasChromium } from '../chromium.js';
import { openStage, type Stage } from '../stage.js';

const TOUCH = { width: 390, height: 600, options: { isMobile: true, hasTouch: true } };
const WHOLE = /^\w+day,? \d+ \w+ 20\d\d at \d\d:\d\d:\d\d$/;
/** With the number before it. */
const NUMBERED = new RegExp(WHOLE.source.replace('^', '^#\\d+ '));

async function enter(stage: Stage, view: object = {}): Promise<Page> {
  for (let n = 1; n <= 30; n++) await stage.says(n % 2 ? 'Ann' : 'Bob', 'harbour', `line ${n}`);
  const page = await stage.open({ as: 'Ann', path: '/r/harbour', ...view });
  await page.locator('.dot.live').waitFor();
  await row(page, 30).waitFor();
  return page;
}

const row = (page: Page, id: number) => page.locator(`li.message[data-id="${id}"]`);
const text = (page: Page, id: number) => row(page, id).locator('.text');
const inHand = (page: Page) =>
  page
    .locator('li.message:has(.toolbar)')
    .evaluateAll((rows) => rows.map((one) => Number(one.getAttribute('data-id'))));
const shown = (page: Page, ids: readonly number[]) => expect.poll(() => inHand(page)).toEqual(ids);

/** What the toolbar says. */
async function told(page: Page, id: number): Promise<string | undefined> {
  const dates = row(page, id).locator('.dates');
  return (await dates.isVisible()) ? (await dates.textContent())?.trim() : undefined;
}

async function apart(one: Locator, other: Locator): Promise<boolean> {
  const [a, b] = [await one.boundingBox(), await other.boundingBox()];
  if (!a || !b) throw new Error('not to be seen');
  return a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
}

/** What a screen reader adds to the focused row. */
const described = (page: Page, id: number) =>
  row(page, id).evaluate((li) => {
    const by = li.getAttribute('aria-describedby');
    return by ? document.getElementById(by)?.textContent?.trim() : undefined;
  });

describe.runIf(hasChromium)('the toolbar of a message', { timeout: 60_000 }, () => {
  it('is next to its time, and visible while any of the message is', async () => {
    const page = await enter(await openStage());
    await row(page, 20).hover();
    const tools = row(page, 20).locator('.toolbar');
    expect(await apart(tools, row(page, 20).locator('.meta time'))).toBe(true);
    expect(await apart(tools, row(page, 19).locator('.meta time'))).toBe(true);
    await page.locator('.log').evaluate((log) => {
      const top = log.querySelector('[data-id="20"]')?.getBoundingClientRect().top ?? 0;
      log.scrollTop += top - log.getBoundingClientRect().top;
    });
    await row(page, 20).hover({ position: { x: 5, y: 20 } });
    const [bar, log] = [await tools.boundingBox(), await page.locator('.log').boundingBox()];
    expect(bar?.y).toBeGreaterThanOrEqual(log?.y ?? Number.NaN);
  });

  it('names the full date for the keyboard and screen readers; the mouse has it at the time', async () => {
    const page = await enter(await openStage());
    const dates = row(page, 28).locator('.dates');
    await row(page, 28).hover();
    expect(await dates.isVisible()).toBe(false);
    await row(page, 28).locator('time').first().hover();
    expect(await row(page, 28).locator('.meta time').getAttribute('title')).toMatch(WHOLE);
    await row(page, 29).focus();
    await page.keyboard.press('ArrowUp');
    await dates.waitFor();
    expect(await described(page, 28)).toMatch(NUMBERED);
    expect(await described(page, 29)).toBeUndefined();
    await page.keyboard.press('Enter'); // into the toolbar
    expect(await dates.isVisible()).toBe(true);
  });

  it('names the time of an edit, and the time of a deleted message', async () => {
    const stage = await openStage();
    const page = await enter(stage, TOUCH);
    await stage.post('Ann', 'harbour', { type: 'edit', target: 29, data: 'mended' });
    await stage.post('Bob', 'harbour', { type: 'delete', target: 30 });
    await text(page, 30).getByText('Message deleted').waitFor();
    await text(page, 30).tap();
    await shown(page, [30]);
    expect(await told(page, 30)).toMatch(NUMBERED);
    expect(await row(page, 30).getByRole('toolbar').count()).toBe(0);
    await text(page, 29).tap();
    await shown(page, [29]);
    expect(await told(page, 29)).toMatch(/ edited \w+day/);
  });

  it('formats no date before it is needed', async () => {
    const stage = await openStage();
    await stage.says('Ann', 'harbour', 'hello');
    const page = await stage.open({ as: 'Ann', path: '/signin' });
    await page.addInitScript(() => {
      const made: string[] = [];
      const { DateTimeFormat } = Intl;
      const watched = new Proxy(DateTimeFormat, {
        construct: (target, args: [string, Intl.DateTimeFormatOptions]) => {
          made.push(args[1]?.dateStyle ?? '');
          return new target(...args);
        },
      });
      Object.assign(Intl, { DateTimeFormat: watched });
      Object.assign(window, { made });
    });
    await page.goto(`${stage.door.origin}/r/harbour`);
    await row(page, 1).waitFor();
    const made = () => page.evaluate(() => (window as unknown as { made: string[] }).made);
    expect(await made()).not.toContain('full');
    await row(page, 1).focus();
    await expect.poll(made).toContain('full');
  });
});

describe.runIf(hasChromium)('a finger', { timeout: 60_000 }, () => {
  it('shows the toolbar with a tap, and hides it with the next', async () => {
    const page = await enter(await openStage(), TOUCH);
    await text(page, 28).tap();
    await shown(page, [28]);
    expect(await told(page, 28)).toMatch(NUMBERED);
    expect(await apart(row(page, 28).locator('.toolbar'), text(page, 28))).toBe(true);
    await text(page, 28).tap();
    await shown(page, []);
    await text(page, 28).tap();
    await text(page, 26).tap();
    await shown(page, [26]);
    await page.locator('.top h1').tap();
    await shown(page, []);
    await text(page, 28).tap();
    await shown(page, [28]);
    await page.locator('.composer textarea').tap();
    await shown(page, []);
  });

  it('hides the toolbar by using it', async () => {
    const page = await enter(await openStage(), TOUCH);
    await text(page, 28).tap();
    await row(page, 28).getByRole('button', { name: 'React with 👍' }).tap();
    await row(page, 28).locator('.chip').waitFor();
    await shown(page, []);
    await row(page, 28).locator('.chip').tap();
    await row(page, 28).locator('.chip').waitFor({ state: 'detached' });
    await shown(page, []);
    await text(page, 29).tap();
    await row(page, 29).getByRole('button', { name: 'More actions' }).tap();
    await shown(page, [29]);
    await row(page, 29).getByRole('menuitem', { name: 'Edit' }).tap();
    await page.getByText('Editing #29').waitFor();
    await shown(page, []);
  });

  it('does not disturb a selection of text', async () => {
    const page = await enter(await openStage(), TOUCH);
    await page.evaluate(() => {
      const words = document.querySelector('[data-id="28"] .text');
      if (words) getSelection()?.selectAllChildren(words);
    });
    await text(page, 28).dispatchEvent('pointerdown', { pointerType: 'touch', bubbles: true });
    await text(page, 28).dispatchEvent('click', { bubbles: true });
    await drawn(page);
    expect(await page.evaluate(() => String(getSelection()))).toBe('line 28');
    expect(await inHand(page)).toEqual([]);
    expect(await text(page, 28).evaluate((element) => getComputedStyle(element).userSelect)).toBe('auto');
  });

  it('opens all emoji without the keyboard', async () => {
    const page = await enter(await openStage(), TOUCH);
    await text(page, 28).tap();
    await row(page, 28).locator('.pick').tap();
    const picker = page.getByRole('dialog', { name: 'Emoji' });
    await picker.waitFor();
    expect(await picker.evaluate((dialog) => dialog === document.activeElement)).toBe(true);
    await picker.getByRole('searchbox').tap();
    await page.setViewportSize({ width: 390, height: 330 }); // the on-screen keyboard takes the rest
    const bottom = async () =>
      ((await picker.boundingBox())?.y ?? 0) + ((await picker.boundingBox())?.height ?? 0);
    await expect.poll(bottom).toBeLessThanOrEqual(330);
    await picker.getByRole('button', { name: 'red heart' }).first().tap();
    await row(page, 28).locator('.chip').waitFor();
    await shown(page, []);
  });
});

/** Every row's height, so that one sees which row moves those around it. */
const heights = (page: Page) =>
  page.locator('.messages > li').evaluateAll((rows) => rows.map((one) => one.getBoundingClientRect().height));

describe.runIf(hasChromium)('the answer of the server', { timeout: 60_000 }, () => {
  it.each([
    ['a desktop', {}],
    ['a phone', TOUCH],
  ])('moves no row on %s', async (_, view) => {
    const stage = await openStage();
    const page = await enter(stage, view);
    await page.context().setOffline(true);
    await page.locator('.dot:not(.live)').waitFor();
    await row(page, 28).focus();
    await page.keyboard.press('Enter');
    await row(page, 28).getByRole('button', { name: 'React with 👍' }).click();
    await row(page, 28).locator('.chip').waitFor();
    for (const words of ['first of a group', 'as long as a line of a phone, and longer, '.repeat(9)]) {
      await page.locator('.composer textarea').fill(words);
      await page.keyboard.press('Enter');
    }
    await page.locator('.pending.waiting').nth(1).waitFor();
    await page.mouse.move(0, 0);
    const before = await heights(page);
    await page.context().setOffline(false);
    await row(page, 33).waitFor();
    await expect.poll(() => page.locator('.state').count()).toBe(0);
    expect(await heights(page)).toEqual(before);
  });
});
