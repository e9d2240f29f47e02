/** The address bar: /r/ROOM#ID. Going from room to room loads no page; back, forward and links of ours do the same. */
import { parseRoomSegment, parseWholeNumber } from '../shared/parse.js';
import { DEFAULT_ROOM } from '../shared/protocol.js';

export interface Address {
  readonly room: string;
  readonly id?: number;
}

/** Where a URL of this page leads; undefined when it is no room's. */
export function parseAddress({ pathname, hash }: URL | Location): Address | undefined {
  const [, r, segment, ...rest] = pathname.split('/');
  if (pathname === '/') return { room: DEFAULT_ROOM };
  const room = r === 'r' && rest.length === 0 ? parseRoomSegment(segment ?? '', () => true) : undefined;
  const id = parseWholeNumber(hash.slice(1));
  return room === undefined ? undefined : { room, ...(id ? { id } : {}) };
}

export function addressPath({ room, id }: Address): string {
  return `/r/${encodeURIComponent(room)}${id === undefined ? '' : `#${id}`}`;
}

/** Puts it into the address bar; a new step of the history unless we are there already. */
export function pushAddress(address: Address): void {
  const path = addressPath(address);
  if (path !== location.pathname + location.hash) history.pushState(null, '', path);
}

/** Calls `go` when the reader goes back or forward, or follows a link to a room. `push` is still to be done for those. */
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

/** The link of a click that means "go there", here. */
function linkOfPlainClick(event: MouseEvent): HTMLAnchorElement | undefined {
  const { button, metaKey, ctrlKey, shiftKey, altKey, defaultPrevented, target } = event;
  if (button !== 0 || metaKey || ctrlKey || shiftKey || altKey || defaultPrevented) return undefined;
  const link = target instanceof Element ? target.closest('a') : null;
  if (!(link instanceof HTMLAnchorElement) || link.target !== '' || link.hasAttribute('download'))
    return undefined;
  return link;
}
