/**
 * Runs before the page is painted: the theme and the language that were chosen, so that nobody sees a flash of
 * another. What is kept is not trusted (state/settings.ts reads it in full, soon after).
 */
import { applyTheme } from './theme.js';

try {
  const kept: unknown = JSON.parse(localStorage.getItem('oneport.settings') ?? '{}');
  if (typeof kept === 'object' && kept !== null && 'theme' in kept) {
    if (kept.theme === 'light' || kept.theme === 'dark') applyTheme(kept.theme);
  }
} catch {} // storage may be forbidden: then it is as the system wants it
