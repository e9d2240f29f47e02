/** What the page shows while it knows little: on slow lines, offline, without cookies, and for files. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { FALLBACKS, hasChromium, openBrowser, openProfile, say, shows, signInByForm } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { openBeforeScript, openPage, posts, says, texts, visitor } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder() } });

async function goTo(page: Page, room: string): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.keyboard.type(room);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: room }).waitFor();
}

/** Sends the page files as if they were dropped or pasted. Resolves with true when the browser leaves them alone. */
function givesFile(page: Page, type: 'drop' | 'dragover' | 'paste'): Promise<boolean> {
  return page.evaluate((name) => {
    const data = new DataTransfer();
    data.items.add(new File(['x'], 'cat.png', { type: 'image/png' }));
    const init = { bubbles: true, cancelable: true };
    const event =
      name === 'paste'
        ? new ClipboardEvent(name, { ...init, clipboardData: data })
        : new DragEvent(name, { ...init, dataTransfer: data });
    return !(document.querySelector('textarea') ?? document.body).dispatchEvent(event);
  }, type);
}

describe.runIf(hasChromium)('the page', { timeout: 60_000 }, () => {
  it('has a shape before its script runs', async () => {
    const { page, sendScript } = await openBeforeScript(await start(), 'Ann');
    await page.locator('.boot .skeleton').first().waitFor();
    sendScript();
    await page.getByText('This is the start of').waitFor();
    await expect.poll(() => page.locator('.skeleton').count()).toBe(0); // the list of people comes with the socket
  });

  it('shows neither zeros nor an empty room before it knows the room', async () => {
    const { page } = await openPage(await start(), 'Ann');
    await page.routeWebSocket(/\/ws\/kitchen/, () => {}); // never says hello
    await page.reload();
    await page.locator('.dot.live').waitFor();
    await page.route(FALLBACKS, () => {});
    await goTo(page, 'kitchen');
    await page.locator('.log .skeleton').first().waitFor();
    await page.locator('.people .skeleton').first().waitFor();
    const counts = await page.locator('.top .count, .people .count').allTextContents();
    expect([counts, await page.getByText('This is the start of').count()]).toEqual([['', ''], 0]);
  });

  it('says offline that a room is not on this device', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'kitchen', 'soup');
    const { context, page } = await openPage(server, 'Ann');
    await page.locator('.dot.live').waitFor();
    await context.setOffline(true);
    await goTo(page, 'kitchen');
    await page.getByText('These messages aren’t on this device yet.').waitFor();
    await context.setOffline(false);
    await shows(page, ['1 soup']);
    expect(await page.getByText('aren’t on this device').count()).toBe(0);
  });

  it('keeps a dropped file from replacing it, and says that files cannot be sent', async () => {
    const { page } = await openPage(await start(), 'Ann');
    const notice = page.getByText('Files can’t be sent yet.');
    expect(await givesFile(page, 'dragover')).toBe(true);
    expect(await notice.count()).toBe(0);
    expect(await givesFile(page, 'drop')).toBe(true);
    await notice.waitFor();
    await page.reload();
    await page.getByRole('textbox', { name: 'Message' }).waitFor();
    await givesFile(page, 'paste');
    await notice.waitFor();
  });
});

/** Whether the text is drawn in colour in the font of the page. */
function isColoured(page: Page, text: string): Promise<boolean> {
  return page.evaluate(async (drawn) => {
    const font = `40px ${getComputedStyle(document.body).fontFamily}`;
    await document.fonts.load(font, drawn);
    const context = new OffscreenCanvas(64, 64).getContext('2d');
    if (!context) throw new Error('no canvas');
    context.font = font;
    context.fillText(drawn, 4, 48);
    const { data } = context.getImageData(0, 0, 64, 64);
    return data.some((value, n) => n % 4 === 0 && Math.abs(value - (data[n + 1] ?? 0)) > 40);
  }, text);
}

describe.runIf(hasChromium && hasColourFont())('emoji', { timeout: 60_000 }, () => {
  it('are in colour', async () => {
    const { page } = await openPage(await start(), 'Ann');
    for (const emoji of ['😂', '👍', '⏰', '⭐', '❤️', '🏳️‍🌈'])
      expect([emoji, await isColoured(page, emoji)]).toEqual([emoji, true]);
    for (const text of ['1', '#', '©', 'a'])
      expect([text, await isColoured(page, text)]).toEqual([text, false]);
  });
});

describe.runIf(hasChromium)('the emoji picker', { timeout: 60_000 }, () => {
  it('offers nothing that the system cannot draw', async () => {
    const { page } = await openPage(await start(), 'Ann');
    await page.evaluate(() => {
      const drawing = CanvasRenderingContext2D.prototype;
      const { measureText, fillText } = drawing;
      drawing.measureText = function (text) {
        return measureText.call(this, text === '🦩' ? 'i' : text); // as narrow as the box of a missing one
      };
      drawing.fillText = function (text, x, y) {
        if (text !== '🪿') fillText.call(this, text, x, y); // an empty glyph
      };
    });
    await page.getByRole('button', { name: 'Insert emoji' }).click();
    const field = page.getByRole('searchbox', { name: 'Search emoji' });
    await field.fill('flamingo');
    await page.getByText('No emoji found.').waitFor();
    await field.fill('parrot');
    await page.getByRole('button', { name: 'parrot' }).waitFor();
    await field.fill('goose');
    await page.getByText('No emoji found.').waitFor();
  });
});

describe.runIf(hasChromium)('messages', { timeout: 60_000 }, () => {
  it('are copied without the letters of their pictures', async () => {
    const server = await start();
    await says(await visitor(server, 'Zoe'), 'lobby', 'one', 'two');
    const { page } = await openPage(server, 'Ann');
    await shows(page, ['1 one', '2 two']);
    const copied = await page.evaluate(() => {
      getSelection()?.selectAllChildren(document.querySelector('.messages') ?? document.body);
      return String(getSelection()).split('\n').filter(Boolean);
    });
    expect(copied).toEqual(expect.arrayContaining(['Zoe', 'one', 'two']));
    expect(copied).not.toContain('Z');
  });

  it('are printed alone, with their numbers', async () => {
    const server = await start();
    await says(await visitor(server, 'Zoe'), 'lobby', ...texts(45));
    const { page } = await openPage(server, 'Ann');
    await page.getByText('text 45', { exact: true }).waitFor();
    await page.emulateMedia({ media: 'print' });
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    await page.getByText('text 1', { exact: true }).waitFor();
    for (const part of ['.rooms', '.people', '.composer', '.top .quiet'])
      expect([part, await page.locator(part).first().isVisible()]).toEqual([part, false]);
    await page.getByRole('link', { name: 'Link to message 45' }).waitFor();
    const { scrolls, height } = await page.locator('.log').evaluate((log) => ({
      scrolls: log.scrollHeight > log.clientHeight + 1,
      height: document.documentElement.scrollHeight,
    }));
    expect([scrolls, height > 1_000]).toEqual([false, true]);
  });
});

/** The contrast of the letters of a picture in each colour of people, by WCAG 2. */
function contrastsOfTones(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const context = new OffscreenCanvas(1, 1).getContext('2d');
    const luminance = (colour: string): number => {
      if (!context) throw new Error('no canvas');
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const channels = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => value / 255);
      const [r = 0, g = 0, b = 0] = channels.map((c) =>
        c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return Array.from({ length: 8 }, (_, tone) => {
      const avatar = document.createElement('span');
      avatar.className = `avatar tone-${tone}`;
      document.body.append(avatar);
      const { color, backgroundColor } = getComputedStyle(avatar);
      const [light = 0, dark = 0] = [luminance(color), luminance(backgroundColor)].sort((a, b) => b - a);
      avatar.remove();
      return (light + 0.05) / (dark + 0.05);
    });
  });
}

describe.runIf(hasChromium)('the colours of people', { timeout: 60_000 }, () => {
  it('can be read in both themes', async () => {
    const { page } = await openPage(await start(), 'Ann');
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(Math.min(...(await contrastsOfTones(page)))).toBeGreaterThanOrEqual(4.5);
    }
  });
});

function hasColourFont(): boolean {
  return /emoji/i.test(spawnSync('fc-list', [':color=true', 'family']).stdout?.toString() ?? '');
}

describe.runIf(hasChromium)('a browser', { timeout: 60_000 }, () => {
  it('that closed the database without an event still stores unsent messages', async () => {
    const context = await (await openBrowser()).newContext();
    await context.addInitScript(recordDatabases);
    const server = await start();
    const page = await context.newPage();
    await signInByForm(page, server.origin, 'Ann');
    await say(page, 'one');
    await shows(page, ['1 one']);
    await context.setOffline(true);
    await page.locator('.dot:not(.live)').waitFor();
    await page.evaluate(() => {
      for (const database of Reflect.get(globalThis, 'databases') as IDBDatabase[]) database.close();
    });
    await say(page, 'two');
    await page.locator('li.pending.waiting').waitFor();
    expect(await page.getByText('This browser can’t save the message').count()).toBe(0);
    await page.close();
    const later = await context.newPage();
    await context.setOffline(false);
    await later.goto(`${server.origin}/r/lobby`);
    await shows(later, ['1 one', '2 two']);
  });

  it('that translates the page shows edits all the same', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    await says(bob, 'lobby', 'password is hunter2');
    const { page } = await openPage(server, 'Ann');
    await shows(page, ['1 password is hunter2']);
    await page.locator('bdi.text').evaluate((text) => {
      for (const node of [...text.childNodes]) {
        const font = document.createElement('font');
        node.replaceWith(font);
        font.append(node.textContent ?? '');
      }
    });
    await posts(bob, 'lobby', { type: 'edit', target: 1, data: 'never mind' });
    await shows(page, ['1 never mind']);
  });
});

/** Makes connections to IndexedDB reachable for the test. */
function recordDatabases(): void {
  const databases: IDBDatabase[] = [];
  const { open } = IDBFactory.prototype;
  IDBFactory.prototype.open = function (...args) {
    const request = open.apply(this, args);
    request.addEventListener('success', () => databases.push(request.result));
    return request;
  };
  Object.assign(globalThis, { databases });
}

describe.runIf(hasChromium)('a browser that blocks cookies', { timeout: 60_000 }, () => {
  it('is told so at sign-in, and its name stays free', async () => {
    const server = await start();
    const profile = temporaryFolder();
    mkdirSync(join(profile, 'Default'));
    writeFileSync(
      join(profile, 'Default', 'Preferences'),
      JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }),
    );
    const page = await (await openProfile(profile)).newPage();
    await page.goto(`${server.origin}/r/lobby`);
    for (let n = 0; n < 2; n++) {
      await page.getByRole('textbox').fill('Ann');
      const answer = page.waitForResponse((response) => response.request().method() === 'POST');
      await page.getByRole('button', { name: 'Start chatting' }).click();
      await answer;
      await page.getByText('Your browser blocks cookies').waitFor();
    }
    expect((await visitor(server, 'Ann')).user.name).toBe('Ann');
  });
});
