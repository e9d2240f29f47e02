/**
 * Every screen and state of the page, each as a scene: it is played for axe (a11y.test.ts) and for the pictures
 * (pictures.ts). A scene ends with the page as a person would see it then.
 */
import type { Locator, Page } from 'playwright-core';
import { FALLBACKS } from './chromium.js';
import { LONGEST_NAME, ROOMS } from './seed.js';
import { cookies, type Stage, type View } from './stage.js';

export interface Scene {
  readonly name: string;
  readonly view: View;
  /** what is done on the page before it is looked at */
  readonly play?: (page: Page, stage: Stage) => Promise<unknown>;
}

const room = (name: string) => `/r/${encodeURIComponent(name)}`;
const TOUCH = { isMobile: true, hasTouch: true };
const PHONE = { width: 360, height: 720, options: TOUCH };
const SMALL = { width: 320, height: 568, options: TOUCH };
const WIDE = { width: 2560, height: 1080 };

const talk: View = { as: 'Ann', path: room(ROOMS.talk) };
const signin: View = { path: '/signin', width: 900, height: 700 };

export async function showScene({ view, play }: Scene, stage: Stage): Promise<Page> {
  const page = await stage.open(view);
  if (view.as !== undefined) {
    await page.locator('.dot.live').waitFor();
    await page.locator('.messages li').first().waitFor();
  }
  await play?.(page, stage);
  await settled(page);
  return page;
}

/** Nothing is on its way any more: neither a part of the page nor a drawing of it. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await document.fonts.ready;
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 150)));
  });
}

export const SCENES: readonly Scene[] = [
  { name: 'signin', view: signin },
  { name: 'signin-dark', view: { ...signin, dark: true } },
  { name: 'signin-chinese', view: { ...signin, language: 'zh-CN' } },
  { name: 'signin-phone', view: { ...signin, ...SMALL } },
  { name: 'signin-error', view: signin, play: takenName },
  { name: 'signin-error-chinese', view: { ...signin, language: 'zh-CN' }, play: takenName },
  { name: 'lost', view: { ...signin, path: '/nowhere' } },
  { name: 'lost-room-phone-chinese', view: { path: '/r/!', ...SMALL, dark: true, language: 'zh-CN' } },
  { name: 'talk', view: talk },
  { name: 'talk-dark', view: { ...talk, dark: true } },
  { name: 'talk-chinese', view: { ...talk, language: 'zh-CN' } },
  { name: 'talk-middle', view: { ...talk, width: 900, height: 700 } },
  { name: 'talk-phone', view: { ...talk, ...PHONE } },
  { name: 'talk-phone-dark', view: { ...talk, ...PHONE, dark: true } },
  { name: 'talk-phone-chinese', view: { ...talk, ...PHONE, language: 'zh-CN' } },
  { name: 'talk-small', view: { ...talk, ...SMALL } },
  { name: 'talk-wide', view: { ...talk, ...WIDE } },
  { name: 'talk-forced-colors', view: { ...talk, options: { forcedColors: 'active' } } },
  { name: 'talk-tools', view: talk, play: (page) => message(page, 7).hover() },
  { name: 'talk-tools-phone', view: { ...talk, ...PHONE }, play: tapped },
  { name: 'talk-tools-phone-chinese', view: { ...talk, ...SMALL, language: 'zh-CN' }, play: tapped },
  { name: 'talk-tools-keys', view: { ...talk, dark: true }, play: walked },
  { name: 'talk-linked', view: { ...talk, path: `${room(ROOMS.talk)}#3` } },
  { name: 'empty', view: { ...talk, path: room(ROOMS.empty) } },
  { name: 'empty-chinese', view: { ...talk, path: room(ROOMS.empty), language: 'zh-CN' } },
  { name: 'empty-phone', view: { ...talk, path: room(ROOMS.empty), ...SMALL } },
  { name: 'empty-dark', view: { ...talk, path: room(ROOMS.empty), dark: true } },
  { name: 'busy-new', view: { ...talk, path: room(ROOMS.busy) } },
  { name: 'busy-top', view: { ...talk, path: `${room(ROOMS.busy)}#40` } },
  { name: 'odd', view: { ...talk, path: room(ROOMS.odd) } },
  { name: 'odd-phone', view: { ...talk, path: room(ROOMS.odd), ...SMALL } },
  { name: 'long-name', view: { ...talk, as: LONGEST_NAME, ...SMALL } },
  { name: 'loading', view: talk, play: loading },
  { name: 'loading-phone-dark', view: { ...talk, ...PHONE, dark: true }, play: loading },
  { name: 'not-on-device', view: talk, play: notOnDevice },
  { name: 'result-opened', view: talk, play: openResult },
  { name: 'talk-tablet', view: { ...talk, width: 768, height: 1024 } },
  { name: 'print', view: { ...talk, dark: true }, play: (page) => page.emulateMedia({ media: 'print' }) },
  { name: 'editing', view: talk, play: editLast },
  { name: 'offline', view: talk, play: offline },
  { name: 'offline-phone-chinese', view: { ...talk, ...PHONE, language: 'zh-CN' }, play: offline },
  { name: 'refused', view: talk, play: refused },
  { name: 'newer', view: talk, play: newer },
  { name: 'menu', view: talk, play: (page) => openMenu(page) },
  { name: 'menu-phone', view: { ...talk, ...SMALL }, play: (page) => openMenu(page) },
  { name: 'rooms-phone', view: { ...talk, ...PHONE }, play: (page) => page.locator('.rooms-button').click() },
  {
    name: 'rooms-phone-dark',
    view: { ...talk, ...PHONE, dark: true },
    play: (page) => page.locator('.rooms-button').click(),
  },
  {
    name: 'people-phone',
    view: { ...talk, ...PHONE },
    play: (page) => page.getByRole('button', { name: /^People here/ }).click(),
  },
  { name: 'room-menu', view: talk, play: (page) => openRoomMenu(page) },
  { name: 'room-menu-phone', view: { ...talk, ...SMALL }, play: openTitleMenu },
  { name: 'room-marks', view: talk, play: markRooms },
  { name: 'create', view: talk, play: (page) => create(page, '') },
  { name: 'create-name', view: { ...talk, dark: true }, play: (page) => create(page, 'Kitchen Talk!') },
  { name: 'create-phone-chinese', view: { ...talk, ...SMALL, language: 'zh-CN' }, play: createByTouch },
  { name: 'invite', view: talk, play: invite },
  { name: 'person', view: talk, play: (page) => message(page, 7).locator('button.name').click() },
  {
    name: 'person-dark',
    view: { ...talk, dark: true },
    play: (page) => page.locator('.people button').first().click(),
  },
  { name: 'sign-out', view: talk, play: signOut },
  { name: 'sign-out-phone-chinese', view: { ...talk, ...SMALL, language: 'zh-CN' }, play: signOut },
  { name: 'device-link', view: talk, play: deviceLink },
  { name: 'switch', view: talk, play: (page) => goTo(page, '') },
  { name: 'switch-some', view: { ...talk, dark: true }, play: (page) => goTo(page, 'ng') },
  { name: 'switch-new-chinese', view: { ...talk, language: 'zh-CN' }, play: (page) => goTo(page, '船坞') },
  { name: 'switch-none', view: { ...talk, ...PHONE }, play: (page) => goTo(page, '!?') },
  { name: 'search', view: talk, play: (page) => search(page, '') },
  { name: 'search-found', view: talk, play: (page) => search(page, 'bar') },
  {
    name: 'search-found-chinese',
    view: { ...talk, language: 'zh-CN', dark: true },
    play: (page) => search(page, '上海'),
  },
  { name: 'search-found-phone', view: { ...talk, ...PHONE }, play: (page) => search(page, 'tide') },
  { name: 'search-none', view: talk, play: (page) => search(page, 'krakens') },
  { name: 'mentions', view: talk, play: (page) => fromMenu(page, 0) },
  { name: 'mentions-none', view: { ...talk, as: '林美' }, play: (page) => fromMenu(page, 0) },
  { name: 'settings', view: talk, play: (page) => fromMenu(page, 1) },
  {
    name: 'settings-phone-chinese',
    view: { ...talk, ...SMALL, language: 'zh-CN' },
    play: (page) => fromMenu(page, 1),
  },
  { name: 'settings-dark', view: { ...talk, dark: true }, play: (page) => fromMenu(page, 1) },
  { name: 'keys', view: { ...talk, height: 900 }, play: (page) => fromMenu(page, 2) },
  {
    name: 'keys-narrow-chinese',
    view: { ...talk, width: SMALL.width, height: SMALL.height, language: 'zh-CN' },
    play: (page) => fromMenu(page, 2),
  },
  { name: 'picker', view: talk, play: pickEmoji },
  { name: 'picker-phone-dark', view: { ...talk, ...PHONE, dark: true }, play: pickEmoji },
  { name: 'completion', view: talk, play: (page) => complete(page, '@b') },
  { name: 'completion-emoji-dark', view: { ...talk, dark: true }, play: (page) => complete(page, ':tea') },
  { name: 'picker-none', view: talk, play: pickNothing },
  { name: 'signin-phone-dark', view: { ...signin, ...SMALL, dark: true } },
  { name: 'signin-cookies-blocked', view: signin, play: signInWithoutCookies },
  { name: 'link', view: signin, play: openDeviceLink },
  {
    name: 'link-phone-dark-chinese',
    view: { ...signin, ...SMALL, dark: true, language: 'zh-CN' },
    play: openDeviceLink,
  },
  { name: 'link-over', view: { ...signin, path: '/link/used' } },
  { name: 'returned', view: signin, play: (page, stage) => leaveByForm(page, stage, 'Lena') },
  {
    name: 'returned-phone-dark-chinese',
    view: { ...signin, ...SMALL, dark: true, language: 'zh-CN' },
    play: (page, stage) => leaveByForm(page, stage, 'Lev'),
  },
  { name: 'signed-out', view: { ...talk, as: 'Lin' }, play: leave },
  {
    name: 'signed-out-phone-dark-chinese',
    view: { ...talk, as: 'Lou', ...SMALL, dark: true, language: 'zh-CN' },
    play: leave,
  },
  { name: 'boot', view: talk, play: bootSlowly },
  { name: 'boot-phone-dark', view: { ...talk, ...PHONE, dark: true }, play: bootSlowly },
  { name: 'no-number', view: { ...talk, path: `${room(ROOMS.talk)}#9999` }, play: noticed },
  { name: 'number-of-edit', view: { ...talk, dark: true, path: `${room(ROOMS.talk)}#12` }, play: noticed },
  { name: 'numbers', view: talk, play: showNumbers },
  { name: 'numbers-phone-dark', view: { ...talk, ...PHONE, dark: true }, play: showNumbers },
  { name: 'file-refused', view: { ...talk, ...PHONE }, play: dropFile },
  { name: 'replying', view: talk, play: reply },
  {
    name: 'replying-phone-dark-chinese',
    view: { ...talk, ...SMALL, dark: true, language: 'zh-CN' },
    play: reply,
  },
  { name: 'reactions-named', view: talk, play: (page) => message(page, 3).locator('.chip').first().hover() },
  { name: 'message-menu', view: talk, play: openMessageMenu },
  {
    name: 'message-menu-dark-chinese',
    view: { ...talk, dark: true, language: 'zh-CN' },
    play: openMessageMenu,
  },
  { name: 'deleting', view: talk, play: confirmDelete },
  {
    name: 'deleting-phone-dark-chinese',
    view: { ...talk, ...SMALL, dark: true, language: 'zh-CN' },
    play: confirmDelete,
  },
  { name: 'deleted', view: { ...talk, path: '/r/scrap' }, play: deleteOne },
  { name: 'deleted-dark', view: { ...talk, dark: true, path: '/r/scrap-dark' }, play: deleteOne },
  { name: 'too-long', view: talk, play: (page) => writeTooMuch(page) },
  {
    name: 'too-long-phone-dark-chinese',
    view: { ...talk, ...SMALL, dark: true, language: 'zh-CN' },
    play: writeTooMuch,
  },
  { name: 'unsaved', view: talk, play: writeWithoutStorage },
  {
    name: 'refused-phone-dark-chinese',
    view: { ...talk, ...SMALL, dark: true, language: 'zh-CN' },
    play: refused,
  },
  { name: 'reconnecting', view: talk, play: (page) => closed(page, 1013) },
  {
    name: 'reconnecting-phone-dark-chinese',
    view: { ...talk, ...SMALL, dark: true, language: 'zh-CN' },
    play: (page) => closed(page, 1013),
  },
  { name: 'closed', view: talk, play: (page) => closed(page, 4400) },
  { name: 'closed-dark', view: { ...talk, dark: true }, play: (page) => closed(page, 4003) },
  { name: 'search-failed', view: talk, play: searchInVain },
  { name: 'search-busy-dark', view: { ...talk, dark: true }, play: searchSlowly },
  { name: 'rename-taken', view: { ...talk, dark: true }, play: renameToTaken },
  { name: 'room-menu-dark-chinese', view: { ...talk, dark: true, language: 'zh-CN' }, play: openRoomMenu },
  {
    name: 'invite-phone-dark-chinese',
    view: { ...talk, ...SMALL, dark: true, language: 'zh-CN' },
    play: invite,
  },
  { name: 'person-phone-chinese', view: { ...talk, ...PHONE, language: 'zh-CN' }, play: openOwnCard },
  {
    name: 'mentions-dark-chinese',
    view: { ...talk, dark: true, language: 'zh-CN' },
    play: (page) => fromMenu(page, 0),
  },
  { name: 'keys-dark', view: { ...talk, dark: true }, play: (page) => fromMenu(page, 2) },
  {
    name: 'search-found-forced-colors',
    view: { ...talk, options: { forcedColors: 'active' } },
    play: (page) => search(page, 'bar'),
  },
];

export function message(page: Page, id: number): Locator {
  return page.locator(`li.message[data-id="${id}"]`);
}

async function takenName(page: Page): Promise<void> {
  await page.getByRole('textbox').fill('ann');
  await page.locator('.enter').click();
  await page.locator('.problem:not(:empty)').waitFor();
}

/** By a finger to a message. */
async function tapped(page: Page): Promise<void> {
  await message(page, 15).locator('.text').first().tap();
  await message(page, 15).locator('.dates').waitFor();
}

/** By key to a message. */
async function walked(page: Page): Promise<void> {
  await message(page, 7).focus();
  await page.keyboard.press('ArrowUp');
  await message(page, 6).locator('.dates').waitFor();
}

async function openMenu(page: Page): Promise<void> {
  await page.locator('[popovertarget=menu]').click();
  await page.locator('.menu').waitFor();
}

/** Which of the menu: mentions, settings, keys. */
async function fromMenu(page: Page, index: number): Promise<void> {
  await openMenu(page);
  await page.locator('.menu button').nth(index).click();
  await page.locator('.panel .scroll, .panel .status-text').first().waitFor();
}

async function openRoomMenu(page: Page): Promise<void> {
  await page.locator('.rooms li').nth(1).hover();
  await page.locator('.rooms li .tool').nth(1).click();
  await page.locator('.rooms .more').waitFor();
}

async function openTitleMenu(page: Page): Promise<void> {
  await page.locator('.top h1 button').click();
  await page.locator('.top .more').waitFor();
}

/** One starred, one muted, one with a draft. */
async function markRooms(page: Page): Promise<void> {
  for (const [index, item] of [
    [1, 0],
    [2, 1],
  ] as const) {
    await page.locator('.rooms li').nth(index).hover();
    await page.locator('.rooms li .tool').nth(index).click();
    await page.locator('.rooms .more button').nth(item).click();
    await page.locator('.rooms h2').nth(2).waitFor(); // the starred room has moved
  }
  await page.locator('.composer textarea').fill('half a thought');
  await page.locator('.rooms li a').last().click();
  await page.locator('.rooms .mark').last().waitFor();
}

async function create(page: Page, name: string): Promise<void> {
  await page.locator('.rooms .new').click();
  await page.locator('.new-room input').fill(name);
}

async function createByTouch(page: Page): Promise<void> {
  await page.locator('.rooms-button').click();
  await create(page, '厨房 聊天！');
}

async function invite(page: Page): Promise<void> {
  await openTitleMenu(page);
  await page.locator('.top .more button').nth(3).click();
  await page.locator('.qr').waitFor();
}

async function signOut(page: Page): Promise<void> {
  await openMenu(page);
  await page.locator('.menu button').last().click();
  await page.locator('.sign-out').waitFor();
}

async function deviceLink(page: Page): Promise<void> {
  await fromMenu(page, 1);
  await page.locator('.settings .row > button').nth(1).click();
  await page.locator('.settings .qr').waitFor();
}

async function goTo(page: Page, letters: string): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill(letters);
  await page.locator('.panel [role=option], .panel .status-text').first().waitFor();
}

async function search(page: Page, query: string): Promise<void> {
  await page.keyboard.press('Control+Shift+F');
  const answer = query === '' ? undefined : page.waitForResponse(/\/api\/search/);
  await page.getByRole('searchbox').fill(query);
  await answer;
}

/** A room whose socket never says anything. */
async function loading(page: Page): Promise<void> {
  await page.routeWebSocket(/\/ws\/elsewhere/, () => {});
  await page.reload();
  await page.locator('.dot.live').waitFor();
  await page.route(FALLBACKS, () => {});
  await goTo(page, 'elsewhere');
  await page.keyboard.press('Enter');
  await page.locator('.log .skeleton').first().waitFor();
  await page.waitForFunction(() => document.getAnimations().every((each) => each.playState === 'finished'));
}

async function notOnDevice(page: Page): Promise<void> {
  await page.context().setOffline(true);
  await goTo(page, 'elsewhere');
  await page.keyboard.press('Enter');
  await page.locator('.beginning.empty').waitFor();
}

async function openResult(page: Page): Promise<void> {
  await search(page, 'bar');
  await page.locator('.results a').first().click();
  await page.locator('.notice.back').waitFor();
}

export async function offline(page: Page): Promise<void> {
  await page.context().setOffline(true);
  await page.locator('.dot:not(.live)').waitFor();
  await page.locator('.composer textarea').fill('Said while the cable is out.');
  await page.keyboard.press('Enter');
  await page.locator('.pending').waitFor();
  await page.locator('.top .count').waitFor({ state: 'hidden' });
}

/** The server says no to the next message. */
async function refused(page: Page): Promise<void> {
  await blockOtherTransports(page);
  await page.routeWebSocket(/\/ws\//, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((frame) => {
      const said = JSON.parse(String(frame)) as { type: string; cid?: string };
      const data = { code: 'bad_text', message: 'no text' };
      if (said.type === 'chat') socket.send(JSON.stringify({ type: 'error', cid: said.cid, data }));
      else server.send(frame);
    });
  });
  await page.reload();
  await page.locator('.dot.live').waitFor();
  await page.locator('.composer textarea').fill('Is anybody there?');
  await page.keyboard.press('Enter');
  await page.locator('.rejected').waitFor();
}

/** Another version of the page was deployed. */
async function newer(page: Page): Promise<void> {
  await page.route('**/version.json', (route) => route.fulfill({ json: { version: 'another' } }));
  await page.context().setOffline(true);
  await page.locator('.dot:not(.live)').waitFor();
  await page.context().setOffline(false);
  await page.locator('.status .update').waitFor();
}

async function editLast(page: Page): Promise<void> {
  await page.locator('.composer textarea').press('ArrowUp');
}

async function pickEmoji(page: Page): Promise<void> {
  await page.locator('.composer button:not(.send)').first().click();
  await page.locator('dialog[open]').waitFor();
}

async function complete(page: Page, beginning: string): Promise<void> {
  await page.locator('.composer textarea').pressSequentially(beginning);
  await page.locator('[role=option]').first().waitFor();
}

async function pickNothing(page: Page): Promise<void> {
  await pickEmoji(page);
  await page.keyboard.type('xyzzy');
  await page.locator('.picker .none:not(:empty)').waitFor();
}

/** A browser that keeps no cookies. */
async function signInWithoutCookies(page: Page): Promise<void> {
  await page.context().clearCookies();
  await page.getByRole('textbox').fill('Nobody');
  await page.locator('.enter').click();
  await page.locator('#problem:not(:empty)').waitFor();
}

async function openDeviceLink(page: Page, stage: Stage): Promise<void> {
  const answer = await (await stage.person('Ann')).post('/api/me/link', {});
  await page.goto(((await answer.json()) as { url: string }).url);
}

/** Signs out on the page that needs no script. */
async function leaveByForm(page: Page, stage: Stage, name: string): Promise<void> {
  await page.context().addCookies(cookies(await stage.person(name), stage.door.origin));
  await page.evaluate(() => {
    const form = document.createElement('form');
    form.method = 'post';
    form.action = '/signout';
    const field = document.createElement('input');
    field.name = 'return';
    field.value = 'true';
    form.append(field);
    document.body.append(form);
    form.submit();
  });
  await page.waitForURL(/signout/);
}

async function leave(page: Page): Promise<void> {
  await signOut(page);
  await page.locator('.sign-out button').first().click();
  await page.locator('.sign-out .qr').waitFor();
}

/** The page without its script, which never comes. */
async function bootSlowly(page: Page): Promise<void> {
  await page.evaluate(async () => (await navigator.serviceWorker.ready).unregister());
  await page.route(/\/js\/(main|chunk).*\.js/, () => {});
  await page.reload({ waitUntil: 'commit' });
  await page.locator('.boot .skeleton').first().waitFor();
  await page.waitForFunction(() => document.getAnimations().every((each) => each.playState === 'finished'));
}

function noticed(page: Page): Promise<void> {
  return page.locator('.notice').waitFor();
}

async function showNumbers(page: Page): Promise<void> {
  await page.evaluate(() => localStorage.setItem('oneport.settings', JSON.stringify({ showNumbers: true })));
  await page.reload();
  await page.locator('.show-numbers .message .number').first().waitFor();
}

async function dropFile(page: Page): Promise<void> {
  await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['x'], 'cat.png', { type: 'image/png' }));
    document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer }));
  });
  await noticed(page);
}

async function pressOn(page: Page, id: number, key: string): Promise<void> {
  await page.keyboard.press('Shift'); // single keys are for messages that were reached by keyboard
  await message(page, id).focus();
  await page.keyboard.press(key);
}

/** To a message of another. */
async function reply(page: Page): Promise<void> {
  await pressOn(page, 7, 'r');
  await page.locator('.composer .mode').waitFor();
}

async function openMessageMenu(page: Page): Promise<void> {
  await message(page, 6).hover();
  await message(page, 6).locator('[popovertarget]').click();
  await message(page, 6).locator('.more').waitFor();
}

async function confirmDelete(page: Page): Promise<void> {
  await pressOn(page, 6, 'Delete');
  await page.getByRole('alertdialog').waitFor();
}

async function deleteOne(page: Page): Promise<void> {
  await page.locator('.composer textarea').fill('never mind');
  await page.keyboard.press('Enter');
  await pressOn(page, 1, 'Delete');
  await page.locator('.confirm .danger').click();
  await message(page, 1).locator('.pill').waitFor();
}

async function writeTooMuch(page: Page): Promise<void> {
  await page.locator('.composer textarea').fill('long '.repeat(900));
  await page.locator('.composer .hint:not(:empty)').waitFor();
}

async function writeWithoutStorage(page: Page): Promise<void> {
  await page.addInitScript(() => {
    IDBObjectStore.prototype.add = () => new EventTarget() as IDBRequest<IDBValidKey>;
    Object.defineProperty(IDBTransaction.prototype, 'oncomplete', { set() {} });
  });
  await page.reload();
  await page.locator('.dot.live').waitFor();
  await page.context().setOffline(true);
  await page.locator('.composer textarea').fill('Said where nothing can be kept.');
  await page.keyboard.press('Enter');
  await page.locator('.unpersisted').waitFor();
}

/** On a slow machine, the page takes a WebSocket that opens late for a blocked one. */
async function blockOtherTransports(page: Page): Promise<void> {
  await page.route(FALLBACKS, (route) => route.abort());
}

/** The server closes each socket with this code. */
async function closed(page: Page, code: number): Promise<void> {
  await blockOtherTransports(page);
  await page.routeWebSocket(/\/ws\//, (socket) => socket.close({ code, reason: 'for a picture' }));
  await page.reload();
  await page.locator('.status button').waitFor();
}

async function searchInVain(page: Page): Promise<void> {
  await page.route('**/api/search?*', (route) => route.abort());
  await page.keyboard.press('Control+Shift+F');
  await page.getByRole('searchbox').fill('tide');
  await page.locator('.panel .status-text:not(:empty)').waitFor();
}

/** The answer never comes. */
async function searchSlowly(page: Page): Promise<void> {
  await page.route('**/api/search?*', () => {});
  await page.keyboard.press('Control+Shift+F');
  const request = page.waitForRequest(/\/api\/search/);
  await page.getByRole('searchbox').fill('tide');
  await request;
}

async function renameToTaken(page: Page): Promise<void> {
  await fromMenu(page, 1);
  await page.locator('.settings form input').fill('Noor');
  await page.keyboard.press('Enter');
  await page.locator('.settings .caution').waitFor();
}

async function openOwnCard(page: Page): Promise<void> {
  await page.locator('.top .quiet:has(.count)').click();
  await page.locator('.people button').first().click();
  await page.locator('.people .card').waitFor();
}
