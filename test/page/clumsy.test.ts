/** Hasty, clumsy and hostile users in Chromium: double clicks, keys before the page is ready, steps in the wrong order. */
import type { BrowserContext, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { drawn, hasChromium, say, shows } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { type RunningServer, startServer } from '../process.js';
import {
  eventually,
  openBeforeScript,
  openDialog,
  openPage,
  says,
  stopTimeOfDay,
  visitor,
} from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder(), MESSAGE_RATE: '0' } });
const row = (page: Page, id: number) => page.locator(`li.message[data-id="${id}"]`);
const field = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const path = (page: Page) => decodeURIComponent(new URL(page.url()).pathname);
const problems = (page: Page) => page.locator('.messages .error, .notice[role=alert]');

/** Ann's page, in which she has said this. */
async function said(...texts: readonly string[]) {
  const server = await start();
  const opened = await openPage(server, 'Ann');
  await opened.page.locator('.dot.live').waitFor();
  for (const text of texts) await say(opened.page, text);
  if (texts.length > 0) await row(opened.page, texts.length).waitFor();
  return { server, ...opened };
}

async function askToDelete(page: Page, id: number): Promise<void> {
  await row(page, id).hover();
  await row(page, id).getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
}

/** Deletes a message of the user as another device does that has no Undo. */
async function deleteElsewhere(
  { server, context }: { server: RunningServer; context: BrowserContext },
  id: number,
): Promise<void> {
  const url = `${server.origin}/api/rooms/lobby/messages`;
  const answer = await context.request.post(url, { data: { type: 'delete', target: id } });
  expect(answer.status()).toBe(201);
}

const confirmation = (page: Page) => page.getByRole('alertdialog').getByRole('button', { name: 'Delete' });

/** Events of the room, as types. */
function log(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const answer = await fetch('/api/rooms/lobby/messages?after=0&limit=500');
    const { messages } = (await answer.json()) as { messages: { type: string }[] };
    return messages.map(({ type }) => type).join(' ');
  });
}

describe.runIf(hasChromium)('keys', { timeout: 60_000 }, () => {
  it('before the page is ready are in the composer when it is', async () => {
    const { page, sendScript } = await openBeforeScript(await start(), 'Ann');
    await page.waitForFunction(() => document.activeElement?.matches('.boot textarea'));
    await page.keyboard.type('early bird ');
    await page.keyboard.press('Enter'); // sends nothing yet
    sendScript();
    await field(page).waitFor();
    expect(await field(page).inputValue()).toBe('early bird ');
    await page.keyboard.type('is here');
    await page.keyboard.press('Enter');
    await shows(page, ['1 early bird is here']);
  });

  it('and Enter in the same moment make a room', async () => {
    const { page } = await said();
    await page.getByRole('button', { name: 'New room' }).click();
    await page.evaluate(() => {
      const input = document.querySelector<HTMLInputElement>('.new-room input');
      if (!input) throw new Error('no field');
      document.execCommand('insertText', false, 'Pantry');
      input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
    });
    await eventually(async () => path(page)).toBe('/r/pantry');
  });

  it('that repeat send one message', async () => {
    const { page } = await said();
    await field(page).fill('once');
    await page.keyboard.down('Enter');
    for (let n = 0; n < 20; n++) await page.keyboard.down('Enter');
    await page.keyboard.up('Enter');
    await shows(page, ['1 once']);
    await say(page, 'then');
    await shows(page, ['1 once', '2 then']);
  });

  it('reach no room behind the emoji picker', async () => {
    const { page } = await said('hello');
    await page.getByRole('button', { name: 'Insert emoji' }).click();
    await page.locator('dialog.picker[open]').waitFor();
    for (const key of ['Control+k', 'Control+Shift+F', 'Alt+ArrowDown']) await page.keyboard.press(key);
    expect(await page.locator('dialog[open]').count()).toBe(1);
    await page.keyboard.press('Escape');
    await page.keyboard.type('typed');
    expect(await field(page).inputValue()).toBe('typed');
  });

  it('go to the emoji picker as soon as it is there', async () => {
    const { page } = await said();
    await page.evaluate(() => {
      new MutationObserver(() => {
        const picker = document.querySelector<HTMLDialogElement>('dialog.picker');
        if (picker && !('wasOpen' in window)) Object.assign(window, { wasOpen: picker.open });
      }).observe(document.body, { childList: true, subtree: true });
    });
    await page.getByRole('button', { name: 'Insert emoji' }).click();
    await page.locator('dialog.picker[open]').waitFor();
    expect(await page.evaluate(() => Reflect.get(window, 'wasOpen'))).toBe(true);
  });

  it('are not lost after many times Esc and a dialog that closed at once', async () => {
    const { page } = await said();
    for (const key of ['Control+k', 'Escape', 'Control+k', 'Control+k', 'Escape', 'Escape', '?', '?'])
      await page.keyboard.press(key);
    await page.keyboard.press('Control+a');
    await page.keyboard.type('still here');
    expect(await field(page).inputValue()).toContain('still here');
  });
});

describe.runIf(hasChromium)('a double click', { timeout: 60_000 }, () => {
  it('on Send sends once', async () => {
    const { page } = await said();
    await field(page).fill('once');
    await page.getByRole('button', { name: 'Send' }).dblclick();
    await shows(page, ['1 once']);
    expect(await log(page)).toBe('chat');
  });

  it('on a quick reaction leaves no error', async () => {
    const { page } = await said('hello');
    await row(page, 1).hover();
    await row(page, 1).getByRole('button', { name: 'React with 👍' }).dblclick();
    await eventually(() => log(page)).toMatch(/^chat react/); // and `unreact`, if no frame moves the button meanwhile
    await eventually(() => row(page, 1).locator('.state').count()).toBe(0);
    expect(await problems(page).count()).toBe(0);
  });

  it('on a reaction without a connection comes to nothing', async () => {
    const { context, page } = await said('hello');
    await context.setOffline(true);
    await page.locator('.dot:not(.live)').waitFor();
    await row(page, 1).hover();
    await row(page, 1).getByRole('button', { name: 'React with 👍' }).click();
    await row(page, 1).locator('.chip').click();
    await context.setOffline(false);
    await eventually(() => log(page)).toBe('chat react unreact');
    const remains = row(page, 1).locator('.state, .chip');
    await eventually(() => remains.count()).toBe(0);
    expect(await problems(page).count()).toBe(0);
  });

  it('on Delete deletes once, and on Undo brings back once', async () => {
    const { page } = await said('one', 'two');
    const remove = async () => {
      await askToDelete(page, 1);
      await confirmation(page).dblclick();
    };
    const goOn = await stopTimeOfDay(page);
    await remove();
    await row(page, 1).getByRole('button', { name: 'Undo' }).dblclick();
    await shows(page, ['1 one', '2 two']);
    await goOn();
    await remove();
    await eventually(() => log(page)).toBe('chat chat delete');
    expect(await problems(page).count()).toBe(0);
  });

  it('on a room opens it once, so that one step goes back', async () => {
    const { server, page } = await said();
    await says(await visitor(server, 'Bob'), 'kitchen', 'soup');
    await page.reload();
    await page.locator('.rooms a', { hasText: 'kitchen' }).dblclick();
    await shows(page, ['1 soup']);
    expect(await page.locator('dialog[open]').count()).toBe(0); // the list has moved under the second click
    await page.goBack();
    await page.getByRole('heading', { name: 'lobby' }).waitFor();
  });

  it('on "Sign out" ends at the form', async () => {
    const { page } = await said('bye');
    await openDialog(page, 'Sign out');
    await page.getByRole('button', { name: 'Sign out', exact: true }).dblclick();
    await page.waitForURL(/\/signin/);
    await page.goBack();
    await page.waitForURL(/\/signin/);
    expect(await page.getByText('bye', { exact: true }).count()).toBe(0);
  });

  it('on Create link shows one link', async () => {
    const { page } = await said();
    await openDialog(page, 'Settings');
    await page.getByRole('button', { name: 'Create link' }).dblclick();
    await page.getByRole('img', { name: 'QR code of the link' }).waitFor();
    await expect.poll(() => page.locator('.device-link').count()).toBe(1);
    expect(await page.locator('.settings .caution').count()).toBe(0);
  });
});

describe.runIf(hasChromium)('the last message', { timeout: 60_000 }, () => {
  it('is edited as it is shown, when a change of it still waits', async () => {
    const { context, page } = await said('first', 'second');
    await context.setOffline(true);
    await page.locator('.dot:not(.live)').waitFor();
    await field(page).press('ArrowUp');
    await field(page).fill('second, better');
    await page.keyboard.press('Enter');
    await row(page, 2).getByText('second, better').waitFor();
    await field(page).press('ArrowUp');
    expect(await field(page).inputValue()).toBe('second, better');
  });

  it('is not edited while its deletion can be undone', async () => {
    const { page } = await said('first', 'second');
    await askToDelete(page, 2);
    await confirmation(page).click();
    await row(page, 2).getByText('Message deleted').waitFor();
    await field(page).press('ArrowUp');
    expect(await field(page).inputValue()).toBe('first');
  });

  it('is explained when it was deleted on another device during the edit', async () => {
    const opened = await said('mine');
    const { page } = opened;
    await field(page).press('ArrowUp');
    await field(page).fill('mine, but longer');
    await deleteElsewhere(opened, 1);
    await row(page, 1).getByText('Message deleted').waitFor();
    await page.keyboard.press('Enter');
    await row(page, 1).getByText('Couldn’t save the edit.').waitFor();
    await row(page, 1).getByRole('button', { name: 'Discard' }).click();
    await say(page, 'on');
    await eventually(() => log(page)).toBe('chat delete chat');
  });
});

describe.runIf(hasChromium)('a menu', { timeout: 60_000 }, () => {
  it('stays open, and on its message, while the mouse moves over others', async () => {
    const { page } = await said('first', 'second', 'third');
    await row(page, 2).hover();
    await row(page, 2).getByRole('button', { name: 'More actions' }).click();
    await row(page, 1).hover({ force: true, position: { x: 5, y: 5 } });
    await row(page, 3).hover({ force: true, position: { x: 5, y: 5 } });
    await page.getByRole('menuitem', { name: 'Edit' }).click();
    expect(await field(page).inputValue()).toBe('second');
  });

  it('takes an arrow key that comes before it has the focus', async () => {
    const { page } = await said('first', 'second');
    await row(page, 2).hover();
    const opener = row(page, 2).getByRole('button', { name: 'More actions' });
    await opener.evaluate((button: HTMLElement) => {
      button.focus();
      button.click();
      button.dispatchEvent(
        new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true, cancelable: true }),
      );
    });
    await eventually(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Copy text');
  });

  it('is in its place as soon as it shows', async () => {
    const { page } = await said('first', 'second');
    await page.evaluate(() =>
      document.addEventListener('toggle', (event) => event.stopImmediatePropagation(), true),
    ); // it comes after the first frame
    await row(page, 2).hover();
    const opener = row(page, 2).getByRole('button', { name: 'More actions' });
    await opener.click();
    const menu = page.getByRole('menu');
    await menu.waitFor();
    await drawn(page);
    const [at, box] = [await opener.boundingBox(), await menu.boundingBox()];
    if (!at || !box) throw new Error('not to be seen');
    expect(box.x + box.width).toBeCloseTo(at.x + at.width);
    expect([at.y + at.height + 6, at.y - 6 - box.height]).toContain(box.y);
  });

  it('closes when its message is deleted on another device', async () => {
    const opened = await said('first', 'second');
    const { page } = opened;
    await row(page, 2).hover();
    await row(page, 2).getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Edit' }).waitFor();
    await deleteElsewhere(opened, 2);
    await row(page, 2).getByText('Message deleted').waitFor();
    expect(await page.getByRole('menuitem').count()).toBe(0);
    await page.keyboard.type('goes on');
    expect(await field(page).inputValue()).toBe('goes on');
  });

  it('of a room is about that room, however soon something is chosen', async () => {
    const { server, page } = await said();
    await says(await visitor(server, 'Bob'), 'kitchen', 'soup');
    await page.reload();
    const kitchen = page.locator('.rooms li', { hasText: 'kitchen' });
    await kitchen.locator('.tool').evaluate((button: HTMLElement) => {
      button.click();
      document.querySelector<HTMLElement>('.rooms [role=menuitem]')?.click(); // Star
    });
    await eventually(() => page.locator('.rooms h2').first().textContent()).toBe('Starred');
    await page.locator('.rooms h2:first-child + ul', { hasText: 'kitchen' }).waitFor();
  });

  it('of a person gives way to the next one that is clicked', async () => {
    const { server, page } = await said('hello');
    await says(await visitor(server, 'Bob'), 'lobby', 'hi');
    await row(page, 2).waitFor();
    await page.getByRole('complementary').getByRole('button', { name: 'Ann' }).click();
    await page.getByRole('dialog', { name: 'Ann' }).waitFor();
    await row(page, 2).locator('button.name').click();
    await page.getByRole('dialog', { name: 'Bob' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.type('typed');
    expect(await field(page).inputValue()).toBe('typed');
  });
});

describe.runIf(hasChromium)('selecting text', { timeout: 60_000 }, () => {
  it('from the field of the emoji picker to its outside leaves it open', async () => {
    const { page } = await said();
    await page.getByRole('button', { name: 'Insert emoji' }).click();
    const search = page.locator('.picker input');
    await search.fill('tea');
    const box = await search.boundingBox();
    if (!box) throw new Error('no field');
    await page.mouse.move(box.x + 40, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(20, 300, { steps: 4 });
    await page.mouse.up();
    await page.keyboard.type('cat');
    expect(await search.inputValue()).toContain('cat');
    await page.mouse.click(20, 300);
    await page.locator('.picker').waitFor({ state: 'detached' });
  });
});

describe.runIf(hasChromium)('an address', { timeout: 60_000 }, () => {
  it('with a number that no message can have opens the room', async () => {
    const { server, page } = await said('hello');
    for (const hash of ['#0', '#-1', '#abc', '#99999999999999999999', '#1e3', '#%F0', '#']) {
      await page.goto('about:blank');
      await page.goto(`${server.origin}/r/lobby${hash}`);
      await shows(page, ['1 hello']);
    }
    await say(page, 'again');
    await shows(page, ['1 hello', '2 again']);
  });
});

describe.runIf(hasChromium)('rooms', { timeout: 60_000 }, () => {
  it('keep their drafts and messages however fast they change', async () => {
    const { server, page } = await said();
    const bob = await visitor(server, 'Bob');
    const names = ['alpha', 'beta', 'gamma'];
    for (const name of names) await says(bob, name, `in ${name}`);
    await page.reload();
    for (let round = 0; round < 3; round++)
      for (const name of names) {
        await page.locator('.rooms a', { hasText: name }).click();
        await page.keyboard.type(`${name[0]}${round} `);
      }
    for (const name of names) {
      await page.locator('.rooms a', { hasText: name }).click();
      await shows(page, [`1 in ${name}`]);
      const first = name[0] ?? '';
      await eventually(() => field(page).inputValue()).toBe(`${first}0 ${first}1 ${first}2 `);
    }
  });

  it('are drawn before the next key can be typed', async () => {
    const { server, page } = await said();
    await says(await visitor(server, 'Bob'), 'kitchen', 'soup');
    await page.reload();
    const link = page.locator('.rooms a', { hasText: 'kitchen' });
    await link.waitFor();
    await field(page).fill('for the lobby');
    const draft = await link.evaluate((element: HTMLElement) => {
      element.click();
      return document.querySelector<HTMLTextAreaElement>('.composer textarea')?.value;
    });
    expect(draft).toBe('');
  });

  it('that are left with an unsent message still send it', async () => {
    const { server, context, page } = await said();
    await says(await visitor(server, 'Bob'), 'kitchen', 'soup');
    await page.reload();
    await page.locator('.rooms a', { hasText: 'kitchen' }).click();
    await shows(page, ['1 soup']);
    await context.setOffline(true);
    await page.locator('.dot:not(.live)').waitFor();
    await say(page, 'salt');
    await page.locator('.pending').waitFor();
    await page.locator('.top h1 button').click();
    await page.getByRole('menuitem', { name: 'Leave' }).click();
    await page.getByRole('heading', { name: 'lobby' }).waitFor();
    await context.setOffline(false);
    const bob = await visitor(server, 'Ben');
    await eventually(async () =>
      JSON.stringify(await (await bob.get('/api/rooms/kitchen/messages')).json()),
    ).toContain('salt');
  });
});

describe.runIf(hasChromium)('a window', { timeout: 60_000 }, () => {
  it('that changes its size leaves nothing open or lost', async () => {
    const { page } = await said('hello');
    const resize = (width: number) => page.setViewportSize({ width, height: 700 });
    await field(page).fill('half a thought');
    await page.getByRole('button', { name: 'Actions for \u2068lobby\u2069' }).click({ force: true });
    await resize(360);
    await page.getByRole('button', { name: 'Rooms' }).click();
    await page.getByRole('button', { name: 'New room' }).click();
    await resize(1300);
    await page.keyboard.press('Escape');
    await resize(360);
    await resize(1300);
    await eventually(() => page.locator('dialog[open], :popover-open').count()).toBe(0);
    expect(await field(page).inputValue()).toBe('half a thought');
    await page.keyboard.type('!');
    expect(await field(page).inputValue()).toContain('!');
  });
});

describe.runIf(hasChromium)('too much text', { timeout: 60_000 }, () => {
  it('stays in the field, is counted, and sends once it is short enough', async () => {
    const { page } = await said();
    await field(page).fill('x'.repeat(10_000));
    const hint = page.locator('.composer .hint');
    await eventually(() => hint.textContent()).toContain('too many');
    await page.keyboard.press('Enter');
    await eventually(() => hint.textContent()).toContain('4,000');
    expect((await field(page).inputValue()).length).toBe(10_000);
    await field(page).fill('x');
    await page.keyboard.press('Enter');
    await shows(page, ['1 x']);
  });
});
