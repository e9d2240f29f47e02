/** What the operator has set, as the server writes it into the HTML (public/index.html). */
import { DEFAULT_ROOM } from '../shared/protocol.js';

const { base, site, room } = typeof document === 'undefined' ? {} : document.documentElement.dataset;

export const siteName = site ?? 'Oneport';
/** The room that the address `/` opens. */
export const defaultRoom = room ?? DEFAULT_ROOM;
/** The path of everything, with a slash at both ends. */
export const basePath = base ?? '/';
/** Browsers keep storage by origin, so a chat at another path of it has keys of its own. */
export const storagePrefix = basePath === '/' ? '' : `${basePath} `;

/** Returns the address of a path of the server: `/chat/signin` for `/signin`. */
export function publicPath(path: string): string {
  return basePath + path.slice(1);
}
