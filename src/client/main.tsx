/** Entry point of the page /r/ROOM#ID. */

import { effect } from '@preact/signals';
import { options, render } from 'preact';
import { parseJsonObject } from '../shared/parse.js';
import { type Address, parseAddress } from './address.js';
import { App } from './app.js';
import { parseSnapshot, type Snapshot } from './decode.js';
import { languages, setLanguage, t } from './i18n.js';
import { afterFirstPaint, scheduleFrame } from './render/scheduler.js';
import { Settings } from './settings.js';
import { basePath } from './site.js';
import { localStore } from './storage.js';
import { applyTheme } from './theme.js';
import { AppView } from './view/app.js';
import { showTimes } from './view/timestamp.js';

options.debounceRendering = scheduleFrame;

const root = document.getElementById('app');
const user = root?.dataset['user'];
const address = parseAddress(location);
if (root && user && address) {
  const settings = new Settings(localStore);
  const appearanceReady = applyAppearance(settings); // loads the language while the app starts
  const snapshot = readSnapshot(user, address);
  const app = new App(user, address, settings, snapshot);
  app.start(address, snapshot);
  void appearanceReady.then(() => {
    takeTypedText(root, app);
    root.replaceChildren(); // the skeleton
    render(<AppView app={app} />, root);
    afterFirstPaint(showTimes);
  });
} else location.replace(basePath); // not a room's page

/** What was typed before the page was ready follows the draft. Enter could not send it yet. */
function takeTypedText(skeleton: Element, app: App): void {
  const typed = skeleton.querySelector('textarea')?.value.replace(/\n+$/, '') ?? '';
  const { composer } = app.session.peek();
  if (typed.trim() !== '') composer.setText(composer.readText() + typed);
}

/** Applies theme and language. The cookie `lang` shares the language with the sign-in form. */

const cookieMaxAgeS = 365 * 24 * 3600;

/** Resolves when the language has loaded, so that no other one is shown first. */
async function applyAppearance({ theme, language }: Settings): Promise<void> {
  effect(() => applyTheme(theme.value));
  effect(() => {
    document.documentElement.lang = t.value.language.tag;
  });
  const chosen = languageFromCookie();
  if (chosen !== undefined) language.value = chosen;
  effect(() => writeLanguageCookie(language.value));
  await setLanguage(language.peek());
  effect(() => void setLanguage(language.value));
}

function languageFromCookie(): string | undefined {
  const storedTag = /(?:^|;\s*)lang=([\w-]+)/.exec(document.cookie)?.[1];
  return languages.find(({ tag }) => tag === storedTag)?.tag;
}

function writeLanguageCookie(setting: string): void {
  const age = setting === 'system' ? 0 : cookieMaxAgeS;
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store does not exist on pages over plain http
  document.cookie = `lang=${setting}; path=${basePath}; max-age=${age}; samesite=lax`;
}

/**
 * Reads the JSON that the server put into the HTML, and removes it. Undefined for another user or room. A
 * cached page has none.
 */
function readSnapshot(user: string, { room }: Address): Snapshot | undefined {
  const element = document.getElementById('snapshot');
  const snapshot = parseSnapshot(parseJsonObject(element?.textContent ?? ''));
  element?.remove();
  return snapshot?.user.id === user && snapshot.room === room ? snapshot : undefined;
}
