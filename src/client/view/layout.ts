/** Puts what lies over the page beside what opened it, wholly within the window; right to left when the page is. */
import { type ReadonlySignal, signal } from '@preact/signals';

const gapPx = 6;

export function placePopover(box: HTMLElement, opener: Element): void {
  const at = opener.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const rightToLeft = getComputedStyle(opener).direction === 'rtl';
  const below = at.bottom + gapPx + height <= innerHeight || at.top < height + gapPx;
  const top = below ? at.bottom + gapPx : at.top - gapPx - height;
  const left = rightToLeft ? at.left : at.right - width;
  // Set by script, property by property: style attributes are what the policy forbids.
  box.style.setProperty('inset', 'auto');
  box.style.setProperty('top', `${clampToWindow(top, innerHeight - height)}px`);
  box.style.setProperty('left', `${clampToWindow(left, innerWidth - width)}px`);
}

function clampToWindow(value: number, most: number): number {
  return Math.max(gapPx, Math.min(value, most - gapPx));
}

/** Which parts of the page have a place of their own; the widths are those of style/narrow.css. */

function mediaSignal(query: string): ReadonlySignal<boolean> {
  const list = matchMedia(query);
  const now = signal(list.matches);
  list.addEventListener('change', () => {
    now.value = list.matches;
  });
  return now;
}

/** The rooms stand beside the room in view. */
export const roomsBeside = mediaSignal('(min-width: 54rem)');
/** So do the people. */
export const peopleBeside = mediaSignal('(min-width: 75rem)');
/** Nothing but fingers: whatever takes the focus to be written in brings the keyboard over half of the page. */
export const touchOnly = mediaSignal('(hover: none) and (pointer: coarse)');
