/**
 * The page's frame in Chromium: rooms, dialogs, keys, settings, languages, sign-in, announcer, installing.
 */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, say } from './chromium.js';
import { openStage, type Stage } from './stage.js';

async function enter(stage: Stage, as: string, room: string, view: object = {}): Promise<Page> {
  const page = await stage.open({ as, path: `/r/${encodeURIComponent(room)}`, ...view });
  await page.locator('.dot.live').waitFor();
  await page.locator('.composer textarea').waitFor();
  return page;
}

const PHONE = { width: 360, height: 640 };
/** The label, name or text of the focused element. */
const focus = (page: Page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    if (!at || at === document.body) return 'nothing';
    return at.getAttribute('aria-label') ?? at.textContent?.trim() ?? at.tagName;
  });
const title = (page: Page) => page.locator('.top h1').textContent();
const panel = (page: Page) => page.locator('dialog.panel');

/** The different colours of a part of the window. */
async function coloursIn(
  page: Page,
  clip: { x: number; y: number; width: number; height: number },
): Promise<number[]> {
  const png = (await page.screenshot({ clip })).toString('base64');
  return page.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
    context?.drawImage(image, 0, 0);
    const pixels = context?.getImageData(0, 0, image.width, image.height).data.buffer;
    return [...new Set(new Uint32Array(pixels ?? new ArrayBuffer(0)))];
  }, png);
}

describe.runIf(hasChromium)('rooms', { timeout: 60_000 }, () => {
  it('are created by name and left by key, without a page load, and show unread messages', async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Ann', 'harbour');
    await page.evaluate(() => Object.assign(window, { same: true }));
    await say(page, 'hello');
    await page.locator('li.message[data-id="1"]').waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill('Dry Dock');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'dry-dock' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/r/dry-dock');
    expect(await page.evaluate(() => 'same' in window)).toBe(true);
    expect(await focus(page)).not.toBe('nothing');
    await stage.says('Bob', 'harbour', 'hello @Ann');
    const row = page.getByRole('link', { name: /^harbour/ });
    await expect
      .poll(() => row.textContent())
      .toMatch(/^harbour.*@1, 1 unread message, you were mentioned or answered$/);
    await page.keyboard.press('Alt+Shift+ArrowDown');
    await page.getByRole('heading', { name: 'harbour' }).waitFor();
    await page.locator('li.message[data-id="2"]').waitFor();
    expect(await row.getAttribute('aria-current')).toBe('page');
    await page.goBack();
    await page.getByRole('heading', { name: 'dry-dock' }).waitFor();
  });

  it('are found by letters with the arrow keys, and an invalid name is explained', async () => {
    const stage = await openStage();
    for (const room of ['kitchen', 'night-watch', '码头']) await stage.says('Bob', room, 'hi');
    const page = await enter(stage, 'Ann', 'lobby');
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox');
    await field.fill('ktn');
    await page.getByRole('option', { name: /^kitchen/ }).waitFor();
    await page.getByRole('option', { name: /ktn/ }).waitFor(); // the list is up to date
    await field.press('ArrowDown');
    await page.locator('[aria-selected=true]', { hasText: 'ktn' }).waitFor();
    await field.fill('!');
    await panel(page)
      .getByText(/^Room names use letters/)
      .waitFor();
    await field.fill('头');
    await field.press('Enter');
    await page.getByRole('heading', { name: '码头' }).waitFor();
  });

  it('stay selected in the list when a message changes its order', async () => {
    const stage = await openStage();
    for (const room of ['den', 'garden', 'kitchen']) await stage.says('Bob', room, 'hi');
    const page = await enter(stage, 'Ann', 'lobby');
    await page.keyboard.press('Control+k');
    const names = page.locator('[role=option] bdi');
    await names.nth(2).waitFor();
    const [, second = '', third = ''] = await names.allTextContents();
    await page.keyboard.press('ArrowDown');
    await page.locator('[aria-selected=true]', { hasText: second }).waitFor();
    await stage.says('Bob', third, '@Ann');
    await expect.poll(() => names.first().textContent()).toBe(third);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: second }).waitFor();
  });

  it('are in a drawer on a phone, which holds and returns the focus', async () => {
    const stage = await openStage();
    await stage.says('Bob', 'kitchen', 'hi');
    const page = await enter(stage, 'Ann', 'harbour', PHONE);
    await page.getByRole('button', { name: 'Rooms' }).click();
    const drawer = page.getByRole('dialog', { name: 'Rooms' });
    await drawer.waitFor(); // an earlier Tab would move in the page
    for (let n = 0; n < 12; n++) {
      await page.keyboard.press('Tab');
      const inside = await page.evaluate(
        () => document.activeElement?.closest('dialog') !== null || document.activeElement === document.body,
      );
      expect(inside).toBe(true); // or in the browser's own bar
    }
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    expect(await focus(page)).toBe('Rooms');
    await page.getByRole('button', { name: 'Rooms' }).click();
    await drawer.getByRole('link', { name: /^kitchen/ }).click();
    await page.getByRole('heading', { name: 'kitchen' }).waitFor();
    expect(await drawer.count()).toBe(0);
    await page.getByRole('button', { name: /^People here/ }).click();
    await page.getByRole('dialog').getByText('Ann').waitFor();
    await page.mouse.click(10, 300); // on the backdrop
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });
});

describe.runIf(hasChromium)('a touch screen', { timeout: 60_000 }, () => {
  it('has the rooms behind a list icon, and offers no keyboard shortcuts', async () => {
    const stage = await openStage();
    const options = { isMobile: true, hasTouch: true };
    const page = await enter(stage, 'Ann', 'harbour', { ...PHONE, options });
    const rooms = page.getByRole('button', { name: 'Rooms' });
    expect([await rooms.locator('.icon').count(), await rooms.locator('.logo').count()]).toEqual([1, 0]);
    await page.getByRole('button', { name: 'Menu' }).tap();
    await page.locator('.menu').getByText('Settings').waitFor();
    expect(await page.locator('.menu').getByText('Keyboard shortcuts').count()).toBe(0);
  });
});

describe.runIf(hasChromium)('a drawer', { timeout: 60_000 }, () => {
  it('closes when the page grows wide enough, and stays closed', async () => {
    const page = await enter(await openStage(), 'Ann', 'harbour', PHONE);
    for (const name of ['Rooms', /^People here/]) {
      await page.getByRole('button', { name }).click();
      await page.getByRole('dialog', { name }).waitFor();
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await focus(page)).not.toBe('nothing');
      await page.setViewportSize(PHONE);
      await page.getByRole('button', { name: 'Rooms' }).waitFor();
      expect(await page.getByRole('dialog').count()).toBe(0);
      expect(await focus(page)).not.toBe('nothing');
    }
  });
});

describe.runIf(hasChromium)('dialogs', { timeout: 60_000 }, () => {
  it('open and close by key, and never lose the focus', async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Ann', 'harbour');
    const field = page.locator('.composer textarea');
    await field.focus();
    await page.keyboard.type('what? and/or');
    expect(await field.inputValue()).toBe('what? and/or'); // single keys are off while typing
    const label = await focus(page);
    for (const [key, name] of [
      ['Control+k', 'Go to a room'],
      ['Control+Shift+F', 'Search'],
      ['Control+/', 'Keyboard shortcuts'],
    ] as const) {
      await page.keyboard.press(key);
      await page.getByRole('dialog', { name }).waitFor();
      await page.keyboard.press('Escape');
      await panel(page).waitFor({ state: 'detached' });
      expect(await focus(page)).toBe(label);
    }
    await page.getByRole('button', { name: 'Menu' }).click();
    await page.locator('.menu').getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('dialog', { name: 'Settings' }).getByRole('button', { name: 'Close' }).click();
    await panel(page).waitFor({ state: 'detached' });
    expect(await focus(page)).toBe('Menu');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await panel(page).waitFor({ state: 'detached' });
    await page.keyboard.press('/');
    await page.getByRole('searchbox').waitFor();
    await page.keyboard.press('Escape');
    await panel(page).waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    expect(await focus(page)).toBe(label); // the composer
  });

  it('stay open while Esc closes a menu first', async () => {
    const stage = await openStage();
    for (let n = 1; n <= 3; n++) await stage.says('Ann', 'harbour', `line ${n}`);
    const page = await enter(stage, 'Ann', 'harbour');
    const open = page.locator(':popover-open');
    const menu = page.getByRole('button', { name: 'Menu' });
    for (const within of [false, true]) {
      await menu.focus();
      await page.keyboard.press('Enter');
      await open.waitFor();
      if (within) await page.keyboard.press('Tab');
      await page.keyboard.press('Escape');
      expect([await open.count(), await focus(page)]).toEqual([0, 'Menu']);
    }
    await page.locator('li.message[data-id="2"]').hover();
    await page.getByRole('button', { name: 'More actions' }).click();
    await open.waitFor();
    await page.keyboard.press('Escape');
    expect([await open.count(), await focus(page)]).toEqual([0, 'More actions']);
  });

  it('close with one Esc, also from a field with text', async () => {
    const page = await enter(await openStage(), 'Ann', 'harbour');
    await page.locator('.composer textarea').focus();
    const label = await focus(page);
    await page.keyboard.press('Control+Shift+F');
    await page.getByRole('searchbox').pressSequentially('tide');
    await page.keyboard.press('Escape');
    await panel(page).waitFor({ state: 'detached' });
    expect(await focus(page)).toBe(label);
    await page.getByRole('button', { name: 'Insert emoji' }).click();
    await page.getByRole('searchbox').pressSequentially('tada');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    expect(await focus(page)).toBe(label);
  });

  it('leave single keys alone when the user turned them off', async () => {
    const page = await enter(await openStage(), 'Ann', 'harbour');
    await page.getByRole('button', { name: 'Menu' }).click();
    await page.locator('.menu').getByRole('button', { name: 'Settings' }).click();
    const single = page.getByRole('switch', { name: 'Single-key shortcuts' });
    expect(await single.isChecked()).toBe(true);
    await single.click();
    await page.keyboard.press('Escape');
    await panel(page).waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.keyboard.press('/');
    expect(await panel(page).count()).toBe(0);
    await page.keyboard.press('Control+/');
    const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await sheet.getByText('Search').waitFor();
    expect(await sheet.locator('kbd').allTextContents()).not.toContain('?');
  });

  it('find messages, mark the words, count, load more, and lead there', async () => {
    const stage = await openStage();
    for (let n = 1; n <= 3; n++) await stage.says('Bob', 'kitchen', `tea ${n}`);
    const page = await enter(stage, 'Ann', 'harbour');
    const found = (id: number) => ({
      id,
      type: 'chat',
      room: 'kitchen',
      at: 0,
      data: `tea ${id}`,
      user: { id: 'b', name: 'Bob' },
    });
    const asked: string[] = [];
    await page.route('**/api/search?*', async (route) => {
      const { searchParams } = new URL(route.request().url());
      asked.push([...searchParams].map((pair) => pair.join('=')).join(' '));
      const more = searchParams.has('before');
      await route.fulfill({
        json: more
          ? { messages: [found(1)], complete: false }
          : { messages: [found(3), found(2)], next: 2, complete: true },
      });
    });
    await page.keyboard.press('Control+Shift+F');
    await page.getByRole('searchbox').fill('tea from:Bob');
    await panel(page).getByText('2 newest results').waitFor();
    expect(await panel(page).locator('mark').allTextContents()).toEqual(['tea', 'tea']);
    await panel(page).getByRole('button', { name: 'Show more' }).click();
    await panel(page)
      .getByText(/^3 results.*Some results may be missing/)
      .waitFor();
    await panel(page)
      .getByRole('radio', { name: /^In .*harbour/ })
      .check();
    await expect.poll(() => asked.at(-1)).toContain('room=harbour');
    expect(asked[0]).toBe('q=tea from:Bob');
    await page.getByRole('searchbox').press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'kitchen' }).waitFor();
    expect(page.url()).toMatch(/\/r\/kitchen#2$/);
    expect(await panel(page).count()).toBe(0);
  });

  it("list the user's mentions", async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Ann', 'harbour');
    await stage.says('Bob', 'kitchen', 'the tea is ready, @Ann');
    await page.getByRole('button', { name: 'Mentions' }).click();
    await panel(page)
      .getByRole('link', { name: /Bob.*kitchen.*the tea is ready/ })
      .click();
    await page.getByRole('heading', { name: 'kitchen' }).waitFor();
  });
});

describe.runIf(hasChromium)('settings', { timeout: 60_000 }, () => {
  const open = async (page: Page) => {
    await page.locator('[popovertarget=menu]').click();
    await page.locator('.menu button').nth(1).click();
    await panel(page).locator('select').first().waitFor();
  };
  const worn = (page: Page) =>
    page.evaluate(() => ({
      theme: document.documentElement.dataset['theme'],
      paper: getComputedStyle(document.body).backgroundColor,
      frame: [...document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]')].map((m) => m.content),
    }));
  const dark = { theme: 'dark', paper: 'rgb(16, 24, 28)', frame: ['#10181c', '#10181c'] };

  it('change the theme at once, and before the first paint next time', async () => {
    const options = { serviceWorkers: 'block' }; // which has the script
    const page = await enter(await openStage(), 'Ann', 'harbour', { options });
    expect((await worn(page)).paper).toBe('rgb(244, 246, 245)');
    await open(page);
    await panel(page).getByRole('radio', { name: 'Dark' }).check();
    expect(await worn(page)).toEqual(dark);
    await page.route(/\/js\/(main|chunk).*\.js/, () => {}); // the page's script never arrives
    await page.reload({ waitUntil: 'commit' });
    await expect.poll(() => worn(page)).toEqual(dark); // once the style sheet has arrived
    expect(await page.locator('.boot').count()).toBe(1);
  });

  it('change the language at once, also of the sign-in form, and back', async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Ann', 'harbour');
    await open(page);
    await panel(page).locator('select').first().selectOption('zh-CN');
    await page.getByRole('heading', { name: '设置' }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
    await page.goto(`${stage.door.origin}/signin`);
    await page.getByText('你的名字').waitFor();
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByText('Your name').waitFor();
    await page.goto(`${stage.door.origin}/r/harbour`);
    await page.getByRole('navigation', { name: 'Rooms' }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
  });

  it('follow the browser', async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Ann', 'harbour', { language: 'zh-TW', dark: true });
    await page.getByRole('navigation', { name: '房间' }).waitFor();
    expect((await worn(page)).paper).toBe(dark.paper);
  });
});

describe.runIf(hasChromium)('the sign-in form', { timeout: 60_000 }, () => {
  it('works without JavaScript in the chosen language, keeps the input, and explains errors', async () => {
    const stage = await openStage();
    await stage.person('Ann');
    const options = { javaScriptEnabled: false };
    const page = await stage.open({ path: '/r/kitchen', options });
    expect(await page.title()).toBe('Sign in · Oneport');
    await page.getByRole('textbox').fill('Änn');
    await page.getByRole('button', { name: '简体中文' }).click();
    await expect.poll(() => page.title()).toBe('登录 · Oneport');
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
    expect(await page.getByRole('textbox').inputValue()).toBe('Änn');
    await page.getByRole('textbox').fill('ANN');
    await page.keyboard.press('Enter');
    await page.getByText('已被使用').waitFor();
    expect(await page.getByRole('textbox').getAttribute('aria-invalid')).toBe('true');
    await page.getByRole('textbox').fill('a\u200Bb');
    await page.keyboard.press('Enter');
    await page.getByText('不可见字符').waitFor();
    await page.getByRole('textbox').fill('Anne');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/r/kitchen');
  });

  it("follows the browser's language, and escapes the address", async () => {
    const stage = await openStage();
    const answer = await fetch(`${stage.door.origin}/signin?name=%3Cb%3E&lang=%3Cb%3E`, {
      headers: { 'accept-language': 'de, zh-Hans;q=0.9, en;q=0.8' },
    });
    const html = await answer.text();
    expect(html).toContain('<html lang="zh-CN">');
    expect(html).not.toContain('<b>');
    expect(answer.headers.getSetCookie()).toEqual(['form=1; path=/signin; samesite=lax; httponly']);
    expect(answer.headers.get('vary')).toMatch(/Accept-Language/);
  });
});

/** How many messages an announcement is about. */
function told(text: string): number {
  return Number(/^\d+(?= new messages)/.exec(text)?.[0] ?? text.split('Bob: ').length - 1);
}

describe.runIf(hasChromium)('the announcer', { timeout: 60_000 }, () => {
  it('announces new messages once, without history and own ones', async () => {
    const stage = await openStage();
    for (let n = 1; n <= 5; n++) await stage.says('Bob', 'harbour', `before ${n}`);
    const page = await enter(stage, 'Ann', 'harbour');
    await page.locator('li.message[data-id="5"]').waitFor();
    await page.evaluate(() => {
      const heard: string[] = [];
      Object.assign(window, { heard });
      const region = document.querySelector('.visually-hidden[aria-live=polite]');
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes)
          for (const node of addedNodes) heard.push(node.textContent?.replace(/[\u2068\u2069]/g, '') ?? '');
      }).observe(region ?? document.body, { childList: true, subtree: true });
    });
    const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard);
    await say(page, 'mine');
    await page.locator('li.message[data-id="6"]').waitFor();
    await stage.says('Bob', 'harbour', 'same');
    await expect.poll(heard).toEqual(['Bob: same']);
    await stage.says('Bob', 'harbour', 'same');
    await expect.poll(heard).toEqual(['Bob: same', 'Bob: same']);
    await Promise.all(Array.from({ length: 20 }, (_, n) => stage.says('Bob', 'harbour', `fast ${n}`)));
    const rest = async () => (await heard()).slice(2);
    // Announced together, or in parts when they take longer to arrive.
    const sum = async () => (await rest()).reduce((count, text) => count + told(text), 0);
    await expect.poll(sum).toBe(20);
    await stage.says('Bob', 'harbour', 'last');
    await expect.poll(sum).toBe(21); // and none of the others again
    expect((await rest()).length).toBeLessThan(10);
  });
});

describe.runIf(hasChromium)('the page', { timeout: 60_000 }, () => {
  it('can be installed: Chromium accepts its manifest', async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Ann', 'harbour');
    const session = await page.context().newCDPSession(page);
    const { errors, data } = await session.send('Page.getAppManifest');
    expect(errors).toEqual([]);
    const { icons, name } = JSON.parse(data ?? '{}') as { name: string; icons: { src: string }[] };
    expect(name).toBe('Oneport');
    for (const { src } of icons) expect((await fetch(stage.door.origin + src)).status, src).toBe(200);
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    // A window without history (incognito), as in tests, is never offered to install.
    expect(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([]);
  });

  it.each([320, 360, 700, 864, 1000, 1200, 1920, 3440])('fits into %i pixels', async (width) => {
    const stage = await openStage();
    await stage.says('Bob', 'w'.repeat(64), `${'W'.repeat(500)}`);
    const page = await enter(stage, 'Ann', 'w'.repeat(64), { width, height: 600 });
    await page.locator('li.message').first().waitFor();
    const size = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.scrollHeight,
    ]);
    expect(size).toEqual([width, 600]);
    const measure = await page
      .locator('li.message')
      .first()
      .evaluate((row) => row.clientWidth);
    expect(measure).toBeLessThanOrEqual(1000);
  });

  it.each([1000, 1280, 1930, 2560])('stays together in %i pixels', async (width) => {
    const stage = await openStage();
    await stage.says('Bob', 'harbour', 'hello');
    const page = await enter(stage, 'Ann', 'harbour', { width, height: 600 });
    const edges = async (selector: string) => {
      const box = await page.locator(selector).first().boundingBox();
      return { left: box?.x, right: box && box.x + box.width };
    };
    await page.locator('li.message').waitFor();
    expect((await edges('.message .avatar')).left).toBe((await edges('.field')).left);
    expect((await edges('.message')).right).toBe((await edges('.send')).right);
    // the end of the header is above the people, who are as wide as the rooms on the other side
    const menu = (await edges('[popovertarget=menu]')).right ?? Number.NaN;
    const rooms = (await edges('.rooms')).left ?? Number.NaN;
    if (width > 1600) expect(Math.abs(width - menu - rooms)).toBeLessThan(30);
    await page.locator('[popovertarget=menu]').click();
    expect((await edges('.menu')).right).toBe(menu);
  });

  it('has one bar over the whole width', async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Ann', 'harbour', { width: 2000, height: 600 });
    expect(await coloursIn(page, { x: 0, y: 0, width: 2000, height: 2 })).toHaveLength(1);
    expect((await coloursIn(page, { x: 0, y: 0, width: 2000, height: 300 })).length).toBeGreaterThan(1);
  });

  it('shows the longest name of the people in full', async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Maximiliane von Hohenlohe-Langen', 'harbour');
    const name = page.locator('.people li bdi');
    await name.waitFor();
    const isCut = await name.evaluate(
      ({ scrollWidth, clientWidth, scrollHeight, clientHeight }) =>
        scrollWidth > clientWidth || scrollHeight > clientHeight,
    );
    expect(isCut).toBe(false);
  });

  it('has landmarks, one top heading, and a way past the rooms', async () => {
    const stage = await openStage();
    const page = await enter(stage, 'Ann', 'harbour');
    for (const role of ['navigation', 'banner', 'main', 'complementary'] as const)
      expect(await page.getByRole(role).count(), role).toBe(1);
    expect(await title(page)).toBe('harbour');
    await page.evaluate(() => {
      document.body.tabIndex = -1;
      document.body.focus();
    });
    await page.keyboard.press('Tab');
    expect(await focus(page)).toBe('Skip to messages');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.closest('main') !== null)).toBe(true);
  });
});
