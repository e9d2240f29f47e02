/** The first minute: an empty room invites, rooms are made and put in order, people have cards, names change. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasChromium, say, shows } from '../chromium.js';
import { temporaryFolder } from '../harness.js';
import { startServer } from '../process.js';
import { eventually, openPage, says, untilRead, visitor } from './people.js';

const start = () => startServer({ env: { DATA_DIR: temporaryFolder() } });
const nav = (page: Page) => page.getByRole('navigation', { name: 'Rooms' });
const sections = (page: Page) =>
  nav(page)
    .locator('h2, li')
    .evaluateAll((items) => items.map((item) => item.querySelector('bdi')?.textContent ?? item.textContent));

async function choose(page: Page, room: string, item: string): Promise<void> {
  await nav(page).locator('li', { hasText: room }).hover();
  await page.getByRole('button', { name: `Actions for \u2068${room}\u2069` }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

describe.runIf(hasChromium)('an empty room', { timeout: 60_000 }, () => {
  it('invites with a link to copy and a code', async () => {
    const server = await start();
    const { context, page } = await openPage(server, 'Ann', 'garden');
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
    await page.getByText('This is the start of').waitFor();
    await page.getByRole('img', { name: 'QR code of the link' }).waitFor();
    // it says so for two seconds: looks at every frame, because a slow machine looks at the page too seldom
    const copied = page.waitForFunction(
      () => document.querySelector('.invitation button')?.textContent === 'Copied',
    );
    await page.getByRole('button', { name: 'Copy link' }).click();
    await copied;
    const link = await page.evaluate(() => navigator.clipboard.readText());
    expect(link).toBe(`${server.origin}/r/garden`);
    const bob = await openPage(server, 'Bob');
    await bob.page.goto(link);
    await say(bob.page, 'hello');
    await shows(page, ['1 hello']);
    expect(await page.getByRole('img', { name: 'QR code of the link' }).count()).toBe(0);
  });
});

describe.runIf(hasChromium)('rooms in the list', { timeout: 60_000 }, () => {
  it('are made of any name', async () => {
    const { page } = await openPage(await start(), 'Ann');
    await page.getByRole('button', { name: 'New room' }).click();
    await page.keyboard.type('Kitchen Talk!');
    await page.getByText('It will be called').waitFor();
    await page.keyboard.press('Enter');
    await eventually(async () => new URL(page.url()).pathname).toBe('/r/kitchen-talk');
    await page.keyboard.type('first');
    await page.keyboard.press('Enter');
    await shows(page, ['1 first']);
    await page.getByRole('button', { name: 'New room' }).click();
    await page.keyboard.type('kitchen talk');
    await page.getByRole('button', { name: 'Open room' }).waitFor();
    await page.getByRole('textbox', { name: 'Room name' }).fill('?!');
    expect(await page.getByRole('button', { name: 'Create room' }).isDisabled()).toBe(true);
  });

  it('are starred, muted and left, and come back when they are opened', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob');
    const { page } = await openPage(server, 'Ann');
    for (const room of ['attic', 'den']) {
      await says(bob, room, 'zero');
      await page.goto(`${server.origin}/r/${room}`);
      await shows(page, ['1 zero']);
      await untilRead(page, room, 1);
    }
    await page.goto(`${server.origin}/r/lobby`);
    await choose(page, 'den', 'Star');
    await eventually(() => sections(page)).toEqual([
      'Starred',
      'den',
      'My rooms',
      'attic',
      'lobby',
      'Other rooms',
    ]);
    await choose(page, 'den', 'Remove star');
    await choose(page, 'attic', 'Mute');
    await says(bob, 'attic', 'one');
    await nav(page).locator('li', { hasText: 'attic' }).locator('.badge', { hasText: '1' }).waitFor();
    expect(await page.title()).toBe('lobby · Oneport');
    await choose(page, 'attic', 'Leave room');
    const left = ['My rooms', 'den', 'lobby', 'Other rooms', 'attic'];
    await eventually(() => sections(page)).toEqual(left);
    expect(await nav(page).locator('li', { hasText: 'attic' }).locator('.badge').count()).toBe(0);
    await page.reload();
    await eventually(() => sections(page)).toEqual(left);
    await nav(page).getByRole('link', { name: 'attic' }).click();
    await shows(page, ['1 zero', '2 one']);
    await eventually(async () => (await sections(page)).at(-1)).toBe('Other rooms');
  });

  it('that are left while they are shown lead to another room', async () => {
    const server = await start();
    await says(await visitor(server, 'Bob'), 'den', 'zero');
    const { page } = await openPage(server, 'Ann', 'den');
    await page.goto(`${server.origin}/r/lobby`);
    await say(page, 'hi');
    await nav(page).getByRole('link', { name: 'den' }).click();
    await shows(page, ['1 zero']);
    await page.getByRole('button', { name: 'den', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Leave room' }).click();
    await shows(page, ['1 hi']);
    await eventually(() => sections(page)).toEqual(['My rooms', 'lobby', 'Other rooms', 'den']);
  });

  it('show that a message was begun', async () => {
    const { page } = await openPage(await start(), 'Ann', 'den');
    await page.getByRole('textbox', { name: 'Message' }).fill('half a thought');
    await page.getByRole('button', { name: 'New room' }).click();
    await page.keyboard.type('attic');
    await page.keyboard.press('Enter');
    await nav(page)
      .getByRole('link', { name: /^den.*unsent draft/ })
      .click();
    await eventually(() => page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe(
      'half a thought',
    );
  });
});

describe.runIf(hasChromium)("a user's card", { timeout: 60_000 }, () => {
  it('mentions them, and finds what they wrote', async () => {
    const server = await start();
    const bob = await visitor(server, 'Bob Lee');
    await says(bob, 'lobby', 'from the lobby');
    await says(bob, 'den', 'from the den');
    const { page } = await openPage(server, 'Ann');
    await page.locator('li.message').getByRole('button', { name: 'Bob Lee' }).click();
    const card = page.getByRole('dialog', { name: 'Bob Lee' });
    await card.getByText('Last message').waitFor();
    await card.getByRole('button', { name: 'Mention' }).click();
    await eventually(() => page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('@Bob Lee ');
    await page.locator('li.message .avatar').click();
    await card.getByRole('button', { name: 'Show messages' }).click();
    await page.getByRole('link', { name: 'from the den' }).waitFor();
    await page.getByRole('link', { name: 'from the lobby' }).waitFor();
  });

  it('has the focus once it is open, and gives way to the next one, however late the page renders', async () => {
    const server = await start();
    await (await visitor(server, 'Bob')).enters('lobby');
    const { page } = await openPage(server, 'Ann');
    await page.locator('.people').getByRole('button', { name: 'Bob' }).waitFor();
    await page.evaluate(() => {
      const nextFrame = requestAnimationFrame;
      window.requestAnimationFrame = (callback) => window.setTimeout(() => nextFrame(callback), 200);
    });
    await page.locator('.people').getByRole('button', { name: 'Ann' }).click();
    await page.getByRole('dialog', { name: 'Ann' }).waitFor();
    await eventually(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Change my name');
    await page.evaluate(() => {
      document.querySelector<HTMLElement>('.card:popover-open')?.hidePopover();
      const buttons = [...document.querySelectorAll<HTMLElement>('.people button')];
      buttons.find(({ textContent }) => textContent === 'Bob')?.click(); // before the page hears of the closing
    });
    await page.getByRole('dialog', { name: 'Bob' }).waitFor();
  });

  it('leads to the own name, which changes for everybody', async () => {
    const server = await start();
    const ann = await openPage(server, 'Ann');
    await visitor(server, 'Bob');
    await say(ann.page, 'as Ann');
    await ann.page.locator('.people').getByRole('button', { name: /^Ann/ }).click();
    await ann.page.getByRole('button', { name: 'Change my name' }).click();
    const name = ann.page.getByRole('textbox', { name: 'Your name' });
    await name.fill('Bob');
    await name.press('Enter');
    await ann.page.getByRole('alert').getByText('is taken').waitFor();
    await name.fill('Anna');
    await name.press('Enter');
    await ann.page.getByText('Saved.').waitFor();
    await ann.page.keyboard.press('Escape');
    await say(ann.page, 'as Anna');
    await ann.page.locator('li.message').getByRole('button', { name: 'Anna', exact: true }).waitFor();
    await ann.page.locator('.people').getByRole('button', { name: /^Anna/ }).waitFor();
    await ann.page.getByRole('button', { name: 'Menu' }).click();
    await ann.page.getByText('Signed in as').getByText('Anna').waitFor();
  });
});
