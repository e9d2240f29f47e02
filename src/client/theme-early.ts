/**
 * Applies the stored theme before the first paint, to avoid a flash. settings.ts reads the settings in full
 * later.
 */
import { storagePrefix } from './site.js';
import { applyTheme } from './theme.js';

try {
  const settings: unknown = JSON.parse(localStorage.getItem(`${storagePrefix}oneport.settings`) ?? '{}');
  if (typeof settings === 'object' && settings !== null && 'theme' in settings) {
    if (settings.theme === 'light' || settings.theme === 'dark') applyTheme(settings.theme);
  }
} catch {} // storage is blocked: the system's theme applies
