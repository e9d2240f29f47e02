/**
 * Mouse and touch on messages. One message at a time is active and shows its toolbar. A tap activates a
 * message; the next tap, anywhere, deactivates it.
 */
import { useEffect } from 'preact/hooks';
import { idOf, rowOf } from './keyboard.js';
import type { MessageActions } from './message-actions.js';

/** Screen position of the mouse: rows that scroll under it do not become active. */
let lastPointer = { x: Number.NaN, y: Number.NaN };

export function handlePointerOver(event: PointerEvent, actions: MessageActions): void {
  if (event.pointerType !== 'mouse') return;
  const id = idOf(rowOf(event.target));
  actions.hovered.value = id;
  const { screenX: x, screenY: y } = event;
  const moved = x !== lastPointer.x || y !== lastPointer.y;
  lastPointer = { x, y };
  if (!moved || id === undefined || isToolbarInUse()) return;
  releaseFocus(id);
  actions.pointerActive.value = true;
}

/** By keyboard, or its menu is open. */
function isToolbarInUse(): boolean {
  return document.querySelector('.messages .toolbar:has(:focus-visible, :popover-open)') !== null;
}

/** Moves the focus from a clicked button to its row, because the button goes away. */
function releaseFocus(id: number): void {
  const { activeElement } = document;
  const row = activeElement?.closest('.toolbar') ? rowOf(activeElement) : null;
  if (row && idOf(row) !== id) row.focus({ preventScroll: true });
}

/** The last touch until its click: whether it began on the active message. */
let lastTouch: { readonly wasActive: boolean } | undefined;

/** A touch elsewhere deactivates the message. */
export function useTouchSelection(actions: MessageActions): void {
  useEffect(() => {
    const onPointerDown = (event: PointerEvent) => handleTouchDown(event, actions);
    document.addEventListener('pointerdown', onPointerDown, true);
    return () => document.removeEventListener('pointerdown', onPointerDown, true);
  }, [actions]);
}

function handleTouchDown({ pointerType, target }: PointerEvent, actions: MessageActions): void {
  actions.focusedByKey = false;
  lastTouch = undefined;
  if (pointerType === 'mouse' || !(target instanceof Element) || target.closest('dialog')) return;
  const id = idOf(rowOf(target));
  lastTouch = { wasActive: id !== undefined && id === actions.active.peek() };
  if (!lastTouch.wasActive) actions.clearFocus();
}

/** Not every mobile browser focuses a row on tap. */
export function handleClick({ target }: MouseEvent, actions: MessageActions): void {
  const touch = lastTouch;
  lastTouch = undefined;
  const row = rowOf(target);
  if (!row || !(target instanceof Element)) return;
  if (!touch) actions.focused.value = idOf(row);
  else if (target.closest('a, button')) handleUsed(target, actions);
  else if (getSelection()?.isCollapsed !== false)
    actions.focused.value = touch.wasActive ? undefined : idOf(row);
}

/** Deactivates the message unless the control opens a popup. Blurs, because the focus would reactivate it. */
function handleUsed(target: Element, actions: MessageActions): void {
  if (target.closest('[aria-haspopup]')) return;
  const { activeElement: at } = document;
  if (at instanceof HTMLElement && rowOf(at)) at.blur();
  actions.clearFocus();
}
