/**
 * The mouse and the finger over the log. What can be done with a message is shown at one of them only: where one pointed
 * or went last. A finger shows it by a tap, and hides it by the next one, wherever that is.
 */
import { useEffect } from 'preact/hooks';
import { idOf, rowOf } from './keyboard.js';
import type { MessageActions } from './message-actions.js';

/** Where the mouse was: rows that scroll by under it do not move it. */
let lastPointer = { x: Number.NaN, y: Number.NaN };

export function handlePointerOver(event: PointerEvent, tools: MessageActions): void {
  if (event.pointerType !== 'mouse') return;
  const id = idOf(rowOf(event.target));
  tools.hovered.value = id;
  const { screenX: x, screenY: y } = event;
  const moved = x !== lastPointer.x || y !== lastPointer.y;
  lastPointer = { x, y };
  if (!moved || id === undefined || isToolbarInUse()) return;
  releaseFocus(id);
  tools.pointerActive.value = true;
}

/** By keyboard, or with its menu open: the mouse may pass over others meanwhile. */
function isToolbarInUse(): boolean {
  return document.querySelector('.messages .tools:has(:focus-visible, :popover-open)') !== null;
}

/** A button that was clicked goes with the others of its row: the row keeps the focus. */
function releaseFocus(id: number): void {
  const { activeElement } = document;
  const row = activeElement?.closest('.tools') ? rowOf(activeElement) : null;
  if (row && idOf(row) !== id) row.focus({ preventScroll: true });
}

/** The finger that came down last, until its tap: whether it came down on the message in hand. */
let lastTouch: { readonly inHand: boolean } | undefined;

/** A finger that comes down elsewhere, anywhere on the page, lets go of the message in hand. */
export function useTouchSelection(tools: MessageActions): void {
  useEffect(() => {
    const down = (event: PointerEvent) => handleTouchDown(event, tools);
    document.addEventListener('pointerdown', down, true);
    return () => document.removeEventListener('pointerdown', down, true);
  }, [tools]);
}

function handleTouchDown({ pointerType, target }: PointerEvent, tools: MessageActions): void {
  lastTouch = undefined;
  if (pointerType === 'mouse' || !(target instanceof Element) || target.closest('dialog')) return;
  const id = idOf(rowOf(target));
  lastTouch = { inHand: id !== undefined && id === tools.active.peek() };
  if (!lastTouch.inHand) tools.clearFocus();
}

/** A click of the mouse or a tap: no browser on every phone gives the focus to what is no field or button. */
export function handleClick({ target }: MouseEvent, tools: MessageActions): void {
  const tap = lastTouch;
  lastTouch = undefined;
  const row = rowOf(target);
  if (!row || !(target instanceof Element)) return;
  if (!tap) tools.focused.value = idOf(row);
  else if (target.closest('a, button')) handleUsed(target, tools);
  else if (getSelection()?.isCollapsed !== false) tools.focused.value = tap.inHand ? undefined : idOf(row);
}

/** What was tapped on a message is done, unless it opens something beside itself. The focus must not bring it back. */
function handleUsed(target: Element, tools: MessageActions): void {
  if (target.closest('[aria-haspopup]')) return;
  const { activeElement: at } = document;
  if (at instanceof HTMLElement && rowOf(at)) at.blur();
  tools.clearFocus();
}
