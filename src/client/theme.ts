/** Applies the light or dark theme to the page (style/base.css) and to the browser's frame. */
import type { Theme } from './settings.js';

/** `--paper` of style/base.css, for `<meta name="theme-color">`. */
const frameColors = { light: '#f4f6f5', dark: '#10181c' } as const;

export function applyTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === 'system') delete root.dataset['theme'];
  else root.dataset['theme'] = theme;
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    const own = meta.media.includes('dark') ? 'dark' : 'light';
    meta.content = frameColors[theme === 'system' ? own : theme];
  }
}
