/** Light or dark, by the system or as chosen: on the page (style/base.css) and on the browser's frame around it. */
import type { Theme } from './settings.js';

/** The colour of the browser's own frame: that of --paper (style/base.css). */
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
