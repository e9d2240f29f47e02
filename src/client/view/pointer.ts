/** The mouse over the log. What can be done with a message is shown at one of them only: where one pointed or went last. */
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
