/**
 * The mouse and the finger over the log. What can be done with a message is shown at one of them only: where one pointed
 * or went last. A finger shows it by a tap, and hides it by the next one, wherever that is.
 */
import { useEffect } from 'preact/hooks';
import { idOf, rowOf } from './rowkeys.js';
import type { Tools } from './tools.js';

/** Where the mouse was: rows that scroll by under it do not move it. */
let was = { x: Number.NaN, y: Number.NaN };

export function pointed(event: PointerEvent, tools: Tools): void {
  if (event.pointerType !== 'mouse') return;
  const id = idOf(rowOf(event.target));
  tools.hovered.value = id;
  const { screenX: x, screenY: y } = event;
  const moved = x !== was.x || y !== was.y;
  was = { x, y };
  if (!moved || id === undefined || inUse()) return;
  giveUp(id);
  tools.pointing.value = true;
}

/** By keyboard, or with its menu open: the mouse may pass over others meanwhile. */
function inUse(): boolean {
  return document.querySelector('.messages .tools:has(:focus-visible, :popover-open)') !== null;
}

/** A button that was clicked goes with the others of its row: the row keeps the focus. */
function giveUp(id: number): void {
  const { activeElement } = document;
  const row = activeElement?.closest('.tools') ? rowOf(activeElement) : null;
  if (row && idOf(row) !== id) row.focus({ preventScroll: true });
}

/** The finger that came down last, until its tap: whether it came down on the message in hand. */
let finger: { readonly inHand: boolean } | undefined;

/** A finger that comes down elsewhere, anywhere on the page, lets go of the message in hand. */
export function useFinger(tools: Tools): void {
  useEffect(() => {
    const down = (event: PointerEvent) => touched(event, tools);
    document.addEventListener('pointerdown', down, true);
    return () => document.removeEventListener('pointerdown', down, true);
  }, [tools]);
}

function touched({ pointerType, target }: PointerEvent, tools: Tools): void {
  finger = undefined;
  if (pointerType === 'mouse' || !(target instanceof Element) || target.closest('dialog')) return;
  const id = idOf(rowOf(target));
  finger = { inHand: id !== undefined && id === tools.active.peek() };
  if (!finger.inHand) tools.leave();
}

/** A click of the mouse or a tap: no browser on every phone gives the focus to what is no field or button. */
export function clicked({ target }: MouseEvent, tools: Tools): void {
  const tap = finger;
  finger = undefined;
  const row = rowOf(target);
  if (!row || !(target instanceof Element)) return;
  if (!tap) tools.focused.value = idOf(row);
  else if (target.closest('a, button')) used(target, tools);
  else if (getSelection()?.isCollapsed !== false) tools.focused.value = tap.inHand ? undefined : idOf(row);
}

/** What was tapped on a message is done, unless it opens something beside itself. The focus must not bring it back. */
function used(target: Element, tools: Tools): void {
  if (target.closest('[aria-haspopup]')) return;
  const { activeElement: at } = document;
  if (at instanceof HTMLElement && rowOf(at)) at.blur();
  tools.leave();
}
