/** What the keyboard does anywhere on the page. The list for people is view/keys.tsx; one is held to the other by a test. */
import type { Desk, DialogName } from '../desk.js';
import { neighbour } from '../state/neighbour.js';

/** Listens until the returned function is called. */
export function listenToKeys(desk: Desk): () => void {
  const pressed = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return;
    const act = actionOf(event, desk);
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener('keydown', menuFirst, true);
  document.addEventListener('keydown', pressed);
  return () => {
    document.removeEventListener('keydown', menuFirst, true);
    document.removeEventListener('keydown', pressed);
  };
}

/** A menu lies over all else: Esc shuts it before anybody hears of the key, for who takes it keeps the browser from doing so. */
function menuFirst(event: KeyboardEvent): void {
  if (event.key !== 'Escape' || event.isComposing || !('popover' in HTMLElement.prototype)) return;
  const menu = [...document.querySelectorAll<HTMLElement>(':popover-open')].at(-1);
  if (!menu) return;
  event.preventDefault();
  event.stopPropagation();
  menu.hidePopover();
  document.querySelector<HTMLElement>(`[popovertarget="${menu.id}"]`)?.focus();
}

type Act = (() => void) | undefined;

function actionOf(event: KeyboardEvent, desk: Desk): Act {
  const { key, altKey, shiftKey } = event;
  const control = event.ctrlKey || event.metaKey;
  const typing = isField(event.target);
  if (control && !altKey) return withControl(key.toLowerCase(), shiftKey, desk);
  if (altKey && (key === 'ArrowUp' || key === 'ArrowDown'))
    return besides(desk, key === 'ArrowUp' ? -1 : 1, shiftKey);
  if (altKey || desk.dialog.value !== undefined || document.querySelector('dialog[open]')) return undefined;
  if (key === 'Escape') return () => toLatest(desk);
  if (typing || !desk.settings.singleKeys.value) return undefined;
  if (key === '?') return () => show(desk, 'keys');
  if (key === '/') return () => show(desk, 'search');
  return undefined;
}

function withControl(key: string, shift: boolean, desk: Desk): Act {
  if (key === 'k' && !shift) return () => show(desk, 'switch');
  if (key === 'f' && shift) return () => show(desk, 'search');
  if (key === '/') return () => show(desk, 'keys');
  return undefined;
}

/** The same key shuts what it has opened. */
function show(desk: Desk, panel: DialogName): void {
  desk.dialog.value = desk.dialog.peek() === panel ? undefined : panel;
}

function besides(desk: Desk, step: 1 | -1, unread: boolean): Act {
  if (desk.dialog.value !== undefined) return undefined;
  return () => {
    const room = neighbour(desk.rooms.list.peek(), desk.here.peek().name, step, unread);
    if (room !== undefined) desk.go(room);
  };
}

/** The newest into view, and the hand at the pen. */
function toLatest(desk: Desk): void {
  void desk.here.peek().room.toLatest();
  document.querySelector<HTMLElement>('.composer textarea')?.focus({ preventScroll: true });
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'))
  );
}
