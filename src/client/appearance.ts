/**
 * The theme and the language, as they are set. The language is also a cookie, `lang`, which the sign-in form shares: what
 * was chosen there holds here, and the other way round.
 */
import { effect } from '@preact/signals';
import type { Settings } from './state/settings.js';
import { wear } from './theme.js';
import { languages, speak, words } from './words.js';

const YEAR_S = 365 * 24 * 3600;

/** Resolves when the language is there (or cannot be had), so that nobody sees another one first. */
export async function keepAppearance({ theme, language }: Settings): Promise<void> {
  effect(() => wear(theme.value));
  effect(() => {
    document.documentElement.lang = words.value.language.tag;
  });
  const chosen = chosenAtTheForm();
  if (chosen !== undefined) language.value = chosen;
  effect(() => keepCookie(language.value));
  await speak(language.peek());
  effect(() => void speak(language.value));
}

function chosenAtTheForm(): string | undefined {
  const kept = /(?:^|;\s*)lang=([\w-]+)/.exec(document.cookie)?.[1];
  return languages.find(({ tag }) => tag === kept)?.tag;
}

function keepCookie(setting: string): void {
  const age = setting === 'system' ? 0 : YEAR_S;
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store does not exist on pages over plain http
  document.cookie = `lang=${setting}; path=/; max-age=${age}; samesite=lax`;
}
