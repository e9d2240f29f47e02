/** Maps the address bar (/r/ROOM#ID) to rooms and back. Moving between rooms never loads a page. */
import { parseRoomSegment, parseWholeNumber } from '../shared/parse.js';
import { basePath, defaultRoom, publicPath } from './site.js';

export interface Address {
  readonly room: string;
  readonly id?: number;
}

/** Returns undefined when the URL is not a room's. */
export function parseAddress({ pathname, hash }: URL | Location): Address | undefined {
  if (pathname === basePath) return { room: defaultRoom };
  if (!pathname.startsWith(basePath)) return undefined;
  const [prefix, segment, ...rest] = pathname.slice(basePath.length).split('/');
  const room = prefix === 'r' && rest.length === 0 ? parseRoomSegment(segment ?? '', () => true) : undefined;
  const id = parseWholeNumber(hash.slice(1));
  return room === undefined ? undefined : { room, ...(id ? { id } : {}) };
}

export function addressPath({ room, id }: Address): string {
  return `${publicPath('/r/')}${encodeURIComponent(room)}${id === undefined ? '' : `#${id}`}`;
}

/** Adds a history entry unless the page is already there. */
export function pushAddress(address: Address): void {
  const path = addressPath(address);
  if (path !== location.pathname + location.hash) history.pushState(null, '', path);
}

/**
 * Calls `go` after back, forward or a click on a link to a room. `pushed` is true when the history already
 * has the entry.
 */
export function onNavigate(go: (address: Address, pushed: boolean) => void): void {
  addEventListener('popstate', () => {
    const address = parseAddress(location);
    if (address) go(address, true);
  });
  document.addEventListener('click', (event) => {
    const link = linkOfPlainClick(event);
    const address = link && link.origin === location.origin ? parseAddress(new URL(link.href)) : undefined;
    if (!address) return;
    event.preventDefault();
    go(address, false);
  });
}

/** Returns the link of a plain left click, which means navigation in this tab. */
function linkOfPlainClick(event: MouseEvent): HTMLAnchorElement | undefined {
  const { button, metaKey, ctrlKey, shiftKey, altKey, defaultPrevented, target } = event;
  if (button !== 0 || metaKey || ctrlKey || shiftKey || altKey || defaultPrevented) return undefined;
  const link = target instanceof Element ? target.closest('a') : null;
  if (!(link instanceof HTMLAnchorElement) || link.target !== '' || link.hasAttribute('download'))
    return undefined;
  return link;
}
