/** The browser's localStorage as a shelf. It may be forbidden or full: then what is put there lives with the page. */
import type { Shelf } from './state/settings.js';

export const shelf: Shelf = {
  get(key) {
    try {
      return localStorage.getItem(key) ?? undefined;
    } catch {
      return undefined;
    }
  },
  set(key, value) {
    try {
      if (value === undefined) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
    } catch {}
  },
  keys() {
    try {
      return Object.keys(localStorage);
    } catch {
      return [];
    }
  },
  follow(changed) {
    addEventListener('storage', ({ key }) => key !== null && changed(key));
  },
};
