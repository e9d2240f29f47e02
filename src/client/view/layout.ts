/** Places popovers, and tells what fits beside what. */
import { type ReadonlySignal, signal } from '@preact/signals';

const gapPx = 6;

/** Below or above its opener, inside the window, with one edge in line: the end of a line, or its start. */
export function placePopover(
  popover: HTMLElement,
  opener: Element,
  alignment: 'start' | 'end' = 'end',
): void {
  const at = opener.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const rightToLeft = getComputedStyle(opener).direction === 'rtl';
  const below = at.bottom + gapPx + height <= innerHeight || at.top < height + gapPx;
  const top = below ? at.bottom + gapPx : at.top - gapPx - height;
  const alignsLeft = rightToLeft === (alignment === 'end');
  const left = alignsLeft ? at.left : at.right - width;
  // The content security policy forbids style attributes, but not properties set by script.
  popover.style.setProperty('inset', 'auto');
  popover.style.setProperty('top', `${clampToWindow(top, innerHeight - height)}px`);
  popover.style.setProperty('left', `${clampToWindow(left, innerWidth - width)}px`);
}

function clampToWindow(value: number, most: number): number {
  return Math.max(gapPx, Math.min(value, most - gapPx));
}

/** The names whose value is true, for a class attribute. */
export function classNames(names: Readonly<Record<string, boolean>>): string {
  return Object.keys(names)
    .filter((name) => names[name])
    .join(' ');
}

/** Breakpoints, equal to those of style/narrow.css. */

function mediaSignal(query: string): ReadonlySignal<boolean> {
  const list = matchMedia(query);
  const matches = signal(list.matches);
  list.addEventListener('change', () => {
    matches.value = list.matches;
  });
  return matches;
}

/** The room list is a column. */
export const roomsBeside = mediaSignal('(min-width: 54rem)');
/** The people are a column. */
export const peopleBeside = mediaSignal('(min-width: 75rem)');
/** Focusing a field opens the on-screen keyboard. */
export const touchOnly = mediaSignal('(hover: none) and (pointer: coarse)');
