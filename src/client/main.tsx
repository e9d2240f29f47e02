/** The page: /r/ROOM#ID. Opens the desk and draws it, at most once a frame however fast messages come. */

import { effect } from '@preact/signals';
import { options, render } from 'preact';
import { parseJsonObject } from '../shared/parse.js';
import { type Address, parseAddress } from './address.js';
import { App } from './app.js';
import { parseSnapshot, type Snapshot } from './decode.js';
import { languages, setLanguage, t } from './i18n.js';
import { afterFirstPaint, scheduleFrame } from './render/scheduler.js';
import { Settings } from './settings.js';
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
  const dressed = applyAppearance(settings); // its language may have to be loaded: meanwhile the rest is made
  const snapshot = readSnapshot(user, address);
  const desk = new App(user, address, settings, snapshot);
  desk.start(address, snapshot);
  void dressed.then(() => {
    render(<AppView desk={desk} />, root);
    afterFirstPaint(showTimes);
  });
} else location.replace('/'); // not the page of a room

/**
 * The theme and the language, as they are set. The language is also a cookie, `lang`, which the sign-in form shares: what
 * was chosen there holds here, and the other way round.
 */

const cookieMaxAgeS = 365 * 24 * 3600;

/** Resolves when the language is there (or cannot be had), so that nobody sees another one first. */
export async function applyAppearance({ theme, language }: Settings): Promise<void> {
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
  const kept = /(?:^|;\s*)lang=([\w-]+)/.exec(document.cookie)?.[1];
  return languages.find(({ tag }) => tag === kept)?.tag;
}

function writeLanguageCookie(setting: string): void {
  const age = setting === 'system' ? 0 : cookieMaxAgeS;
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store does not exist on pages over plain http
  document.cookie = `lang=${setting}; path=/; max-age=${age}; samesite=lax`;
}

/** What the page was delivered with, out of its HTML (src/http/snapshot.ts). A page that was kept has none. */

/** Undefined when it is of somebody else or another room. What was said does not stay in the page's source. */
export function readSnapshot(user: string, { room }: Address): Snapshot | undefined {
  const element = document.getElementById('snapshot');
  const snapshot = parseSnapshot(parseJsonObject(element?.textContent ?? ''));
  element?.remove();
  return snapshot?.user.id === user && snapshot.room === room ? snapshot : undefined;
}
